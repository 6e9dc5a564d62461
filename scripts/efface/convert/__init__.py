"""One series of DICOM files to one image: its stored voxels, where they lie, and how they scale."""

from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom

from efface import dicom, nifti, parts
from efface.convert import dcm2niix, diffusion, engine, mosaic, phase, timing
from efface.convert.diffusion import Weighting
from efface.convert.frames import WANTED, Frame, frames_of
from efface.convert.stack import Stack, stack
from efface.convert.volume import assemble, plane_numbers
from efface.errors import Held
from efface.headers import Reader
from efface.parts import Traits, alike

ENGINES = (engine.NAME, dcm2niix.NAME)
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
    frames : list of Frame
        Those that the image shows; others of the same files are of other parts.
    phase_encoding : dict
        What BIDS says of it, by BIDS's names; of MR.
    starts_s, durations_s : lists of float
        Of each volume of PET or CT, from the first one's start; empty when the header does not tell.
    b_values, b_vectors : (T,) and (T, 3) arrays
        Of a diffusion image: s/mm2, and directions along the voxel axes as FSL has them; None otherwise.
    """

    voxels: np.ndarray
    world_from_voxel: np.ndarray
    slope: float
    intercept: float
    repetition_time_s: float
    slice_times_s: list[float]
    filled: list[int]
    headers: list[pydicom.Dataset]
    frames: list[Frame]
    phase_encoding: dict[str, object]
    starts_s: list[float]
    durations_s: list[float]
    b_values: np.ndarray | None = None
    b_vectors: np.ndarray | None = None
    engine: str = engine.NAME  # or dcm2niix, or "resampled" for a tilted or uneven CT

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


def convert_series(
    files: list[Path], plan: dict, keywords: tuple[str | int, ...] = (), engine_name: str = engine.NAME
) -> Conversion:
    """Return the image that a series holds.

    Parameters
    ----------
    files : list of Path
        In the order in which the headers are to be.
    plan : dict
        `part`, `accept`, `datatype` and `suffix` are looked at.
    keywords : tuple of str or int
        Top-level attributes that `headers` must keep besides, by keyword or tag.
    engine_name : one of ENGINES
        What puts the voxels of a series together, a tilted or uneven CT aside.

    Raises
    ------
    Held
        When the series is not one regular image; the text names the fault.
    """
    headers, frames, weightings = _read(files, keywords)
    frames = _of_part(frames, plan.get("part"))
    frames = _weighted(headers, frames, weightings, plan.get("datatype"))
    order = stack(frames, tuple(plan.get("accept", ())))
    _check_volumes(len(order.volumes), plan)
    if engine_name == dcm2niix.NAME and not order.upright:
        voxels, world_from_voxel, slope, intercept = dcm2niix.assemble(files)
        _check_grid(voxels, order)
    else:
        voxels, world_from_voxel, slope, intercept = assemble(headers, order)
    planes = [] if order.upright else plane_numbers(order, world_from_voxel)
    filled = [] if order.upright else sorted(set(range(order.planes)) - set(planes))
    if filled:
        voxels[:, :, filled] = voxels[:, :, planes].min()
    interval = timing.interval_s(headers, order, plan.get("suffix") == "bold") if voxels.ndim == 4 else 0.0
    straight = _straighten(world_from_voxel, voxels.shape)
    weightings = [volume[0].weighting for volume in order.volumes]
    b_values, b_vectors = diffusion.table(weightings, straight) if weightings[0] else (None, None)
    first = order.volumes[0][0]
    encoding = {}
    if first.modality == "MR":
        encoding = phase.phase_encoding(
            headers[first.source], first.number, first.row, first.column, straight
        )
    starts, durations = timing.frame_times_s(headers, order) if first.modality != "MR" else ([], [])
    return Conversion(
        _narrow(voxels),
        straight,
        slope,
        intercept,
        interval,
        timing.slice_times_s(headers, order, planes, interval) if first.modality == "MR" and interval else [],
        filled,
        headers,
        frames,
        encoding,
        starts,
        durations,
        b_values,
        b_vectors,
        "resampled" if order.upright else engine_name,
    )


def _read(
    files: list[Path], keywords: tuple[str | int, ...]
) -> tuple[list[pydicom.Dataset], list[Frame], dict[int, Weighting]]:
    """Return what is wanted of each file, all frames, and by file the weighting of those with one frame."""
    lasting = (*mosaic.KEYWORDS, *phase.WANTED, *timing.WANTED, *keywords)
    kept = {*dicom.tags(lasting)}
    traits_of = dicom.SameBytes(parts.traits, parts.WANTED)
    weighting_of = dicom.SameBytes(diffusion.weighting, (*diffusion.WANTED, "Modality"))
    reader = Reader((*WANTED, *diffusion.WANTED, *lasting))
    headers, frames, weightings, seen = [], [], {}, {}
    for path in files:
        dataset = dicom.read(path, reader)
        first = seen.setdefault(str(dicom.frame_value(dataset, "SOPInstanceUID") or path), path)
        if first is not path:
            if not dicom.same(dicom.read(first, reader), dataset):
                raise Held("two files have one SOPInstanceUID and differ", todo="remove the wrong one")
            continue  # a copy
        # What is remembered by its bytes is looked at first: pydicom replaces bytes by what they mean.
        number, enhanced = len(headers), "PerFrameFunctionalGroupsSequence" in dataset
        if dataset.get("Modality") == "MR" and not enhanced:
            weightings[number] = weighting_of(dataset)
        tiled = mosaic.is_mosaic(dataset)
        frames += mosaic.tiles_of(dataset, number) if tiled else frames_of(dataset, number, traits_of)
        if not enhanced:  # which takes too long to be read twice
            for tag in [tag for tag in dataset.keys() if tag not in kept]:  # noqa: SIM118
                del dataset[tag]  # what places a frame is known now; pixels are read again in their turn
        headers.append(dataset)
    if not frames:
        raise Held("the series has no files")
    return headers, frames, weightings


def _of_part(frames: list[Frame], part: Traits | None) -> list[Frame]:
    """Return the frames of one part of the series, by default of its only one."""
    of_part = [frame for frame in frames if alike(part or frames[0].traits, frame.traits)]
    if not of_part:
        raise Held("the files hold no frame of this part of the series", todo="index the input again")
    if part is None and len(of_part) < len(frames):
        differing = {
            name
            for frame in frames
            for name, value in frame.traits.items()
            if not alike({name: frames[0].traits[name]}, {name: value})
        }
        raise Held(f"the series holds several images ({', '.join(sorted(differing))} differ)")
    return of_part


def _weighted(
    headers: list[pydicom.Dataset], frames: list[Frame], known: dict[int, Weighting], datatype: str | None
) -> list[Frame]:
    """Return the frames with their weighting, if it is a diffusion image; no other may have any."""
    if frames[0].modality != "MR":
        return frames
    weightings = [
        known[frame.source]
        if frame.source in known
        else diffusion.weighting(headers[frame.source], frame.number)
        for frame in frames
    ]
    weighted = any(one and one.b_value > 0 for one in weightings)
    if weighted and datatype not in ("dwi", "", None):
        raise Held("diffusion-weighted frames in an image that is planned as something else")
    if not weighted and datatype != "dwi":
        return frames
    # Toshiba writes nothing at all where there is no gradient.
    weightings = [one or Weighting(0.0, None) for one in weightings]
    return [replace(frame, weighting=one) for frame, one in zip(frames, weightings, strict=True)]


def _check_grid(voxels: np.ndarray, order: Stack) -> None:
    """Refuse an image that has not the planes and volumes of the series."""
    found, expected = voxels.shape[2:], (order.planes, len(order.volumes))
    if found != (expected if expected[1] > 1 else expected[:1]):
        raise Held(
            "dcm2niix gives other planes or volumes than the headers tell", todo="use the default engine"
        )


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
