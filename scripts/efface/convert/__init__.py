"""One series of DICOM files to one image: its stored voxels, where they lie, and how they scale."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom

from efface import dicom, nifti
from efface.convert import engine, mosaic, timing
from efface.convert.frames import WANTED, Frame, frames_of
from efface.convert.stack import stack
from efface.convert.volume import assemble, plane_numbers
from efface.errors import Held

_SNAP = 0.02  # of a voxel: how far straightening the axes may move the farthest one


@dataclass(frozen=True, eq=False)
class Conversion:
    """An image, ready to be written.

    Parameters
    ----------
    voxels : (I, J, K) or (I, J, K, T) array
        Stored values: value = stored * slope + intercept.
    world_from_voxel : (4, 4) array
        To world coordinates (RAS+, mm).
    repetition_time_s : float
        Between volumes; 0 when there is one volume or nobody knows.
    slice_times_s : list of float
        Of each plane K in the first volume, from its start; empty when the header does not tell.
    filled : list of int
        Planes K that no file holds, filled with the lowest stored value.
    headers : list of Dataset
        What is left of each file, without pixels: for the sidecar.
    """

    voxels: np.ndarray
    world_from_voxel: np.ndarray
    slope: float
    intercept: float
    repetition_time_s: float
    slice_times_s: list[float]
    filled: list[int]
    headers: list[pydicom.Dataset]
    engine: str = engine.NAME

    def header(self) -> nib.Nifti1Header:
        """Return the NIfTI header."""
        return nifti.header(
            self.voxels.shape,
            self.voxels.dtype,
            self.world_from_voxel,
            slope=self.slope,
            intercept=self.intercept,
            repetition_time_s=self.repetition_time_s,
        )


def convert_series(files: list[Path], plan: dict, keywords: tuple[str, ...] = ()) -> Conversion:
    """Return the image that a series holds.

    Parameters
    ----------
    files : list of Path
        Each is read once, in this order.
    plan : dict
        `accept`, `datatype` and `suffix` are looked at.
    keywords : tuple of str
        Top-level attributes that `headers` must keep besides.

    Raises
    ------
    Held
        When the series is not one regular image; the text names the fault.
    """
    headers, frames = _read(files, keywords)
    _check_purpose(frames, plan)
    order = stack(frames, tuple(plan.get("accept", ())))
    _check_volumes(len(order.volumes), plan)
    voxels, world_from_voxel, slope, intercept = assemble(headers, order)
    planes = plane_numbers(order, world_from_voxel)
    filled = sorted(set(range(order.planes)) - set(planes))
    if filled:
        voxels[:, :, filled] = voxels[:, :, planes].min()
    interval = timing.interval_s(headers, order, plan.get("suffix") == "bold") if voxels.ndim == 4 else 0.0
    return Conversion(
        _narrow(voxels),
        _straighten(world_from_voxel, voxels.shape),
        slope,
        intercept,
        interval,
        timing.slice_times_s(headers, order, planes, interval) if interval else [],
        filled,
        headers,
    )


def _read(files: list[Path], keywords: tuple[str, ...]) -> tuple[list[pydicom.Dataset], list[Frame]]:
    headers, frames, seen = [], [], {}
    for path in files:
        dataset = dicom.read(path, (*WANTED, *mosaic.KEYWORDS, *keywords))
        known = seen.setdefault(str(dicom.frame_value(dataset, "SOPInstanceUID") or path), dataset)
        if known is not dataset:
            if not dicom.same(known, dataset):
                raise Held("two files have one SOPInstanceUID and differ", todo="remove the wrong one")
            continue  # a copy
        own = frames_of(dataset, len(headers))
        frames += mosaic.tiles(dataset, own[0]) if mosaic.is_mosaic(dataset) else own
        headers.append(dataset)
    if not frames:
        raise Held("the series has no files")
    return headers, frames


def _check_purpose(frames: list[Frame], plan: dict) -> None:
    if plan.get("datatype") == "dwi" or any(frame.kind["the b-value"] for frame in frames):
        raise Held("a diffusion series", todo="gradient directions are not proved yet")


def _check_volumes(count: int, plan: dict) -> None:
    if plan.get("datatype") == "anat" and count > 1:
        raise Held("an anatomical image", expected="one volume", found=f"{count}")
    if plan.get("suffix") == "bold" and count == 1:
        raise Held("a bold image", expected="several volumes", found="one")


def _narrow(voxels: np.ndarray) -> np.ndarray:
    """Return unsigned 16-bit voxels as signed ones when nothing is lost: every tool reads those."""
    if voxels.dtype == np.uint16 and voxels.max() <= np.iinfo(np.int16).max:
        return voxels.view(np.int16)
    return voxels


def _straighten(world_from_voxel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the affine with axes at exact right angles, where that moves no voxel by more than `_SNAP`.

    Headers round their direction cosines; without this the qform could not say the same as the sform.
    """
    sizes = np.linalg.norm(world_from_voxel[:3, :3], axis=0)
    left, _, right = np.linalg.svd(world_from_voxel[:3, :3] / sizes)
    straight = world_from_voxel.copy()
    straight[:3, :3] = left @ right * sizes
    moved = np.abs((straight - world_from_voxel)[:3, :3]) @ np.array(shape[:3])
    return straight if moved.max() <= _SNAP * sizes.min() else world_from_voxel
