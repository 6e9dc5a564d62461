"""The bench's own judge: what a defacing left of the skin, and what it changed that it must not.

Skin and brain come with the case, so the judge needs no template and finds no pose.
"""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from defacing.case import Case
from defacing.skin import REGIONS_MM, level

NEAR_MM = 2.0
FACE, EAR = ("eye", "nose", "mouth", "chin"), ("ear",)  # ears apart: not every tool is to take them
FEWEST = 20  # skin voxels; a region with fewer is out of view
MOST_SURVIVING = 0.05


@dataclass(frozen=True)
class Found:
    """What the judge found.

    Attributes
    ----------
    brain_changed : voxels of the independent brain mask that are not as they were; None without a brain
    stray : voxels outside of the tool's own mask that are not as they were; None without a mask
    form_kept : whether shape, dtype, scaling and matrix are the same
    surviving : by region the share of the old skin voxels with tissue of the new image within 2 mm; the
        surface of that tissue is then as near
    """

    brain_changed: int | None
    stray: int | None
    form_kept: bool
    surviving: dict[str, float]

    def worst(self, *kinds: str) -> tuple[str, float]:
        """Return the region that survives most, and its share; of all, or of some kinds, as "ear"."""
        some = [one for one in self.surviving.items() if one[0].startswith(kinds or "")]
        return max(some, key=lambda one: one[1], default=("", 0.0))

    @property
    def wrong(self) -> bool:
        """Whether the image must not be released."""
        return bool(
            self.brain_changed or self.stray or not self.form_kept or self.worst()[1] > MOST_SURVIVING
        )


def judge(case: Case, out_path: Path, mask_path: Path | None = None) -> Found:
    """Return what the defacing of a case left and harmed.

    Parameters
    ----------
    out_path : what the tool wrote
    mask_path : the voxels that it says it removed, if it says so

    Raises
    ------
    ValueError
        If the shape is another: no voxel can be compared.
    """
    written, old = nib.load(out_path), case.voxels
    if written.shape != old.shape:
        raise ValueError(f"shape {written.shape} in place of {old.shape}")
    slope, intercept = case.scale or (1.0, 0.0)
    new = np.asanyarray(written.dataobj.get_unscaled())
    kept = (
        new.dtype == old.dtype
        and np.allclose(written.affine, case.told, atol=1e-3)
        and np.allclose((written.dataobj.slope, written.dataobj.inter), (slope, intercept))
    )
    if not kept:
        # Some tools write other types or scalings; what then counts for the anatomy is the values.
        new = (np.asanyarray(written.dataobj, np.float64) - intercept) / slope
        if old.dtype.kind in "iu":
            ends = np.iinfo(old.dtype)
            new = np.clip(np.round(new), ends.min, ends.max)
        new = new.astype(old.dtype)
    if old.ndim == 3:
        old, new = old[..., None], new[..., None]
    changed = (old != new).any(-1)
    tissue = _tissue_after(case, old, new, changed)
    surviving = {}
    for number, name in enumerate(REGIONS_MM, 1):
        skin = np.argwhere(case.regions == number)
        old_near, new_near = (_near(skin, each, case.spacing_mm) for each in (case.tissue, tissue))
        if old_near.sum() >= FEWEST:  # slices can be too thick to show all of it
            surviving[name] = round(float(new_near[old_near].mean()), 4)
    stray = None
    if mask_path:
        stray = int((changed & ~(np.asanyarray(nib.load(mask_path).dataobj) > 0)).sum())
    brain_changed = None if case.brain is None else int((changed & case.brain).sum())
    return Found(brain_changed, stray, bool(kept), surviving)


def _tissue_after(case: Case, old: np.ndarray, new: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """Return what is tissue after the defacing: (I, J, K) bool, from (I, J, K, T) voxels."""
    filled, often = np.unique(new[changed], return_counts=True)
    if not filled.size:
        return case.tissue
    # One value all over shows nothing; whatever else was filled in must not look like tissue.
    fill = (new == filled[often.argmax()]).all(-1)
    slope, intercept = case.scale or (1.0, 0.0)
    bright = new.max(-1) * slope + intercept > level(old.mean(-1, dtype=np.float32) * slope + intercept)
    return np.where(changed, bright, case.tissue) & ~fill


def _near(places: np.ndarray, tissue: np.ndarray, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """Return which of the voxels, (N, 3) indices, have tissue within 2 mm."""
    if not len(places):
        return np.zeros(0, bool)
    low = np.maximum(places.min(0) - 4, 0)
    box = tissue[tuple(slice(*ends) for ends in zip(low, places.max(0) + 5, strict=True))]
    if not box.any():
        return np.zeros(len(places), bool)
    away = ndimage.distance_transform_edt(~box, spacing_mm)
    return away[tuple((places - low).T)] <= NEAR_MM
