"""An image to look at: slices in three planes, and a head's surface that can be turned.

A judge's view: it shows what the files hold, and knows nothing of how they were made. Arrays are turned so
that their axes run as near to RAS+ as the grid allows.
"""

import hashlib
import io
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image
from scipy import ndimage
from zlib_ng import gzip_ng

from efface import grid, nifti
from efface.anatomy import STEP_MM, has_noise_for_air, tissue_threshold
from efface.errors import EffaceError

PLANES = ("sagittal", "coronal", "axial")
# What lies left, right, above and below: from the side with the face to the left, the others radiological.
LABELS = {"sagittal": "APSI", "coronal": "RLSI", "axial": "RLAP"}
CT_WINDOWS = {"soft tissue": (-160.0, 240.0), "bone": (-500.0, 1300.0), "air to metal": (-1024.0, 3071.0)}
DIM = 0.15  # of the brightest: faint remains of a face, ghosts and text are seen there
HALF_MM = 160.0  # of what is rendered, from its middle
PIXELS = 320  # of a render, a side
MARGIN = 1.04
LIGHT = (-0.25, 0.86, 0.45)  # from the left of whoever looks, and from above
SPECK = 6  # voxels in a block of 27: noise alone fills fewer, a sheet of skin one voxel thick fills 9

_BROKEN = (
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
    nib.wrapstruct.WrapStructError,
)


@dataclass(frozen=True)
class Scan:
    """An image and the digest of the very bytes that it was read from.

    Attributes
    ----------
    stored : (X, Y, Z) or (X, Y, Z, T) array, before slope and intercept
    slope, intercept : value = stored * slope + intercept
    world_from_voxel : (4, 4) array, to world coordinates (RAS+, mm)
    sha256 : str, of the file
    """

    stored: np.ndarray
    slope: float
    intercept: float
    world_from_voxel: np.ndarray
    sha256: str

    @property
    def spacing_mm(self) -> list[float]:
        """The distance between voxels along each axis."""
        return [float(size) for size in nib.affines.voxel_sizes(self.world_from_voxel)]

    @property
    def volumes(self) -> int:
        """How many volumes there are."""
        return self.stored.shape[3] if self.stored.ndim == 4 else 1

    def mean(self) -> np.ndarray:
        """Return the values, averaged over volumes: (X, Y, Z) float32 array."""
        return self._values(self.stored) if self.stored.ndim == 3 else self._averaged

    @cached_property
    def few(self) -> np.ndarray:
        """The mean's values at every so manyth voxel: what there is to see, quick to look through."""
        some = self.stored if self.stored.ndim == 3 else self._averaged
        some = some[tuple(slice(None, None, max(1, size // 100)) for size in some.shape)]
        return self._values(some) if self.stored.ndim == 3 else some

    @cached_property
    def _averaged(self) -> np.ndarray:
        return self._values(self.stored.mean(axis=-1, dtype=np.float32))

    def slice(self, plane: str, index: int, volume: int | None = None) -> np.ndarray:
        """Return the values of one slice, (H, W) float32, of one volume or of the mean.

        Raises
        ------
        IndexError
            When there is no such slice or volume.
        """
        axis = PLANES.index(plane)
        if not 0 <= index < self.stored.shape[axis]:
            raise IndexError(plane)
        here = (slice(None),) * axis + (index,)  # not take(), which copies a volume whose axes were turned
        if self.stored.ndim == 3:
            cut = self._values(self.stored[here])
        elif volume is None:
            cut = self._averaged[here]
        else:
            cut = self._values(self.stored[..., volume][here])
        return cut[::-1, ::-1].T

    def _values(self, stored: np.ndarray) -> np.ndarray:
        values = stored.astype(np.float32) * np.float32(self.slope) + np.float32(self.intercept)
        return np.nan_to_num(values, copy=False, posinf=0, neginf=0)


def read(path: Path | str) -> Scan:
    """Return the image in a NIfTI-1 file (.nii.gz), with its axes turned towards RAS+.

    Raises
    ------
    EffaceError
        When the file is not such an image.
    """
    raw = Path(path).read_bytes()
    try:
        image = nib.Nifti1Image.from_bytes(gzip_ng.decompress(raw))
        stored = nifti.stored(image)
    except (*_BROKEN, EOFError, ValueError, OSError, zlib.error):
        raise EffaceError("the image cannot be read", todo="start the workflow again") from None
    turn = nib.io_orientation(image.affine)
    return Scan(
        nib.apply_orientation(stored, turn),
        *nifti.scaling(image),
        image.affine @ nib.orientations.inv_ornt_aff(turn, image.shape),
        hashlib.sha256(raw).hexdigest(),
    )


def windows(scan: Scan, modality: str) -> dict[str, tuple[float, float]]:
    """Return windows by their names, from black to white; the first is the one to begin with."""
    if modality == "CT":
        return CT_WINDOWS
    black, white = (float(shade) for shade in np.percentile(scan.few, (2, 99.7)))
    low, high = float(scan.few.min()), float(scan.few.max())
    white = max(white, black + 1e-6)
    return {"usual": (black, white), "dim": (low, low + DIM * (white - low)), "bright": (white / 2, high)}


def shades(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return values as greys from black at `low` to white at `high`: uint8 array of the same shape."""
    return np.round(np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)


def png(grey: np.ndarray) -> bytes:
    """Return a grey picture, (H, W) uint8, as PNG."""
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def level(scan: Scan, modality: str) -> float:
    """Return the value above which a voxel is drawn as tissue."""
    found = tissue_threshold(scan.few, modality)
    if modality == "MR" and has_noise_for_air(scan.few):
        found = max(found, float(np.percentile(scan.few, 75)))
    return found if np.isfinite(found) else float(scan.few.max())


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
