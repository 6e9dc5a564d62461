"""Masked voxels become air; every other voxel, the data type and the scaling stay as they are."""

import numpy as np

AIR_HU = -1024.0


def air(stored: np.ndarray, slope: float, intercept: float, modality: str) -> np.generic:
    """Return the stored value for air: nearest to 0; for CT to -1024 HU or a higher minimum."""
    wanted = max(AIR_HU, float(stored.min()) * slope + intercept) if modality == "CT" else 0.0
    raw = (wanted - intercept) / slope
    if np.issubdtype(stored.dtype, np.integer):
        limits = np.iinfo(stored.dtype)
        raw = min(max(round(raw), limits.min), limits.max)
    return stored.dtype.type(raw)


def blanked(stored: np.ndarray, mask: np.ndarray, value: np.generic) -> np.ndarray:
    """Return a copy of the stored voxels, (I, J, K[, T]), with `value` where the (I, J, K) mask is true."""
    copy = np.array(stored, order="F")
    copy[mask] = value
    return copy
