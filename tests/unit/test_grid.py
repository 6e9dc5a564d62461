import numpy as np
import pytest
from nibabel.affines import apply_affine

from efface import grid

ORIENTATIONS = {
    "RAS": np.diag([1.0, 1, 1, 1]),
    "LPS": np.diag([-1.0, -1, 1, 1]),
    "PIL": np.array([[0.0, 0, -1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]]),
    "oblique": np.array([[0.96, -0.28, 0, 4], [0.28, 0.96, 0, -7], [0, 0, 1, 2], [0, 0, 0, 1]]),
    "sheared": np.array([[1.0, 0, 0, 0], [0, 1, 0.3, 5], [0, 0, 1, 9], [0, 0, 0, 1]]),
}


def blob(world_from_voxel, shape, centre):
    """Return a smooth ball around a world point."""
    world = (
        np.moveaxis(np.indices(shape, dtype=float), 0, -1) @ world_from_voxel[:3, :3].T
        + world_from_voxel[:3, 3]
    )
    return np.exp(-((world - centre) ** 2).sum(-1) / 200)


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("spacing", [(1, 1, 1), (1, 1, 4)])
def test_coarse_keeps_things_where_they_are_in_the_world(name, spacing):
    world_from_voxel = ORIENTATIONS[name] @ np.diag([*spacing, 1.0])
    shape = tuple(int(64 / step) for step in spacing)
    centre = apply_affine(world_from_voxel, np.array([np.array(shape) / 2]))[0]
    upright, world_from_upright = grid.coarse(blob(world_from_voxel, shape, centre), world_from_voxel, 4.0)
    weight = np.nan_to_num(upright)
    index = np.array([(axis * weight).sum() / weight.sum() for axis in np.indices(upright.shape)])
    assert np.linalg.norm(apply_affine(world_from_upright, index[None])[0] - centre) < 0.7
    assert np.allclose(world_from_upright[:3, :3], 4 * np.eye(3))


def test_coarse_marks_what_was_not_seen():
    upright, _ = grid.coarse(np.ones((30, 30, 30)), ORIENTATIONS["oblique"], 3.0)
    assert np.isnan(upright[0, 0, 0]) and np.isclose(upright[6, 6, 6], 1)


def test_a_carried_mask_goes_on_beyond_its_grid():
    mask = np.zeros((4, 4, 4), bool)
    mask[:, 3, :] = True
    carried = grid.carried(mask, np.eye(4), (4, 9, 4))
    assert carried[:, 3].all() and not carried[:, :3].any()
    assert carried[:, 8].all()


def test_a_carried_mask_has_no_values_between():
    labels = np.zeros((6, 6, 6), np.uint8)
    labels[3:] = 4
    assert set(np.unique(grid.carried(labels, np.diag([0.4, 0.4, 0.4, 1]), (12, 12, 12)))) == {0, 4}
