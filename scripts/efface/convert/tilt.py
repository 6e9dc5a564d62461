"""Tilted and uneven CT onto an upright, even grid.

A tilted gantry shifts each slice within its own plane, as its position says (PS3.3 C.7.6.2.1.1); a scan in
two blocks has slices at two distances. Slices keep their orientation and pixel size: they are shifted within
their plane, and where distances differ put on even planes. All interpolation is linear, each slice being
surrounded by air.
"""

from dataclasses import dataclass

import numpy as np

from efface.errors import Held

AIR_HU = -1024.0
_RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SAME_PLACE_MM = 0.01
_WHOLE = 1e-4  # of a pixel: a shift this close to whole pixels moves pixels and mixes none
_EVEN = 0.05  # of a distance: slices this close to even planes are those planes, distances this close are one
_NEAR = 0.01  # of a distance: a plane this close to a slice is that slice
_LOOSE = 1.05  # of SliceThickness: how far apart slices that leave no gap may be
_ODD = 1.5  # of the distances beside it: a longer one is a slice that is missing, whatever the thickness
_WIDEST, _DENSEST = 2.0, 5.0  # pixels across a slice's, planes to a slice: beyond that it is no single stack


@dataclass(frozen=True, eq=False)
class Plan:
    """Where each slice goes on the upright grid.

    Parameters
    ----------
    shape : (int, int, int)
        Columns, rows and planes of the grid.
    world_from_voxel : (4, 4) array
        To world coordinates (RAS+, mm); axes at right angles.
    shifts : (N, 2) array
        Row and column index in the grid, whole or not, of each slice's first pixel.
    sources : list of (int, float)
        For each plane the slice at or below it, and the weight (0 to below 1) of the next slice.
    """

    shape: tuple[int, int, int]
    world_from_voxel: np.ndarray
    shifts: np.ndarray
    sources: list[tuple[int, float]]


def upright(
    positions: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    spacing: tuple[float, float],
    shape: tuple[int, int],
    thickness: np.ndarray,
) -> Plan:
    """Return the upright, even grid of a stack of parallel slices.

    The field of view grows so that no slice loses a pixel. Even slices become the planes. Uneven ones are put
    on planes at the smallest distance that occurs twice, none of them beyond the first or the last slice.

    Parameters
    ----------
    positions : (N, 3) array
        Centre of each slice's first pixel (LPS+, mm), ascending along `row` x `column`.
    row, column : (3,) arrays
        Unit vectors along which the column index and the row index grow.
    spacing : (float, float)
        Between rows and between columns, mm.
    shape : (int, int)
        Rows and columns of a slice.
    thickness : (N,) array
        SliceThickness, mm; NaN where unknown. Only uneven slices need it.

    Raises
    ------
    Held
        When the slices leave gaps, or do not lie above one another.

    >>> tilted = [[0, 0, 0], [0, 1, 5], [0, 2, 10]]
    >>> plan = upright(tilted, [1, 0, 0], [0, 1, 0], (0.5, 0.5), (8, 8), [5, 5, 5])
    >>> plan.shape, plan.shifts[:, 0].tolist()
    ((8, 12, 3), [0.0, 2.0, 4.0])
    """
    offsets = np.asarray(positions, float) - np.asarray(positions[0], float)
    left, _, right = np.linalg.svd(np.stack([row, column]), full_matrices=False)
    row, column = left @ right  # headers round their cosines; these are at right angles
    normal = np.cross(row, column)
    start, step, sources = _planes(offsets @ normal, np.asarray(thickness, float))
    places = np.stack([offsets @ column, offsets @ row], axis=1) / spacing
    whole = np.rint(places)
    places = np.where(np.abs(places - whole) <= _WHOLE, whole, places)
    first = np.floor(places.min(axis=0))
    rows, columns = (int(count) for count in np.ceil(places.max(axis=0)) - first + shape)
    if rows > _WIDEST * shape[0] or columns > _WIDEST * shape[1]:
        raise Held("the slices do not lie above one another", todo="split the series")
    lps_from_voxel = np.eye(4)
    lps_from_voxel[:3, :3] = np.stack([row * spacing[1], column * spacing[0], normal * step], axis=1)
    lps_from_voxel[:3, 3] = positions[0] + lps_from_voxel[:3, :2] @ first[::-1] + normal * start
    return Plan((columns, rows, len(sources)), _RAS_FROM_LPS @ lps_from_voxel, places - first, sources)


def _planes(along: np.ndarray, thickness: np.ndarray) -> tuple[float, float, list[tuple[int, float]]]:
    """Return where the first plane lies, the distance to the next (mm), and each plane's sources."""
    distances, slices = np.diff(along), len(along)
    if slices < 2 or distances.min() <= _SAME_PLACE_MM:
        raise Held("slices to put on a grid", expected="two or more, each at its own place", found="others")
    step = along[-1] / (slices - 1)
    if np.abs(along - np.arange(slices) * step).max() <= _EVEN * step:
        return 0.0, step, [(number, 0.0) for number in range(slices)]
    _check_gaps(distances, thickness)
    step = _regular(distances)
    count = int(along[-1] / step + _NEAR) + 1
    if count > _DENSEST * slices:
        raise Held("the distances between slices differ too much", todo="split the series")
    # A closely scanned end keeps its slices as they are; what is left over must not cut off the other end.
    over = max(along[-1] - (count - 1) * step, 0.0)
    at_start, at_end = (abs(end - step) <= _EVEN * step for end in (distances[0], distances[-1]))
    start = over / 2 if over > step / 2 or not (at_start or at_end) else (0.0 if at_start else over)
    sources = [_source(along, start + number * step) for number in range(count)]
    weights = np.zeros(slices + 1)
    for below, above in sources:
        np.maximum.at(weights, [below, below + 1], [1 - above, above])
    if weights[:slices].min() < _EVEN:
        raise Held("a slice lies so close to another that no plane shows it", todo="split the series")
    return start, step, sources


def _source(along: np.ndarray, place: float) -> tuple[int, float]:
    below = int(np.clip(np.searchsorted(along, place, side="right") - 1, 0, len(along) - 2))
    above = float((place - along[below]) / (along[below + 1] - along[below]))
    if above >= 1 - _NEAR:
        return below + 1, 0.0
    return below, above if above > _NEAR else 0.0


def _check_gaps(distances: np.ndarray, thickness: np.ndarray) -> None:
    """Refuse uneven slices between which nothing was measured."""
    what = "the distances between slices leave gaps"
    beside = np.maximum(np.append(distances[1:], 0), np.append(0, distances[:-1]))
    if (distances >= _ODD * beside).any():
        raise Held(f"{what}: a single one is longer than those beside it", todo="is a slice missing?")
    if not np.isfinite(thickness).all() or thickness.min() <= 0:
        raise Held("the distances between slices are uneven, and SliceThickness does not tell of gaps")
    if gaps := int((distances > _LOOSE * np.maximum(thickness[1:], thickness[:-1])).sum()):
        raise Held(what, expected="none longer than SliceThickness", found=f"{gaps} of {len(distances)}")


def _regular(distances: np.ndarray) -> float:
    """Return the smallest of the distances that occurs at least twice."""
    for distance in sorted(distances):
        alike = distances[np.abs(distances - distance) <= _EVEN * distance]
        if len(alike) > 1:
            return float(np.median(alike))
    raise Held("the distances between slices are uneven", expected="one that occurs twice", found="none")


def stored_air(slope: float, intercept: float) -> int:
    """Return the stored value that is nearest to air under RescaleSlope and RescaleIntercept.

    >>> stored_air(1.0, -1024.0), stored_air(1.0, 0.0)
    (0, -1024)
    """
    return round((AIR_HU - intercept) / slope)


def resampled(planes: list[np.ndarray], plan: Plan, air: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the slices on the upright grid; at most two of them are laid out at a time.

    Parameters
    ----------
    planes : list of (rows, columns) integer arrays
        Stored values, in the order of the plan's positions.
    air : int
        Stored value of air.

    Returns
    -------
    voxels : (I, J, K) array
        In the planes' dtype, or int16 where unsigned values fit there and air needs the sign.
    world_from_voxel : (4, 4) array
        To world coordinates (RAS+, mm).

    Raises
    ------
    Held
        When air cannot be stored beside the planes' values.
    """
    voxels = np.empty(plan.shape, _dtype(planes, air), order="F")
    laid: dict[int, np.ndarray] = {}
    for number, (below, above) in enumerate(plan.sources):
        wanted = [below, below + 1] if above else [below]
        laid = {
            one: laid[one] if one in laid else _laid(planes[one], plan.shifts[one], plan.shape, air)
            for one in wanted
        }
        plane = laid[below] if not above else laid[below] + above * (laid[below + 1] - laid[below])
        voxels[:, :, number] = np.rint(plane).T
    return voxels, plan.world_from_voxel


def _dtype(planes: list[np.ndarray], air: int) -> np.dtype:
    dtype = planes[0].dtype
    for wanted in (dtype, np.dtype(np.int16)):
        most = np.iinfo(wanted).max
        fits = wanted == dtype or (dtype.kind == "u" and max(plane.max() for plane in planes) <= most)
        if fits and np.iinfo(wanted).min <= air <= most:
            return wanted
    raise Held("the scan must be padded with air (-1024 HU), which its stored values cannot hold")


def _laid(plane: np.ndarray, shift: np.ndarray, shape: tuple[int, int, int], air: int) -> np.ndarray:
    """Return one slice (J, I) on the grid: each pixel shared among the four that it falls between."""
    laid = np.full(shape[1::-1], air, float)
    over = plane.astype(float) - air
    (top, left), (down, right) = np.floor(shift).astype(int), shift % 1
    for row, vertical in ((top, 1 - down), (top + 1, down)):
        for column, horizontal in ((left, 1 - right), (left + 1, right)):
            if vertical * horizontal:
                share = vertical * horizontal
                laid[row : row + len(over), column : column + over.shape[1]] += share * over
    return laid
