import nibabel as nib
import numpy as np
import pytest

from efface.deface import _bridged, deface_file
from efface.deface.blank import air, blanked
from heads import ATLAS_FOLDER, head_image, moved


def save(path, voxels, world_from_voxel, slope=None, intercept=None):
    image = nib.Nifti1Image(voxels, world_from_voxel)
    image.header.set_slope_inter(slope, intercept)
    image.header["descrip"] = b"planted"
    nib.save(image, path)
    return path


def deface(tmp_path, voxels, world_from_voxel, **options):
    path = save(tmp_path / "in.nii.gz", voxels, world_from_voxel)
    return deface_file(path, tmp_path / "out.nii.gz", atlas_folder=ATLAS_FOLDER, **options)


def test_a_head_loses_its_face_and_nothing_else(tmp_path):
    voxels, world_from_voxel = head_image(moved(12, (5, 20, -10)))
    check = deface(tmp_path, voxels, world_from_voxel, modality="MR", mask_path=tmp_path / "mask.nii.gz")
    assert check["decision"] == "defaced" and check["reasons"] == []
    assert check["brain_voxels_changed"] == 0 and check["face_surface_surviving"] < 0.05
    out, mask = (nib.load(tmp_path / name) for name in ("out.nii.gz", "mask.nii.gz"))
    blank = np.asarray(mask.dataobj) > 0
    assert out.get_data_dtype() == voxels.dtype and np.allclose(out.affine, world_from_voxel)
    assert np.array_equal(np.asarray(out.dataobj)[~blank], voxels[~blank])
    assert not np.asarray(out.dataobj)[blank].any()
    assert b"planted" not in out.header.binaryblock


def test_every_volume_of_a_series_loses_the_same_voxels(tmp_path):
    voxels, world_from_voxel = head_image(spacing=(3, 3, 4))
    series = np.stack([voxels, voxels + 7, voxels // 2], -1)
    check = deface(tmp_path, series, world_from_voxel, modality="MR")
    out = np.asarray(nib.load(tmp_path / "out.nii.gz").dataobj)
    changed = out != series
    assert check["decision"] == "defaced" and out.shape == series.shape
    assert not out[changed].any() and (changed[..., 1] >= changed[..., 0]).all()


def test_the_same_image_gives_the_same_bytes(tmp_path):
    voxels, world_from_voxel = head_image(spacing=(3, 3, 3))
    outputs = []
    for _ in range(2):
        deface(tmp_path, voxels, world_from_voxel, modality="MR")
        outputs.append((tmp_path / "out.nii.gz").read_bytes())
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize("kind", ["noise", "empty", "thin", "lying header"])
def test_doubt_writes_no_image(tmp_path, kind):
    voxels, world_from_voxel = head_image()
    if kind == "noise":
        voxels = np.random.default_rng(3).rayleigh(100, voxels.shape).astype(np.int16)
    elif kind == "empty":
        voxels = np.zeros_like(voxels)
    elif kind == "thin":
        voxels = voxels[:, :, 40:44]
    else:
        world_from_voxel = world_from_voxel @ np.diag([1, -1, -1, 1.0])
    check = deface(tmp_path, voxels, world_from_voxel, modality="MR")
    assert check["decision"] == "held" and check["reasons"]
    assert not (tmp_path / "out.nii.gz").exists()


def test_a_head_without_its_face_in_view_is_passed_with_the_proof(tmp_path):
    voxels, world_from_voxel = head_image(bottom_mm=16.0, top_mm=90.0)
    check = deface(tmp_path, voxels, world_from_voxel, modality="MR")
    assert check["decision"] == "no_face" and check["face_surface_surviving"] is None
    assert np.array_equal(np.asarray(nib.load(tmp_path / "out.nii.gz").dataobj), voxels)


@pytest.mark.parametrize(
    ("stored", "slope", "intercept", "modality", "value"),
    [
        (np.array([0, 900], np.int16), 1, 0, "MR", 0),
        (np.array([0, 4000], np.uint16), 1, -1024, "CT", 0),
        (np.array([-2000, 900], np.int16), 1, 0, "CT", -1024),
        (np.array([-800, 900], np.int16), 1, 0, "CT", -800),
        (np.array([5, 250], np.uint8), 2, 10, "MR", 0),
        (np.array([0.5, 2.5], np.float32), 1, 0, "PT", 0),
        (np.array([-300, 300], np.int16), 0.5, 100, "MR", -200),
    ],
)
def test_air_is_the_nearest_stored_value(stored, slope, intercept, modality, value):
    assert air(stored, slope, intercept, modality) == value
    assert air(stored, slope, intercept, modality).dtype == stored.dtype


def test_blanking_leaves_the_input_alone():
    voxels = np.arange(8, dtype=np.int16).reshape(2, 2, 2)
    out = blanked(voxels, voxels > 4, np.int16(0))
    assert voxels.sum() == 28 and out.sum() == 10


def test_filled_planes_are_bridged_wherever_they_lie():
    ramp = np.broadcast_to(np.arange(10, dtype=np.float32), (2, 2, 10)).copy()
    torn = ramp.copy()
    torn[:, :, [3, 4, 8]] = -99
    assert np.allclose(_bridged(torn, [3, 4, 8]), ramp)
