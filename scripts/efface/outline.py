"""How a surface of the template would have to move to lie on the image's: least squares along its normals."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from efface.anatomy import STEP_MM

PIVOT = np.array([50.0, 60.0, 75.0])  # indices of the template's grid: amid the head
COARSE = 2  # every other voxel of the grid is enough to see how two heads lie
FLOOR_Y = (20, 40, 50, 60, 70)  # mm: where the lowest height that counts is given
POINTS = 1800  # of each surface
FEWEST = 100  # with fewer in view nothing is known
REACH_MM = np.arange(-24.0, 25.0, 2.0)  # so far along its normal the image's surface is looked for
# Heads differ by so much, in so many places that are free of one another; what differs more counts less.
SPREAD_MM, PLACES, ROBUST_MM = 3.0, 60, 3.0
# What the surface in view does not tell stays near where the template lies: shift, turn and size.
NEAR = np.repeat((10.0, np.radians(10.0), 0.08), (3, 3, 1))


@dataclass(frozen=True)
class Surface:
    """A surface as the template has it, and the image's mask that it is looked for in.

    Attributes
    ----------
    mask : (X, Y, Z) bool array on every `step`-th voxel of the template's grid
    points, normals : (N, 3) arrays
        Indices of the grid; outwards.
    """

    mask: np.ndarray
    step: int
    points: np.ndarray
    normals: np.ndarray


def drawn_surface(
    mask: np.ndarray, known: np.ndarray, lowest: float | tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return points, and outward normals, of a mask's surface above `lowest` (mm, or by y)."""
    soft = ndimage.gaussian_filter(mask.astype(np.float32), 1.0)
    near = (np.abs(soft - 0.5) < 0.25) & ndimage.binary_erosion(known, iterations=2)
    slope = np.stack([axis[near] for axis in np.gradient(soft)], axis=-1)
    steep = np.linalg.norm(slope, axis=-1)
    points, normals = np.argwhere(near), -slope / np.maximum(steep, 1e-6)[:, None]
    points = COARSE * (points + normals * ((soft[near] - 0.5) / np.maximum(steep, 1e-6))[:, None])
    y, z = (first + STEP_MM * points[:, k] for k, first in ((1, -140.0), (2, -170.0)))
    floor = lowest if isinstance(lowest, float) else np.interp(y, FLOOR_Y, lowest)
    chosen = np.flatnonzero((steep > 0.08) & (z > floor))
    # Evenly over the surface: the points come in the order of the grid.
    chosen = chosen[np.linspace(0, len(chosen) - 1, POINTS).astype(int)]
    return points[chosen], normals[chosen]


def laid(surfaces: list[Surface], seen: np.ndarray) -> np.ndarray | None:
    """Return the motion that best lays the template's surfaces on the image's; None when too little is seen.

    It is a (7,) array: shift in mm, turn as a rotation vector, and size.
    """
    # At the edge of the field of view a mask ends too, and between two of its voxels: that is no surface.
    viewed = [ndimage.binary_erosion(seen, iterations=one.step, border_value=1) for one in surfaces]
    motion = np.zeros(7)
    for _ in range(3):
        turn = _turn(motion[3:6])
        rows, gaps, weights = [], [], []
        for surface, view in zip(surfaces, viewed, strict=True):
            arms = (surface.points - PIVOT) * STEP_MM * (1 + motion[6]) @ turn.T
            normals = surface.normals @ turn.T
            gap = _gaps(surface, view, PIVOT + (arms + motion[:3]) / STEP_MM, normals)
            met = np.isfinite(gap)
            arms, normals = arms[met], normals[met]
            swing, swell = np.cross(arms, normals), (normals * arms).sum(axis=1)
            rows.append(np.column_stack([normals, swing, swell]))
            gaps.append(gap[met])
            weights.append(np.full(len(arms), PLACES / SPREAD_MM**2 / len(surface.points)))
        row, gap, weight = np.concatenate(rows), np.concatenate(gaps), np.concatenate(weights)
        if len(gap) < FEWEST:
            return None
        step = np.zeros(7)
        for _ in range(6):
            trust = weight * np.minimum(1, ROBUST_MM / np.maximum(np.abs(gap - row @ step), 1e-6))
            normal = (row * trust[:, None]).T @ row + np.diag(NEAR**-2)
            step = np.linalg.solve(normal, (row * trust[:, None]).T @ gap - motion / NEAR**2)
        motion = motion + step
        motion[6] = np.clip(motion[6], -0.5, 0.5)
    return motion


def _turn(vector: np.ndarray) -> np.ndarray:
    """Return the (3, 3) matrix of a rotation vector."""
    from scipy.spatial.transform import Rotation  # slow to import: while others work

    return Rotation.from_rotvec(vector).as_matrix()


def _gaps(surface: Surface, seen: np.ndarray, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Return how far out of each point the image's surface lies, in mm; NaN where that is not seen."""
    places = points[:, None] + normals[:, None] * (REACH_MM / STEP_MM)[:, None]
    within = ndimage.map_coordinates(
        surface.mask.view(np.uint8), places.transpose(2, 0, 1) / surface.step, order=1, output=np.float32
    )
    viewed = ndimage.map_coordinates(seen.view(np.uint8), places.transpose(2, 0, 1), order=0) > 0
    inside = within >= 0.5
    left = inside[:, :-1] & ~inside[:, 1:] & viewed[:, :-1] & viewed[:, 1:]
    fall = np.maximum(within[:, :-1] - within[:, 1:], 1e-6)
    place = REACH_MM[:-1] + np.clip((within[:, :-1] - 0.5) / fall, 0, 1) * (REACH_MM[1] - REACH_MM[0])
    nearest = np.where(left, np.abs(place), np.inf).argmin(axis=1)
    gap = place[np.arange(len(place)), nearest]
    # Seen all along, and nothing met: the surface lies at least that far.
    beyond = np.where(inside.all(axis=1), REACH_MM[-1], np.where(inside.any(axis=1), np.nan, REACH_MM[0]))
    beyond[~viewed.all(axis=1)] = np.nan
    return np.where(left.any(axis=1), gap, beyond)


def put(masks: list[np.ndarray], motion: np.ndarray) -> list[np.ndarray]:
    """Return masks on every COARSE-th voxel as they lie once the template has moved onto them."""
    linear = (1 + motion[6]) * _turn(motion[3:6])
    pivot = PIVOT / COARSE
    shift = pivot - linear @ pivot + motion[:3] / (COARSE * STEP_MM)
    bits = sum(mask.astype(np.uint8) << bit for bit, mask in enumerate(masks))
    put = ndimage.affine_transform(bits, linear, shift, order=0, prefilter=False)
    return [put >> bit & 1 > 0 for bit in range(len(masks))]
