"""Images of a head with a real face: the atlas's template, put where and how a test wants it."""

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from conftest import REPOSITORY
from efface.atlas import read_atlas

ATLAS_FOLDER = REPOSITORY / "workflow" / "atlas"
ATLAS = read_atlas(ATLAS_FOLDER)
# In a mean of many heads the skull is a haze; in each single head it is dark.
_SKULL = ndimage.binary_dilation(ATLAS.brain > 0, iterations=4) & ~ndimage.binary_dilation(ATLAS.brain > 0)


def _with_skull(template: np.ndarray) -> np.ndarray:
    return np.where(_SKULL, template * 0.2, template).astype(np.float32)


HEAD = _with_skull(ATLAS.template)
# Dark for bright, like T2w; and as in EPI, where the scalp's fat hardly shines.
INVERTED = _with_skull(np.where(ATLAS.template > 25, np.maximum(245.0 - ATLAS.template, 20), 0))
EPI = INVERTED * np.where(ndimage.binary_dilation(ATLAS.brain > 0), 1, 0.06).astype(np.float32)
# Landmarks on the template (RAS+, mm): both corneas, the nose's tip, the chin, the frontal poles.
EYES, NOSE, CHIN = ((-31, 84, -30), (31, 84, -30)), (0, 111, -62), (0, 96, -106)
BRAIN = ((-20, 74, 0), (20, 74, 0), (35, 40, -28), (0, -20, 10))


def moved(
    pitch_degrees: float = 0.0,
    shift_mm: tuple[float, float, float] = (0, 0, 0),
    *,
    roll_degrees: float = 0.0,
    yaw_degrees: float = 0.0,
    size: float = 1.0,
) -> np.ndarray:
    """Return a (4, 4) motion in world mm: turned about x (pitch), y (roll) and z (yaw), and made larger."""
    angles = (pitch_degrees, roll_degrees, yaw_degrees)
    motion = np.eye(4)
    motion[:3, :3] = size * Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    motion[:3, 3] = shift_mm
    return motion


def head_image(
    motion: np.ndarray | None = None,
    spacing: tuple[float, float, float] = (2.5, 2.5, 2.5),
    top_mm: float = 110.0,
    bottom_mm: float = -120.0,
    front_mm: float = 140.0,
    head: np.ndarray = HEAD,
) -> tuple[np.ndarray, np.ndarray]:
    """Return an int16 image of the head with some noise, in LPS order, and its world_from_voxel."""
    shape = tuple(
        int(size / step)
        for size, step in zip((210, 120 + front_mm, top_mm - bottom_mm), spacing, strict=True)
    )
    world_from_voxel = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    world_from_voxel[:3, 3] = 104, front_mm, bottom_mm
    if motion is not None:
        world_from_voxel[:3, 3] += motion[:3, 3]
    motion = np.eye(4) if motion is None else motion
    atlas_from_voxel = np.linalg.inv(ATLAS.world_from_voxel) @ np.linalg.inv(motion) @ world_from_voxel
    head = ndimage.affine_transform(head, atlas_from_voxel[:3, :3], atlas_from_voxel[:3, 3], shape, order=1)
    noise = np.random.default_rng(7).rayleigh(4.0, shape)
    return np.round(np.hypot(4 * head, noise)).astype(np.int16), world_from_voxel


def at(
    world: tuple[float, float, float], motion: np.ndarray, world_from_voxel: np.ndarray
) -> tuple[int, ...]:
    """Return the voxel that holds a landmark of the template."""
    voxel_from_template = np.linalg.inv(world_from_voxel) @ motion
    return tuple(np.round(voxel_from_template[:3, :3] @ world + voxel_from_template[:3, 3]).astype(int))


def sphere(
    shape: tuple[int, ...], world_from_voxel: np.ndarray, centre: tuple[float, ...], radius_mm: float
) -> np.ndarray:
    """Return the voxels within a ball around a place in world mm: (I, J, K) bool array."""
    voxels = np.indices(shape).reshape(3, -1).T
    away = voxels @ world_from_voxel[:3, :3].T + world_from_voxel[:3, 3] - centre
    return (np.linalg.norm(away, axis=1) < radius_mm).reshape(shape)


def with_long_poles(head: np.ndarray = EPI) -> np.ndarray:
    """Return a head whose temporal poles reach 10 mm further aside and down than the template's."""
    reach = np.zeros(head.shape, bool)
    for side in (-1, 1):
        reach |= sphere(head.shape, ATLAS.world_from_voxel, (side * 44, 34, -40), 16)
    return np.where(reach, np.maximum(head, np.median(head[ATLAS.brain > 0])), head).astype(np.float32)
