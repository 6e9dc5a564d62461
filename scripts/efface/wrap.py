"""Whether an image wraps around: a head larger than its field of view comes in again on the other side."""

import numpy as np

LEAST_SHARE = 0.02  # of a border plane that is tissue: less holds nothing that matters
LEAST_OVERLAP = 0.68  # of the tissue of the two outermost planes: in a wrapped image they are neighbours
MOST_TORN = 0.02  # of that tissue, removed on one side and kept on the other


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
        first, last = ((slice(None),) * axis + (end,) for end in (0, -1))
        here, there = before[first] > threshold, before[last] > threshold
        both, either = here & there, here | there
        if either.mean() < LEAST_SHARE or both.sum() < LEAST_OVERLAP * either.sum():
            continue
        if (both & (changed[first] != changed[last])).sum() > MOST_TORN * both.sum():
            return True
    return False
