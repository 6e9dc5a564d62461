import hashlib

import nibabel as nib
import numpy as np
import pytest

from efface import nifti, surface, viewing
from efface.errors import EffaceError

# Axes in odd order and directions: to the foot, to the right, to the front; millimetres 2, 3 and 4.
WORLD_FROM_VOXEL = np.array([[0, 3.0, 0, -60], [0, 0, 4.0, -70], [-2.0, 0, 0, 50], [0, 0, 0, 1]])
SHAPE = (50, 40, 30)


def written(path, voxels, affine=WORLD_FROM_VOXEL, slope=1.0, intercept=0.0):
    head = nifti.header(voxels.shape, voxels.dtype, affine, slope=slope, intercept=intercept)
    nifti.write(path, voxels, head)
    return viewing.read(path)


@pytest.fixture
def marked(tmp_path):
    """Return an image with one bright voxel at the right, in front, at the top."""
    voxels = np.zeros(SHAPE, np.int16)
    voxels[3, 36, 25] = 900
    return written(tmp_path / "a.nii.gz", voxels)


def test_the_digest_is_that_of_the_bytes_that_were_read(tmp_path, marked):
    assert marked.sha256 == hashlib.sha256((tmp_path / "a.nii.gz").read_bytes()).hexdigest()
    assert marked.stored.shape == (40, 30, 50) and marked.spacing_mm == [3, 4, 2]


@pytest.mark.parametrize(
    ("plane", "index", "at"),
    [("axial", 46, "left top"), ("coronal", 25, "left top"), ("sagittal", 36, "left top")],
)
def test_a_slice_lies_as_its_letters_say(marked, plane, index, at):
    """The right is shown at the left, the front at the left or the top, the top at the top."""
    shown = marked.slice(plane, index)
    row, column = np.unravel_index(shown.argmax(), shown.shape)
    assert shown.max() == 900
    assert (column < shown.shape[1] / 2, row < shown.shape[0] / 2) == ("left" in at, "top" in at)
    assert viewing.LABELS[plane][0] in "RA" and viewing.LABELS[plane][2] in "SA"
    for other in (index - 1, index + 1):
        assert marked.slice(plane, other).max() == 0


def test_there_is_no_slice_beyond_the_image(marked):
    for plane, index in (("axial", 50), ("axial", -1), ("coronal", 30), ("sagittal", 40)):
        with pytest.raises(IndexError):
            marked.slice(plane, index)


def test_values_are_scaled_and_volumes_told_apart(tmp_path):
    voxels = np.zeros((5, 6, 7, 3), np.int16)
    voxels[..., 2] = 30
    scan = written(tmp_path / "a.nii.gz", voxels, np.eye(4), slope=2, intercept=-1)
    assert [float(scan.slice("axial", 0, volume)[0, 0]) for volume in (0, 2, None)] == [-1, 59, 19]
    assert scan.volumes == 3 and (scan.mean() == 19).all()
    with pytest.raises(IndexError):
        scan.slice("axial", 0, 3)


@pytest.mark.parametrize("raw", [b"", b"no image", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_image_is_refused(tmp_path, raw):
    (tmp_path / "a.nii.gz").write_bytes(raw)
    with pytest.raises(EffaceError, match="cannot be read"):
        viewing.read(tmp_path / "a.nii.gz")


def test_a_window_reaches_from_black_to_white():
    assert viewing.shades(np.array([-5.0, 10, 15, 20, 90]), 10, 20).tolist() == [0, 0, 128, 255, 255]


def test_r47_ct_can_be_seen_in_a_bone_window_and_up_to_metal(tmp_path):
    voxels = np.full((20, 20, 20), -1000, np.int16)
    voxels[5:15, 5:15, 5:15] = 60
    voxels[10, 10, 10], voxels[12, 10, 10] = 700, 3000  # bone, and an earring
    scan = written(tmp_path / "a.nii.gz", voxels, np.eye(4))
    shown = viewing.windows(scan, "CT")
    assert next(iter(shown)) == "soft tissue"
    greys = {name: viewing.shades(scan.slice("axial", 10), *window) for name, window in shown.items()}
    # Columns run from the right: voxel 10 of 20 is column 9.
    bone, metal = (lambda grey: int(grey[9, 9])), (lambda grey: int(grey[9, 7]))
    assert bone(greys["soft tissue"]) == metal(greys["soft tissue"]) == 255
    assert 100 < bone(greys["bone"]) < 200
    assert metal(greys["air to metal"]) > bone(greys["air to metal"]) + 100


def test_the_dim_window_shows_what_the_usual_one_hides(tmp_path):
    voxels = np.full((40, 40, 40), 2, np.int16)
    voxels[10:30, 10:30, 10:30] = 1000
    voxels[18:22, 32:36, 18:22] = 40  # a ghost of a nose
    scan = written(tmp_path / "a.nii.gz", voxels, np.eye(4))
    shown = viewing.windows(scan, "MR")
    greys = [
        viewing.shades(scan.slice("sagittal", 20), *shown[name])[20, 5].astype(int)
        for name in ("usual", "dim")
    ]
    assert greys[0] < 20 < 50 < greys[1]


def lump(tmp_path, *parts, shape=(100, 100, 100), step=2.0):
    """Return a scan with a ball and other parts, bright on air, centred in the world."""
    i, j, k = np.indices(shape)
    middle = (np.array(shape) - 1) / 2
    voxels = np.where((i - middle[0]) ** 2 + (j - middle[1]) ** 2 + (k - middle[2]) ** 2 < 30**2, 500, 0)
    for part, value in parts:
        voxels[part] = value
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = -step * middle
    return written(tmp_path / "lump.nii.gz", voxels.astype(np.int16), affine)


NOSE = (slice(46, 54), slice(78, 88), slice(44, 52))
RIGHT_EAR = (slice(78, 86), slice(46, 54), slice(46, 54))
CROWN = (slice(47, 53), slice(47, 53), slice(78, 88))


def drawn(scan, turn=0.0, tilt=0.0):
    return surface.render(surface.surface(scan, 250.0), turn, tilt, 80.0).astype(int)


def test_the_head_is_seen_from_the_front_and_turns(tmp_path):
    ball = drawn(lump(tmp_path))
    nosed, eared = drawn(lump(tmp_path, (NOSE, 500))), drawn(lump(tmp_path, (RIGHT_EAR, 500)))
    place = np.argwhere(np.abs(nosed - ball) > 30).mean(axis=0)
    assert np.abs(place - surface.PIXELS / 2).max() < 15, "the nose is in the middle"
    place = np.argwhere((eared > 60) & (ball == 0)).mean(axis=0)
    assert place[1] < surface.PIXELS / 4, "the right ear is at the left"
    turned = np.abs(drawn(lump(tmp_path, (RIGHT_EAR, 500)), turn=90) - drawn(lump(tmp_path), turn=90)) > 30
    assert np.abs(np.argwhere(turned).mean(axis=0) - surface.PIXELS / 2).max() < 15, (
        "turned to the right side"
    )
    tilted = np.abs(drawn(lump(tmp_path, (CROWN, 500)), tilt=90) - drawn(lump(tmp_path), tilt=90)) > 30
    assert np.abs(np.argwhere(tilted).mean(axis=0) - surface.PIXELS / 2).max() < 15, "tilted to the crown"


def test_a_sheet_of_skin_one_voxel_thick_is_seen_and_noise_is_not(tmp_path):
    """What is left of a face may be as thin as that; single bright voxels would hide it."""
    air = (slice(20, 80), slice(84, 96), slice(20, 80))
    noise = np.where(np.random.default_rng(2).random((60, 12, 60)) < 0.04, 500, 0)
    ball, noisy = drawn(lump(tmp_path)), drawn(lump(tmp_path, (air, noise)))
    sheet = (slice(40, 60), slice(90, 91), slice(40, 60))
    masked = drawn(lump(tmp_path, (air, noise), (sheet, 500)))
    where = (slice(140, 180), slice(140, 180))
    assert (np.abs(noisy - ball)[where] > 30).mean() < 0.1
    assert (np.abs(masked - ball)[where] > 10).mean() > 0.8


def test_no_gap_shows_what_lies_behind(tmp_path):
    ball = lump(tmp_path)
    reach = surface.surface(ball, 250.0).reach_mm
    assert 55 < reach < 65
    for turn, tilt in ((0, 0), (33, 0), (45, 35), (10, -60)):
        shown = surface.render(surface.surface(ball, 250.0), turn, tilt, reach).astype(int)
        row, column = np.indices(shown.shape)
        inside = np.hypot(row - 160, column - 160) < 120
        # What lies behind is black, as it looks away from the light; the ball itself is dark below only.
        assert (shown[inside & (row < 160)] > 25).all(), (turn, tilt)


def test_of_a_whole_body_the_head_is_shown(tmp_path):
    scan = lump(tmp_path, shape=(60, 60, 250), step=4.0)
    high = surface.surface(scan, 250.0, np.array([0, 0, 400.0]))
    assert len(high.points) == 0
    near = surface.surface(scan, 250.0, np.array([0, 0, 60.0]))
    assert len(near.points) and near.points[:, 2].mean() < -40, "the ball lies below the middle"


def test_an_image_of_noise_alone_has_a_level_that_leaves_little(tmp_path):
    voxels = np.random.default_rng(1).integers(0, 4000, (60, 60, 60)).astype(np.int16)
    scan = written(tmp_path / "a.nii.gz", voxels, np.eye(4))
    assert viewing.level(scan, "MR") >= 2900
    flat = written(tmp_path / "b.nii.gz", np.zeros((10, 10, 10), np.int16), np.eye(4))
    assert np.isfinite(viewing.level(flat, "MR"))
    empty = surface.surface(flat, viewing.level(flat, "MR"))
    assert not surface.render(empty, 0, 0, empty.reach_mm).any()


def test_a_picture_is_what_it_was_drawn_from(tmp_path):
    grey = np.arange(200, dtype=np.uint8).reshape(10, 20)
    (tmp_path / "a.png").write_bytes(viewing.png(grey))
    from PIL import Image

    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), grey)


def test_an_image_of_another_kind_of_header_is_read_alike(tmp_path):
    nib.save(nib.Nifti1Image(np.ones((4, 5, 6), np.float32), np.eye(4)), tmp_path / "a.nii.gz")
    assert viewing.read(tmp_path / "a.nii.gz").slice("axial", 0).shape == (5, 4)
