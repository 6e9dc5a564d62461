"""An image to look at, in slices of three planes.

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
from zlib_ng import gzip_ng

from efface import nifti
from efface.anatomy import has_noise_for_air, tissue_threshold
from efface.errors import EffaceError

PLANES = ("sagittal", "coronal", "axial")
# What lies left, right, above and below: from the side with the face to the left, the others radiological.
LABELS = {"sagittal": "APSI", "coronal": "RLSI", "axial": "RLAP"}
CT_WINDOWS = {"soft tissue": (-160.0, 240.0), "bone": (-500.0, 1300.0), "air to metal": (-1024.0, 3071.0)}
DIM = 0.15  # of the brightest: faint remains of a face, ghosts and text are seen there


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
    except (*nifti.BROKEN, EOFError, ValueError, OSError, zlib.error):
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
