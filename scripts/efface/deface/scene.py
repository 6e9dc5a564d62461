"""One image: its voxels as stored, and the scene of values and landmarks that a method gets to see."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from efface import nifti
from efface.atlas import Atlas
from efface.deface.blank import air, blanked, noise
from efface.register import Landing


@dataclass(frozen=True)
class Scene:
    """One image, ready for any method.

    Attributes
    ----------
    values : (I, J, K) float32 array
        Averaged over time; CT in HU.
    world_from_voxel : (4, 4) array
        From voxel indices to world coordinates (RAS+, mm).
    modality : "MR", "CT" or "PT"
    landing : where the template lies
    atlas : the template and what is drawn on it
    ears : whether ears are to go
    leader : (4, 4) array, where the template lies in another image of the session; None without one
    image_path : the file, for programs that read files
    """

    values: np.ndarray
    world_from_voxel: np.ndarray
    modality: str
    landing: Landing
    atlas: Atlas
    ears: bool
    leader: np.ndarray | None
    image_path: Path

    @property
    def voxel_from_template(self) -> np.ndarray:
        """From the template's world coordinates (RAS+, mm) to voxel indices: (4, 4) array."""
        return np.linalg.inv(self.world_from_voxel) @ self.landing.image_from_template


@dataclass(frozen=True)
class Volume:
    """The voxels of an image as they are stored, and how they are read.

    Attributes
    ----------
    stored : (I, J, K) or (I, J, K, T) array, before slope and intercept
    slope, intercept : value = stored * slope + intercept
    filled : planes K that hold no scan; where values are looked at, their neighbours bridge them
    """

    stored: np.ndarray
    slope: float
    intercept: float
    filled: Sequence[int] = ()

    def values(self) -> np.ndarray:
        """Return the values, averaged over time: (I, J, K) float32, without NaN."""
        few = self.stored
        mean = few.mean(axis=-1, dtype=np.float32) if few.ndim == 4 else few.astype(np.float32)
        if (self.slope, self.intercept) != (1, 0):
            mean = mean * np.float32(self.slope) + np.float32(self.intercept)
        if not np.issubdtype(few.dtype, np.integer):
            mean = np.nan_to_num(mean, posinf=0, neginf=0)
        return _bridged(mean, self.filled)

    def without(self, mask: np.ndarray, modality: str, fill: str) -> "Volume":
        """Return the volume with air, or noise like its own air, where the (I, J, K) mask is true."""
        scaling = self.slope, self.intercept, modality
        value = noise(self.stored, mask, *scaling) if fill == "noise" else None
        value = air(self.stored, *scaling) if value is None else value
        return replace(self, stored=blanked(self.stored, mask, value))


def _bridged(values: np.ndarray, filled: Sequence[int]) -> np.ndarray:
    """Return values whose filled planes K are interpolated between the nearest planes that were scanned."""
    scanned = np.setdiff1d(np.arange(values.shape[2]), filled)
    for plane in filled:
        # The first and the last plane are never filled: planes are counted between those that were scanned.
        below, above = scanned[scanned < plane].max(), scanned[scanned > plane].min()
        share = (plane - below) / (above - below)
        values[:, :, plane] = (1 - share) * values[:, :, below] + share * values[:, :, above]
    return values


def readable(values: np.ndarray, modality: str) -> np.ndarray:
    """Return values that set scalp, brain and air apart: CT from air to bone, PET without hot spots."""
    if modality == "CT":
        return np.clip(values, -500, 300)
    return np.sqrt(np.maximum(values, 0)) if modality == "PT" else values


def write_like(path: Path | str, image, voxels: np.ndarray) -> None:
    """Write voxels under a fresh header with the grid, the scaling and the time step of an image."""
    slope, intercept = nifti.scaling(image)
    repetition = float(image.header.get_zooms()[3]) if voxels.ndim == 4 else 0.0
    units = image.header.get_xyzt_units()[1]
    seconds = {"msec": 1e-3, "usec": 1e-6}.get(units, 1.0)
    header = nifti.header(
        voxels.shape, voxels.dtype, image.affine,
        slope=slope, intercept=intercept, repetition_time_s=repetition * seconds,
    )  # fmt: skip
    nifti.write(path, voxels, header)
