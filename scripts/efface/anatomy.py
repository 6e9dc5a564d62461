"""Tissue, skin, head and brain of an image, found by the judge alone: by intensity and shape, no atlas.

Volumes lie on the template's grid of 2 mm, RAS+.
"""

import numpy as np
from scipy import ndimage

STEP_MM = 2.0  # of the grid
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
DEEP_MM = 28.0  # from the air: beyond the orbits' fat
SCALP_MM = 4.0  # the outermost layer, never brain
MOST_SHALLOW = 0.02  # of a brain's core may lie just under the skull
NECK, FLOOR = 45, 52  # layers of the template's grid: z = -80 and -66, below which there is no brain


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


def head_of(tissue: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the head with its cavities: all that is seen, less the air that is joined to its border."""
    walls = ndimage.binary_closing(np.pad(tissue, 3), iterations=2)[3:-3, 3:-3, 3:-3] | tissue
    parts, _ = ndimage.label(~walls & seen)
    rim = seen & ~ndimage.binary_erosion(seen)
    outside = np.unique(parts[rim])
    return seen & ~np.isin(parts, outside[outside > 0])


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
