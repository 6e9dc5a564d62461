import numpy as np
import pytest

from efface.anatomy import head_of, tissue_of, tissue_threshold
from efface.brain import brain_of
from efface.measure import EDGE_MM
from heads import ATLAS, EPI, HEAD, INVERTED

TRUTH = ATLAS.brain > 0
SEEN = np.ones(TRUTH.shape, bool)
POLES = {
    "frontal pole": (18, 76, 4),
    "straight gyrus": (6, 54, -16),
    "temporal pole": (-36, 37, -30),
    "temporal lobe": (50, -20, -8),
    "occipital pole": (0, -70, 10),
    "vertex": (10, -10, 62),
    "cerebellum": (20, -52, -44),
}
FACE = {"eye": (31, 72, -34), "nose": (0, 100, -60), "tongue": (0, 60, -95), "ear": (-78, -5, -40)}


def index_of(places):
    """Return the indices of the template's grid of places in its world, mm."""
    grid_from_world = np.linalg.inv(ATLAS.world_from_voxel)
    return np.array(list(places), float) @ grid_from_world[:3, :3].T + grid_from_world[:3, 3]


def found_in(head, modality="MR", seen=SEEN):
    rng = np.random.default_rng(2)
    values = head if modality == "CT" else np.hypot(head, rng.rayleigh(1.5, head.shape))
    values = np.where(seen, values, 0).astype(np.float32)
    threshold = tissue_threshold(values, modality)
    return brain_of(values, threshold, head_of(tissue_of(values, threshold, seen), seen), seen, modality)


def shaded(head):
    """Return a head that is four times as bright at the back as at the front, as under a surface coil."""
    return head * np.geomspace(4, 1, head.shape[1])[:, None].astype(np.float32)


def hounsfield():
    """Return the head as a CT shows it: air, fat and muscle, bone around the brain."""
    shell = (ATLAS.template > HEAD) & (ATLAS.template > 25)
    return np.select([shell, TRUTH, ATLAS.template > 25], [900.0, 35.0, 50.0], -1000.0).astype(np.float32)


@pytest.fixture(scope="module")
def brains():
    """Return the brain that is found in each kind of head."""
    heads = {"T1w": HEAD, "inverted": INVERTED, "EPI": EPI, "shaded": shaded(HEAD)}
    return {name: found_in(head) for name, head in heads.items()} | {"CT": found_in(hounsfield(), "CT")}


KINDS = ("T1w", "inverted", "EPI", "shaded", "CT")


@pytest.mark.parametrize("kind", KINDS)
def test_the_brain_is_found_without_the_atlas(brains, kind):
    found = brains[kind].on_grid(TRUTH.shape, 1)
    assert 2 * (found & TRUTH).sum() / (found.sum() + TRUTH.sum()) > (0.8 if kind == "EPI" else 0.85)
    assert brains[kind].on_grid(TRUTH[::2, ::2, ::2].shape, 2).sum() == found[::2, ::2, ::2].sum()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", POLES)
def test_every_end_of_the_brain_is_held(brains, kind, place):
    margin = EDGE_MM["CT" if kind == "CT" else "MR"]
    assert held(brains[kind], POLES[place], margin), "a bite of 9 mm radius is seen"


def held(brain, centre, margin_mm):
    """Return whether any voxel within 9 mm of a place counts as brain."""
    grid = index_of([centre]) + np.argwhere(np.ones((9, 9, 9))) - 4
    near = grid[np.linalg.norm(grid - index_of([centre]), axis=1) * 2 <= 9]
    return brain.holds(near, margin_mm).any()


@pytest.mark.parametrize("head", [HEAD, EPI], ids=["T1w", "EPI"])
def test_where_the_crown_is_out_of_view_the_brain_goes_on_to_the_edge(head):
    edge = 105  # layer of the grid, z = +40
    found = found_in(head, seen=np.indices(head.shape)[2] < edge).on_grid(TRUTH.shape, 1)
    assert (found & TRUTH)[:, :, edge - 1].sum() > 0.7 * TRUTH[:, :, edge - 1].sum()


@pytest.mark.parametrize("kind", KINDS)
def test_the_face_is_no_brain(brains, kind):
    assert not brains[kind].holds(index_of(FACE.values())).any()


def test_a_right_mask_takes_nothing_of_it(brains):
    removed = np.argwhere((ATLAS.face > 0) | (ATLAS.ears > 0))
    for kind, brain in brains.items():
        assert not brain.holds(removed, EDGE_MM["CT" if kind == "CT" else "MR"]).any(), kind


def test_a_margin_only_takes_away(brains):
    index = np.argwhere(SEEN[::4, ::4, ::4]) * 4
    sizes = [brains["T1w"].holds(index, margin).sum() for margin in (0, 3, 6, 12)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[-1] > 0


def test_beyond_the_field_of_view_a_brain_goes_on():
    seen = SEEN.copy()
    seen[:, :, 110:] = False
    values = np.where(seen, HEAD, 0)
    threshold = tissue_threshold(values, "MR")
    brain = brain_of(values, threshold, head_of(tissue_of(values, threshold, seen), seen), seen, "MR")
    found = brain.on_grid(TRUTH.shape, 1) & seen
    truth = TRUTH & seen
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.85
    assert held(brain, POLES["frontal pole"], EDGE_MM["MR"])


def test_the_same_head_gives_the_same_brain(brains):
    assert np.array_equal(found_in(HEAD).reach_mm, brains["T1w"].reach_mm)
