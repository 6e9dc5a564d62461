"""The judge of a defaced image: the face is gone, the brain whole, and the template lay on the head.

It looks at the image before and after on the template's grid, and finds head, skin and brain by itself: no
code of the makers and none of their masks takes part, only the regions in which the template has eyes,
nose, mouth and ears.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

REGIONS = {1: "eyes", 2: "nose", 3: "mouth and chin", 4: "ears"}
STEP_MM = 2.0  # of the grid that everything is measured on
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
LIKE_BRAIN = {
    "MR": (0.5, 1.8),
    "PT": (0.95, 3.0),
}  # of the deepest brain's value, after the coil's shading is taken out
LAYERS = {
    "MR": 3,
    "CT": 3,
    "PT": 5,
}  # of 2 mm that part the brain from what hangs on it; PET blurs bridges thick
BULK = 5  # layers of 2 mm: half the thickness of the thinnest part that is brain for sure
PIVOT = np.array([50.0, 60.0, 75.0])  # indices of the template's grid: amid the head
DEEP_MM = 28.0  # from the air: beyond the orbits' fat
SCALP_MM = 4.0  # the outermost layer, never brain
MOST_SHALLOW = 0.02  # of a brain's core may lie just under the skull
FACE_PLANE, BROWS = 110, 73  # layers of the template's grid: y = 80, just behind the corneas, and z = -24
NECK, FLOOR = 45, 52  # layers of the template's grid: z = -80 and -66, below which there is no brain
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
    old_tissue, new_tissue = _tissue(old, threshold, seen), _tissue(new, threshold, seen)
    old_skin, new_skin = _skin(old_tissue, seen), _skin(new_tissue, seen)
    old_head = _filled(old_tissue, seen)
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


def tissue_threshold(values: np.ndarray, modality: str) -> float:
    """Return the value above which a voxel is tissue: Otsu on square roots, so that dim skin counts."""
    if modality == "CT":
        return -300.0
    some = values[tuple(slice(None, None, max(1, size // 100)) for size in values.shape)]
    some = some[some > 0]
    if some.size < 100:
        return float("inf")
    roots = np.sqrt(np.minimum(some, np.percentile(some, 99.5)))
    counts, edges = np.histogram(roots, 128)
    centres = (edges[1:] + edges[:-1]) / 2
    below, total = np.cumsum(counts), np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (total[-1] * below / below[-1] - total) ** 2 / (below * (below[-1] - below))
    return float(0.6 * centres[np.nanargmax(between[:-1])] ** 2)


def _sampled(
    volume: np.ndarray, voxel_from_grid: np.ndarray, shape: tuple[int, ...], order: int = 1
) -> np.ndarray:
    """Return a volume on the template's grid."""
    return ndimage.affine_transform(
        volume, voxel_from_grid[:3, :3], voxel_from_grid[:3, 3], shape, order=order, mode="constant", cval=0
    )


def _tissue(values: np.ndarray, threshold: float, seen: np.ndarray) -> np.ndarray:
    """Return tissue without the specks that noise makes."""
    return ndimage.binary_opening((values > threshold) & seen)


def _skin(tissue: np.ndarray, seen: np.ndarray) -> np.ndarray:
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


def _filled(tissue: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the head with its cavities: all that is seen, less the air that is joined to its border."""
    walls = ndimage.binary_closing(np.pad(tissue, 3), iterations=2)[3:-3, 3:-3, 3:-3] | tissue
    parts, _ = ndimage.label(~walls & seen)
    rim = seen & ~ndimage.binary_erosion(seen)
    outside = np.unique(parts[rim])
    return seen & ~np.isin(parts, outside[outside > 0])


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


def brain_of(values: np.ndarray, threshold: float, head: np.ndarray, modality: str) -> np.ndarray:
    """Return the brain on the template's grid by intensity and shape alone.

    The deepest part of the head is brain. What looks like it and hangs together with it after 6 mm were taken
    off all around, and those 6 mm, is the brain: eyes, muscles and scalp hang on by thinner bridges.
    """
    depth = ndimage.distance_transform_edt(head, sampling=STEP_MM).astype(np.float32)
    upper = np.where(np.arange(head.shape[2]) < NECK, 0, depth)
    deepest = upper > 0.75 * upper.max()
    if modality == "CT":
        low, high = 0.0, 90.0  # HU; bone is above, fat and air below
        values = np.where(values < high, values, -np.inf)
    else:
        # MR coils see near tissue brighter: with that in, dim brains end halfway and scalps join in.
        if modality == "MR":
            values = values / np.maximum(_smooth(values * head) / np.maximum(_smooth(head), 0.05), threshold)
        usual = float(np.median(values[deepest]))
        low, high = LIKE_BRAIN[modality][0] * usual, LIKE_BRAIN[modality][1] * usual
    # Near the surface what is much brighter than brain is fat; deep in the head it is fluid.
    alike = (values > low) & ((values < high) | (depth > DEEP_MM)) & (depth > SCALP_MM)
    core = alike
    for _ in range(LAYERS[modality]):
        core = ndimage.binary_erosion(core)
    for layers in range(LAYERS[modality], 8):
        parts, count = ndimage.label(core)
        sizes = np.bincount(parts[deepest & core], minlength=count + 1)
        sizes[0] = 0
        part = parts == sizes.argmax() if sizes.any() else np.zeros_like(core)
        # Brain lies under scalp, skull and fluid: a part that comes nearer to the air holds something else.
        if not part.any() or (depth[part] < 2 * SCALP_MM + 2 * layers).mean() < MOST_SHALLOW:
            break
        core = ndimage.binary_erosion(core)
    brain = ndimage.binary_dilation(part, iterations=layers) & alike
    # What the brain's bulk does not reach (mucosa through the cribriform plate, an optic nerve) hangs on it.
    solid = ndimage.binary_closing(brain, iterations=2) | brain
    bulk = _largest(ndimage.binary_erosion(solid, iterations=BULK))
    brain &= ndimage.binary_dilation(bulk, iterations=BULK + 1)
    brain[:, :, :FLOOR] = False
    return brain


def _largest(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected part of a mask."""
    parts, count = ndimage.label(mask)
    return parts == 1 + np.bincount(parts.ravel())[1:].argmax() if count else mask


def _smooth(volume: np.ndarray) -> np.ndarray:
    """Return a volume averaged over about 5 cm."""
    return ndimage.uniform_filter(volume.astype(np.float32), 25, mode="constant")


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
