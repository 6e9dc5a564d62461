"""A head's surface to look at, from any side.

A judge's view, like `viewing`.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from efface import grid
from efface.anatomy import STEP_MM
from efface.viewing import Scan

HALF_MM = 160.0  # of what is rendered, from its middle
PIXELS = 320  # of a render, a side
MARGIN = 1.04
LIGHT = (-0.25, 0.86, 0.45)  # from the left of whoever looks, and from above
SPECK = 6  # voxels in a block of 27: noise alone fills fewer, a sheet of skin one voxel thick fills 9


@dataclass(frozen=True)
class Surface:
    """Points of a surface.

    Attributes
    ----------
    points : (N, 3) float32 array, mm from the middle of what is shown, axes along RAS+
    normals : (N, 3) float32 array, unit vectors out of the tissue
    """

    points: np.ndarray
    normals: np.ndarray

    @property
    def reach_mm(self) -> float:
        """How far from the middle there are points, but for a few."""
        return (
            float(np.percentile(np.linalg.norm(self.points, axis=1), 99.5)) if len(self.points) else HALF_MM
        )


def surface(scan: Scan, threshold: float, middle: np.ndarray | None = None) -> Surface:
    """Return the surface of all that is brighter than a threshold, on a grid of 2 mm.

    Parameters
    ----------
    middle : (3,) array, optional
        World coordinates (RAS+, mm) around which a box is shown where the field of view is larger; of the
        field of view when not given.
    """
    values, world_from_upright = grid.coarse(scan.mean(), scan.world_from_voxel, STEP_MM)
    first = world_from_upright[:3, 3]
    whole = first + STEP_MM * (np.array(values.shape) - 1) / 2
    wide = STEP_MM * np.array(values.shape) > 2 * HALF_MM
    middle = np.where(wide, whole if middle is None else middle, whole)
    low = np.clip(np.ceil((middle - HALF_MM - first) / STEP_MM).astype(int), 0, None)
    high = np.clip(((middle + HALF_MM - first) / STEP_MM).astype(int), 0, None)
    values = values[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))]
    # Whatever is not seen counts as air, so that the image ends in flat planes.
    tissue = np.pad(np.nan_to_num(values, nan=-np.inf) > threshold, 2).astype(np.float32)
    tissue *= ndimage.uniform_filter(tissue, 3) > (SPECK - 0.5) / 27
    at = np.argwhere((tissue > 0) & ~ndimage.binary_erosion(tissue > 0))
    smooth = ndimage.gaussian_filter(tissue, 1.2)
    slope = np.stack(
        [smooth[tuple((at - step).T)] - smooth[tuple((at + step).T)] for step in np.eye(3, dtype=int)], axis=1
    )
    normals = slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
    points = first + STEP_MM * (low + at - 2) - middle
    return Surface(points.astype(np.float32), normals.astype(np.float32))


def render(seen: Surface, turn: float, tilt: float, reach_mm: float = HALF_MM) -> np.ndarray:
    """Return a surface from the front, after a turn about the long axis and a tilt: (H, W) uint8.

    Parameters
    ----------
    turn, tilt : degrees
        A positive turn shows the head's right side, a positive tilt its crown.
    reach_mm : how far from the middle the picture goes
    """
    a, b = np.radians((turn, tilt))
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    seen_from_world = (about_x @ about_z).astype(np.float32)
    points = seen.points @ seen_from_world.T
    light = np.array(LIGHT, np.float32) / np.float32(np.linalg.norm(LIGHT))
    lit = np.clip(seen.normals @ seen_from_world.T @ light, 0.06, 1)
    # The head's right is shown at the left, as in the slices.
    scale = PIXELS / (2 * MARGIN * reach_mm)
    column = np.round(PIXELS / 2 - scale * points[:, 0]).astype(np.int64)
    row = np.round(PIXELS / 2 - scale * points[:, 2]).astype(np.int64)
    inside = (column >= 0) & (column < PIXELS) & (row >= 0) & (row < PIXELS)
    # Depth in steps of 0.1 mm above, shade below: the smallest key of a pixel is that of the nearest point.
    away = np.round(10 * (2 * HALF_MM - points[:, 1])).astype(np.int64)
    keys = np.full(PIXELS * PIXELS, np.iinfo(np.int32).max, np.int32)
    np.minimum.at(
        keys,
        (row * PIXELS + column)[inside],
        (away * 256 + np.round(255 * lit).astype(np.int64))[inside].astype(np.int32),
    )
    # A point covers the pixels up to its neighbours, which leaves no gap to look through.
    cover = 1 + 2 * int(np.ceil(scale * STEP_MM / np.sqrt(2)))
    nearest = ndimage.minimum_filter(keys.reshape(PIXELS, PIXELS), cover)
    shade = np.where(nearest < np.iinfo(np.int32).max, nearest % 256, 0).astype(np.float32)
    return np.round(ndimage.gaussian_filter(shade, 0.7)).astype(np.uint8)
