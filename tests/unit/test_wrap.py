import numpy as np
import pytest

from efface.anatomy import tissue_threshold
from efface.deface.blank import blanked
from efface.facemask import face_mask
from efface.measure import Stand, measure
from efface.sight import Template
from efface.wrap import torn
from heads import ATLAS, HEAD, INVERTED, head_image, moved

WHOLE = {"T1w": head_image(head=HEAD), "inverted": head_image(head=INVERTED)}


def folded(values, world_from_voxel, axis, first, count):
    """Return an image of `count` planes from `first` on, with all beyond them come in on the other side.

    Returns
    -------
    image : (I, J, K) float array
    mask : the face where it truly lies, as a right template draws it
    """
    planes = np.moveaxis(np.maximum(values.astype(np.float32), 0), axis, 0)
    image = np.zeros((count, *planes.shape[1:]), np.float32)
    np.add.at(image, (np.arange(len(planes)) - first) % count, planes)
    image = np.moveaxis(image, 0, axis)
    origin = world_from_voxel.copy()
    origin[:3, 3] += first * world_from_voxel[:3, axis]
    return image, face_mask(image.shape, origin, np.eye(4), ATLAS)


def answer(image, mask):
    return torn(image, mask, tissue_threshold(image, "MR"))


def plane_of(axis, mm, world_from_voxel=WHOLE["T1w"][1]):
    """Return the plane of an image's axis, the whole image's if none is given, at a place in world mm."""
    return round((mm - world_from_voxel[axis, 3]) / world_from_voxel[axis, axis])


@pytest.mark.parametrize("contrast", WHOLE)
def test_a_whole_head_does_not_wrap(contrast):
    values, world_from_voxel = WHOLE[contrast]
    assert not answer(*folded(values, world_from_voxel, 2, 0, values.shape[2]))


@pytest.mark.parametrize("contrast", WHOLE)
@pytest.mark.parametrize("cut_mm", [100.0, 94.0, 85.0])
def test_a_nose_behind_the_head_is_seen(contrast, cut_mm):
    first, last = plane_of(1, cut_mm), plane_of(1, -108.0)
    values, world_from_voxel = WHOLE[contrast]
    assert answer(*folded(values, world_from_voxel, 1, first, last - first))


@pytest.mark.parametrize("contrast", WHOLE)
@pytest.mark.parametrize("top_mm", [50.0, 30.0])
def test_a_top_of_the_head_below_the_chin_is_seen(contrast, top_mm):
    values, world_from_voxel = WHOLE[contrast]
    assert answer(*folded(values, world_from_voxel, 2, 0, plane_of(2, top_mm)))


@pytest.mark.parametrize("contrast", WHOLE)
def test_an_ear_on_the_other_side_is_seen(contrast):
    first, last = plane_of(0, 65.0), plane_of(0, -95.0)
    values, world_from_voxel = WHOLE[contrast]
    assert answer(*folded(values, world_from_voxel, 0, first, last - first))


def shaded(image, axis):
    """Return an image three times as bright at one end as at the other."""
    ramp = np.exp(np.linspace(-0.55, 0.55, image.shape[axis], dtype=np.float32))
    return image * np.moveaxis(ramp[:, None, None], 0, axis)


def noisy(image, axis):
    """Return an image with noise of a twentieth of its bright tissue."""
    noise = np.random.default_rng(3).normal(0, 0.05 * np.percentile(image, 99), (2, *image.shape))
    return np.hypot(image + noise[0], noise[1]).astype(np.float32)


def padded(image, axis):
    """Return an image with ten planes of nothing on either side."""
    width = [(0, 0)] * 3
    width[axis] = (10, 10)
    return np.pad(image, width)


@pytest.mark.parametrize("contrast", WHOLE)
@pytest.mark.parametrize("disturbed", [shaded, noisy, padded])
@pytest.mark.parametrize(("axis", "begin_mm", "end_mm"), [(0, 65, -95), (1, 94, -108), (2, -120, 40)])
def test_what_comes_in_again_is_seen_whatever_else_ails_the_image(
    contrast, disturbed, axis, begin_mm, end_mm
):
    first, last = plane_of(axis, begin_mm), plane_of(axis, end_mm)
    image, mask = folded(*WHOLE[contrast], axis, first, last - first)
    assert answer(disturbed(image, axis), padded(mask, axis) if disturbed is padded else mask)


def folded_with_slices(axis, begin_mm, end_mm, thickness_mm):
    """Return an image that wraps, with slices across an axis, and the mask."""
    spacing = [2.5, 2.5, 2.5]
    spacing[axis] = thickness_mm
    values, world_from_voxel = head_image(head=HEAD, spacing=tuple(spacing))
    first, last = (plane_of(axis, mm, world_from_voxel) for mm in (begin_mm, end_mm))
    return folded(values, world_from_voxel, axis, first, last - first)


@pytest.mark.parametrize(("axis", "begin_mm", "end_mm"), [(1, 94, -108), (2, -120, 40)])
def test_thick_slices_that_wrap_are_seen(axis, begin_mm, end_mm):
    assert answer(*folded_with_slices(axis, begin_mm, end_mm, 5.0))


@pytest.mark.parametrize(("axis", "begin_mm", "end_mm"), [(0, 65, -95), (1, 94, -108), (2, -120, 40)])
def test_a_blank_plane_between_hides_nothing(axis, begin_mm, end_mm):
    image, mask = folded_with_slices(axis, begin_mm, end_mm, 1.25)
    np.moveaxis(image, axis, 0)[0] = 0
    assert answer(image, mask)


@pytest.mark.parametrize("contrast", WHOLE)
@pytest.mark.parametrize("disturbed", [None, shaded, noisy, padded])
@pytest.mark.parametrize("depth_mm", [45.0, 55.0, 62.0])
def test_a_head_cropped_on_both_sides_is_alike_on_both_but_does_not_wrap(contrast, disturbed, depth_mm):
    values, world_from_voxel = WHOLE[contrast]
    box = slice(plane_of(0, depth_mm), plane_of(0, -depth_mm) + 1)
    image = values[box].astype(np.float32)
    cut = world_from_voxel.copy()
    cut[:3, 3] += box.start * world_from_voxel[:3, 0]
    # A mask that stands a little askew, as masks do, takes more on one side.
    mask = face_mask(image.shape, cut, moved(roll_degrees=4.0), ATLAS)
    if disturbed:
        image = disturbed(image, 0)
        mask = padded(mask, 0) if disturbed is padded else mask
    assert not answer(image, mask)


def test_a_phantom_that_is_the_same_on_every_plane_does_not_wrap():
    across = np.hypot(*np.mgrid[-32:32, -32:32])
    image = np.repeat((across < 25)[:, :, None] * (100.0 + across[:, :, None]), 24, axis=2)
    image = np.hypot(image, np.random.default_rng(5).rayleigh(2.0, image.shape))
    mask = np.zeros(image.shape, bool)
    mask[:20, :, 12:] = True
    assert not answer(image, mask)


CUT = {
    "nose": np.s_[:, plane_of(1, 92.0) :],
    "chin": np.s_[:, :, plane_of(2, -70.0) :],
    "a slab at the eyes": np.s_[:, :, 40:70],
    "both sides": np.s_[20:64],
}


@pytest.mark.parametrize("contrast", WHOLE)
@pytest.mark.parametrize("box", CUT.values(), ids=CUT)
def test_a_head_that_is_cut_but_not_wrapped_is_none(contrast, box):
    values, world_from_voxel = WHOLE[contrast]
    image = values[box].astype(np.float32)
    box = box if isinstance(box, tuple) else (box,)
    cut = world_from_voxel.copy()
    cut[:3, 3] += world_from_voxel[:3, :3] @ [part.start or 0 for part in (*box, *[slice(0)] * 3)[:3]]
    mask = face_mask(image.shape, cut, np.eye(4), ATLAS)
    assert mask.any() and not answer(image, mask)


def test_what_wraps_and_is_left_alone_or_goes_on_both_sides_is_no_matter():
    values, world_from_voxel = WHOLE["T1w"]
    first, last = plane_of(1, 94.0), plane_of(1, -108.0)
    image, mask = folded(values, world_from_voxel, 1, first, last - first)
    assert not answer(image, np.zeros_like(mask))
    mask[:, -1] |= mask[:, 0]
    assert not answer(image, mask)


@pytest.mark.parametrize("modality", ["MR", "CT"])
def test_the_judge_holds_a_wrapped_image_that_can_wrap(modality):
    values, world_from_voxel = WHOLE["T1w"]
    first, last = plane_of(1, 97.0), plane_of(1, -108.0)
    image, mask = folded(values, world_from_voxel, 1, first, last - first)
    image -= 1000.0 if modality == "CT" else 0.0
    cut = world_from_voxel.copy()
    cut[:3, 3] += first * world_from_voxel[:3, 1]
    found = measure(
        image, blanked(image, mask, np.float32(image.min())), np.linalg.inv(cut) @ ATLAS.world_from_voxel,
        Template(ATLAS.regions, ATLAS.head, ATLAS.brain), modality=modality, stand=Stand(9.0, 0.0, 0.0),
    )  # fmt: skip
    assert any("wraps around" in reason for reason in found.reasons) == (modality == "MR")
