"""Heads with faces: the atlas's head, given a face of its own and bent smoothly for each person.

All points are in the atlas's world coordinates (RAS+, mm); volumes lie on one canvas of 2 mm.
"""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

SPACING_MM = 2.0
SHAPE = (99, 134, 136)
WORLD_FROM_CANVAS = np.array(
    [[SPACING_MM, 0, 0, -98], [0, SPACING_MM, 0, -126], [0, 0, SPACING_MM, -164], [0, 0, 0, 1.0]]
)
# The atlas ends under the chin (z, mm); neck and chin are continued from the slice that is still whole.
_LAST_WHOLE_MM = -108


@dataclass(frozen=True)
class Face:
    """What makes one face differ from another; lengths in mm, sizes relative to the atlas."""

    seed: int
    size: tuple[float, float, float]
    jaw: float
    length_mm: float
    nose_mm: float
    nose_width: float
    nose_drop_mm: float
    chin_mm: float
    chin_width: float
    lips: float
    brow_mm: float


@dataclass(frozen=True)
class Head:
    """One person's head on the canvas: signal by contrast, each a `SHAPE` float32 array, air 0."""

    t1: np.ndarray
    t2: np.ndarray
    epi: np.ndarray


@dataclass(frozen=True)
class Atlas:
    """The atlas on the canvas, both `SHAPE`: `template`, float32, about 1000 in bright fat; `brain`, bool."""

    template: np.ndarray
    brain: np.ndarray


def load(folder: Path | str) -> Atlas:
    """Return the atlas in a folder, 0 outside of what it shows."""
    template, brain = (_on_canvas(Path(folder, f"{name}.nii.gz")) for name in ("template", "brain"))
    return Atlas(
        template * (1000 / np.percentile(template[template > 0.1 * template.max()], 99)), brain > 0.5
    )


def _on_canvas(path: Path) -> np.ndarray:
    image = nib.load(path)
    image_from_canvas = np.linalg.inv(image.affine) @ WORLD_FROM_CANVAS
    return ndimage.affine_transform(
        np.asarray(image.dataobj, np.float32), image_from_canvas, output_shape=SHAPE, order=1
    )


def make(atlas: Atlas, face: Face) -> Head:
    """Return the head of one person."""
    template = atlas.template
    solid = _solid(template)
    shaped = _sculpted(solid, face)
    rim = 1 - ndimage.gaussian_filter(shaped, 2)
    # New flesh: muscle under brighter fat. Old flesh is sharpened, because the atlas is an average of many.
    flesh = 420 + 700 * rim
    sharp = template + 0.7 * (template - ndimage.gaussian_filter(template, 1.0))
    t1 = np.where(solid > 0.5, sharp, flesh) * shaped
    brain = ndimage.binary_erosion(atlas.brain)
    t2 = np.interp(t1, [0, 80, 250, 420, 600, 1000], [0, 90, 160, 230, 420, 760])
    t2 = np.where(brain, np.interp(t1, [150, 380, 560, 720, 1000], [1000, 860, 560, 420, 350]), t2)
    # The average has washed out the skull, which is dark in every contrast and parts the brain from the rest.
    skull = ndimage.binary_dilation(brain, iterations=3) & ~brain
    dark = 1 - 0.9 * ndimage.gaussian_filter(skull.astype(np.float32), 0.5)
    t1 *= dark
    t2 *= dark
    for side in (-1, 1):
        t2 = np.maximum(t2, 950 * _ellipsoid((side * 31, 73, -30), (11, 11, 11), _axes()))
    t2 *= shaped
    # Echo-planar images see fat less (it is suppressed) and lose signal over sinuses and ear canals.
    epi = np.where(brain, 0.8 * t2 + 250, 0.7 * t2)
    for centre, radius in (((0, 62, -28), 26), ((-62, -8, -44), 16), ((62, -8, -44), 16)):
        x, y, z = _axes()
        distance2 = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2
        epi = epi * (1 - 0.6 * np.exp(-0.5 * distance2 / radius**2))
    epi = ndimage.gaussian_filter(epi, 0.9)
    where = _bent(face)
    return Head(*(ndimage.map_coordinates(v.astype(np.float32), where, order=1) for v in (t1, t2, epi)))


def sample(
    volume: np.ndarray,
    shape: tuple[int, int, int],
    world_from_voxel: np.ndarray,
    *,
    noise: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return a magnitude image of one contrast on a scanner's grid: `shape` uint16, 12 bits.

    Parameters
    ----------
    volume : `SHAPE` float32 array
    world_from_voxel : (4, 4) array
        From the grid to the head's world coordinates.
    noise : float
        Standard deviation of each of the two receiver channels (Rician noise).
    """
    canvas_from_voxel = np.linalg.inv(WORLD_FROM_CANVAS) @ world_from_voxel
    signal = ndimage.affine_transform(volume, canvas_from_voxel, output_shape=shape, order=1)
    real = signal + noise * rng.standard_normal(shape, np.float32)
    magnitude = np.hypot(real, noise * rng.standard_normal(shape, np.float32))
    return np.clip(np.rint(magnitude), 0, 4095).astype(np.uint16)


def _axes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the canvas's world coordinates along each axis, ready to broadcast."""
    x, y, z = (WORLD_FROM_CANVAS[i, 3] + SPACING_MM * np.arange(SHAPE[i]) for i in range(3))
    return x[:, None, None], y[:, None], z


def _ellipsoid(centre, half_axes, axes) -> np.ndarray:
    """Return how much of each voxel lies in an ellipsoid: 0 to 1, with an edge one voxel wide."""
    radius = sum(((a - c) / h) ** 2 for a, c, h in zip(axes, centre, half_axes, strict=True)) ** 0.5
    return np.clip(0.5 - (radius - 1) * min(half_axes) / SPACING_MM, 0, 1).astype(np.float32)


def _solid(template: np.ndarray) -> np.ndarray:
    """Return the head without holes and without the ghosts in the air: 0 to 1.

    The average of many scans carries faint goggles and fixations in front of the face; opening takes them.
    """
    flesh = ndimage.binary_opening(template > 190, iterations=2)
    parts, _ = ndimage.label(flesh)
    flesh = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    whole = ndimage.binary_closing(np.pad(flesh, 6), iterations=5)[6:-6, 6:-6, 6:-6]
    for k in range(whole.shape[2]):
        whole[:, :, k] = ndimage.binary_fill_holes(whole[:, :, k])
    return ndimage.gaussian_filter(whole.astype(np.float32), 0.8)


def _sculpted(solid: np.ndarray, face: Face) -> np.ndarray:
    """Return the head with features cut into its blurred face, and with a neck: 0 to 1."""
    x, y, z = _axes()
    last = round((_LAST_WHOLE_MM - WORLD_FROM_CANVAS[2, 3]) / SPACING_MM)
    shaped = solid.copy()
    neck = solid[:, :, last : last + 1] * _ellipsoid((0, -14, 0), (58, 56, 1e3), (x, y, np.zeros(1)))
    shaped[:, :, :last] = np.maximum(shaped[:, :, :last] * (z[:last] > -122), neck)

    front, low = y.ravel() > -16, z < 4
    axes = x, y[front], z[low]
    box = shaped[:, front.argmax() :, : low.sum()]  # all features lie in this corner

    def add(centre, half_axes):
        np.maximum(box, _ellipsoid(centre, half_axes, axes), out=box)

    def cut(centre, half_axes):
        np.minimum(box, 1 - _ellipsoid(centre, half_axes, axes), out=box)

    tip = 109 + face.nose_mm
    base = -65 - face.nose_drop_mm
    for side in (-1, 1):
        cut((side * 30, 102, -29), (16, 14, 10))  # orbits
        add((side * 31, 75, -31), (14, 14, 11))  # lids over the eyes
        cut((side * 31, 94, -32.5), (12, 6.5, 1.6))
        add((side * 27, 89 + face.brow_mm, -14), (20, 10, 7))  # brows
    cut((0, 112, -26), (12, 15, 10))
    for step in np.linspace(0, 1, 9):  # the bridge, from between the eyes to the tip
        width = (6 + 2.5 * step) * face.nose_width
        add((0, 84 + (tip - 97) * step**1.2, -28 + (base + 32) * step), (width, 14, 9))
    add((0, tip - 3, base), (8.5 * face.nose_width, 10, 8))
    for side in (-1, 1):
        add((side * 11 * face.nose_width, tip - 13, base - 2), (6.5, 10, 7))
        cut((side * 5.5 * face.nose_width, tip - 7, base - 9), (3, 5.5, 4))
    cut((0, 111, -78), (50, 9, 4.5))
    add((0, 90 + face.lips, -83.5), (25, 14.5, 4 + face.lips))
    add((0, 89 + face.lips, -92), (23, 14.5, 4 + face.lips))
    cut((0, 107 + face.lips, -87.7), (26, 9, 1.8))
    cut((0, 107, -101), (30, 13, 5))
    add((0, 66, -106), (40 * face.chin_width, 27, 19))  # the jaw, then the chin upon it
    add((0, 80 + face.chin_mm, -113), (22 * face.chin_width, 15, 13))
    add((0, 36, -108), (46, 48, 19))  # the floor of the mouth
    return ndimage.gaussian_filter(shaped, 1.0)


def _bent(face: Face) -> np.ndarray:
    """Return where on the canvas each voxel of the person's head comes from: (3, *SHAPE) float32 indices."""
    x, y, z = _axes()
    centre = (0, -5, -15)
    below = 1 / (1 + np.exp((z + 45) / 14))  # 0 in the skull, 1 in the lower face
    source = [
        (x - centre[0]) / (face.size[0] * (1 + face.jaw * below)) + centre[0],
        (y - centre[1]) / face.size[1] + centre[1],
        (z - centre[2]) / face.size[2] + centre[2] + face.length_mm * below,
    ]
    rng = np.random.default_rng(face.seed)
    coarse = rng.normal(0, 2.2, (3, 4, 5, 5))
    blend = [_blend(*counts) for counts in zip(SHAPE, coarse.shape[1:], strict=True)]
    result = np.empty((3, *SHAPE), np.float32)
    for axis in range(3):
        smooth = np.einsum("abc,ia,jb,kc->ijk", coarse[axis], *blend, optimize=True)
        result[axis] = (source[axis] + smooth - WORLD_FROM_CANVAS[axis, 3]) / SPACING_MM
    return result


def _blend(voxels: int, knots: int) -> np.ndarray:
    """Return how much each knot counts at each voxel of an axis: (voxels, knots), rows sum to 1."""
    step = (voxels - 1) / (knots - 1)
    distance = (np.arange(voxels)[:, None] - step * np.arange(knots)) / step
    weight = np.exp(-0.5 * (distance / 0.6) ** 2)
    return weight / weight.sum(1, keepdims=True)
