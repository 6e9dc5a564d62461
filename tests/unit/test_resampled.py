"""The judge of a resampled CT passes an image made voxel by voxel, and catches each planted fault."""

from dataclasses import replace

import numpy as np
import pytest
from nibabel.eulerangles import euler2mat

from efface.resampled import Shown, faults

AIR, STEP, ROWS, COLUMNS = -1024.0, 2.0, 9, 7
PIXEL = (0.8, 1.25)  # along a row, along a column, mm
DEPTHS = (0, 2, 4, 5.1, 8.1, 10.9)  # mm
MARGIN = 6  # pixels of air around the first slice: tilted either way, all slices fit
ROUNDED = euler2mat(0.2, -0.3, 0.5).T[:2].round(3)  # as a careless header has it
ROW, COLUMN = np.linalg.svd(ROUNDED, full_matrices=False)[0] @ np.linalg.svd(ROUNDED, full_matrices=False)[2]
NORMAL = np.cross(ROW, COLUMN)


def frames_of(degrees=15.0, seed=1):
    """Return slices of noise under a tilted gantry."""
    values = np.random.default_rng(seed).integers(-900, 2000, (len(DEPTHS), ROWS, COLUMNS))
    slant = NORMAL + np.tan(np.radians(degrees)) * COLUMN + 0.03 * ROW
    return [
        Shown(
            np.array([5.0, 9, -30]) + depth * slant,
            ROW * PIXEL[0],
            COLUMN * PIXEL[1],
            plane.astype(float),
            3.0,
        )
        for depth, plane in zip(DEPTHS, values, strict=True)
    ]


def pixel(frame, row, column, air):
    inside = 0 <= row < ROWS and 0 <= column < COLUMNS
    return frame.values[row, column] if inside else air


def seen(frame, point, air, nearest):
    """Return what a slice shows at a point of patient space: four pixels, weighted."""
    row = (point - frame.corner) @ COLUMN / PIXEL[1]
    column = (point - frame.corner) @ ROW / PIXEL[0]
    if nearest:
        return pixel(frame, round(row), round(column), air)
    top, left = int(np.floor(row + 1e-9)), int(np.floor(column + 1e-9))
    down, right = row - top, column - left
    return (
        (1 - down) * (1 - right) * pixel(frame, top, left, air)
        + (1 - down) * right * pixel(frame, top, left + 1, air)
        + down * (1 - right) * pixel(frame, top + 1, left, air)
        + down * right * pixel(frame, top + 1, left + 1, air)
    )


def grid(step=STEP):
    """Return the affine (RAS+) of an upright grid over the slices."""
    lps = np.eye(4)
    lps[:3, :3] = np.stack([ROW * PIXEL[0], COLUMN * PIXEL[1], NORMAL * step], axis=1)
    lps[:3, 3] = np.array([5.0, 9, -30]) - MARGIN * (ROW * PIXEL[0] + COLUMN * PIXEL[1])
    return np.diag([-1.0, -1, 1, 1]) @ lps


def image_of(frames, step=STEP, air=AIR, nearest=False):
    """Return the image of the slices, each voxel by itself."""
    lps = np.diag([-1.0, -1, 1, 1]) @ grid(step)
    depths = [(frame.corner - frames[0].corner) @ NORMAL for frame in frames]
    image = np.empty((COLUMNS + 2 * MARGIN, ROWS + 2 * MARGIN, int(depths[-1] / step + 1e-6) + 1))
    for index in np.ndindex(image.shape):
        point = lps[:3] @ [*index, 1]
        below = max(n for n, depth in enumerate(depths[:-1]) if depth <= index[2] * step + 1e-9)
        share = (index[2] * step - depths[below]) / (depths[below + 1] - depths[below])
        share = round(share) if nearest else share
        one, other = (seen(frame, point, air, nearest) for frame in frames[below : below + 2])
        image[index] = np.rint((1 - share) * one + share * other)
    return image


FRAMES = frames_of()
RIGHT = image_of(FRAMES)


def judged(image, affine=None, frames=FRAMES):
    return faults(frames, image, grid() if affine is None else affine, 0.5)


def moved(frame, right):
    """Return the slice with its pixels moved along the row."""
    return replace(frame, values=np.roll(frame.values, right, axis=1))


def at(number, change):
    """Return the slices, one of them changed."""
    return [change(frame) if n == number else frame for n, frame in enumerate(FRAMES)]


def swapped():
    frames = list(FRAMES)
    frames[1], frames[4] = (
        replace(frames[1], values=frames[4].values),
        replace(frames[4], values=frames[1].values),
    )
    return frames


def test_an_image_as_predicted_is_passed_in_any_order_of_slices():
    assert judged(RIGHT) == []
    assert judged(RIGHT, frames=FRAMES[::-1]) == []


def test_the_image_may_run_along_its_axes_in_any_way():
    flip = np.diag([1.0, -1, -1, 1])
    flip[1:3, 3] = np.array(RIGHT.shape[1:]) - 1
    assert judged(RIGHT[:, ::-1, ::-1], grid() @ flip) == []
    assert judged(RIGHT.transpose(2, 0, 1), grid()[:, [2, 0, 1, 3]]) == []
    assert judged(RIGHT[:, ::-1, ::-1]) != []


@pytest.mark.parametrize(
    "frames",
    [
        at(2, lambda frame: moved(frame, 1)),
        at(5, lambda frame: replace(frame, corner=frame.corner + frame.along_row)),
        at(1, lambda frame: replace(frame, corner=frame.corner + 0.1 * frame.along_column)),
        at(3, lambda frame: replace(frame, values=frame.values[:, ::-1])),
        at(3, lambda frame: replace(frame, values=frame.values[::-1])),
        at(0, lambda frame: replace(frame, values=frame.values + 3)),
        swapped(),
        frames_of(-15.0),
        frames_of(0.0),
        frames_of(14.0),
    ],
    ids=[
        "pixels shifted", "slice shifted", "a tenth of a pixel", "mirrored", "upside down", "values higher",
        "two swapped", "wrong sign of the tilt", "tilt ignored", "a degree less",
    ],
)  # fmt: skip
def test_an_image_of_other_slices_is_caught(frames):
    assert "planes hold values" in judged(image_of(frames))[0]


@pytest.mark.parametrize(
    "image",
    [image_of(FRAMES, air=0.0), image_of(FRAMES, nearest=True), np.where(RIGHT == AIR, 0, RIGHT)],
    ids=["water around the slices", "nearest", "water where no slice is"],
)
def test_other_ways_to_resample_are_caught(image):
    assert "planes hold values" in judged(image)[0]


@pytest.mark.parametrize("plane", range(RIGHT.shape[2]))
@pytest.mark.parametrize("value", [0.0, np.nan])
def test_one_empty_plane_is_caught(plane, value):
    image = RIGHT.copy()
    image[:, :, plane] = value
    assert judged(image) == [
        f"1 of {RIGHT.shape[2]} planes hold values that the slices around them do not predict"
    ]


def test_one_wrong_voxel_is_caught():
    image = RIGHT.copy()
    image[1, 1, 2] += 1  # in air
    assert "1 of 6 planes" in judged(image)[0]


@pytest.mark.parametrize("axis", [0, 1])
def test_a_cropped_edge_is_caught(axis):
    first = np.full(3, 0)
    first[axis] = MARGIN + 1
    shift = np.eye(4)
    shift[:3, 3] = first
    cropped = RIGHT[tuple(slice(start, None) for start in first)]
    assert judged(cropped, grid() @ shift) == ["a slice is not entirely within the image's field of view"]
    full = RIGHT[: -MARGIN - 1] if axis == 0 else RIGHT[:, : -MARGIN - 1]
    assert judged(full) == ["a slice is not entirely within the image's field of view"]


def test_a_missing_end_is_caught_and_so_is_one_too_many():
    assert "a slice is not entirely within the image's field of view" in judged(RIGHT[:, :, :-1])
    longer = np.concatenate([RIGHT, RIGHT[:, :, -1:]], axis=2)
    assert "a plane of the image lies beyond the first or the last slice" in judged(longer)


def test_a_coarse_grid_that_leaves_a_slice_out_is_caught():
    assert "a slice shows in no plane of the image" in judged(image_of(FRAMES, step=4.0), grid(4.0))


@pytest.mark.parametrize("thickness_mm", [2.5, np.nan])
def test_interpolation_across_a_gap_is_caught(thickness_mm):
    thin = [replace(frame, thickness_mm=thickness_mm) for frame in FRAMES]
    assert judged(RIGHT, frames=thin) == ["the image is interpolated between slices that leave gaps"]
    even = [frame for frame, depth in zip(thin, DEPTHS, strict=True) if depth < 5]
    assert judged(image_of(even), frames=even) == []


def test_a_sheared_grid_is_caught():
    sheared = grid()
    sheared[:3, 2] += 0.2 * sheared[:3, 1]
    assert judged(RIGHT, sheared) == ["the image's grid is not upright on the slices"]
    assert judged(RIGHT, np.zeros((4, 4))) == ["the image's affine is none"]
    leaning = grid()
    leaning[:3, 1] += 0.1 * leaning[:3, 2]
    assert judged(RIGHT, leaning) == ["the image's grid is not upright on the slices"]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_image_that_lies_elsewhere_is_caught(axis):
    shift = np.eye(4)
    shift[axis, 3] = 0.15
    assert judged(RIGHT, grid() @ shift) != []


def test_slices_that_are_no_stack_are_not_judged():
    turned = at(1, lambda frame: replace(frame, along_row=frame.along_row * 1.1))
    smaller = at(1, lambda frame: replace(frame, values=frame.values[1:]))
    for frames in (turned, smaller, FRAMES[:1]):
        assert "not two or more of one size" in judged(RIGHT, frames=frames)[0]
    assert judged(RIGHT, frames=[*FRAMES, FRAMES[2]]) == ["two slices lie at one place"]


def test_rounded_headers_are_no_fault():
    """Direction cosines of three digits are neither at right angles nor of length 1; the image's axes are."""
    along_row, along_column = ROUNDED[0] * PIXEL[0], ROUNDED[1] * PIXEL[1]
    frames = [replace(frame, along_row=along_row, along_column=along_column) for frame in FRAMES]
    assert judged(RIGHT, frames=frames) == []
    image = RIGHT.copy()
    image[8] += 40
    assert "planes hold values" in judged(image, frames=frames)[0]
    longer = [replace(frame, along_row=1.02 * frame.along_row) for frame in FRAMES]
    assert "the slices' rows and columns are not the image's in direction or size" in judged(
        RIGHT, frames=longer
    )


def test_slices_shown_as_they_are_may_lie_beside_their_planes():
    """Headers round positions: even planes hold the slices' own values, not a mixture that is 3 % off."""
    depths = np.array([0, 2.04, 3.97, 6])
    frames = [
        replace(frame, corner=FRAMES[0].corner + depth * NORMAL)
        for frame, depth in zip(FRAMES, depths, strict=False)
    ]
    even = [
        replace(frame, corner=FRAMES[0].corner + number * STEP * NORMAL)
        for number, frame in enumerate(frames)
    ]
    assert judged(image_of(even), frames=frames) == []
    frames[1].corner += 0.1 * NORMAL
    assert "1 of 4 planes" in judged(image_of(even), frames=frames)[0]
