"""Real series: each becomes an image that is proved, or is held for the fault that it has."""

from collections import defaultdict

import nibabel as nib
import numpy as np
import pydicom
import pytest

from efface import nifti
from efface.convert import convert_series
from efface.errors import Held
from efface.proof import prove

CASES, SMALL = "conversion_cases", "dicom2nifti_small"
PROVED = {  # folder: shapes of its series
    f"{CASES}/enhanced_agfa_4_files": [(64, 64, 25, 4)],
    f"{CASES}/enhanced_siemens_bold_20_files": [(64, 64, 33, 20)],
    f"{CASES}/enhanced_siemens_one_volume_per_file": [(64, 64, 6, 4)],
    f"{CASES}/enhanced_siemens_phase_negative_intercept": [(64, 64, 33)],
    f"{CASES}/mosaic_axial_head_first": [(64, 64, 40, 6)],
    f"{CASES}/mosaic_coronal_reversed": [(64, 64, 35, 2)],
    f"{CASES}/mosaic_sagittal_mirrored": [(64, 64, 35, 2)],
    f"{CASES}/mosaic_slice_timing": [(64, 64, 36, 2)],
    f"{CASES}/jpeg": [(256, 256, 4)],
    f"{CASES}/jpeg2000": [(256, 256, 4)],
    f"{CASES}/jpeg_lossless": [(256, 256, 4)],
    f"{CASES}/jpeg_ls": [(256, 256, 4)],
    f"{CASES}/rle": [(256, 256, 4)],
    f"{SMALL}/ge/anatomical/001": [(256, 256, 4)],
    f"{SMALL}/hitachi/anatomical/001": [(64, 64, 4)],
    f"{SMALL}/hyperfine/anatomical/001": [(112, 138, 8)],
    "ge_epi/mr_0004": [(64, 64, 15, 10)],
    "pet_qin_headneck/PET": [(128, 128, 299)],
    "philips_ingenia_T1_classic": [(256, 256, 170)],
    "siemens_mosaic/ep2d_Asc_2": [(64, 64, 36, 6)],
    "siemens_xa30_enhanced/25_asl_2d_tra": [(64, 64, 12, 7)],
    "siemens_xa30_enhanced/5_anat-T1w_acq-tfl": [(128, 128, 96)],
}
HELD = {  # folder: what the reason must say
    f"{CASES}/canon_dwi": "diffusion",
    f"{CASES}/ge_dwi_classic": "diffusion",
    f"{CASES}/philips_dwi_classic": "diffusion",
    f"{CASES}/philips_dwi_enhanced": "diffusion",
    f"{CASES}/siemens_dwi_classic": "diffusion",
    f"{CASES}/siemens_dwi_mosaic": "mosaic without a usable description",
    f"{CASES}/ct_gantry_tilt_4_slices": "sheared by 14.0 degrees",
    f"{CASES}/ct_uneven_increment": "distances between slices are uneven",
    f"{CASES}/enhanced_philips_magnitude_and_fieldmap": "different values of ImageType",
    f"{CASES}/philips_fieldmap_four_image_types": "different values of ImageType",
    f"{CASES}/ge_b0map_real_and_magnitude": "no attribute tells their order",
    f"{CASES}/multi_echo_bold": "2 different values of",
    f"{CASES}/two_echo_pd_t2": "2 different values of EchoTime",
    f"{CASES}/rgb": "colour",
    f"{CASES}/too_few_slices": "too few slices",
    "ge_ct_human": "sheared by 18.5 degrees",
    "philips_ct_localizer/S1000": "too few slices",
    "philips_ct_secondary_capture/S4010": "no ImagePositionPatient",
    "siemens_xa30_enhanced/8_gre_field_mapping": "2 different values of EchoTime",
}


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
    shapes = []
    for files in series_in(real_scans / folder):
        conversion = convert_series(files, {})
        record = prove(files, write(conversion, tmp_path))
        assert record["decision"] == "proved", record["reasons"]
        assert conversion.voxels.dtype in (np.int16, np.uint16)
        shapes.append(conversion.voxels.shape)
    assert shapes == PROVED[folder]


@pytest.mark.parametrize("folder", HELD)
def test_is_held_for_its_fault(folder, real_scans):
    for files in series_in(real_scans / folder):
        with pytest.raises(Held, match=HELD[folder]):
            convert_series(files, {})


def test_each_of_the_trios_heads_lacks_a_slice(real_scans, tmp_path):
    t1, t2, *mosaics = series_in(real_scans / "siemens_trio_T1_T2_ASLmosaic")
    for files, reason in (
        (t1, "1 of 176 slice positions is missing"),
        (t2, "1 of 56 slice positions is missing"),
    ):
        with pytest.raises(Held, match=reason):
            convert_series(files, {})
        conversion = convert_series(files, {"accept": ["missing_slices"]})
        record = prove(files, write(conversion, tmp_path), ("missing_slices",))
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
