"""Ordered frames to voxels: decoded a file at a time, put together by the engine a volume at a time."""

from collections import Counter
from pathlib import Path

import numpy as np
import pydicom

from efface import dicom
from efface.convert import engine, mosaic, tilt
from efface.convert.frames import PIXEL_MODULE, Frame, stored_pixels
from efface.convert.stack import Stack
from efface.errors import Held
from efface.headers import Reader

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
    if order.upright:
        return _upright(headers, order)
    pixels = _Pixels(headers, order)
    first = order.volumes[0]
    opening = [pixels(frame) for frame in first]
    voxel, world_from_voxel = _opened(order, opening)
    numbers, backwards = plane_numbers(order, world_from_voxel), _backwards(first[0], world_from_voxel)
    scales = {(frame.slope, frame.intercept) for volume in order.volumes for frame in volume}
    alike = len(scales) == 1
    shape = (*voxel.shape, len(order.volumes))
    voxels = np.zeros(shape, voxel.dtype if alike else np.float32, order="F")
    for number, volume in enumerate(order.volumes):
        planes = opening if number == 0 else [pixels(frame) for frame in volume]
        if any(plane.dtype != opening[0].dtype for plane in planes):
            raise Held("the frames differ in BitsAllocated or PixelRepresentation", todo="split the series")
        # The engine has shown where the planes of a volume go; what comes after the first goes there too.
        for frame, plane, k in zip(volume, planes, numbers, strict=True):
            turned = plane.T[:: -1 if backwards[0] else 1, :: -1 if backwards[1] else 1]
            voxels[:, :, k, number] = turned if alike else turned * frame.slope + frame.intercept
    slope, intercept = scales.pop() if alike else (1.0, 0.0)
    return voxels if len(order.volumes) > 1 else voxels[..., 0], world_from_voxel, slope, intercept


class _Pixels:
    """The stored values of frames; each file is decoded once, and let go after its last frame."""

    def __init__(self, headers: list[pydicom.Dataset], order: Stack):
        self.headers, self.shape = headers, order.volumes[0][0].shape
        self.reader = Reader((*PIXEL_MODULE, *mosaic.KEYWORDS))
        self.awaited = Counter(frame.source for volume in order.volumes for frame in volume)
        self.decoded: dict[int, np.ndarray] = {}

    def __call__(self, frame: Frame) -> np.ndarray:
        if frame.source not in self.decoded:
            header = self.headers[frame.source]
            if "PerFrameFunctionalGroupsSequence" not in header:
                header = dicom.read(Path(header.filename), self.reader)
            pixels = stored_pixels(header)
            self.decoded[frame.source] = (
                mosaic.cut(pixels[0], self.shape) if mosaic.is_mosaic(header) else pixels
            )
        plane = self.decoded[frame.source][frame.number]
        self.awaited[frame.source] -= 1
        if not self.awaited[frame.source]:
            del self.decoded[frame.source]
        return plane


def _opened(order: Stack, present: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the first volume and its affine, by the engine, or without it where it wants more planes."""
    if len({plane.dtype for plane in present}) > 1:
        raise Held("the frames differ in BitsAllocated or PixelRepresentation", todo="split the series")
    first = order.volumes[0][0]
    planes = [np.zeros_like(present[0])] * order.planes
    for place, plane in zip(order.places, present, strict=True):
        planes[place] = plane
    if order.planes >= engine.FEWEST_PLANES:
        positions = [first.position + place * order.step for place in range(order.planes)]
        return engine.assemble(first, positions, planes)
    lps_from_voxel = np.stack(
        [first.row * first.spacing[1], first.column * first.spacing[0], order.step], axis=1
    )
    world_from_voxel = np.eye(4)
    world_from_voxel[:3] = _RAS_FROM_LPS @ np.column_stack([lps_from_voxel, first.position])
    return np.stack([plane.T for plane in planes], axis=-1), world_from_voxel


def _backwards(frame: Frame, world_from_voxel: np.ndarray) -> tuple[bool, bool]:
    """Return whether the image's first and second axis run against the frame's rows and columns."""
    along = [
        _RAS_FROM_LPS @ axis @ world_from_voxel[:3, k] for k, axis in enumerate((frame.row, frame.column))
    ]
    return along[0] < 0, along[1] < 0


def _upright(headers: list[pydicom.Dataset], order: Stack) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return the slices of a tilted or uneven CT on their upright grid."""
    frames = order.volumes[0]
    scales = {(frame.slope, frame.intercept) for frame in frames}
    if len(scales) > 1:
        raise Held("the slices of a tilted CT differ in RescaleSlope or RescaleIntercept")
    slope, intercept = scales.pop()
    pixels = _Pixels(headers, order)
    planes = [pixels(frame) for frame in frames]
    voxels, world_from_voxel = tilt.resampled(planes, order.upright, tilt.stored_air(slope, intercept))
    return voxels, world_from_voxel, slope, intercept


def plane_numbers(order: Stack, world_from_voxel: np.ndarray) -> list[int]:
    """Return the plane K at which each frame of a volume lies: the engine chose the direction."""
    third = np.linalg.inv(world_from_voxel)[2]
    worlds = (_RAS_FROM_LPS @ frame.position for frame in order.volumes[0])
    return [round(float(third[:3] @ world + third[3])) for world in worlds]
