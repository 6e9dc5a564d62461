"""Ordered frames to voxels: decoded a file at a time, put together by the engine a volume at a time."""

from collections import Counter

import numpy as np
import pydicom

from efface.convert import engine, mosaic
from efface.convert.frames import Frame, stored_pixels
from efface.convert.stack import Stack
from efface.errors import Held

_RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0])


def assemble(headers: list[pydicom.Dataset], order: Stack) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return what the frames of a stack hold; each file's bytes are let go once they are decoded.

    Returns
    -------
    voxels : (I, J, K[, T]) array
        Integers where all frames scale alike, else float32 values (PET); missing planes are 0.
    world_from_voxel : (4, 4) array
        To world coordinates (RAS+, mm).
    slope, intercept : float
        Value = stored * slope + intercept.

    Raises
    ------
    Held
        When pixels cannot be read or do not make up one array.
    """
    first = order.volumes[0][0]
    positions = [first.position + place * order.step for place in range(order.planes)]
    frames = [frame for volume in order.volumes for frame in volume]
    scales = {(frame.slope, frame.intercept) for frame in frames}
    awaited = Counter(frame.source for frame in frames)
    decoded: dict[int, np.ndarray] = {}
    voxels = world_from_voxel = None
    for number, volume in enumerate(order.volumes):
        present = []
        for frame in volume:
            if frame.source not in decoded:
                decoded[frame.source] = _decode(headers[frame.source], first.shape)
            present.append(decoded[frame.source][frame.number])
            awaited[frame.source] -= 1
            if not awaited[frame.source]:
                del decoded[frame.source]
        if len({plane.dtype for plane in present}) > 1:
            raise Held("the frames differ in BitsAllocated or PixelRepresentation", todo="split the series")
        planes = [np.zeros_like(present[0])] * order.planes
        for place, plane in zip(order.places, present, strict=True):
            planes[place] = plane
        one, affine = engine.assemble(volume[0], positions, planes)
        if len(scales) > 1:
            one = _scaled(one, volume, plane_numbers(order, affine))
        if voxels is None:
            voxels = np.empty((*one.shape, len(order.volumes)), one.dtype, order="F")
            world_from_voxel = affine
        if one.dtype != voxels.dtype or not np.array_equal(affine, world_from_voxel):
            raise Held("the volumes differ in type or place", todo="split the series")
        voxels[..., number] = one
    slope, intercept = scales.pop() if len(scales) == 1 else (1.0, 0.0)
    return voxels if len(order.volumes) > 1 else voxels[..., 0], world_from_voxel, slope, intercept


def plane_numbers(order: Stack, world_from_voxel: np.ndarray) -> list[int]:
    """Return the plane K at which each frame of a volume lies: the engine chose the direction."""
    third = np.linalg.inv(world_from_voxel)[2]
    worlds = (_RAS_FROM_LPS @ frame.position for frame in order.volumes[0])
    return [round(float(third[:3] @ world + third[3])) for world in worlds]


def _decode(header: pydicom.Dataset, shape: tuple[int, int]) -> np.ndarray:
    pixels = stored_pixels(header)
    del header.PixelData
    return mosaic.cut(pixels[0], shape) if mosaic.is_mosaic(header) else pixels


def _scaled(stored: np.ndarray, volume: list[Frame], planes: list[int]) -> np.ndarray:
    """Return values as float32 where frames scale differently."""
    values = np.zeros(stored.shape, np.float32)
    for plane, frame in zip(planes, volume, strict=True):
        values[:, :, plane] = stored[:, :, plane] * frame.slope + frame.intercept
    return values
