import numpy as np
import pytest
from scipy import ndimage

from efface.facemask import brain_beside, face_mask
from heads import (
    ATLAS,
    BRAIN,
    CHIN,
    EPI,
    EYES,
    HEAD,
    INVERTED,
    NOSE,
    at,
    head_image,
    moved,
    with_long_poles,
)

FLIPS = [np.diag([*signs, 1.0]) for signs in ((1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1))]


@pytest.mark.parametrize("flip", FLIPS, ids=("as is", "x", "y", "z"))
@pytest.mark.parametrize("motion", [moved(), moved(25, (10, -40, 30))])
def test_the_mask_holds_the_face_and_not_the_brain_on_any_grid(flip, motion):
    voxels, world_from_voxel = head_image(motion)
    flip = flip.copy()
    flip[:3, 3] = np.where(np.diag(flip)[:3] < 0, np.array(voxels.shape) - 1, 0)
    world_from_voxel = world_from_voxel @ flip
    mask = face_mask(voxels.shape, world_from_voxel, motion, ATLAS)
    assert all(mask[at(place, motion, world_from_voxel)] for place in (*EYES, NOSE, CHIN))
    assert not any(mask[at(place, motion, world_from_voxel)] for place in BRAIN)


def test_no_brain_of_the_atlas_is_in_its_face():
    assert not ((ATLAS.brain > 0) & ((ATLAS.face > 0) | (ATLAS.ears > 0))).any()


def test_the_mask_goes_on_in_front_and_ends_below_the_neck():
    world_from_voxel = np.diag([5.0, 5, 5, 1])
    world_from_voxel[:3, 3] = 0, 0, -600
    mask = face_mask((1, 80, 130), world_from_voxel, np.eye(4), ATLAS)
    assert mask[0, -1, 108]  # 395 mm in front of a mouth
    assert not mask[:, :, :80].any()  # more than 200 mm below the brain


def test_on_a_small_head_the_mask_goes_deeper_though_not_to_the_brain():
    usual, small = (
        face_mask(ATLAS.head.shape, moved(size=size) @ ATLAS.world_from_voxel, moved(size=size), ATLAS)
        for size in (1, 0.7)
    )
    added = small & ~usual
    assert not (usual & ~small).any() and added[ATLAS.head == 1].sum() > 5000
    assert not (added & ndimage.binary_dilation(ATLAS.brain > 0, iterations=2)).any()


def test_ears_stay_when_they_may():
    voxels, world_from_voxel = head_image()
    with_ears, without = (
        face_mask(voxels.shape, world_from_voxel, np.eye(4), ATLAS, ears=ears) for ears in (True, False)
    )
    ear = at((78, -12, -42), moved(), world_from_voxel)
    assert with_ears[ear] and not without[ear]
    assert not (without & ~with_ears).any()


def beside(head):
    """Return what is spared of an image of a head, on the atlas's grid, and the masks without and with it."""
    voxels, world_from_voxel = head_image(head=head)
    spared = brain_beside(
        voxels.astype(np.float32), np.linalg.inv(world_from_voxel) @ ATLAS.world_from_voxel, ATLAS
    )
    masks = [
        face_mask(voxels.shape, world_from_voxel, np.eye(4), ATLAS, spared=one) for one in (None, spared)
    ]
    return spared, masks, world_from_voxel


def test_a_distorted_brain_beyond_the_templates_is_spared_and_the_face_is_not():
    spared, (drawn, kept_off), world_from_voxel = beside(with_long_poles())
    for side in (-1, 1):
        pole = at((side * 46, 45, -43), moved(), world_from_voxel)
        assert drawn[pole] and not kept_off[pole]
    assert not (kept_off & ~drawn).any()
    ears = [(side * 78, -12, -42) for side in (-1, 1)]
    assert all(kept_off[at(place, moved(), world_from_voxel)] for place in (*EYES, NOSE, CHIN, *ears))
    assert not spared[ATLAS.brain > 0].any()


def test_scalp_that_shines_a_little_is_not_spared():
    away = ndimage.distance_transform_edt(ATLAS.brain == 0, sampling=2)
    scalp = (away > 6) & (away < 12) & (np.indices(away.shape)[0] < 30)
    level = np.median(EPI[ATLAS.brain > 0])
    spared, _, _ = beside(np.where(scalp, level, EPI).astype(np.float32))
    assert not (spared & scalp & (away > 8)).any()


@pytest.mark.parametrize("head", [HEAD, INVERTED], ids=("T1w", "T2w"))
def test_where_scalp_is_bright_nothing_more_is_spared(head):
    assert beside(with_long_poles(head))[0] is None
