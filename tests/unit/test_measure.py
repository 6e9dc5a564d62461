import numpy as np
import pytest

from efface.deface.blank import blanked
from efface.facemask import face_mask
from efface.measure import brain_of, measure, tissue_threshold
from heads import ATLAS, HEAD, head_image, moved

GOOD_LANDING = (1.0, 0.5, 3.0)
VOXELS, WORLD_FROM_VOXEL = head_image()
BEFORE = VOXELS.astype(np.float32)


def judged(mask, template_from_true=None, landing=GOOD_LANDING, voxels=BEFORE):
    """Return the measures of a mask, with the template where it is right or `template_from_true` off."""
    off = np.eye(4) if template_from_true is None else template_from_true
    voxel_from_grid = np.linalg.inv(WORLD_FROM_VOXEL) @ off @ ATLAS.world_from_voxel
    after = blanked(voxels, mask, np.float32(0))
    return measure(voxels, after, voxel_from_grid, ATLAS.regions, ATLAS.head, modality="MR", landing=landing)


def mask_at(motion, **options):
    return face_mask(BEFORE.shape, WORLD_FROM_VOXEL, motion, ATLAS, **options)


def test_a_right_mask_has_nothing_against_it():
    found = judged(mask_at(np.eye(4)))
    assert found.reasons == []
    assert found.worst < 0.05 and found.brain_voxels_changed == 0 and found.face_in_view
    assert set(found.surviving) == {"eyes", "nose", "mouth and chin", "ears"}


def test_an_untouched_face_survives_whole():
    found = judged(np.zeros(BEFORE.shape, bool))
    assert found.worst == 1 and found.in_front > 1000
    assert "part of the face's skin would survive" in found.reasons


@pytest.mark.parametrize(
    "mask",
    {
        "forward": mask_at(moved(shift_mm=(0, 25, 0))),
        "down": mask_at(moved(shift_mm=(0, 0, -40))),
        "mirrored": mask_at(np.diag([1, -1, 1, 1.0])),
        "one half": mask_at(np.eye(4)) & (np.arange(BEFORE.shape[0]) > 42)[:, None, None],
        "no ears": mask_at(np.eye(4), ears=False),
        "a thin shell": mask_at(np.eye(4)) & (np.indices(BEFORE.shape)[1] < 22),
    }.values(),
    ids=lambda mask: str(int(mask.sum())),
)
def test_a_mask_that_leaves_skin_is_caught(mask):
    assert "part of the face's skin would survive" in judged(mask).reasons


@pytest.mark.parametrize("motion", [moved(shift_mm=(0, -20, 0)), moved(shift_mm=(0, 0, 20)), moved(20)])
def test_a_mask_in_the_brain_is_caught(motion):
    found = judged(mask_at(motion))
    assert found.brain_voxels_changed > 0
    assert "the mask would reach into the brain" in found.reasons


@pytest.mark.parametrize(
    "motion",
    [
        moved(shift_mm=(0, 9, 0)),
        moved(shift_mm=(0, -9, 0)),
        moved(shift_mm=(0, 0, 12)),
        moved(shift_mm=(0, 0, -12)),
        moved(shift_mm=(10, 0, 0)),
        moved(15),
        moved(-15),
        moved(180),
        np.diag([1, -1, 1, 1.0]),
        np.diag([0.85, 0.85, 0.85, 1.0]),
    ],
)
def test_a_template_in_the_wrong_place_is_caught_by_the_head_itself(motion):
    reasons = judged(mask_at(motion), motion).reasons
    assert {
        "the image's head does not lie where the template's does",
        "the template lies shifted or tilted on the image's head",
    } & set(reasons)


def test_a_head_without_a_nose_where_one_should_be_is_caught():
    flat = BEFORE.copy()
    y = WORLD_FROM_VOXEL[1, 3] + WORLD_FROM_VOXEL[1, 1] * np.arange(BEFORE.shape[1])
    flat[:, y > 78, :] = 0
    assert "no nose stands out where one should" in judged(mask_at(np.eye(4)), voxels=flat).reasons


@pytest.mark.parametrize("landing", [(0.2, 0.1, 0.0), (0.8, 0.9, 0.0)])
def test_a_landing_no_better_than_chance_is_caught(landing):
    assert judged(mask_at(np.eye(4)), landing=landing).reasons


def test_a_turned_head_is_caught():
    reasons = judged(mask_at(np.eye(4)), landing=(1.0, 0.5, 170.0)).reasons
    assert "the image shows a head that is turned against what its header says" in reasons


def test_the_brain_is_found_without_the_atlas():
    brain = brain_of(HEAD, tissue_threshold(HEAD, "MR"), ATLAS.head == 1, "MR")
    truth = ATLAS.brain > 0
    assert 2 * (brain & truth).sum() / (brain.sum() + truth.sum()) > 0.85


def test_nothing_bright_is_no_tissue():
    assert tissue_threshold(np.zeros((20, 20, 20), np.float32), "MR") == float("inf")
