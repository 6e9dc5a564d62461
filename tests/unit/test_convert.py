"""From a series to one image: what is converted, and what is held and why."""

import base64

import nibabel as nib
import numpy as np
import pydicom
import pytest

from efface import nifti
from efface.convert import convert_series
from efface.errors import Held
from efface.proof import prove
from phantom import centred, make_series

SHAPE, SPACING = (10, 12, 20), (2, 1.5, 3)
GRID = centred(SHAPE, SPACING)


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 3000, shape).astype(np.uint16)


def series(folder, n_volumes=1, **attributes):
    voxels = noise((*SHAPE, n_volumes)[: 4 if n_volumes > 1 else 3])
    files = make_series(
        folder, shape=SHAPE, world_from_voxel=GRID, voxels=voxels, n_volumes=n_volumes, **attributes
    )
    return files, voxels


def edit(path, **attributes):
    dataset = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
        if value is None:
            delattr(dataset, keyword)
    dataset.save_as(path)


def in_grid(conversion):
    """Return voxels and affine in the orientation of `GRID`."""
    image = nib.Nifti1Image(conversion.voxels, conversion.world_from_voxel)
    turned = nib.as_closest_canonical(image)
    return np.asarray(turned.dataobj), turned.affine


def written(conversion, folder):
    nifti.write(folder / "image.nii", conversion.voxels, conversion.header())
    return folder / "image.nii"


def held(files, match, **plan):
    with pytest.raises(Held, match=match) as caught:
        convert_series(files, plan)
    assert "PHANTOM" not in str(caught.value)


def test_voxels_and_affine_are_those_of_the_series(tmp_path):
    files, voxels = series(tmp_path / "s")
    conversion = convert_series(files, {})
    found, affine = in_grid(conversion)
    np.testing.assert_array_equal(found, voxels)
    np.testing.assert_allclose(affine, GRID, atol=1e-5)
    assert conversion.voxels.dtype == np.int16 and conversion.engine == "dicom2nifti"


def test_instance_numbers_and_file_order_order_nothing(tmp_path):
    files, voxels = series(tmp_path / "s")
    order = np.random.default_rng(1).permutation(len(files))
    for number, path in zip(order, files, strict=True):
        edit(path, InstanceNumber=int(number) + 1)
    found, _ = in_grid(convert_series([files[n] for n in order[::-1]], {}))
    np.testing.assert_array_equal(found, voxels)
    for path in files:
        edit(path, InstanceNumber=None)
    np.testing.assert_array_equal(in_grid(convert_series(files, {}))[0], voxels)


def test_volumes_follow_their_clock_not_their_instance_numbers(tmp_path):
    files, voxels = series(
        tmp_path / "s", n_volumes=3, TemporalPositionIdentifier=None, NumberOfTemporalPositions=None
    )
    for number, path in enumerate(files):
        edit(path, AcquisitionTime=f"1011{12 + 2 * (number // SHAPE[2])}.500", InstanceNumber=900 - number)
    conversion = convert_series(files, {})
    np.testing.assert_array_equal(in_grid(conversion)[0], voxels)


@pytest.mark.parametrize("volumes", [3, 2])
def test_instance_numbers_count_only_where_the_header_says_how_many_volumes(volumes, tmp_path):
    files, voxels = series(tmp_path / "s", n_volumes=3, TemporalPositionIdentifier=None)
    for path in files:
        edit(path, NumberOfTemporalPositions=volumes)
    if volumes == 3:
        np.testing.assert_array_equal(in_grid(convert_series(files, {}))[0], voxels)
    else:
        held(files, "each slice position holds 3 frames and no attribute tells their order")


def test_large_unsigned_values_stay_unsigned(tmp_path):
    voxels = noise(SHAPE)
    voxels[0, 0, 0] = 40000
    files = make_series(tmp_path / "s", shape=SHAPE, world_from_voxel=GRID, voxels=voxels, RescaleSlope=2)
    conversion = convert_series(files, {})
    assert conversion.voxels.dtype == np.uint16 and conversion.slope == 2
    np.testing.assert_array_equal(in_grid(conversion)[0], voxels)


def test_slope_and_intercept_are_kept_and_the_voxels_stay_integers(tmp_path):
    files, voxels = series(tmp_path / "s", modality="CT", RescaleSlope="0.5", RescaleIntercept=-1024)
    conversion = convert_series(files, {})
    assert (conversion.slope, conversion.intercept) == (0.5, -1024)
    head = conversion.header()
    assert (head["scl_slope"], head["scl_inter"]) == (0.5, -1024)
    np.testing.assert_array_equal(in_grid(conversion)[0], voxels)


def test_a_slope_a_frame_gives_float32(tmp_path):
    files, voxels = series(tmp_path / "s", modality="PT")
    slopes = 1 + np.arange(SHAPE[2]) / 8
    for slope, path in zip(slopes, files, strict=True):
        edit(path, RescaleSlope=str(slope))
    conversion = convert_series(files, {})
    assert conversion.voxels.dtype == np.float32 and (conversion.slope, conversion.intercept) == (1, 0)
    np.testing.assert_array_equal(in_grid(conversion)[0], (voxels * slopes).astype(np.float32))


def test_signed_values_in_fewer_bits_keep_their_sign(tmp_path):
    voxels = noise(SHAPE).astype(np.int16) % 2000 - 1000
    files = make_series(tmp_path / "s", shape=SHAPE, world_from_voxel=GRID, voxels=voxels)
    for path in files:
        stored = pydicom.dcmread(path)
        twelve = np.frombuffer(stored.PixelData, np.uint16) & 0x0FFF
        edit(path, BitsStored=12, HighBit=11, PixelData=twelve.tobytes())
    np.testing.assert_array_equal(in_grid(convert_series(files, {}))[0], voxels)
    assert prove(files, written(convert_series(files, {}), tmp_path))["decision"] == "proved"


def test_a_missing_slice_is_named_and_filled_with_consent(tmp_path):
    files, voxels = series(tmp_path / "s")
    held(files[:7] + files[8:], r"1 of 20 slice positions is missing \(after position (7|12)\)")
    conversion = convert_series(files[:7] + files[8:], {"accept": ["missing_slices"]})
    found, _ = in_grid(conversion)
    voxels[:, :, 7] = np.delete(voxels, 7, 2).min()
    np.testing.assert_array_equal(found, voxels)
    assert len(conversion.filled) == 1


def test_the_affine_is_straight_and_qform_says_the_same(tmp_path):
    turn = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.2, -0.1, 0.3))
    files = make_series(tmp_path / "s", shape=SHAPE, world_from_voxel=turn @ GRID, voxels=noise(SHAPE))
    head = convert_series(files, {}).header()
    assert head["qform_code"] == head["sform_code"] == 1
    np.testing.assert_allclose(head.get_qform(), head.get_sform(), atol=1e-4)


def test_a_bold_image_has_its_repetition_time(tmp_path):
    files, _ = series(tmp_path / "s", n_volumes=3, RepetitionTime=2000)
    conversion = convert_series(files, {"datatype": "func", "suffix": "bold"})
    assert conversion.header()["pixdim"][4] == 2.0
    for number, path in enumerate(files):
        edit(path, AcquisitionTime=f"1011{12 + 5 * (number // SHAPE[2])}.500")
    held(files, "RepetitionTime disagrees with the time", suffix="bold")


def test_slice_times_follow_the_planes(tmp_path):
    files, _ = series(tmp_path / "s", n_volumes=2, RepetitionTime=2000)
    for number, path in enumerate(files):
        volume, plane = divmod(number, SHAPE[2])
        edit(path, AcquisitionTime=f"1011{12 + 2 * volume + 0.05 * (plane * 7 % SHAPE[2]):.3f}")
    conversion = convert_series(files, {"suffix": "bold"})
    up = conversion.world_from_voxel[2, 2] > 0
    expected = [0.05 * (plane * 7 % SHAPE[2]) for plane in range(SHAPE[2])]
    np.testing.assert_allclose(conversion.slice_times_s, expected if up else expected[::-1], atol=1e-6)


def _all(files, **attributes):
    for path in files:
        edit(path, **attributes)


def _tilt(files):
    for path in files:
        x, y, z = map(float, pydicom.dcmread(path).ImagePositionPatient)
        edit(path, ImagePositionPatient=[x, y + 0.03 * z, z])


def _uneven(files):
    x, y, z = map(float, pydicom.dcmread(files[9]).ImagePositionPatient)
    edit(files[9], ImagePositionPatient=[x, y, z + 0.4])


def _aside(files):
    x, y, z = map(float, pydicom.dcmread(files[9]).ImagePositionPatient)
    edit(files[9], ImagePositionPatient=[x + 1, y, z])


FAULTS = {
    "the slices are sheared by 1.7 degrees": _tilt,
    "the distances between slices are uneven": _uneven,
    "do not lie on one straight line": _aside,
    "hold more than one frame": lambda f: edit(
        f[3], ImagePositionPatient=pydicom.dcmread(f[4]).ImagePositionPatient
    ),
    "ImageOrientationPatient differ": lambda f: edit(f[3], ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
    "PixelSpacing differ": lambda f: edit(f[3], PixelSpacing=[1, 1]),
    "Columns, Rows differ": lambda f: edit(f[3], Rows=SHAPE[0], Columns=SHAPE[1]),
    "EchoTime differ": lambda f: edit(f[3], EchoTime=30),
    "ImageType differ": lambda f: edit(f[3], ImageType=["ORIGINAL", "PRIMARY", "P", "ND"]),
    "no ImagePositionPatient": lambda f: edit(f[3], ImagePositionPatient=None),
    "no PixelSpacing": lambda f: edit(f[3], PixelSpacing=None),
    "found colour": lambda f: edit(f[3], PhotometricInterpretation="RGB"),
    "found none": lambda f: edit(f[3], PixelData=None),
    "pixels cannot be read": lambda f: edit(f[3], PixelData=bytes(10)),
    "RescaleSlope is 0": lambda f: _all(f, RescaleSlope=0),
    "differ in BitsAllocated or PixelRepresentation": lambda f: edit(f[3], PixelRepresentation=1),
    "bits set above them": lambda f: _all(f, BitsStored=10, HighBit=9),
    "values within BitsStored": lambda f: _all(f, BitsStored=8, HighBit=7, PixelRepresentation=1),
    "a diffusion-weighted frame has no gradient direction": lambda f: edit(f[3], DiffusionBValue=1000.0),
}


@pytest.mark.parametrize("reason", FAULTS)
def test_what_is_not_one_regular_image_is_held_by_name(reason, tmp_path):
    files, _ = series(tmp_path / "s")
    FAULTS[reason](files)
    held(files, reason)


def test_too_few_slices_and_other_files_are_held(tmp_path):
    files, _ = series(tmp_path / "s")
    held(files[:3], "too few slices: expected at least 4 positions, found 3")
    held([], "no files")
    files[0].write_bytes(b"not DICOM at all")
    held(files, "expected DICOM")
    files[0].write_bytes(files[1].read_bytes()[:700])
    held(files, "a file|a frame")


def test_incomplete_volumes_are_held(tmp_path):
    files, _ = series(tmp_path / "s", n_volumes=3)
    held(files[:-1], "1 of 20 slice positions do not hold 3 frames")
    held(files, "expected one volume", datatype="anat")
    held(files[: SHAPE[2]], "expected several volumes", suffix="bold")


def test_a_value_that_cannot_be_parsed_is_not_quoted(tmp_path):
    files, _ = series(tmp_path / "s")
    raw = files[0].read_bytes()
    position = pydicom.dcmread(files[0]).get_item("ImagePositionPatient").value
    assert raw.count(position) == 1
    files[0].write_bytes(raw.replace(position, b"Smith\\0\\0".ljust(len(position))))
    with pytest.raises(Held, match="a frame has no ImagePositionPatient") as caught:
        convert_series(files, {})
    assert "Smith" not in str(caught.value)


def test_damage_is_held_or_harmless_and_never_quoted(tmp_path):
    files, _ = series(tmp_path / "s", n_volumes=2)
    raw, dice = files[3].read_bytes(), np.random.default_rng(5)
    outcomes = set()
    for spot in dice.integers(132, len(raw) - 2 * SHAPE[0] * SHAPE[1], 30):
        cut_short, overwritten = raw[:spot], raw[:spot] + b"Smith" + raw[spot + 5 :]
        for damaged in (cut_short, overwritten):
            files[3].write_bytes(damaged)
            try:
                record = prove(files, written(convert_series(files, {}), tmp_path))
                outcomes.add(record["decision"])
                assert "mith" not in str(record)
            except Held as reason:
                outcomes.add("refused")
                assert "mith" not in str(reason)
    assert {"proved", "refused"} <= outcomes <= {"proved", "refused", "held"}


HTJ2K = base64.b64decode(  # 12 rows of 10 columns: row + 20 * column, by OpenJPH
    "/0//UQApQAAAAAAKAAAADAAAAAAAAAAAAAAACgAAAAwAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQ"
    "kJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAFcAAf+TwAAlUwUHdAAAwAASwAASgEYBh3QA8ADHdADA"
    "ABGAG3MAwAASQAASgAxydADqx/60AMAAKuAAEwCmMaYx2C/X4At3AOD0ALqVAP/Z"
)


@pytest.mark.parametrize(
    "syntax",
    [
        pydicom.uid.ImplicitVRLittleEndian,
        pydicom.uid.ExplicitVRBigEndian,
        pydicom.uid.DeflatedExplicitVRLittleEndian,
        pydicom.uid.RLELossless,
    ],
    ids=lambda syntax: syntax.name,
)
def test_any_transfer_syntax_gives_the_same_voxels(tmp_path, syntax):
    files, voxels = series(tmp_path / "s")
    for path in files:
        dataset = pydicom.dcmread(path)
        if syntax == pydicom.uid.RLELossless:
            dataset.compress(syntax)
            dataset.save_as(path)
        elif syntax == pydicom.uid.ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
            whole = pydicom.Dataset(dataset)
            whole.file_meta = dataset.file_meta
            whole.file_meta.TransferSyntaxUID = syntax
            pydicom.dcmwrite(path, whole, implicit_vr=False, little_endian=False, enforce_file_format=True)
        else:
            dataset.file_meta.TransferSyntaxUID = syntax
            pydicom.dcmwrite(path, dataset, implicit_vr=syntax.is_implicit_VR, little_endian=True)
        assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax
    conversion = convert_series(files, {})
    np.testing.assert_array_equal(in_grid(conversion)[0], voxels)
    assert prove(files, written(conversion, tmp_path))["decision"] == "proved"


def test_high_throughput_jpeg_2000_is_read(tmp_path):
    files, _ = series(tmp_path / "s")
    for path in files:
        dataset = pydicom.dcmread(path)
        dataset.PixelData = pydicom.encaps.encapsulate([HTJ2K])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.HTJ2KLossless
        dataset.save_as(path)
    found, _ = in_grid(convert_series(files, {}))
    (plane,) = {found[:, :, k].tobytes() for k in range(SHAPE[2])}
    expected = np.add.outer(20 * np.arange(SHAPE[0]), np.arange(SHAPE[1]))
    turned = np.frombuffer(plane, found.dtype).reshape(SHAPE[:2])
    assert sorted(turned.ravel().tolist()) == sorted(expected.ravel().tolist())
    assert prove(files, written(convert_series(files, {}), tmp_path))["decision"] == "proved"
