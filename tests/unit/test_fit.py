import numpy as np
import pytest

from efface.fit import CAP_Z, MOST_OFF, Fit, fit
from efface.grid import carried
from efface.outline import COARSE, PIVOT, Surface, drawn_surface, laid
from heads import ATLAS, moved

TEMPLATE = (ATLAS.head, ATLAS.brain)
HEAD, BRAIN = ATLAS.head == 1, ATLAS.brain > 0
ALL = np.ones(HEAD.shape, bool)
EVERY = (slice(None, None, COARSE),) * 3
MIDDLE = (ATLAS.world_from_voxel @ np.append(PIVOT, 1))[:3]


def about_the_middle(**motion):
    """Return a (4, 4) motion in world mm that turns and grows about the head's middle."""
    turn = moved(**motion)
    turn[:3, 3] += MIDDLE - turn[:3, :3] @ MIDDLE
    return turn


def on_grid(motion):
    """Return a motion in world mm as one of the grid's indices."""
    return np.linalg.inv(ATLAS.world_from_voxel) @ motion @ ATLAS.world_from_voxel


def fitted(motion=None, seen=ALL, head=HEAD, brain=BRAIN):
    """Return how the template lies on its own head, moved; the image shows what is `seen`."""
    motion = np.eye(4) if motion is None else motion
    template_from_moved = np.linalg.inv(on_grid(motion))
    head, brain = (carried(part, template_from_moved, HEAD.shape) for part in (head, brain))
    return fit(head & seen, (brain & seen)[EVERY], seen, TEMPLATE)


def layers(axis, first, last):
    """Return what a slab of the template's grid shows."""
    index = np.indices(HEAD.shape)[axis]
    return (index >= first) & (index < last)


SEEN = {"whole": ALL, "upper half": layers(2, 75, 136), "left and middle": layers(0, 0, 70)}


@pytest.mark.parametrize("view", SEEN)
def test_a_template_on_its_own_head_lies_right(view):
    assert fitted(seen=SEEN[view]).faults() == []


@pytest.mark.parametrize("step", [1, COARSE])
def test_the_edge_of_the_field_of_view_is_no_surface(step):
    seen, known = layers(2, 40, 106), ATLAS.head[EVERY] > 0
    cut = (BRAIN & seen)[(slice(None, None, step),) * 3]
    motion = laid([Surface(cut, step, *drawn_surface(BRAIN[EVERY], known, CAP_Z))], seen)
    assert np.abs(motion[:3]).max() < 0.5


@pytest.mark.parametrize(
    ("motion", "freedom", "size"),
    [
        ({"shift_mm": (6, 0, 0)}, 0, 6),
        ({"shift_mm": (0, -8, 0)}, 1, -8),
        ({"shift_mm": (0, 0, 10)}, 2, 10),
        ({"pitch_degrees": 11}, 3, 11),
        ({"pitch_degrees": -11}, 3, -11),
        ({"roll_degrees": 6}, 4, 6),
        ({"yaw_degrees": -6}, 5, -6),
        ({"size": 1.14}, 6, 0.14),
        ({"size": 0.86}, 6, -0.14),
    ],
)
@pytest.mark.parametrize("view", ["whole", "upper half"])
def test_the_motion_found_is_the_motion_made(view, motion, freedom, size):
    still, now = (fitted(made, SEEN[view]) for made in (None, about_the_middle(**motion)))
    apart = np.subtract(*([*of.offset_mm, *of.offset_degrees, of.offset_size] for of in (now, still)))
    assert apart[freedom] == pytest.approx(size, rel=0.35)
    assert now.faults()


@pytest.mark.parametrize("degrees", [-7, 7])
def test_a_small_tilt_of_a_whole_head_is_found(degrees):
    assert fitted(about_the_middle(pitch_degrees=degrees)).faults()


@pytest.mark.parametrize("degrees", [-11, 11])
def test_a_tilt_is_found_where_only_the_brain_shows(degrees):
    found = fitted(about_the_middle(pitch_degrees=degrees), head=BRAIN)
    assert found.shown == "brain" and not found.scalp_shows
    assert abs(found.offset_degrees[0]) > MOST_OFF["brain"][3] and found.faults()


@pytest.mark.parametrize("size", [0.84, 1.18])
def test_a_head_with_scalp_does_not_pass_for_a_brain_because_it_lies_askew(size):
    found = fitted(about_the_middle(size=size))
    assert "the template has not the size of the image's head" in found.faults()


def test_a_neck_that_bends_and_a_hat_tilt_nothing():
    x, y, z = np.indices(HEAD.shape)
    neck = HEAD & (z >= 40) | (z < 40) & np.roll(HEAD, 12, axis=1)
    hat = HEAD | (z > 118) & (abs(x - 50) < 25) & (y > 20) & (y < 50)
    for head in (neck, hat):
        assert fitted(head=head).faults() == []


def test_where_nothing_is_seen_nothing_is_known():
    found = fit(HEAD & False, None, ALL & False, TEMPLATE)
    assert len(found.faults()) == 3 and Fit().faults()


@pytest.mark.parametrize(
    "motion", [{"shift_mm": (0, 0, 10)}, {"shift_mm": (0, 8, 0)}, {"pitch_degrees": 9}, {"size": 1.15}]
)
def test_a_head_without_a_brains_edge_is_measured_by_its_outline(motion):
    still, now = (
        fit(carried(HEAD, np.linalg.inv(on_grid(made)), HEAD.shape), None, ALL, TEMPLATE)
        for made in (np.eye(4), about_the_middle(**motion))
    )
    assert still.faults() == [] and still.shown == "blur" and now.faults()
