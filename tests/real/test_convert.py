"""Real series: each becomes an image that is proved, or is held for the fault that it has."""

import re
from collections import defaultdict

import nibabel as nib
import numpy as np
import pydicom
import pytest

from efface import nifti
from efface.cli import main
from efface.convert import convert_series
from efface.errors import Held
from efface.parts import alike, traits
from efface.proof import prove
from efface.tables import read_tsv

CASES, SMALL = "conversion_cases", "dicom2nifti_small"
BOLD, ECHO = "task-unnamed_bold", "task-unnamed_echo-{}_bold"
FIELDMAP = ("magnitude1", "magnitude2", "phase1", "phase2")
UNNAMED = "MR"  # converted under the key of its series, for no rule says what it is
PROVED = {  # folder: name and shape of each image, and nothing else
    f"{CASES}/canon_dwi": [("dwi", (80, 80, 40, 13))],
    f"{CASES}/ct_gantry_tilt_4_slices": [("ct", (512, 521, 4))],
    f"{CASES}/enhanced_agfa_4_files": [(UNNAMED, (64, 64, 25, 4))],
    f"{CASES}/enhanced_philips_magnitude_and_fieldmap": [
        ("fieldmap", (64, 64, 32)), ("magnitude", (64, 64, 32)),
    ],
    f"{CASES}/enhanced_siemens_bold_20_files": [(BOLD, (64, 64, 33, 20))],
    f"{CASES}/enhanced_siemens_one_volume_per_file": [(BOLD, (64, 64, 6, 4))],
    f"{CASES}/enhanced_siemens_phase_negative_intercept": [(UNNAMED, (64, 64, 33))],
    f"{CASES}/ge_b0map_real_and_magnitude": [("fieldmap", (128, 128, 80)), ("magnitude", (128, 128, 80))],
    f"{CASES}/ge_dwi_classic": [("dwi", (128, 128, 4, 2))],
    f"{CASES}/jpeg": [("FLAIR", (256, 256, 4))],
    f"{CASES}/jpeg2000": [("FLAIR", (256, 256, 4))],
    f"{CASES}/jpeg_lossless": [("FLAIR", (256, 256, 4))],
    f"{CASES}/jpeg_ls": [("FLAIR", (256, 256, 4))],
    f"{CASES}/mosaic_axial_head_first": [(BOLD, (64, 64, 40, 6))],
    f"{CASES}/mosaic_coronal_reversed": [(BOLD, (64, 64, 35, 2))],
    f"{CASES}/mosaic_sagittal_mirrored": [(BOLD, (64, 64, 35, 2))],
    f"{CASES}/mosaic_slice_timing": [(BOLD, (64, 64, 36, 2))],
    f"{CASES}/multi_echo_bold": [(ECHO.format(echo), (64, 64, 30, 3)) for echo in (1, 2)],
    f"{CASES}/philips_dwi_classic": [("dwi", (128, 128, 2, 4))],
    f"{CASES}/philips_dwi_enhanced": [("dwi", (128, 128, 8, 4))],
    f"{CASES}/philips_fieldmap_four_image_types": [(name, (80, 80, 53)) for name in FIELDMAP],
    f"{CASES}/rle": [("FLAIR", (256, 256, 4))],
    f"{CASES}/siemens_dwi_classic": [("dwi", (192, 192, 4, 2))],
    f"{CASES}/siemens_dwi_mosaic": [("dwi", (192, 192, 40, 2))],
    f"{CASES}/two_echo_pd_t2": [("PDw", (64, 64, 35)), ("T2w", (64, 64, 35))],
    f"{SMALL}/ge/anatomical/001": [("T1w", (256, 256, 4))],
    f"{SMALL}/hitachi/anatomical/001": [("PDw", (64, 64, 4))],
    f"{SMALL}/hyperfine/anatomical/001": [("FLAIR", (112, 138, 8))],
    "ge_ct_human": [("ct", (512, 611, 37))],
    "ge_epi": [(BOLD, (64, 64, 15, 10))],
    "pet_qin_headneck": [("pet", (128, 128, 299))],
    "philips_ingenia_T1_classic": [("T1w", (256, 256, 170))],
    "philips_ingenia_enhanced": [(UNNAMED, (96, 96, 40)), *[(name, (80, 80, 53)) for name in FIELDMAP]],
    "siemens_mosaic": [(BOLD, (64, 64, 36, 6))],
    "siemens_xa30_enhanced": [
        (UNNAMED, (64, 64, 12, 7)), (UNNAMED, (64, 64, 33)), (UNNAMED, (64, 64, 33)), ("T1w", (128, 128, 96)),
    ],
}  # fmt: skip
HELD = {  # folder: what the reason must say
    f"{CASES}/ct_uneven_increment": "the distances between slices leave gaps",
    f"{CASES}/too_few_slices": "too few slices",
    f"{SMALL}/generic": "two files have one SOPInstanceUID and differ",
}
DROPPED = (f"{CASES}/rgb", "philips_ct_localizer", "philips_ct_secondary_capture")


def converted(source, out):
    """Return the exit code of `efface convert` and the rows of its table."""
    code = main(["convert", str(source), str(out)])
    return code, read_tsv(out / "images.tsv")


def name_of(row):
    """Return an image's name without subject, session and the key of an unnamed one."""
    return re.sub("acq-[a-z2-7]{8}[0-9]*_", "", row["image"].split("_", 2)[2])


def series_in(folder):
    """Return the files of each image series in a folder, the larger series first."""
    found = defaultdict(list)
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        header = pydicom.dcmread(path, force=True, specific_tags=["SeriesInstanceUID", "Rows"])
        if "Rows" in header:
            found[header.get("SeriesInstanceUID")].append(path)
    return sorted(found.values(), key=len, reverse=True)


def write(conversion, folder):
    path = folder / "image.nii"
    nifti.write(path, conversion.voxels, conversion.header())
    return path


def same_places(one, other):
    """Return both images' values at the voxels' places in the world."""
    step = np.linalg.inv(other.affine) @ one.affine
    np.testing.assert_allclose(step, np.rint(step), atol=0.02)
    index = np.moveaxis(np.indices(one.shape[:3]), 0, -1)
    there = np.rint(index @ step[:3, :3].T + step[:3, 3]).astype(int)
    return np.asanyarray(one.dataobj), np.asanyarray(other.dataobj)[tuple(np.moveaxis(there, -1, 0))]


@pytest.mark.parametrize("folder", PROVED)
def test_is_converted_and_proved(folder, real_scans, tmp_path):
    code, rows = converted(real_scans / folder, tmp_path / "out")
    assert code == 0 and {row["decision"] for row in rows} <= {"proved", "dropped"}, rows
    images = [row for row in rows if row["decision"] == "proved"]
    shapes = [nib.load(tmp_path / "out" / f"{row['image']}.nii.gz").shape for row in images]
    found = [(name_of(row), shape) for row, shape in zip(images, shapes, strict=True)]
    assert sorted(found) == sorted(PROVED[folder])
    for row in images:
        assert nib.load(tmp_path / "out" / f"{row['image']}.nii.gz").get_data_dtype().itemsize == 2
        assert (tmp_path / "out" / f"{row['image']}.bval").exists() == (name_of(row) == "dwi")


@pytest.mark.parametrize("folder", HELD)
def test_is_held_for_its_fault(folder, real_scans, tmp_path):
    code, rows = converted(real_scans / folder, tmp_path / "out")
    (row,) = [row for row in rows if row["decision"] != "dropped"]
    assert code == 3 and row["decision"] == "held" and HELD[folder] in row["reason"]
    assert not list((tmp_path / "out").glob("*.nii.gz"))


@pytest.mark.parametrize("folder", DROPPED)
def test_is_no_scan(folder, real_scans, tmp_path):
    code, rows = converted(real_scans / folder, tmp_path / "out")
    assert code == 0 and {row["decision"] for row in rows} == {"dropped"}


def test_no_case_is_left_out(real_scans):
    cases = {f"{CASES}/{row['case']}" for row in read_tsv(real_scans / CASES / "INDEX.tsv")}
    assert cases <= {*PROVED, *HELD, *DROPPED}


@pytest.mark.parametrize(
    "folder", ["multi_echo_bold", "philips_fieldmap_four_image_types", "ge_b0map_real_and_magnitude"]
)
def test_an_image_of_two_parts_is_not_proved(folder, real_scans, tmp_path):
    """Whoever mixes echoes or components of a series gets neither an image nor a proof."""
    (files,) = series_in(real_scans / CASES / folder)
    with pytest.raises(Held, match="several images"):
        convert_series(files, {})
    plan = {"part": traits(pydicom.dcmread(files[0]))}
    mine = [path for path in files if alike(plan["part"], traits(pydicom.dcmread(path)))]
    conversion = convert_series(mine, plan)
    assert prove(mine, write(conversion, tmp_path), plan)["decision"] == "proved"
    assert prove(files, write(conversion, tmp_path), plan)["decision"] == "held"


def test_each_of_the_trios_heads_lacks_a_slice(real_scans, tmp_path):
    t1, t2, *mosaics = series_in(real_scans / "siemens_trio_T1_T2_ASLmosaic")
    for files, reason in (
        (t1, "1 of 176 slice positions is missing"),
        (t2, "1 of 56 slice positions is missing"),
    ):
        with pytest.raises(Held, match=reason):
            convert_series(files, {})
        conversion = convert_series(files, {"accept": ["missing_slices"]})
        record = prove(files, write(conversion, tmp_path), {"accept": ["missing_slices"]})
        assert record["decision"] == "proved" and len(record["filled"]) == 1
    assert len(mosaics) == 2


@pytest.mark.parametrize(
    ("folder", "reference"),
    [
        ("siemens_xa30_enhanced/5_anat-T1w_acq-tfl", "siemens_xa30_enhanced/Ref/5_anat-T1w_acq-tfl.nii"),
        ("siemens_xa30_enhanced/25_asl_2d_tra", "siemens_xa30_enhanced/Ref/25_asl_2d_tra.nii"),
    ],
)
def test_agrees_with_the_reference_of_another_converter(folder, reference, real_scans, tmp_path):
    (files,) = series_in(real_scans / folder)
    ours, theirs = same_places(
        nib.load(write(convert_series(files, {}), tmp_path)), nib.load(real_scans / reference)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_a_mirrored_mosaic_is_not_proved(real_scans, tmp_path):
    (files,) = series_in(real_scans / CASES / "mosaic_sagittal_mirrored")
    conversion = convert_series(files, {})
    conversion.voxels[:] = conversion.voxels[:, :, ::-1].copy()
    assert prove(files, write(conversion, tmp_path))["decision"] == "held"
