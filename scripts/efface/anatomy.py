"""Tissue, skin and head of an image, found by the judge alone: by intensity and shape, no atlas.

Volumes lie on the template's grid of 2 mm, RAS+.
"""

import numpy as np
from scipy import ndimage

STEP_MM = 2.0  # of the grid
BRIGHT_AIR, NOISY_AIR = 0.2, 0.35  # of the brightest tissue; spread over mean: 0.58 for evenly spread noise


def tissue_threshold(values: np.ndarray, modality: str) -> float:
    """Return the value above which a voxel is tissue: Otsu on square roots, so that dim skin counts."""
    if modality == "CT":
        return -300.0
    some = values[tuple(slice(None, None, max(1, size // 100)) for size in values.shape)]
    some = some[some > 0]
    if some.size < 100 or some.min() == some.max():
        return float("inf")
    roots = np.sqrt(np.minimum(some, np.percentile(some, 99.5)))
    counts, edges = np.histogram(roots, 128)
    centres = (edges[1:] + edges[:-1]) / 2
    below, total = np.cumsum(counts), np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (total[-1] * below / below[-1] - total) ** 2 / (below * (below[-1] - below))
    return float(0.6 * centres[np.nanargmax(between[:-1])] ** 2)


def has_noise_for_air(values: np.ndarray) -> bool:
    """Return whether the air of an MR image is bright noise, as in a ratio of two images (MP2RAGE)."""
    sides = [values[(slice(None),) * axis + (end,)].ravel() for axis in range(3) for end in (0, -1)]
    border = np.concatenate(sides)
    bright = np.median(border) > BRIGHT_AIR * np.percentile(values[::4, ::4, ::4], 99)
    return bool(bright and border.std() > NOISY_AIR * border.mean())


def without_noise(values: np.ndarray) -> np.ndarray:
    """Return values on the grid without what is bright in fewer than three voxels in a row: noise."""
    return ndimage.grey_opening(values, size=(3, 3, 3))


def tissue_of(values: np.ndarray, threshold: float, seen: np.ndarray) -> np.ndarray:
    """Return tissue without the specks that noise makes."""
    return ndimage.binary_opening((values > threshold) & seen)


def skin_of(tissue: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the first 4 mm of tissue that is met through seen air from the front and from either side."""
    skin = np.zeros_like(tissue)
    for axis, step in ((1, -1), (0, -1), (0, 1)):
        order = (slice(None),) * axis + (slice(None, None, step),)
        ray_tissue, ray_seen = tissue[order], seen[order]
        met = np.maximum.accumulate(ray_tissue, axis)
        air_before = np.maximum.accumulate(ray_seen & ~ray_tissue & ~met, axis)
        shallow = np.roll(met, 2, axis)
        shallow[(slice(None),) * axis + (slice(0, 2),)] = False
        first = ray_tissue & air_before & ~shallow
        if axis == 0:  # a ray ends in the middle plane: what is met beyond it belongs to the other side
            first[first.shape[0] // 2 :] = False
        skin[order] |= first
    return skin


def largest(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected part of a mask."""
    parts, count = ndimage.label(mask)
    return parts == 1 + np.bincount(parts.ravel())[1:].argmax() if count else mask


def head_of(tissue: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the head with its cavities: all that is seen, less the air that is joined to its border."""
    walls = ndimage.binary_closing(np.pad(tissue, 3), iterations=2)[3:-3, 3:-3, 3:-3] | tissue
    parts, count = ndimage.label(~walls & seen)
    outside = np.zeros(count + 1, bool)
    outside[parts[seen & ~ndimage.binary_erosion(seen)]] = True
    outside[0] = False
    return seen & ~outside[parts]
