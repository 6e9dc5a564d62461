"""Whether an image wraps around: a head larger than its field of view comes in again on the other side."""

import numpy as np

LEAST_SHARE = 0.02  # of a border plane that is tissue: less holds nothing that matters
MOST_TORN = 0.02  # of the tissue in both, removed on one side and kept on the other
LEAST_LIKENESS = 0.82  # of the outermost planes, over that of neighbours: wrapped, they are neighbours
LEAST_ALIKE = 0.2  # noise is like nothing, itself included
LEAST_FALL = 0.02  # of the likeness from the border inwards: what goes on changes, what is even does not
MOST_MIRRORED = 0.5  # of that fall, by which planes as deep as each other are more alike than unequal ones
MOST_ALONE = 0.6  # of the tissue removed, on one side only: a mirrored head is cut on both
DEPTH = 64  # of the axis, one part of so many: 2 to 4 mm below the border planes are compared again
MOST_BLANK = 2  # planes that a scanner makes blank, and what lay there is lost; more are padding


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
    box = _seen(before)
    blank = [size - (part.stop - part.start) for size, part in zip(before.shape, box, strict=True)]
    before, changed = before[box], changed[box]
    for axis in range(3):
        planes, removed = np.moveaxis(before, axis, 0), np.moveaxis(changed, axis, 0)
        both = (planes[0] > threshold) & (planes[-1] > threshold)
        apart = np.count_nonzero(both & (removed[0] != removed[-1]))
        if both.mean() < LEAST_SHARE or apart <= MOST_TORN * np.count_nonzero(both):
            continue
        alone = apart / np.count_nonzero(both & (removed[0] | removed[-1]))
        if _goes_on(planes, blank[axis], mirrored=alone <= MOST_ALONE):
            return True
    return False


def _seen(values: np.ndarray) -> tuple[slice, ...]:
    """Return the part of an image within its blank border planes: scanners leave one, resampling many."""
    box = []
    for axis, size in enumerate(values.shape):
        planes = np.moveaxis(values, axis, 0)
        shown = (k for k in range(size) if (planes[k] != planes[k, 0, 0]).any())
        shown_from_end = (k for k in reversed(range(size)) if (planes[k] != planes[k, 0, 0]).any())
        box.append(slice(next(shown, 0), next(shown_from_end, size - 1) + 1))
    return tuple(box)


def _goes_on(planes: np.ndarray, blank: int, *, mirrored: bool) -> bool:
    """Return whether the first plane, of (N, I, J), comes after the last one as one neighbour after another.

    Heads are symmetric: cropped on both sides, the outermost planes are alike as well. But then two planes
    below them are as alike, and more so than one below and one outermost. Where the image wraps, the two are
    the farthest from each other.

    Parameters
    ----------
    blank : planes beyond these that show nothing
    mirrored : whether the image may be of a head that is cropped so
    """
    step = 1 + blank if blank <= MOST_BLANK else 1
    depth = max(1, len(planes) // DEPTH)
    if len(planes) < 2 * max(step, depth) + 2:
        return False
    first, last = planes[0], planes[-1]
    across = _likeness(first, last)
    neighbours = max(_likeness(first, planes[step]), _likeness(planes[-1 - step], last))
    if across < max(LEAST_ALIKE, LEAST_LIKENESS * neighbours):
        return False
    deep, deep_opposite = planes[depth], planes[-1 - depth]
    far = _likeness(deep, deep_opposite)
    if across - far < LEAST_FALL:
        return False
    near = min(_likeness(deep, last), _likeness(first, deep_opposite))
    return not mirrored or far - near <= MOST_MIRRORED * (across - far)


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two planes, 0 where one of them is even."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) if one.std() * other.std() > 0 else 0.0
