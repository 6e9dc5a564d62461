"""Images of a head with a real face: the atlas's template, put where and how a test wants it."""

import numpy as np
from scipy import ndimage

from conftest import REPOSITORY
from efface.atlas import read_atlas

ATLAS_FOLDER = REPOSITORY / "workflow" / "atlas"
ATLAS = read_atlas(ATLAS_FOLDER)
# In a mean of many heads the skull is a haze; in each single head it is dark.
_SKULL = ndimage.binary_dilation(ATLAS.brain > 0, iterations=4) & ~ndimage.binary_dilation(ATLAS.brain > 0)
HEAD = np.where(_SKULL, ATLAS.template * 0.2, ATLAS.template).astype(np.float32)
# Landmarks on the template (RAS+, mm): both corneas, the nose's tip, the chin, the frontal poles.
EYES, NOSE, CHIN = ((-31, 84, -30), (31, 84, -30)), (0, 111, -62), (0, 96, -106)
BRAIN = ((-20, 74, 0), (20, 74, 0), (35, 40, -28), (0, -20, 10))


def moved(pitch_degrees: float = 0.0, shift_mm: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """Return a (4, 4) rigid motion in world mm."""
    cos, sin = np.cos(np.radians(pitch_degrees)), np.sin(np.radians(pitch_degrees))
    motion = np.eye(4)
    motion[1:3, 1:3], motion[:3, 3] = [[cos, -sin], [sin, cos]], shift_mm
    return motion


def head_image(
    motion: np.ndarray | None = None,
    spacing: tuple[float, float, float] = (2.5, 2.5, 2.5),
    top_mm: float = 110.0,
    bottom_mm: float = -120.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return an int16 image of the head with some noise, in LPS order, and its world_from_voxel."""
    shape = tuple(
        int(size / step) for size, step in zip((210, 260, top_mm - bottom_mm), spacing, strict=True)
    )
    world_from_voxel = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    world_from_voxel[:3, 3] = 104, 140, bottom_mm
    if motion is not None:
        world_from_voxel[:3, 3] += motion[:3, 3]
    motion = np.eye(4) if motion is None else motion
    atlas_from_voxel = np.linalg.inv(ATLAS.world_from_voxel) @ np.linalg.inv(motion) @ world_from_voxel
    head = ndimage.affine_transform(HEAD, atlas_from_voxel[:3, :3], atlas_from_voxel[:3, 3], shape, order=1)
    noise = np.random.default_rng(7).rayleigh(4.0, shape)
    return np.round(np.hypot(4 * head, noise)).astype(np.int16), world_from_voxel


def at(
    world: tuple[float, float, float], motion: np.ndarray, world_from_voxel: np.ndarray
) -> tuple[int, ...]:
    """Return the voxel that holds a landmark of the template."""
    voxel_from_template = np.linalg.inv(world_from_voxel) @ motion
    return tuple(np.round(voxel_from_template[:3, :3] @ world + voxel_from_template[:3, 3]).astype(int))
