"""What the judge sees of an image before anything is removed: tissue, skin, head and brain.

It looks on the template's grid, and finds all by itself; of the template it knows where head and brain are.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from efface.anatomy import (
    STEP_MM,
    has_noise_for_air,
    head_of,
    largest,
    skin_of,
    tissue_of,
    tissue_threshold,
    without_noise,
)
from efface.brain import Brain, brain_of, bright_brain, prepare
from efface.fit import LEAST_OVERLAP, Fit, fit, nose_mm, overlap_of
from efface.outline import COARSE

SCALP_MM = (6.0, 14.0)  # from the template's brain
EAR_TOPS = 70  # layer of the template's grid, z = -30
DARK_SCALP = 0.4  # of the brain: echo-planar images have 0.1 to 0.25, T1w and T2w 0.65 and more


@dataclass(frozen=True)
class Template:
    """Where the template has what, on its own grid: (X, Y, Z) uint8 arrays.

    Attributes
    ----------
    regions : numbered as in `measure.REGIONS`
    head : 1 head, 2 air, 0 not seen
    brain : 1 brain
    """

    regions: np.ndarray
    head: np.ndarray
    brain: np.ndarray


@dataclass(frozen=True)
class Look:
    """What the judge sees of an image before anything is removed, on the template's grid.

    Attributes
    ----------
    values : (X, Y, Z) float array
    seen, tissue, skin : (X, Y, Z) bool arrays
    brain : by its reach along rays
    bright : the brain by brightness, (X, Y, Z) bool array, where the scalp is dark; else None
    brain_ml : its volume
    fit : how the template lies
    threshold : values above it are tissue
    noisy : whether the air is bright noise
    nose_mm : how far a nose stands out of the cheeks, None when out of view
    """

    values: np.ndarray
    seen: np.ndarray
    tissue: np.ndarray
    skin: np.ndarray
    brain: Brain
    bright: np.ndarray | None
    brain_ml: int
    fit: Fit
    threshold: float
    noisy: bool
    nose_mm: float | None


@dataclass(frozen=True)
class Light:
    """How bright an image is, wherever its head may be.

    Attributes
    ----------
    noisy : whether the air is bright noise
    threshold : values above it are tissue; of a noisy image it is found where the head is
    """

    noisy: bool
    threshold: float


def light(before: np.ndarray, modality: str) -> Light:
    """Return how bright an image is; the parameters are those of `measure`."""
    prepare()
    noisy = modality == "MR" and has_noise_for_air(before)
    return Light(noisy, float("nan") if noisy else tissue_threshold(before, modality))


def look(
    before: np.ndarray, voxel_from_grid: np.ndarray, template: Template, modality: str, lit: Light
) -> Look:
    """Return what the judge sees of an image; the parameters are those of `measure`."""
    seen = _in_view(before.shape, voxel_from_grid, template.head.shape)
    noisy = lit.noisy
    values = sampled(before, voxel_from_grid, seen.shape, blend=not noisy)
    clear = without_noise(values) if noisy else values
    threshold = tissue_threshold(clear, modality) if noisy else lit.threshold
    tissue = tissue_of(clear, threshold, seen)
    skin = skin_of(tissue, seen)
    # What noise leaves in the air is no head, but may hide a face: it counts as skin.
    solid = largest(tissue) if noisy else tissue
    head = head_of(solid, seen)
    every = (slice(None, None, COARSE),) * 3
    scalp_shows = overlap_of(head[every], seen[every], template.head[every]) >= LEAST_OVERLAP
    brain = brain_of(clear, threshold, head, seen, modality, scalp_shows=scalp_shows)
    inside = brain.on_grid(seen[every].shape, COARSE) & seen[every]
    bright = None
    if modality == "MR" and inside.any() and _scalp_is_dark(values, seen, inside, template):
        bright = bright_brain(clear, inside, seen)
    brain_ml = round(inside.sum() * (COARSE * STEP_MM) ** 3 / 1000)
    # In PET the brain's edge is a blur.
    lies = fit(head, inside if modality != "PT" else None, seen, (template.head, template.brain))
    nose = nose_mm(skin_of(solid, seen) if noisy else skin, seen)
    return Look(values, seen, tissue, skin, brain, bright, brain_ml, lies, threshold, noisy, nose)


def sampled(
    volume: np.ndarray, voxel_from_grid: np.ndarray, shape: tuple[int, ...], *, blend: bool
) -> np.ndarray:
    """Return a volume on the template's grid; unless blended, the nearest voxels, as noisy as they were."""
    # Volumes come in Fortran order: read along their first axis, or memory is jumped about in.
    turned = ndimage.affine_transform(
        volume.T, voxel_from_grid[2::-1, 2::-1], voxel_from_grid[2::-1, 3], shape[::-1], order=int(blend)
    )
    return np.ascontiguousarray(turned.T)


def _in_view(size: tuple[int, ...], voxel_from_grid: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return which voxels of the template's grid lie within an image of some size."""
    x, y, z = np.ogrid[tuple(slice(count) for count in shape)]
    inside = np.ones(shape, bool)
    for (a, b, c, d), last in zip(voxel_from_grid[:3].astype(np.float32), size, strict=True):
        place = (a * x + b * y + d) + c * z
        inside &= (place >= 0) & (place <= last - 1)
    return inside


def _scalp_is_dark(values: np.ndarray, seen: np.ndarray, inside: np.ndarray, template: Template) -> bool:
    """Return whether scalp and skull give so little signal that what is bright beside them is brain."""
    every = (slice(None, None, COARSE),) * 3
    away = ndimage.distance_transform_edt(template.brain[every] == 0) * COARSE * STEP_MM
    scalp = (template.head[every] == 1) & seen[every] & (away > SCALP_MM[0]) & (away < SCALP_MM[1])
    scalp[:, :, : EAR_TOPS // COARSE] = False
    thin = values[every]
    return bool(scalp.any() and np.median(thin[scalp]) < DARK_SCALP * np.median(thin[inside]))
