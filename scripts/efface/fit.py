"""How well the template lies on an image's head, by the head's and the brain's own surface."""

from dataclasses import dataclass

import numpy as np

from efface.anatomy import STEP_MM
from efface.outline import COARSE, Surface, drawn_surface, laid, put

LEAST_OVERLAP = 0.86  # Dice of the image's and the template's head, where both were seen
LEAST_BRAIN_OVERLAP = 0.76  # the same for the brain, when the scalp does not show
NOT_KNOWN = 99.0  # an offset for which too little surface is in view
WHOLE = 0.8  # of the template's head in view

# How far off right landings seem to lie in the mean (mm along x, y and z; degrees of pitch, roll and yaw;
# share of the size), by what is in view: a mean head is larger than a head, and the judge's brain ends short
# of the frontal poles. It is taken off. Below it, the most that the rest may be.
USUAL = {
    "whole": (0.0, -0.1, 0.8, 0.3, 0.0, 0.0, -0.023),
    "part": (0.0, -0.9, 2.2, -0.3, 0.0, 0.0, -0.035),
    "brain": (0.0, -1.7, 1.4, 3.0, 0.0, 0.0, -0.042),
    "blur": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
}
MOST_OFF = {
    "whole": (3.0, 3.0, 6.2, 5.0, 3.5, 3.5, 0.065),
    "part": (3.0, 3.0, 6.2, 7.0, 5.0, 5.0, 0.06),
    "brain": (3.0, 4.5, 5.5, 6.0, 5.5, 7.0, 0.08),
    "blur": (4.0, 5.0, 6.0, 6.0, 5.0, 5.0, 0.1),
}

NECK_Z = -90.0  # mm: below it a head bends as it likes
# The lowest of the brain's surface that tells how it lies, by y (mm). Below, the judge's brain ends where the
# template's does; beside a head, which tells of pitch better, only the cap is asked.
FLOOR_Z, CAP_Z = (-54, -34, -24, -18, -16), (-40, -20, -10, -4, -2)  # at FLOOR_Y
DARK_SIZE = -0.08  # a head that is found so much smaller has a dark scalp


@dataclass(frozen=True)
class Fit:
    """How the template lies.

    Attributes
    ----------
    overlap, brain_overlap : Dice, 0-1, of the image's and the template's head and brain
    offset_mm, offset_degrees, offset_size : where the image has its head, seen from where the template does:
        along x, y and z; in pitch, roll and yaw; and larger by what share of its size
    shown : what tells so: "whole", (nearly) all that the template shows of a head; "part" of it; its "brain";
        the "blur" of it that PET shows
    """

    overlap: float = 0.0
    brain_overlap: float = 0.0
    offset_mm: tuple[float, float, float] = (NOT_KNOWN,) * 3
    offset_degrees: tuple[float, float, float] = (NOT_KNOWN,) * 3
    offset_size: float = NOT_KNOWN
    shown: str = "whole"

    @property
    def scalp_shows(self) -> bool:
        """Whether the image shows the whole head, not only its brain."""
        return self.overlap >= LEAST_OVERLAP

    def faults(self) -> list[str]:
        """Return what is wrong with it, in words."""
        faults = []
        if not self.scalp_shows and self.brain_overlap < LEAST_BRAIN_OVERLAP:
            faults.append("the image's head does not lie where the template's does")
        off = np.abs([*self.offset_mm, *self.offset_degrees, self.offset_size]) > MOST_OFF[self.shown]
        if off[:6].any():
            faults.append("the template lies shifted or tilted on the image's head")
        if off[6]:
            faults.append("the template has not the size of the image's head")
        return faults


def fit(
    head: np.ndarray, brain: np.ndarray | None, seen: np.ndarray, template: tuple[np.ndarray, np.ndarray]
) -> Fit:
    """Return how the template lies on a head.

    Points of the template's surface look along their normals for the image's. How the template would have to
    move to meet it is found by least squares, robustly: a hat, a long chin or a distorted pole are outvoted.

    Parameters
    ----------
    head, seen : (X, Y, Z) bool arrays on the template's grid
        Of the image, with its cavities; its field of view.
    brain : the same for the brain, on every COARSE-th voxel; None where its edge is a blur (PET)
    template : (X, Y, Z) uint8 arrays
        Its head (1 head, 2 air, 0 not seen) and its brain.
    """
    every = (slice(None, None, COARSE),) * 3
    drawn = [volume[every] for volume in template]
    known = drawn[0] > 0
    overlap = overlap_of(head[every], seen[every], drawn[0])
    brain_overlap = 0.0 if brain is None else _dice(brain, seen[every], drawn[1] > 0, known)
    scalp = Surface(head, 1, *drawn_surface(drawn[0] == 1, known, NECK_Z))
    whole = (seen[every] & (drawn[0] == 1)).sum() > WHOLE * (drawn[0] == 1).sum()
    scalp_shows, brain_shows = overlap >= LEAST_OVERLAP, brain_overlap >= LEAST_BRAIN_OVERLAP
    motion = None
    if brain_shows and not scalp_shows:
        motion = laid([Surface(brain, COARSE, *drawn_surface(drawn[1] > 0, known, FLOOR_Z))], seen)
        scalp_shows = _shows_askew(laid([scalp], seen), motion, head[every], seen[every], drawn[0])
    shown = "brain" if brain_shows and not scalp_shows else "whole" if whole else "part"
    if brain is None:
        shown = "blur"
    if shown != "brain":
        surfaces = [scalp]
        if brain_shows and not whole:
            surfaces.append(Surface(brain, COARSE, *drawn_surface(drawn[1] > 0, known, CAP_Z)))
        motion = laid(surfaces, seen)
    best = np.full(7, NOT_KNOWN)
    if motion is not None:
        best = np.concatenate([motion[:3], np.degrees(motion[3:6]), motion[6:7]]) - USUAL[shown]
    return Fit(
        round(overlap, 4),
        round(brain_overlap, 4),
        tuple(best[:3].round(1).tolist()),
        tuple(best[3:6].round(1).tolist()),
        round(float(best[6]), 3),
        shown,
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


def _shows_askew(
    of_head: np.ndarray | None,
    of_brain: np.ndarray | None,
    head: np.ndarray,
    seen: np.ndarray,
    drawn: np.ndarray,
) -> bool:
    """Return whether the scalp shows, though the template does not overlap it where it lies.

    A head whose scalp shows must not pass for one that shows its brain only, because it lies askew: where its
    best place is, it overlaps. A head whose scalp is dark would too, much smaller, but its brain is not.
    """
    if of_head is None or overlap_of(*put([head, seen], of_head), drawn) < LEAST_OVERLAP:
        return False
    return of_head[6] > DARK_SIZE or (of_brain is not None and of_brain[6] < DARK_SIZE)
