"""Grids of voxels in world coordinates: how a volume is made coarse and how a mask gets onto another grid.

World coordinates are RAS+ in mm. A matrix `a_from_b` maps points of b to points of a; products read from the
right to the left.
"""

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from scipy import ndimage


def box_mm(shape: tuple[int, ...], world_from_voxel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest corner, (3,) each in world mm, of the voxel centres."""
    corners = np.stack(np.meshgrid(*[(0, size - 1) for size in shape[:3]]), -1).reshape(-1, 3)
    world = apply_affine(world_from_voxel, corners)
    return world.min(axis=0), world.max(axis=0)


def blocks(volume: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    """Return the (I, J, K) volume averaged over whole blocks of voxels; what fills no block is left out."""
    for axis, factor in enumerate(factors):
        whole = volume.shape[axis] // factor
        volume = (
            np.take(volume, range(whole * factor), axis) if whole * factor != volume.shape[axis] else volume
        )
        volume = volume.reshape(*volume.shape[:axis], whole, factor, *volume.shape[axis + 1 :]).mean(axis + 1)
    return volume


def coarse(volume: np.ndarray, world_from_voxel: np.ndarray, step_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the volume on an upright grid (axes along RAS+) over its own field of view, and its matrix.

    Parameters
    ----------
    volume : (I, J, K) float array
    world_from_voxel : (4, 4) array, sheared or not
    step_mm : float
        Distance between the new voxels. Finer voxels are averaged in blocks first, so nothing aliases.

    Returns
    -------
    upright : (X, Y, Z) float32 array, NaN where the image was not seen
    world_from_upright : (4, 4) array
    """
    factors = np.clip(np.round(step_mm / voxel_sizes(world_from_voxel)), 1, np.array(volume.shape)).astype(
        int
    )
    volume = blocks(volume, tuple(factors))
    world_from_block = world_from_voxel @ np.diag([*factors, 1.0])
    world_from_block[:3, 3] += world_from_voxel[:3, :3] @ ((factors - 1) / 2)
    low, high = box_mm(volume.shape, world_from_block)
    shape = tuple(int(size) for size in np.floor((high - low) / step_mm) + 1)
    world_from_upright = np.diag([step_mm, step_mm, step_mm, 1.0])
    world_from_upright[:3, 3] = low
    block_from_upright = np.linalg.inv(world_from_block) @ world_from_upright
    upright = ndimage.affine_transform(
        volume.astype(np.float32, copy=False), block_from_upright[:3, :3], block_from_upright[:3, 3], shape,
        order=1, cval=np.nan,
    )  # fmt: skip
    return upright, world_from_upright


def carried(mask: np.ndarray, voxel_of_mask_from_voxel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the mask's value at the centre of each voxel of another grid, never a mixture of values.

    The mask's outermost layers go on beyond its grid.

    Parameters
    ----------
    mask : (I, J, K) uint8 or bool array
    voxel_of_mask_from_voxel : (4, 4) array
        From indices of the new grid to indices of the mask.
    shape : (I, J, K) of the new grid
    """
    # In Fortran order, as images are stored: whoever goes through both does not jump about in memory.
    turned = ndimage.affine_transform(
        mask.T.astype(np.uint8, copy=False), voxel_of_mask_from_voxel[2::-1, 2::-1],
        voxel_of_mask_from_voxel[2::-1, 3], shape[2::-1], order=0, mode="nearest",
    )  # fmt: skip
    return turned.T.astype(mask.dtype, copy=False)
