"""The judge's brain: how far it reaches along rays from the middle of the head, by intensity and shape alone.

After the idea of Smith's BET (Human Brain Mapping 2002): along each ray the brain ends where the values fall
away from those of the brain so far; what reaches further than its neighbours do is a leak.
"""

import functools
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from efface.anatomy import STEP_MM, largest

RAYS = 4000
RAY_MM = np.arange(8.0, 112.0, 2.0)
CORE_MM = 26.0  # so far from the middle all is brain
FALL = {"MR": 0.5, "PT": 0.8}  # of the brain's level along the ray: less is fluid, bone or air
RISE = 1.7  # of the same: more, near the surface, is fat
CT_HU = (0.0, 100.0)  # bone is above, fat and air below
THIN = 4  # layers of the grid on either side: what is thinner is scalp, muscle, or the way to an eye
GAP = 2  # samples in a row that are not brain end it
DEEP_MM, FATTY_MM, SHALLOW_MM = 26.0, 16.0, 8.0  # from the air: sulci; beyond fat; scalp and skull
# A ray ends at most SLACK_MM beyond this share of its neighbours.
NEIGHBOURS, QUANTILE, SLACK_MM = 60, 0.3, 2.0
NECK = 45  # layer of the grid, z = -80, below which the head's middle is not looked for
# The lowest the brain reaches, by y (mm): the cerebellum, the temporal poles, the straight gyri.
FLOOR_Y, FLOOR_Z = (20, 40, 50, 60, 70), (-66, -46, -36, -30, -28)
GRID_FROM = (-140.0, -170.0)  # y and z of the grid's first voxel
CELLS = 120  # of the table from directions to rays, in half a turn


@dataclass(frozen=True)
class Brain:
    """A brain, by its reach along rays.

    Attributes
    ----------
    centre : (3,) array
        In indices of the template's grid.
    reach_mm : (RAYS,) array
    """

    centre: np.ndarray
    reach_mm: np.ndarray

    def holds(self, index: np.ndarray, margin_mm: float = 0.0) -> np.ndarray:
        """Return which of (N, 3) points of the grid lie in the brain, `margin_mm` or more from its edge."""
        away = (index - self.centre) * STEP_MM
        far = np.linalg.norm(away, axis=1)
        y, z = (GRID_FROM[k] + STEP_MM * index[:, k + 1] for k in range(2))
        held = (far < self.reach_mm.max() - margin_mm) & (z > np.interp(y, FLOOR_Y, FLOOR_Z) + margin_mm)
        reach = self.reach_mm[_table()[_cells(away[held], np.maximum(far[held], 1e-6))]]
        held[held] = far[held] < reach - margin_mm
        return held

    def on_grid(self, shape: tuple[int, ...], every: int) -> np.ndarray:
        """Return the brain as a mask on the template's grid, thinned to every so many voxels."""
        index = np.indices(shape).reshape(3, -1).T * every
        return self.holds(index).reshape(shape)


def prepare() -> None:
    """Make the tables of rays, which are the same for every image."""
    _neighbours(), _table()


def brain_of(
    values: np.ndarray,
    threshold: float,
    head: np.ndarray,
    seen: np.ndarray,
    modality: str,
    *,
    scalp_shows: bool = True,
) -> Brain:
    """Return the brain of an image.

    Parameters
    ----------
    values : (X, Y, Z) float array on the template's grid
    threshold : float
        Values above it are tissue.
    head, seen : (X, Y, Z) bool arrays
        The head with its cavities; the field of view, beyond which a ray's end is not known.
    modality : "MR", "CT" or "PT"
    scalp_shows : bool
        Where it does not, the head that was found ends with the brain.
    """
    centre = _middle(head)
    # Where the field of view ends the head does not. Below its middle eyes and muscles lie there, not brain.
    above = np.arange(head.shape[2]) > centre[2]
    depth = _depth(head | (~seen & above))
    rays = _rays()
    places = centre[:, None, None] + rays.T[:, :, None] * RAY_MM / STEP_MM
    profile = ndimage.map_coordinates(values, places, order=1)
    deep = ndimage.map_coordinates(depth, places / 2, order=1) * 2 * STEP_MM
    if modality == "CT":
        alike = (profile > CT_HU[0]) & (profile < CT_HU[1])
    else:
        level = _levels(profile)
        alike = profile > np.maximum(FALL[modality] * level, threshold)
        alike &= (profile < RISE * level) | (deep > FATTY_MM)
    alike &= deep > (SHALLOW_MM if scalp_shows else 0)
    # Sulci and ventricles are no end of it; below, what lies deep is the throat.
    alike |= (deep > DEEP_MM) & (rays[:, 2:] > 0)
    alike[:, RAY_MM <= CORE_MM] = True
    padded = np.pad(~alike, ((0, 0), (0, GAP)), constant_values=True)
    ended = np.lib.stride_tricks.sliding_window_view(padded, GAP, axis=1).all(-1)
    end = np.minimum(ended.argmax(axis=1), len(RAY_MM) - 1)
    in_view = ndimage.map_coordinates(seen.astype(np.uint8), places, order=0) > 0
    end[~in_view[np.arange(RAYS), end]] = len(RAY_MM) - 1
    reach = RAY_MM[end] - STEP_MM / 2
    near = _neighbours()
    for _ in range(2):
        reach = np.minimum(reach, np.quantile(reach[near], QUANTILE, axis=1) + SLACK_MM)
    return Brain(centre, np.median(reach[near[:, :7]], axis=1))


def bright_brain(values: np.ndarray, rays: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the brain of an image with dark scalp, by brightness: the largest thick piece of bright tissue.

    Rays do not follow a distorted brain everywhere, least to the temporal poles of echo-planar images.

    Parameters
    ----------
    values : (X, Y, Z) float array on the template's grid
    rays : the brain that rays found, as a mask that is thinned to every second voxel
    seen : (X, Y, Z) bool array
        The field of view.
    """
    level = np.median(values[::2, ::2, ::2][rays])
    return largest(ndimage.binary_opening((values > FALL["MR"] * level) & seen, iterations=THIN))


def _middle(head: np.ndarray) -> np.ndarray:
    """Return the middle of the head above the neck, in indices."""
    depth = _depth(head)
    upper = np.where(np.arange(depth.shape[2]) < NECK // 2, 0, depth)
    deepest = np.argwhere(upper > 0.85 * upper.max()) if upper.any() else np.argwhere(np.ones_like(depth))
    return 2 * deepest.mean(axis=0)


def _depth(head: np.ndarray) -> np.ndarray:
    """Return how deep in a head every other voxel lies, in voxels of that."""
    depth = ndimage.distance_transform_edt(np.pad(head[::2, ::2, ::2], 1))
    return depth[1:-1, 1:-1, 1:-1].astype(np.float32)


def _levels(profile: np.ndarray) -> np.ndarray:
    """Return the brain's level along each ray: it follows the coil's shading, not fluid, fat or bone."""
    level = np.empty_like(profile)
    level[:, 0] = running = np.full(len(profile), np.median(profile[:, RAY_MM < CORE_MM + 14]))
    for k in range(1, profile.shape[1]):
        last = profile[:, k - 1]
        steady = (last > 0.7 * running) & (last < 1.4 * running)
        level[:, k] = running = np.where(steady, 0.85 * running + 0.15 * last, running)
    return level


@functools.cache
def _rays() -> np.ndarray:
    """Return (RAYS, 3) directions, evenly spread along a spiral (Fibonacci's sphere)."""
    k = np.arange(RAYS) + 0.5
    z, turn = 1 - 2 * k / RAYS, np.pi * (1 + 5**0.5) * k
    return np.stack([np.sqrt(1 - z * z) * np.cos(turn), np.sqrt(1 - z * z) * np.sin(turn), z], axis=-1)


@functools.cache
def _tree():
    """Return the rays as a tree to find the nearest in."""
    from scipy.spatial import KDTree  # slow to import: while others work

    return KDTree(_rays())


@functools.cache
def _neighbours() -> np.ndarray:
    """Return the (RAYS, NEIGHBOURS) nearest rays of each ray, itself first."""
    return _tree().query(_rays(), k=NEIGHBOURS)[1]


def _cells(away: np.ndarray, far: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells of the table that (N, 3) directions of (N,) lengths fall into."""
    down = np.arccos(np.clip(away[:, 2] / far, -1, 1)) / np.pi * CELLS
    round_ = (np.arctan2(away[:, 1], away[:, 0]) / np.pi + 1) * CELLS
    return np.minimum(down.astype(int), CELLS - 1), round_.astype(int) % (2 * CELLS)


@functools.cache
def _table() -> np.ndarray:
    """Return the nearest ray of each cell of directions: (CELLS, 2 CELLS) int array."""
    down, round_ = np.meshgrid(np.arange(CELLS) + 0.5, np.arange(2 * CELLS) + 0.5, indexing="ij")
    down, round_ = down / CELLS * np.pi, (round_ / CELLS - 1) * np.pi
    cells = np.stack([np.sin(down) * np.cos(round_), np.sin(down) * np.sin(round_), np.cos(down)], axis=-1)
    return _tree().query(cells)[1]
