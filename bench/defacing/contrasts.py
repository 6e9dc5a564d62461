"""Other contrasts of one head: the same anatomy, and voxels that say something else."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from scipy import ndimage

from defacing.case import Case
from defacing.changes import carried, sliced, stored
from defacing.skin import REGIONS_MM, outside


def contrasts(head: Case) -> Iterator[tuple[str, Callable[[], Case]]]:
    """Yield the cases whose voxels say something else on the same grid."""
    values = head.voxels.astype(np.float32)
    within = values[head.tissue if head.brain is None else head.brain]
    white, top = float(np.percentile(within, 90)), float(np.percentile(values, 99.9))

    def shown(changed: np.ndarray) -> Case:
        return replace(head, voxels=stored(changed * (1000 / top)))

    def noisy(sigma: float) -> np.ndarray:
        real, imaginary = sigma * np.random.default_rng(20).standard_normal((2, *values.shape), np.float32)
        return np.hypot(values + real, imaginary)

    solid = ~outside(head.tissue, head.spacing_mm)
    yield "inverted_tissue", lambda: shown(np.where(solid, np.maximum(1.1 * top - values, 0), values))
    yield "inverted_all", lambda: shown(np.maximum(top - values, 0))
    for percent in (5, 10, 15):
        yield f"noise_{percent}", lambda sigma=white * percent / 100: shown(noisy(sigma))
    for axis, letter in enumerate("xyz"):
        ramp = np.exp(np.linspace(-0.5, 0.5, values.shape[axis], dtype=np.float32) * np.log(3.0))
        ramp = ramp.reshape([-1 if each == axis else 1 for each in range(3)])
        yield f"bias_{letter}+", lambda ramp=ramp: shown(values * ramp)
        yield f"bias_{letter}-", lambda ramp=ramp: shown(values / ramp)
    yield "gadolinium", lambda: shown(values * np.clip(values / white, 1, 2))
    yield "gamma_2", lambda: shown(top * (values / top) ** 2)
    yield "gamma_0.5", lambda: shown(top * np.sqrt(values / top))
    if head.brain is not None:
        balls = _lesions(head)
        yield "lesions_dark", lambda: shown(np.where(balls, 0.1 * white, values))
        yield "lesions_bright", lambda: shown(np.where(balls, 2 * white, values))
    spikes = np.random.default_rng(21).random(values.shape, np.float32) < 0.002
    yield "spikes", lambda: shown(np.where(spikes, top, values))
    yield "ghost", lambda: shown(values + 0.15 * np.roll(values, values.shape[1] // 2, 1))
    yield "epi_like", lambda: _epi_like(head, white)


def _epi_like(head: Case, white: float) -> Case:
    """Return the head as echo-planar imaging shows it, in RAS order.

    Scalp without the signal of fat, a brain of little contrast, a dim neck, signal lost above the nose, the
    same place shifted forward by 6 mm, a ghost of 8 %, voxels of 3 x 3 x 4 mm.
    """
    depth_mm = ndimage.distance_transform_edt(~outside(head.tissue, head.spacing_mm), head.spacing_mm)
    values = np.minimum(head.voxels.astype(np.float32), 0.85 * white)
    values *= np.where(depth_mm < 8, 0.4, 1.0).astype(np.float32)
    eyes = np.isin(head.regions, [1 + list(REGIONS_MM).index(name) for name in ("eye-", "eye+")])
    sinuses = np.argwhere(eyes).mean(0) + np.array([0, -35, 15]) / head.spacing_mm
    places = np.indices(values.shape, np.float32)
    away_mm = np.sqrt(sum(((place - at) * step) ** 2 for place, at, step in zip(
        places, sinuses, head.spacing_mm, strict=True)))  # fmt: skip
    under_eyes_mm = (sinuses[2] - places[2]) * head.spacing_mm[2] - 15
    values *= np.clip(1.6 - under_eyes_mm / 50, 0.4, 1.0)
    values *= 1 - np.exp(-((away_mm / 18) ** 2))
    places[1] -= 6 / head.spacing_mm[1] * np.exp(-((away_mm / 25) ** 2))

    def shifted(array: np.ndarray) -> np.ndarray:
        if array is head.voxels:
            return ndimage.map_coordinates(values, places, order=1)
        return ndimage.map_coordinates(array.astype(np.uint8), places, order=0).astype(array.dtype)

    seen = carried(head, shifted)
    for axis, step_mm in enumerate((3.0, 3.0, 4.0)):
        seen = sliced(seen, axis, step_mm)
    ghost = 0.08 * np.roll(seen.voxels.astype(np.float32), seen.voxels.shape[1] // 2, 1)
    return replace(seen, voxels=stored((seen.voxels + ghost) * (1000 / white)))


def _lesions(head: Case) -> np.ndarray:
    """Return balls of 30 mm in the brain: one in front, one on each side, none across its edge."""
    deep = np.argwhere(ndimage.distance_transform_edt(head.brain, head.spacing_mm) >= 15)
    centres = [deep[deep[:, 1].argmax()], deep[deep[:, 0].argmin()], deep[deep[:, 0].argmax()]]
    places = np.stack(np.indices(head.brain.shape), -1)
    return np.any(
        [(((places - centre) * head.spacing_mm) ** 2).sum(-1) <= 15**2 for centre in centres], axis=0
    )
