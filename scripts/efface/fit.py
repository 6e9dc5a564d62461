"""How well the template lies on an image's head, by the head's and the brain's own shape."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from efface.anatomy import STEP_MM

LEAST_OVERLAP = 0.86  # Dice of the image's and the template's head, where both were seen
LEAST_BRAIN_OVERLAP = 0.76  # the same for the brain, when the scalp does not show
NUDGE_MM, NUDGE_DEGREES, NUDGE_SIZE = 8.0, 10.0, 0.1
MOST_OFF_MM = 6.0  # along x, y and z, by where the head would overlap best
MOST_OFF_BRAIN_MM = 8.0  # the same where only the brain shows: its floor is known less well
MOST_OFF_DEGREES = (6.0, 5.0, 5.0)  # in pitch, roll and yaw, of a whole head
MOST_OFF_SLAB_DEGREES = (9.0, 5.0, 5.0)  # the same where less is in view, which is rounder
MOST_OFF_SIZE = 0.15  # of the template's
MOST_OFF_BRAIN_DEGREES = (6.5, 5.0, 5.0)  # the same where only the brain shows, which is rounder
WHOLE = 0.8  # of the template's head in view
NOT_KNOWN = 99.0  # an offset for which no overlap is best
PIVOT = np.array([50.0, 60.0, 75.0])  # indices of the template's grid: amid the head
COARSE = 2  # every other voxel of the grid is enough to see how two heads lie


@dataclass(frozen=True)
class Fit:
    """How the template lies.

    Attributes
    ----------
    overlap, brain_overlap : Dice, 0-1, of the image's and the template's head and brain
    offset_mm, offset_degrees, offset_size : where the overlap would be best: along x, y and z; in pitch,
        roll and yaw; and by what share of its size
    whole : whether the image shows (nearly) all of what the template shows of a head
    """

    overlap: float = 0.0
    brain_overlap: float = 0.0
    offset_mm: tuple[float, float, float] = (NOT_KNOWN,) * 3
    offset_degrees: tuple[float, float, float] = (NOT_KNOWN,) * 3
    offset_size: float = NOT_KNOWN
    whole: bool = False

    @property
    def scalp_shows(self) -> bool:
        """Whether the image shows the whole head, not only its brain."""
        return self.overlap >= LEAST_OVERLAP

    def faults(self) -> list[str]:
        """Return what is wrong with it, in words."""
        faults = []
        if not self.scalp_shows and self.brain_overlap < LEAST_BRAIN_OVERLAP:
            faults.append("the image's head does not lie where the template's does")
        most_mm, most_degrees = MOST_OFF_BRAIN_MM, MOST_OFF_BRAIN_DEGREES
        if self.scalp_shows:
            most_mm, most_degrees = MOST_OFF_MM, MOST_OFF_DEGREES if self.whole else MOST_OFF_SLAB_DEGREES
        if (
            np.abs(self.offset_mm).max() > most_mm
            or np.greater(np.abs(self.offset_degrees), most_degrees).any()
        ):
            faults.append("the template lies shifted or tilted on the image's head")
        if abs(self.offset_size) > MOST_OFF_SIZE:
            faults.append("the template has not the size of the image's head")
        return faults


def fit(
    head: np.ndarray, brain: np.ndarray | None, seen: np.ndarray, template: tuple[np.ndarray, np.ndarray]
) -> Fit:
    """Return how the template lies on a head.

    Parameters
    ----------
    head, seen : (X, Y, Z) bool arrays on the template's grid
        Of the image, with its cavities; its field of view.
    brain : the same for the brain, on every COARSE-th voxel; None where its edge is a blur (PET)
    template : (X, Y, Z) uint8 arrays
        Its head (1 head, 2 air, 0 not seen) and its brain.
    """
    every = (slice(None, None, COARSE),) * 3
    seen, head, drawn = seen[every], head[every], [volume[every] for volume in template]
    known = drawn[0] > 0
    overlap = overlap_of(head, seen, drawn[0])
    parts = [(head, drawn[0] == 1, overlap, LEAST_OVERLAP)]
    brain_overlap = 0.0
    if brain is not None:
        brain_overlap = _dice(brain, seen, drawn[1] > 0, known)
        parts.append((brain, drawn[1] > 0, brain_overlap, LEAST_BRAIN_OVERLAP))
    trusted = [part for part in parts if part[2] >= part[3]] or parts[:1]
    slope, bend = np.zeros((len(trusted), 7)), np.zeros((len(trusted), 7))
    masks = [seen, *(part[0] for part in trusted)]
    for freedom, (back, forth) in enumerate(_nudges()):
        (seen_back, *parts_back), (seen_forth, *parts_forth) = _put(masks, *back), _put(masks, *forth)
        for row, (_, theirs, now, _) in enumerate(trusted):
            before = _dice(parts_back[row], seen_back, theirs, known)
            after = _dice(parts_forth[row], seen_forth, theirs, known)
            slope[row, freedom], bend[row, freedom] = (before - after) / 2, before - 2 * now + after
    # Head and brain together know best how the template is shifted. Of turns and size a head with its face in
    # view tells most; of a slab, whichever is less round.
    whole = (seen & (drawn[0] == 1)).sum() > WHOLE * (drawn[0] == 1).sum()
    clear = np.zeros(7, int) if whole else np.argmin(bend, axis=0), np.arange(7)
    slope = np.where(np.arange(7) < 3, slope.sum(axis=0), slope[clear])
    bend = np.where(np.arange(7) < 3, bend.sum(axis=0), bend[clear])
    # The vertex of the parabola through three overlaps: where all would lie best along each freedom.
    units = np.repeat((NUDGE_MM, NUDGE_DEGREES, NUDGE_SIZE), (3, 3, 1))
    best = np.where(bend < 0, units * slope / np.minimum(bend, -1e-9), NOT_KNOWN)
    best = np.clip(best, -NOT_KNOWN, NOT_KNOWN)
    turns = tuple(best[3:6].round(1).tolist())
    return Fit(
        round(overlap, 4),
        round(brain_overlap, 4),
        tuple(best[:3].round(1).tolist()),
        turns,
        round(float(best[6]), 3),
        bool(whole),
    )


def overlap_of(head: np.ndarray, seen: np.ndarray, drawn: np.ndarray) -> float:
    """Return the Dice overlap, 0-1, of a head (bool) with the template's (1 head, 2 air, 0 not seen)."""
    return _dice(head, seen, drawn == 1, drawn > 0)


def nose_mm(skin: np.ndarray, seen: np.ndarray) -> float | None:
    """Return how far a nose stands out of the cheeks where the template has it; None when out of view.

    Parameters
    ----------
    skin, seen : (X, Y, Z) bool arrays on the template's grid
    """
    # In the template's grid: x = 0 at 50, y = -140 at 0, z = -170 at 0.
    rows = slice(50, 60)  # z = -70 to -52: the nose's lower half
    front = np.where(skin.any(1), skin.shape[1] - 1 - skin[:, ::-1].argmax(1), 0)[:, rows] * STEP_MM
    if not (seen[48:53, 120:126, rows]).all():
        return None
    ridge = front[48:53].max(0)
    cheeks = np.concatenate([front[36:40], front[61:65]]).max(0)
    return float(np.median(ridge - cheeks))


def _dice(mine: np.ndarray, seen: np.ndarray, theirs: np.ndarray, known: np.ndarray) -> float:
    """Return the overlap, 0-1, of a part of the image and of the template, where both were seen."""
    both = seen & known
    mine, theirs = mine & both, theirs & both
    return float(2 * (mine & theirs).sum() / max(1, mine.sum() + theirs.sum()))


def _nudges() -> Iterator[tuple]:
    """Yield, for each freedom, the matrix and the shift to either side, from new to old indices."""
    for axis in range(3):
        shift = NUDGE_MM / (COARSE * STEP_MM) * np.eye(3)[axis]
        yield (np.eye(3), shift), (np.eye(3), -shift)
    angle = np.radians(NUDGE_DEGREES)
    changes = []
    for one, other in ((1, 2), (2, 0), (0, 1)):
        turn = np.eye(3)
        turn[one, one] = turn[other, other] = np.cos(angle)
        turn[one, other], turn[other, one] = np.sin(angle), -np.sin(angle)
        changes.append((turn, turn.T))
    changes.append((np.eye(3) * (1 - NUDGE_SIZE), np.eye(3) * (1 + NUDGE_SIZE)))
    pivot = PIVOT / COARSE
    for sides in changes:
        yield tuple((linear, pivot - linear @ pivot) for linear in sides)


def _put(masks: list[np.ndarray], linear: np.ndarray, shift: np.ndarray) -> list[np.ndarray]:
    """Return masks turned and shifted."""
    bits = sum(mask.view(np.uint8) << bit for bit, mask in enumerate(masks))
    if np.array_equal(linear, np.eye(3)):
        put = ndimage.shift(bits, -shift, order=0, prefilter=False)
    else:
        put = ndimage.affine_transform(bits, linear, shift, order=0, prefilter=False)
    return [put >> bit & 1 > 0 for bit in range(len(masks))]
