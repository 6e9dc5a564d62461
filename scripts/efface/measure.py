"""The judge of a defaced image: the face is gone, the brain whole, and the template lay on the head.

It looks at the image before and after on the template's grid, and finds head, skin and brain by itself: no
code of the makers and none of their masks takes part, only the regions in which the template has eyes,
nose, mouth and ears.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from efface.anatomy import STEP_MM, brain_of, head_of, skin_of, tissue_of, tissue_threshold

REGIONS = {1: "eyes", 2: "nose", 3: "mouth and chin", 4: "ears"}
# Bounds. Each is set between what right landings give and what planted faults give (docs/defacing.md).
LEAST_INFORMATION = 0.45  # bits
LEAST_LEAD = 1.01  # information over the best rival pose
MOST_TURNED = 65.0  # degrees: nobody lies in a scanner so far from what the header says
LEAST_OVERLAP = 0.86  # Dice of the image's and the template's head, where both were seen
NUDGE_MM, NUDGE_DEGREES = 10.0, 10.0
MOST_OFF_MM = 6.0  # along x, y and z, by where the head would overlap best
MOST_OFF_DEGREES = 9.0  # the same for pitch; a slab of a round skull says less about it
MOST_SURVIVING = 0.05  # of a region's skin
MOST_IN_FRONT = 50  # voxels of 8 mm3 of tissue where the face was
LEAST_SKIN = 60  # voxels of 8 mm3: less skin is no part of a face
LEAST_BRAIN_ML = 300  # a slab of 5 cm has more; less is a brain that was not found
LEAST_NOSE_MM = 6.0  # that a nose stands out of the cheeks
PIVOT = np.array([50.0, 60.0, 75.0])  # indices of the template's grid: amid the head
FACE_PLANE, BROWS = 110, 73  # layers of the template's grid: y = 80, just behind the corneas, and z = -24
SKIN_MM = 2.0  # a surface this near to the old skin still shows its shape


@dataclass
class Measures:
    """What was measured, and why the image must be held, if it must."""

    reasons: list[str] = field(default_factory=list)
    face_in_view: bool = False
    surviving: dict[str, float] = field(default_factory=dict)
    in_front: int = 0
    masked_tissue: int = 0
    overlap: float = 0.0
    offset_mm: list[float] = field(default_factory=list)
    offset_degrees: float = 0.0
    nose_mm: float | None = None
    brain_ml: int = 0
    brain_voxels_changed: int = 0
    threshold: float = 0.0

    @property
    def worst(self) -> float | None:
        """The largest share of skin that survives in a region; None when no region is in view."""
        return max(self.surviving.values(), default=None)


def measure(
    before: np.ndarray,
    after: np.ndarray,
    voxel_from_grid: np.ndarray,
    regions: np.ndarray,
    head: np.ndarray,
    *,
    modality: str,
    landing: tuple[float, float, float],
    ears: bool = True,
) -> Measures:
    """Return the measures of one defaced image.

    Parameters
    ----------
    before, after : (I, J, K) float arrays
        Values (CT in HU) before and after defacing.
    voxel_from_grid : (4, 4) array
        From indices of the template's grid to indices of the image.
    regions, head : (X, Y, Z) uint8 arrays on the template's grid
        Numbered as in REGIONS; and 1 head, 2 air, 0 not seen.
    modality : "MR", "CT" or "PT"
    landing : (information, rival, turned_degrees)
        What the registration says of itself.
    ears : bool
        Whether ears were to be removed.
    """
    seen = _sampled(np.ones(before.shape, np.uint8), voxel_from_grid, regions.shape, order=0) > 0
    threshold = tissue_threshold(before, modality)
    old = _sampled(before, voxel_from_grid, regions.shape)
    new = _sampled(after, voxel_from_grid, regions.shape)
    old_tissue, new_tissue = tissue_of(old, threshold, seen), tissue_of(new, threshold, seen)
    old_skin, new_skin = skin_of(old_tissue, seen), skin_of(new_tissue, seen)
    old_head = head_of(old_tissue, seen)
    found = Measures(threshold=threshold)
    _landing(found, old_head, old_skin, seen, head)
    wanted = [number for number in REGIONS if ears or REGIONS[number] != "ears"]
    distance = (
        ndimage.distance_transform_edt(~new_skin, sampling=STEP_MM)
        if new_skin.any()
        else np.full(seen.shape, 99.0)
    )
    for number in wanted:
        skin = old_skin & (regions == number)
        if skin.sum() >= LEAST_SKIN:
            found.surviving[REGIONS[number]] = round(float((distance[skin] <= SKIN_MM).mean()), 4)
    found.face_in_view = bool(found.surviving)
    found.in_front = int((new_tissue & np.isin(regions, (1, 2, 3)))[:, FACE_PLANE:, :BROWS].sum())
    found.masked_tissue = int((old_tissue & (old != new)).sum())
    brain = brain_of(old, threshold, old_head, modality)
    found.brain_ml = round(brain.sum() * STEP_MM**3 / 1000)
    # Its edge is not known better than to one voxel of the grid.
    found.brain_voxels_changed = _changed(before, after, ndimage.binary_erosion(brain), voxel_from_grid)
    _judge(found, *landing)
    return found


def _sampled(
    volume: np.ndarray, voxel_from_grid: np.ndarray, shape: tuple[int, ...], order: int = 1
) -> np.ndarray:
    """Return a volume on the template's grid."""
    return ndimage.affine_transform(
        volume, voxel_from_grid[:3, :3], voxel_from_grid[:3, 3], shape, order=order, mode="constant", cval=0
    )


def _landing(
    found: Measures, head_of_image: np.ndarray, skin: np.ndarray, seen: np.ndarray, head: np.ndarray
) -> None:
    """Measure how the image's head and the template's agree, and whether a nose stands where one should."""
    found.overlap = round(_dice(head_of_image, seen, head), 4)
    offsets = []
    for unit, (low, high) in zip(
        (*3 * (NUDGE_MM,), NUDGE_DEGREES), _nudges(head_of_image, seen), strict=True
    ):
        before, after = _dice(*low, head), _dice(*high, head)
        bend = before - 2 * found.overlap + after
        # The vertex of the parabola through three overlaps: where the head would lie best along this freedom.
        offsets.append(unit * (before - after) / (2 * bend) if bend < 0 else 99.0)
    *found.offset_mm, found.offset_degrees = [round(float(offset), 1) for offset in offsets]
    # In the template's grid: x = 0 at 50, y = -140 at 0, z = -170 at 0.
    rows = slice(50, 60)  # z = -70 to -52: the nose's lower half
    front = np.where(skin.any(1), skin.shape[1] - 1 - skin[:, ::-1].argmax(1), 0)[:, rows] * STEP_MM
    if (seen[48:53, 120:126, rows]).all():
        ridge = front[48:53].max(0)
        cheeks = np.concatenate([front[36:40], front[61:65]]).max(0)
        found.nose_mm = float(np.median(ridge - cheeks))


def _dice(head_of_image: np.ndarray, seen: np.ndarray, head: np.ndarray) -> float:
    """Return the overlap of the image's and the template's head, 0-1, where both were seen."""
    both = seen & (head > 0)
    mine, theirs = head_of_image & both, (head == 1) & both
    return float(2 * (mine & theirs).sum() / max(1, mine.sum() + theirs.sum()))


def _nudges(head: np.ndarray, seen: np.ndarray):
    """Yield, for each of x, y, z and pitch, the image's head and what was seen, put off to either side."""
    steps = round(NUDGE_MM / STEP_MM)
    for axis in range(3):
        yield tuple(
            (np.roll(head, sign * steps, axis), np.roll(seen, sign * steps, axis)) for sign in (-1, 1)
        )
    sides = []
    for angle in np.radians((-NUDGE_DEGREES, NUDGE_DEGREES)):
        cos, sin = np.cos(angle), np.sin(angle)
        turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
        shift = PIVOT - turn @ PIVOT
        sides.append(
            tuple(
                ndimage.affine_transform(v.astype(np.uint8), turn, shift, order=0) > 0 for v in (head, seen)
            )
        )
    yield tuple(sides)


def _changed(before: np.ndarray, after: np.ndarray, brain: np.ndarray, voxel_from_grid: np.ndarray) -> int:
    """Return how many of the image's own voxels within the brain changed."""
    back = np.linalg.inv(voxel_from_grid)
    own = ndimage.affine_transform(brain.astype(np.uint8), back[:3, :3], back[:3, 3], before.shape, order=0)
    return int(np.count_nonzero((before != after) & (own > 0)))


def _judge(found: Measures, information: float, rival: float, turned_degrees: float) -> None:
    """Put into words what lies outside its bound."""
    if information < LEAST_INFORMATION or information < LEAST_LEAD * rival:
        found.reasons.append("the head template does not fit this image better than by chance")
    if turned_degrees > MOST_TURNED:
        found.reasons.append("the image shows a head that is turned against what its header says")
    if found.overlap < LEAST_OVERLAP:
        found.reasons.append("the image's head does not lie where the template's does")
    *shifts, pitch = np.abs([*found.offset_mm, found.offset_degrees])
    if max(shifts) > MOST_OFF_MM or pitch > MOST_OFF_DEGREES:
        found.reasons.append("the template lies shifted or tilted on the image's head")
    if found.nose_mm is not None and found.nose_mm < LEAST_NOSE_MM:
        found.reasons.append("no nose stands out where one should")
    if found.worst is not None and found.worst > MOST_SURVIVING:
        found.reasons.append("part of the face's skin would survive")
    if found.in_front > MOST_IN_FRONT:
        found.reasons.append("tissue would stay in front of the face")
    if found.brain_ml < LEAST_BRAIN_ML:
        found.reasons.append("no brain was found that the mask could be checked against")
    if found.brain_voxels_changed:
        found.reasons.append("the mask would reach into the brain")
