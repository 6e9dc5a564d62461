"""The judge: it passes what is right and catches each planted fault."""

import nibabel as nib
import numpy as np
import pydicom
import pytest

from efface import nifti
from efface.convert import convert_series
from efface.proof import prove
from phantom import centred, make_series

SHAPE = (20, 24, 12)
ROTATED = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.2, -0.1, 0.3), [4, 5, 6])


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 3000, shape).astype(np.uint16)


@pytest.fixture(params=["axial", "sagittal", "coronal", "oblique"])
def orientation(request):
    return request.param


@pytest.fixture
def world_from_voxel(orientation):
    axial = centred(SHAPE, (2, 1.5, 3))
    return {
        "axial": axial,
        "sagittal": np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]]) @ axial,
        "coronal": np.array([[-1, 0, 0, 0], [0, 0, -1, 0], [0, -1, 0, 0], [0, 0, 0, 1]]) @ axial,
        "oblique": ROTATED @ axial,
    }[orientation]


@pytest.fixture
def series(tmp_path, world_from_voxel):
    return make_series(
        tmp_path / "dicom", shape=SHAPE, world_from_voxel=world_from_voxel, voxels=noise(SHAPE)
    )


@pytest.fixture
def series_4d(tmp_path):
    voxels = noise((*SHAPE, 5))
    grid = centred(SHAPE, (2, 2, 3))
    return make_series(tmp_path / "4d", shape=SHAPE, world_from_voxel=grid, voxels=voxels, n_volumes=5)


def verdict(files, tmp_path, change=None, accept=()):
    """Convert, let `change` do harm to voxels and affine, write, and judge."""
    conversion = convert_series(files, {"accept": accept})
    voxels, affine, slope = conversion.voxels.copy(order="F"), conversion.world_from_voxel, conversion.slope
    if change:
        voxels, affine, slope = change(voxels, affine.copy(), slope)
    path = tmp_path / "image.nii"
    head = nifti.header(voxels.shape, voxels.dtype, affine, slope=slope, intercept=conversion.intercept)
    nifti.write(path, voxels, head)
    return prove(files, path, {"accept": accept})


def test_a_right_image_is_proved(series, tmp_path):
    record = verdict(series, tmp_path)
    assert record["decision"] == "proved" and record["reasons"] == []
    assert record["frames"] == SHAPE[2] and record["filled"] == []


def test_a_diffusion_image_without_its_directions_is_held(series, tmp_path):
    verdict(series, tmp_path)
    path = tmp_path / "image.nii"
    said = ("0\n", "0\n0\n0\n")
    for texts in (("", ""), (said[0], ""), ("", said[1])):
        assert prove(series, path, {"datatype": "dwi"}, texts)["decision"] == "held"


def test_any_turn_or_flip_of_both_voxels_and_affine_is_proved(series, tmp_path):
    def turn(voxels, affine, slope):
        image = nib.Nifti1Image(voxels, affine).as_reoriented(np.array([[1, -1], [2, 1], [0, -1]]))
        return np.asarray(image.dataobj), image.affine, slope

    assert verdict(series, tmp_path, turn)["decision"] == "proved"


def _shift(affine, *voxels):
    return affine @ nib.affines.from_matvec(np.eye(3), voxels)


def _edit(index, value):
    def change(voxels, affine, slope):
        voxels[index] = value(voxels) if callable(value) else value
        return voxels, affine, slope

    return change


FAULTS = {
    "mirrored along a row": lambda v, a, s: (v[::-1], a, s),
    "mirrored along a column": lambda v, a, s: (v[:, ::-1], a, s),
    "slices reversed": lambda v, a, s: (v[:, :, ::-1], a, s),
    "shifted one slice": lambda v, a, s: (v, _shift(a, 0, 0, 1), s),
    "rolled one slice": lambda v, a, s: (np.roll(v, 1, 2), a, s),
    "shifted one column": lambda v, a, s: (v, _shift(a, 1, 0, 0), s),
    "shifted half a column": lambda v, a, s: (v, _shift(a, 0.5, 0, 0), s),
    "moved half a slice": lambda v, a, s: (v, _shift(a, 0, 0, 0.5), s),
    "a slice dropped": lambda v, a, s: (v[:, :, :-1], a, s),
    "a slice too many": lambda v, a, s: (np.concatenate([v, v[:, :, -1:]], 2), a, s),
    "a slice twice": _edit((..., 3), lambda v: v[..., 4]),
    "a slice of zeros": _edit((..., 3), 0),
    "one voxel changed": _edit((5, 6, 3), lambda v: v[5, 6, 3] + 1),
    "wrong slope": lambda v, a, s: (v, a, 1.01),
    "wrong spacing": lambda v, a, s: (v, a @ np.diag([1, 1, 1.08, 1]), s),
    "wrong pixel size": lambda v, a, s: (v, a @ np.diag([1.01, 1, 1, 1]), s),
    "float64": lambda v, a, s: (v.astype(np.float64), a, s),
}


@pytest.mark.parametrize("orientation", ["sagittal", "oblique"], indirect=True)
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_held(fault, series, tmp_path):
    record = verdict(series, tmp_path, FAULTS[fault])
    assert record["decision"] == "held" and record["reasons"], fault


FAULTS_4D = {
    "a volume dropped": lambda v, a, s: (v[..., :-1], a, s),
    "two volumes swapped": lambda v, a, s: (v[..., [0, 2, 1, 3, 4]], a, s),
    "volumes reversed": lambda v, a, s: (v[..., ::-1], a, s),
    "a volume twice": lambda v, a, s: (v[..., [0, 1, 1, 3, 4]], a, s),
    "a volume too many": lambda v, a, s: (v[..., [0, 1, 2, 3, 4, 4]], a, s),
    "only the first volume": lambda v, a, s: (v[..., 0], a, s),
    "a plane swapped in time": lambda v, a, s: (
        np.concatenate([v[:, :, :1, [1, 0, 2, 3, 4]], v[:, :, 1:]], 2),
        a,
        s,
    ),
}


def test_a_right_4d_image_is_proved(series_4d, tmp_path):
    assert verdict(series_4d, tmp_path)["decision"] == "proved"


@pytest.mark.parametrize("fault", FAULTS_4D)
def test_each_fault_in_time_is_held(fault, series_4d, tmp_path):
    record = verdict(series_4d, tmp_path, FAULTS_4D[fault])
    assert record["decision"] == "held" and record["reasons"], fault


def test_clocks_that_disagree_are_held(series_4d, tmp_path):
    for number, path in enumerate(series_4d):
        dataset = pydicom.dcmread(path)
        dataset.AcquisitionNumber = 5 - number // SHAPE[2]
        dataset.save_as(path)
    record = verdict(series_4d, tmp_path)
    assert record["decision"] == "held" and "two disagree" in record["reasons"][0]


@pytest.mark.parametrize("orientation", ["axial", "oblique"], indirect=True)
def test_a_missing_plane_needs_consent_and_the_lowest_value(series, tmp_path):
    files = series[:3] + series[4:]
    make = convert_series(files, {"accept": ("missing_slices",)})
    path = tmp_path / "image.nii"
    nifti.write(path, make.voxels, make.header())
    assert prove(files, path)["decision"] == "held"
    record = prove(files, path, {"accept": ["missing_slices"]})
    assert record["decision"] == "proved" and record["filled"] == make.filled and len(make.filled) == 1
    invented = make.voxels.copy()
    invented[..., make.filled[0]] = invented[..., make.filled[0] + 1]
    nifti.write(path, invented, make.header())
    assert prove(files, path, {"accept": ["missing_slices"]})["decision"] == "held"


def test_frames_scaled_one_by_one_are_proved_as_float32(tmp_path):
    grid, voxels = centred(SHAPE, (2, 2, 3)), noise(SHAPE)
    files = make_series(tmp_path / "pet", shape=SHAPE, world_from_voxel=grid, modality="PT", voxels=voxels)
    for number, path in enumerate(files):
        dataset = pydicom.dcmread(path)
        dataset.RescaleSlope = f"{1 + number / 7:.8f}"
        dataset.save_as(path)
    assert verdict(files, tmp_path)["decision"] == "proved"
    off = verdict(files, tmp_path, lambda v, a, s: (v * np.float32(1.0001), a, s))
    assert off["decision"] == "held"


@pytest.mark.parametrize("orientation", ["axial"], indirect=True)
def test_a_copied_file_counts_once_and_a_changed_copy_does_not(series, tmp_path):
    copy = tmp_path / "dicom" / "copy.dcm"
    copy.write_bytes(series[2].read_bytes())
    path = tmp_path / "image.nii"
    made = convert_series(series, {})
    nifti.write(path, made.voxels, made.header())
    assert prove([*series, copy], path)["decision"] == "proved"
    dataset = pydicom.dcmread(copy)
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(copy)
    assert prove([*series, copy], path)["decision"] == "held"


@pytest.mark.parametrize("orientation", ["axial"], indirect=True)
def test_the_verdict_says_nothing_of_the_headers(series, tmp_path):
    dataset = pydicom.dcmread(series[0])
    dataset.ImagePositionPatient = None
    dataset.save_as(series[0])
    path = tmp_path / "image.nii"
    nifti.write(path, noise(SHAPE), nifti.header(SHAPE, np.uint16, np.eye(4)))
    text = str(prove(series, path))
    assert "held" in text and "PHANTOM" not in text and str(tmp_path) not in text
