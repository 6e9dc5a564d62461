"""Whether an image wraps around: a head larger than its field of view comes in again on the other side."""

import numpy as np

LEAST_SHARE = 0.02  # of a border plane that is tissue: less holds nothing that matters
LEAST_LIKENESS = 0.82  # of the outermost planes, over that of neighbours: wrapped, they are neighbours
MOST_TORN = 0.02  # of the tissue in both, removed on one side and kept on the other


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
        first, second, next_to_last, last = ((slice(None),) * axis + (k,) for k in (0, 1, -2, -1))
        both = (before[first] > threshold) & (before[last] > threshold)
        if both.mean() < LEAST_SHARE:
            continue
        neighbours = _likeness(before[first], before[second]), _likeness(before[next_to_last], before[last])
        if _likeness(before[first], before[last]) < LEAST_LIKENESS * max(neighbours):
            continue
        if (both & (changed[first] != changed[last])).sum() > MOST_TORN * both.sum():
            return True
    return False


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two planes, 0 where one of them is even."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) if one.std() * other.std() > 0 else 0.0
