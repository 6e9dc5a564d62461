"""Slices on an upright grid: a known field is found where it is, and what leaves gaps is refused."""

import numpy as np
import pytest
from nibabel.eulerangles import euler2mat

from efface.convert import tilt
from efface.errors import Held
from efface.resampled import Shown, faults

SHAPE, SPACING = (14, 10), (0.75, 0.5)  # rows and columns
ORIENTATIONS = {
    "axial": np.eye(3),
    "prone": np.diag([-1.0, -1, 1]),
    "coronal": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "oblique": euler2mat(0.3, -0.2, 0.4),
}
TWO_BLOCKS = np.array([0, 2, 4, 6, 7.1, 10.1, 13.1, 16.1])  # mm: 2 mm apart, then 3 mm
THICK = np.array([2, 2, 2, 2, 3, 3, 3, 3.0])


def stack(depths, degrees=0.0, turn=ORIENTATIONS["axial"]):
    """Return positions and the two in-plane directions of slices under a tilted gantry."""
    row, column, normal = turn.T
    slant = normal + np.tan(np.radians(degrees)) * column
    return np.array([3.0, -40, 25]) + np.outer(depths, slant), row, column


def field(points):
    """Return a value that changes evenly over patient space (LPS+, mm): linear interpolation keeps it."""
    return 300 + np.asarray(points) @ [11.0, -7.0, 13.0]


def slices(positions, row, column):
    """Return what each slice shows of the field, in whole numbers."""
    right, down = np.meshgrid(np.arange(SHAPE[1]) * SPACING[1], np.arange(SHAPE[0]) * SPACING[0])
    within = right[..., None] * row + down[..., None] * column
    return [np.rint(field(position + within)).astype(np.int16) for position in positions]


def upright(depths, degrees=0.0, turn=ORIENTATIONS["axial"], thickness=None):
    """Return the plan, and the image, of the field seen through tilted slices."""
    positions, row, column = stack(np.asarray(depths, float), degrees, turn)
    thickness = np.full(len(depths), np.nan) if thickness is None else thickness
    plan = tilt.upright(positions, row, column, SPACING, SHAPE, thickness)
    return plan, *tilt.resampled(slices(positions, row, column), plan, -1024)


@pytest.mark.parametrize("turn", ORIENTATIONS.values(), ids=ORIENTATIONS)
@pytest.mark.parametrize("degrees", [-21.0, -5.0, 0.0, 13.0, 25.0])
@pytest.mark.parametrize("depths", [np.arange(7) * 2.0, TWO_BLOCKS], ids=["even", "two blocks"])
def test_every_voxel_between_slices_shows_the_field_at_its_own_place(depths, degrees, turn):
    plan, voxels, world_from_voxel = upright(depths, degrees, turn, THICK)
    places = np.moveaxis(np.indices(voxels.shape), 0, -1)
    world = places @ world_from_voxel[:3, :3].T + world_from_voxel[:3, 3]
    known = np.zeros(voxels.shape, bool)
    for number, (below, above) in enumerate(plan.sources):
        covered = [plan.shifts[one] for one in ([below, below + 1] if above else [below])]
        (top, left), (down, right) = np.ceil(np.max(covered, axis=0)), np.floor(np.min(covered, axis=0))
        rows = slice(int(top), int(down) + SHAPE[0])
        known[int(left) : int(right) + SHAPE[1], rows, number] = True
    assert known.mean() > 0.4
    # Once rounded in the slices and once in the image.
    assert np.abs(voxels - field(world * [-1, -1, 1]))[known].max() <= 1.01


def test_the_grid_has_right_angles_and_its_third_axis_is_the_normal():
    _, voxels, world_from_voxel = upright(TWO_BLOCKS, 18.0, ORIENTATIONS["oblique"], THICK)
    axes = world_from_voxel[:3, :3] * [[-1], [-1], [1]]
    assert np.allclose(axes, ORIENTATIONS["oblique"] * [0.5, 0.75, 2.0])
    assert voxels.dtype == np.int16 and voxels.shape[0] == SHAPE[1] and voxels.shape[1] > SHAPE[0]


def test_no_slice_loses_a_pixel_and_the_first_keeps_its_values():
    positions, row, column = stack(np.arange(5) * 2.0, 17.0)
    planes = slices(positions, row, column)
    plan = tilt.upright(positions, row, column, SPACING, SHAPE, np.full(5, 2.0))
    voxels, _ = tilt.resampled(planes, plan, -1024)
    top = int(plan.shifts[0, 0])
    assert np.array_equal(voxels[:, top : top + SHAPE[0], 0].T, planes[0])
    excess = voxels.astype(float) + 1024
    wanted = [(plane + 1024.0).sum() for plane in planes]
    assert np.allclose(excess.sum(axis=(0, 1)), wanted, atol=0.5 * excess[..., 0].size)


def test_what_no_slice_covers_is_air():
    _, voxels, _ = upright(np.arange(6) * 2.0, 20.0)
    assert (voxels[:, -1, 0] == -1024).all() and (voxels[:, 0, -1] == -1024).all()


def test_where_one_slice_of_two_reaches_the_other_is_air():
    """Halfway between two slices and beyond the first, the second counts half."""
    plan = tilt.Plan((1, 2, 1), np.eye(4), np.array([[0.0, 0], [1, 0]]), [(0, 0.5)])
    voxels, _ = tilt.resampled([np.full((1, 1), 100, np.int16)] * 2, plan, -1000)
    assert voxels.ravel().tolist() == [-450, -450]


def test_even_slices_are_the_planes_though_their_places_are_rounded():
    positions = np.array([0, 2.4, 5, 7.4, 10, 12.4])  # 2.49 mm, written with few digits
    plan, _, world_from_voxel = upright(positions)
    assert plan.sources == [(number, 0.0) for number in range(6)]
    assert np.isclose(world_from_voxel[2, 2], 12.4 / 5)


@pytest.mark.parametrize(
    ("depths", "thickness", "first", "planes"),
    [
        ([0, 2, 4, 6, 9, 12, 15], [2, 2, 2, 3, 3, 3, 3], 0, 8),  # 15 = 7 x 2 + 1
        ([0, 3, 6, 9, 11, 13, 15], [3, 3, 3, 3, 2, 2, 2], 1, 8),  # the fine end keeps its slices
        ([0, 2, 4, 6, 9.2, 12.6, 15.8], [2, 2, 2, 4, 4, 4, 4], 0.9, 8),  # 1.8 over: shared by both ends
        ([0, 3, 6, 8, 10, 13, 16], [3, 3, 3, 3, 3, 3, 3], 0, 9),
    ],
)
def test_planes_are_as_far_apart_as_the_closest_regular_slices(depths, thickness, first, planes):
    plan, _, world_from_voxel = upright(depths, thickness=np.array(thickness, float))
    assert plan.shape[2] == planes
    assert np.isclose(world_from_voxel[2, 2], 2.0)
    assert np.isclose(world_from_voxel[2, 3], 25 + first)
    assert world_from_voxel[2, 3] + 2.0 * (planes - 1) <= 25 + depths[-1] + 1e-9


@pytest.mark.parametrize(
    ("depths", "thickness", "words"),
    [
        ([0, 5, 10, 20], [5.0] * 4, "leave gaps"),
        ([0, 2, 4, 8, 10, 12], [5.0] * 6, "leave gaps"),  # overlapping slices hide no missing one
        ([0, 2, 4, 6, 9, 12, 15], [2, 2, 2, 2, 2.5, 2.5, 2.5], "leave gaps"),
        ([0, 2, 4, 6, 9, 12, 15], [2, 2, 2, 3, 3, np.nan, 3], "SliceThickness does not tell"),
        ([0, 2, 4, 6, 9, 12, 15], [0.0] * 7, "SliceThickness does not tell"),
        ([0, 2, 4.4, 7.2, 10.5], [9.0] * 5, "one that occurs twice"),
        ([0, 2, 4, 4.05, 6.05, 8.05], [9.0] * 6, "so close to another"),
        ([0, 0.1, 0.2, 4, 8, 12], [9.0] * 6, "differ too much"),
        ([0, 2, 2, 4], [2.0] * 4, "each at its own place"),
        ([0, 2, 1, 3], [2.0] * 4, "each at its own place"),
        ([0], [2.0], "two or more"),
    ],
)
def test_what_is_no_even_stack_is_refused_by_name(depths, thickness, words):
    with pytest.raises(Held, match=words):
        upright(depths, thickness=np.array(thickness))


def test_stacks_side_by_side_are_refused():
    positions, row, column = stack(np.arange(4) * 2.0)
    positions[2:] += 30 * row
    with pytest.raises(Held, match="do not lie above one another"):
        tilt.upright(positions, row, column, SPACING, SHAPE, np.full(4, 2.0))


def test_air_under_any_scale():
    assert tilt.stored_air(2.0, -1024) == 0
    assert tilt.stored_air(1.0, -1000) == -24


def test_unsigned_values_become_signed_where_air_needs_it_and_they_fit():
    plan = tilt.Plan((1, 2, 1), np.eye(4), np.zeros((1, 2)), [(0, 0.0)])
    plane = np.array([[30000]], np.uint16)
    voxels, _ = tilt.resampled([plane], plan, -24)
    assert voxels.dtype == np.int16 and voxels.ravel().tolist() == [30000, -24]
    assert tilt.resampled([plane], plan, 0)[0].dtype == np.uint16
    with pytest.raises(Held, match="padded with air"):
        tilt.resampled([plane * 2], plan, -24)


@pytest.mark.parametrize("degrees", [-18.5, 18.5])
@pytest.mark.parametrize("depths", [np.arange(7) * 2.0, TWO_BLOCKS], ids=["even", "two blocks"])
def test_the_judge_agrees_on_noise(depths, degrees):
    positions, row, column = stack(depths, degrees, ORIENTATIONS["oblique"])
    planes = list(np.random.default_rng(3).integers(-1024, 3000, (len(depths), *SHAPE)).astype(np.int16))
    plan = tilt.upright(positions, row, column, SPACING, SHAPE, THICK[: len(depths)])
    voxels, world_from_voxel = tilt.resampled(planes, plan, -1024)
    shown = [
        Shown(position, row * SPACING[1], column * SPACING[0], plane.astype(float), 3.0)
        for position, plane in zip(positions, planes, strict=True)
    ]
    assert faults(shown, voxels.astype(float), world_from_voxel, 0.5) == []
    voxels[3, 5, 4] += 300
    assert len(faults(shown, voxels.astype(float), world_from_voxel, 0.5)) == 1
