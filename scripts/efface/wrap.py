"""Whether an image wraps around: a head larger than its field of view comes in again on the other side."""

import numpy as np

LEAST_SHARE = 0.02  # of a border plane that is tissue: less holds nothing that matters
MOST_TORN = 0.02  # of the tissue in both, removed on one side and kept on the other
LEAST_LIKENESS = 0.82  # of the outermost planes, over that of neighbours: wrapped, they are neighbours
LEAST_FALL = 0.02  # of the likeness from the border inwards: what goes on changes, what is even does not
MOST_MIRRORED = 0.5  # of that fall, by which planes as deep as each other are more alike than unequal ones
MOST_ALONE = 0.6  # of the tissue removed, on one side only: a mirrored head is cut on both
LAG = 100  # planes are compared at a hundredth of the axis: 2 mm, or neighbours where slices are thick


def torn(before: np.ndarray, changed: np.ndarray, threshold: float) -> bool:
    """Return whether what was removed at one border of an image goes on, kept, at the opposite border.

    Parameters
    ----------
    before : (I, J, K) float array
    changed : (I, J, K) bool array
        What was removed.
    threshold : float
        Values above it are tissue.
    """
    for axis in range(3):
        planes, removed = np.moveaxis(before, axis, 0), np.moveaxis(changed, axis, 0)
        both = (planes[0] > threshold) & (planes[-1] > threshold)
        apart = np.count_nonzero(both & (removed[0] != removed[-1]))
        if both.mean() < LEAST_SHARE or apart <= MOST_TORN * np.count_nonzero(both):
            continue
        alone = apart / np.count_nonzero(both & (removed[0] | removed[-1]))
        if _goes_on(planes, mirrored=alone <= MOST_ALONE):
            return True
    return False


def _goes_on(planes: np.ndarray, *, mirrored: bool) -> bool:
    """Return whether the first plane comes after the last one, (N, I, J), as one neighbour after another.

    Heads are symmetric: cropped on both sides, the outermost planes are alike as well. But then the planes
    below them are no less alike, and more than a deep one and an outermost one. Where the image wraps they are
    the farthest from each other.

    Parameters
    ----------
    mirrored : whether the image may be of a head that is cropped so
    """
    lag = max(1, len(planes) // LAG)
    if len(planes) < 2 * lag + 2:
        return False
    first, second, deep = planes[0], planes[1], planes[lag]
    last, next_to_last, deep_opposite = planes[-1], planes[-2], planes[-1 - lag]
    across = _likeness(first, last)
    if across < LEAST_LIKENESS * max(_likeness(first, second), _likeness(next_to_last, last)):
        return False
    far = _likeness(deep, deep_opposite)
    if across - far < LEAST_FALL:
        return False
    near = min(_likeness(deep, last), _likeness(first, deep_opposite))
    return not mirrored or far - near <= MOST_MIRRORED * (across - far)


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two planes, 0 where one of them is even."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) if one.std() * other.std() > 0 else 0.0
