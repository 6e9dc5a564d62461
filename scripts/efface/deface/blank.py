"""Masked voxels become air; every other voxel, the data type and the scaling stay as they are."""

import itertools
import math
from collections.abc import Mapping

import nibabel as nib
import numpy as np

AIR_HU = -1024.0
AIR_RANGE_HU = (-1100.0, -900.0)  # what real air in CT comes to; below it is padding, above it skin begins
PADDING = 0.01  # of a CT's voxels: so many alike, and the lowest, are padding
CORNER = 8  # the corners that air is taken from are an eighth of each axis wide
LEAST_AIR = 100  # voxels: fewer say nothing of the noise
EMPTY = 0.5  # a corner in which so many voxels have one value was cut out, or not scanned
LIKE_AIR = 2.0  # a corner brighter than the darkest one by more than this holds a shoulder


def air(stored: np.ndarray, slope: float, intercept: float, modality: str) -> np.generic:
    """Return the stored value for air: nearest to 0; for CT to -1024 HU or a higher minimum."""
    wanted = max(AIR_HU, float(stored.min()) * slope + intercept) if modality == "CT" else 0.0
    raw = (wanted - intercept) / slope
    if np.issubdtype(stored.dtype, np.integer):
        limits = np.iinfo(stored.dtype)
        raw = min(max(round(raw), limits.min), limits.max)
    return stored.dtype.type(raw)


def noise(
    stored: np.ndarray, mask: np.ndarray, slope: float, intercept: float, modality: str
) -> np.ndarray | None:
    """Return stored values for the masked voxels, (N[, T]), drawn from the image's own air.

    None when its air has no noise. The draw is the same each time; of a series of volumes all are drawn from
    the same voxels, so the noise varies over time as it did.
    """
    if modality == "CT":
        low, high = sorted((limit - intercept) / slope for limit in AIR_RANGE_HU)
        pool = stored[~mask & _in_range(stored, low, high)]
        pools = [pool] if len(pool) >= LEAST_AIR and pool.min() < pool.max() else []
    else:
        pools = _corners(stored, mask, slope, intercept)
    if not pools:
        return None
    pool = np.concatenate(pools)
    return pool[np.random.default_rng(0).integers(0, len(pool), np.count_nonzero(mask))]


def _in_range(stored: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return where the values of all volumes lie between two stored ones: (I, J, K) bool array."""
    lowest = stored.min()
    # A scanner pads what its field of view leaves out with one value, the lowest.
    low = max(low, lowest) if (stored == lowest).mean() > PADDING else low
    inside = (stored > low) & (stored < high)
    return inside.all(axis=-1) if inside.ndim == 4 else inside


def _corners(stored: np.ndarray, mask: np.ndarray, slope: float, intercept: float) -> list[np.ndarray]:
    """Return the unmasked voxels, (P[, T]), of each corner of the field of view that holds noisy air."""
    corners = []
    for ends in itertools.product((False, True), repeat=3):
        box = tuple(
            slice(size - max(1, size // CORNER), size) if end else slice(max(1, size // CORNER))
            for size, end in zip(mask.shape, ends, strict=True)
        )
        found = stored[box][~mask[box]]
        if len(found) >= LEAST_AIR and (found == found.min()).mean() < EMPTY:
            level = float(np.percentile(np.abs(found * slope + intercept), 95))
            corners.append((level, found))
    darkest = min((level for level, _ in corners), default=0.0)
    return [found for level, found in corners if level <= LIKE_AIR * darkest]


def blanked(stored: np.ndarray, mask: np.ndarray, value: np.generic | np.ndarray) -> np.ndarray:
    """Return a copy of the stored voxels, (I, J, K[, T]), with `value` where the (I, J, K) mask is true.

    Parameters
    ----------
    value : one stored value, or one (N[, T]) for each masked voxel
    """
    copy = np.array(stored, order="F")
    copy[mask] = value
    return copy


def border(shape: tuple[int, ...], world_from_voxel: np.ndarray, shares: Mapping[str, float]) -> np.ndarray:
    """Return border regions of the slices, as these are displayed: (I, J, K) bool array.

    Slices lie along the third axis. Upright, a slice has anterior (axial) or superior (sagittal, coronal) on
    top, and on the left the patient's right or, sagittal, anterior: rows run to L or P, columns to P or I
    (PS3.3 C.7.6.2.1.1), as scanners store them of heads that lie supine.

    Parameters
    ----------
    world_from_voxel : (4, 4) array
        From voxel indices to world coordinates (RAS+, mm).
    shares : of top, bottom, left, right; each the share of the slice that it takes (0-1)
    """
    codes = nib.aff2axcodes(world_from_voxel)[:2]
    down = next((axis for axis, code in enumerate(codes) if code in "IS"), None)
    if down is None:  # axial: one of the two runs from front to back
        down = next(axis for axis, code in enumerate(codes) if code in "AP")
    region = np.zeros(shape[:3], bool)
    for side, share in shares.items():
        axis = down if side in ("top", "bottom") else 1 - down
        count = math.ceil(share * shape[axis])
        first = (side in ("top", "left")) == (codes[axis] in "LPI")  # whether the side is where indices begin
        place = slice(count) if first else slice(shape[axis] - count, None)
        region[(slice(None),) * axis + (place,)] = True
    return region
