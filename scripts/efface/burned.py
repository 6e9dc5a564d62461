"""The judge of burned-in text: slices that look like a page, and strings that can be read in an image.

Nothing here lets an image pass: text that is not found may still be there (docs/text.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from efface.anatomy import has_noise_for_air, largest, tissue_of, tissue_threshold, without_noise
from efface.ocr import signs, strings

# A page of text, as measured on dose reports (bounds of docs/text.md).
LEAST_BITS, FEWEST_LEVELS, LARGEST_SHARE = 1.0, 64, 0.9
BINS, OUTLIERS = 256, (0.05, 99.95)  # per cent: one bright voxel would put all others into one bin
NOISE_BINS = 2  # around the commonest one: what a lossy compression leaves of a background
STROKE, THIN = 5, 0.12  # pixels that no stroke of a letter is wide; share of a drawing that is thinner
MOST_LOOKED_AT = 32  # slices, evenly spaced

FEWEST_STRINGS = 2
LONG_SIGNS, LONG_CONFIDENCE = 6, 0.9  # one such string is enough
SAMPLED, STANDING_OUT = 12, 2  # slices that are read one by one
DIM = 0.25  # of the range of values: a window that shows faint text on the air
CT_WINDOWS = ((-960.0, 1040.0), (-160.0, 240.0), (-1024.0, -524.0))  # HU: all, soft tissue, text on the air
MOST_IN_BORDER_ML = 0.4  # of the head, as much as may stay in front of a face


@dataclass
class Found:
    """What was read, and where, never the text itself.

    Attributes
    ----------
    strings : the most that one picture shows
    long : whether one of them is long enough to hold the image by itself
    slices : set of int, indices k of slices in which strings were read; empty when only projections show them
    box : ((i, i), (j, j)), first and last voxel along the first and the second axis
    """

    strings: int = 0
    long: bool = False
    slices: set[int] = field(default_factory=set)
    box: np.ndarray | None = None

    @property
    def reason(self) -> str:
        """Why the image is held; empty when it is not."""
        if self.strings < FEWEST_STRINGS and not self.long:
            return ""
        (i, i_end), (j, j_end) = self.box
        slices = f"in slices k = {', '.join(map(str, sorted(self.slices)))}" if self.slices else ""
        what = f"{self.strings} string{'s' * (self.strings > 1)} of text can be read in the image (K13)"
        return f"{what}: {slices or 'in a projection of all slices'}, at i = {i}-{i_end}, j = {j}-{j_end}"


def flat(voxels: np.ndarray) -> str:
    """Return why an image looks like a page of text (K12), or nothing.

    A slice does when it holds little information, few levels or mostly one value, and what is drawn on it is
    as thin as letters are: masks and images without their background are flat too, but not thin.

    Parameters
    ----------
    voxels : (I, J, K[, T]) array, slices along the third axis; of several volumes the middle one counts
    """
    volume = voxels[..., voxels.shape[3] // 2] if voxels.ndim == 4 else voxels
    count = volume.shape[2]
    looked_at = np.unique(np.linspace(0, count - 1, min(count, MOST_LOOKED_AT)).round().astype(int))
    pages = [_is_page(volume[:, :, k]) for k in looked_at]
    told = [page for page in pages if page is not None]  # an empty slice says nothing
    if not told or 2 * sum(told) < len(told):
        return ""
    return "at least half of its slices look like a picture of text (K12)"


def _is_page(plane: np.ndarray) -> bool | None:
    """Return whether a slice looks like a page of text, None when it is empty."""
    low, high = np.percentile(plane, OUTLIERS)
    if low == high:
        return None
    grey = ((np.clip(plane, low, high) - low) * ((BINS - 1) / (high - low))).round().astype(int)
    counts = np.bincount(grey.ravel(), minlength=BINS)
    shares = counts[counts > 0] / plane.size
    drawn = np.abs(grey - counts.argmax()) > NOISE_BINS
    bits = -(shares * np.log2(shares)).sum()
    levels = len(np.unique(plane))
    if bits >= LEAST_BITS and levels > FEWEST_LEVELS and drawn.mean() >= 1 - LARGEST_SHARE:
        return False
    # A page may be white on black or black on white, with boxes of the other kind on it.
    thin = sum((mask & ~_opened(mask)).sum() for mask in (drawn, ~drawn))
    return bool(thin > THIN * min(drawn.sum(), (~drawn).sum()))


def _opened(mask: np.ndarray) -> np.ndarray:
    size = min(STROKE, *mask.shape)
    return ndimage.maximum_filter(ndimage.minimum_filter(mask, size), size)


def words(voxels: np.ndarray, modality: str, slope: float = 1, intercept: float = 0) -> Found:
    """Return what can be read in an image: Latin letters and digits, in any of eight orientations.

    Read are projections along the slices (brightest, mean, furthest from the median, sharpest change) and
    some slices in several windows; of several volumes the first, and projections of their mean and maximum.

    Parameters
    ----------
    voxels : (I, J, K[, T]) array
        Slices along the third axis.
    modality : "MR", "CT" or "PT"
    slope, intercept : HU = voxel * slope + intercept, of a CT
    """

    def prepared(volume: np.ndarray) -> np.ndarray:
        return np.nan_to_num(volume.astype(np.float32) * np.float32(slope) + np.float32(intercept))

    first = prepared(voxels[..., 0] if voxels.ndim == 4 else voxels)
    found = Found()
    changes, standing_out = _changes(first)
    for picture in (*_projections(first), changes):
        _add(found, strings(picture))
    if voxels.ndim == 4:
        for volume in (voxels.mean(axis=3, dtype=np.float32), voxels.max(axis=3)):
            for picture in _projections(prepared(volume)):
                _add(found, strings(picture))
    count = first.shape[2]
    sampled = np.linspace(0, count - 1, min(count, SAMPLED)).round().astype(int)
    windows = _windows(first, modality)
    for k in sorted({*sampled.tolist(), *standing_out}):
        for window in windows:
            _add(found, strings(_grey(first[:, :, k], *window)), k)
    return found


def in_head(values: np.ndarray, region: np.ndarray, world_from_voxel: np.ndarray, modality: str) -> bool:
    """Return whether a region holds part of the head, (I, J, K) both: of the largest piece of tissue."""
    clear = without_noise(values) if modality == "MR" and has_noise_for_air(values) else values
    head = largest(tissue_of(clear, tissue_threshold(clear, modality), np.ones(values.shape, bool)))
    voxel_ml = abs(np.linalg.det(world_from_voxel[:3, :3])) / 1000
    return bool((head & region).sum() * voxel_ml > MOST_IN_BORDER_ML)


def _add(found: Found, read: list[tuple[str, float, np.ndarray]], k: int | None = None) -> None:
    """Add what a picture of slice k, or of all slices, shows."""
    long = any(signs(text) >= LONG_SIGNS and sure >= LONG_CONFIDENCE for text, sure, _ in read)
    found.strings, found.long = max(found.strings, len(read)), found.long or long
    if k is not None and (long or len(read) >= FEWEST_STRINGS):
        found.slices.add(k)
    for _, _, corners in read:
        box = np.stack([corners.min(axis=0), corners.max(axis=0)], axis=1).astype(int)
        old = box if found.box is None else found.box
        found.box = np.stack([np.minimum(old[:, 0], box[:, 0]), np.maximum(old[:, 1], box[:, 1])], axis=1)


def _grey(plane: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return values between two bounds as grey: uint8."""
    return np.clip((plane - low) * (255 / max(high - low, 1e-9)), 0, 255).astype(np.uint8)


def _windows(volume: np.ndarray, modality: str) -> tuple[tuple[float, float], ...]:
    if modality == "CT":
        return CT_WINDOWS
    low, high = np.percentile(volume[::2, ::2], (0.5, 99.5))
    return (low, high), (low, low + DIM * (float(volume.max()) - low))


def _projections(volume: np.ndarray) -> Iterator[np.ndarray]:
    """Give pictures along the slices: brightest in two windows, mean, and furthest from the median."""
    brightest, mean = volume.max(axis=2), volume.mean(axis=2)
    few = volume[:, :, :: max(1, volume.shape[2] // MOST_LOOKED_AT)]
    middle = np.median(few, axis=2)
    furthest = np.maximum(brightest - middle, middle - volume.min(axis=2))
    yield _grey(brightest, float(volume.min()), float(brightest.max()))
    yield _grey(brightest, *np.percentile(volume[::2, ::2], (0.5, 99.5)))
    yield _grey(mean, float(mean.min()), float(np.percentile(mean, 99.8)))
    yield _grey(furthest, 0, float(np.percentile(furthest, 99.9)))


def _changes(volume: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Return the sharpest change from slice to slice over the usual one there, and the slices it is at.

    Anatomy changes wherever it is; text on one slice changes what is still elsewhere, be it faint.
    """
    steps = volume.shape[2] - 1
    if steps < 1:
        return np.zeros(volume.shape[:2], np.uint8), []
    some = np.unique(np.linspace(0, steps - 1, min(steps, MOST_LOOKED_AT)).astype(int))
    usual = np.median(np.abs(volume[:, :, some + 1] - volume[:, :, some]), axis=2)
    floor = np.median(usual[usual > 0]) / 2 if usual.any() else 1.0
    sharpest, where = np.zeros(volume.shape[:2], np.float32), np.zeros(volume.shape[:2], int)
    for k in range(steps):
        change = np.abs(volume[:, :, k + 1] - volume[:, :, k]) / (usual + floor)
        where[change > sharpest] = k
        np.maximum(sharpest, change, out=sharpest)
    bound = float(np.percentile(sharpest, 99.9))
    often = np.bincount(where[sharpest >= max(bound, 1e-9)], minlength=1)
    at = np.argsort(often)[::-1][:STANDING_OUT]
    return _grey(sharpest, 0, bound), sorted({int(k) for one in at for k in (one, one + 1)})
