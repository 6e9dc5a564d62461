"""Changes of a case: where its header puts it, how it is sampled, what of it is in view.

Masks are carried through each change with the image.
"""

from collections.abc import Callable
from dataclasses import replace

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from scipy import ndimage

from defacing.case import Case
from defacing.skin import outside


def carried(head: Case, change: Callable[[np.ndarray], np.ndarray], **also) -> Case:
    """Return a case with image, brain and regions changed alike."""
    brain = None if head.brain is None else change(head.brain)
    return replace(
        head,
        voxels=change(head.voxels),
        brain=brain,
        tissue=change(head.tissue),
        regions=change(head.regions),
        **also,
    )


def ordered(head: Case, axes: np.ndarray, *, lies: bool) -> Case:
    """Return the array in another order; the header follows, or stays as it was."""
    old_from_new = nib.orientations.inv_ornt_aff(axes, head.voxels.shape)
    true = head.world_from_voxel @ old_from_new
    told = head.world_from_voxel if lies else true
    return carried(
        head,
        lambda array: np.ascontiguousarray(nib.orientations.apply_orientation(array, axes)),
        world_from_voxel=told,
        world_from_original=told @ np.linalg.inv(true),
        spacing_mm=tuple(float(size) for size in voxel_sizes(told)),
        lies=lies,
    )


def rotation(axis: int, degrees: float) -> np.ndarray:
    """Return the (3, 3) rotation about an axis of the world, by the right hand."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.roll(np.roll([[1, 0, 0], [0, cos, -sin], [0, sin, cos]], axis, 0), axis, 1)


def about_the_middle(head: Case, linear: np.ndarray) -> np.ndarray:
    """Return the (4, 4) motion that leaves the middle of the field of view where it is."""
    middle = apply_affine(head.world_from_voxel, (np.array(head.voxels.shape) - 1) / 2)
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = linear, middle - linear @ middle
    return motion


def placed(head: Case, motion: np.ndarray) -> Case:
    """Return the same array, placed elsewhere by its header."""
    affine = motion @ head.world_from_voxel
    spacing = tuple(float(size) for size in voxel_sizes(affine))
    return replace(head, world_from_voxel=affine, world_from_original=motion, spacing_mm=spacing)


def stretched(head: Case, stretch: np.ndarray) -> Case:
    """Return the same array with longer voxels along its own axes, so that no grid is sheared."""
    axes = head.world_from_voxel[:3, :3] / voxel_sizes(head.world_from_voxel)
    return placed(head, about_the_middle(head, axes @ np.diag(stretch) @ np.linalg.inv(axes)))


def scanned_moved(head: Case, motion: np.ndarray) -> Case:
    """Return the moved head on an upright grid of the same voxel size, just large enough for it."""
    values = head.voxels.astype(np.float32)
    places = np.argwhere(~outside(head.tissue, head.spacing_mm))
    world = apply_affine(motion @ head.world_from_voxel, places)
    low, high = world.min(0) - 8, world.max(0) + 8
    step = float(np.mean(head.spacing_mm))
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = low
    shape = tuple(int(size) for size in np.ceil((high - low) / step))
    old_from_new = np.linalg.inv(motion @ head.world_from_voxel) @ affine

    def resampled(array):
        if array is not head.voxels:
            near = ndimage.affine_transform(array.astype(np.uint8), old_from_new, output_shape=shape, order=0)
            return near.astype(array.dtype)
        found = ndimage.affine_transform(values, old_from_new, output_shape=shape, order=1)
        return np.round(found).astype(array.dtype) if array.dtype.kind in "iu" else found

    return carried(
        head, resampled, world_from_voxel=affine, world_from_original=motion, spacing_mm=(step, step, step)
    )


def without_codes(head: Case) -> Case:
    """Return the array under a header without qform and sform: readers take the array's order for granted."""
    image = replace(head, world_from_voxel=None).image
    told = image.header.get_best_affine()
    moved = told @ np.linalg.inv(head.world_from_voxel) @ head.world_from_original
    return replace(head, world_from_voxel=None, world_from_original=moved)


def sliced(head: Case, axis: int, thick_mm: float) -> Case:
    """Return the head in slices of a thickness, each the mean over it (a box as the slice's profile)."""
    size, step = head.voxels.shape[axis], thick_mm / head.spacing_mm[axis]
    edges = np.arange(int(size / step) + 1) * step
    planes = np.arange(size)
    upper = np.minimum(edges[1:, None], planes + 1)
    share = np.clip(upper - np.maximum(edges[:-1, None], planes), 0, None) / step

    def averaged(array):
        return np.moveaxis(np.tensordot(share, np.moveaxis(array, axis, 0).astype(np.float32), 1), 0, axis)

    nearest = np.floor((edges[:-1] + edges[1:]) / 2).astype(int)
    zoom = np.eye(4)
    zoom[axis, [axis, 3]] = step, (step - 1) / 2
    return replace(
        head,
        voxels=stored(averaged(head.voxels)),
        brain=None if head.brain is None else averaged(head.brain) > 0.5,
        tissue=averaged(head.tissue) > 0.5,
        regions=np.take(head.regions, nearest, axis),
        world_from_voxel=head.world_from_voxel @ zoom,
        spacing_mm=tuple(np.where(np.arange(3) == axis, thick_mm, head.spacing_mm).tolist()),
    )


def cut(head: Case, axis: int, keep: slice) -> Case:
    """Return the head in a smaller field of view."""
    start = np.eye(4)
    start[axis, 3] = keep.start or 0
    index = tuple(keep if each == axis else slice(None) for each in range(3))
    return carried(head, lambda array: array[index].copy(), world_from_voxel=head.world_from_voxel @ start)


def wrapped(head: Case, axis: int, shift: int) -> Case:
    """Return the head in a field of view that is off, what it cuts at one end coming in at the other."""
    start = np.eye(4)
    start[axis, 3] = -shift
    return carried(
        head, lambda array: np.roll(array, shift, axis), world_from_voxel=head.world_from_voxel @ start
    )


def stored(values: np.ndarray) -> np.ndarray:
    """Return values as scanners store them."""
    return np.clip(np.round(values), -32768, 32767).astype(np.int16)
