import numpy as np
import pytest

from efface.anatomy import tissue_threshold
from efface.deface.blank import blanked
from efface.facemask import face_mask
from efface.measure import Stand, measure
from efface.sight import Template
from efface.wrap import torn
from heads import ATLAS, HEAD, INVERTED, head_image

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


def plane_of(axis, mm):
    """Return the plane of the whole image's axis at a place in world mm."""
    world_from_voxel = WHOLE["T1w"][1]
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
