"""One image is defaced: a template finds the head, a mask its voxels, they become air, a judge looks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from efface import grid, measure, nifti, picture
from efface.atlas import read_atlas
from efface.deface.blank import air, blanked
from efface.errors import EffaceError
from efface.facemask import face_mask
from efface.register import Landing, register

MODALITIES = ("MR", "CT", "PT")
SMALLEST_MM = 40.0  # a field of view thinner than this shows too little of a head to find out where it is


def deface_file(
    image_path: Path | str,
    out_path: Path | str,
    *,
    atlas_folder: Path | str,
    modality: str | None = None,
    ears: bool = True,
    mask_path: Path | str | None = None,
    picture_path: Path | str | None = None,
    release_picture_path: Path | str | None = None,
    filled: Sequence[int] = (),
) -> dict:
    """Write the defaced image, unless it must be held, and return what was found.

    Parameters
    ----------
    image_path, out_path : NIfTI files; the data type, the scaling and the grid of the first stay
    modality : "MR", "CT" or "PT"; when not given, values as low as -500 make it a CT, else it is MR
    mask_path, release_picture_path : what is written beside a defaced image
    picture_path : before and after, also of an image that is held; private
    filled : planes K that hold no scan; for looking only, not for writing, their neighbours bridge them

    Returns
    -------
    check : dict
        decision (defaced, no_face or held), reasons, brain_voxels_changed, face_surface_surviving (0-1, the
        worst region, or None), registration_score (bits), method, and further measures.
    """
    image = nifti.read(image_path)
    stored, (slope, intercept) = nifti.stored(image), nifti.scaling(image)
    if stored.ndim not in (3, 4) or not np.issubdtype(stored.dtype, np.number) or np.iscomplexobj(stored):
        return held(["the image is not a volume, or a series of volumes, of real numbers"])
    values = _bridged(_values(stored, slope, intercept), filled)
    if modality is None:
        modality = "CT" if values.min() < -500 else "MR"
    if modality not in MODALITIES:
        raise EffaceError("modality", expected=" or ".join(MODALITIES), found="another")
    low, high = grid.box_mm(stored.shape, image.affine)
    if min(high - low) < SMALLEST_MM or values.max() <= values.min():
        return held(["too little of a head is in view to find out where its face is"])
    atlas = read_atlas(atlas_folder)
    landing = register(_readable(values, modality), image.affine, atlas)
    mask = face_mask(stored.shape, image.affine, landing.image_from_template, atlas, ears=ears)
    defaced = blanked(stored, mask, air(stored, slope, intercept, modality))
    after = _bridged(_values(defaced, slope, intercept), filled)
    voxel_from_world = np.linalg.inv(image.affine) @ landing.image_from_template
    found = measure.measure(
        values, after, voxel_from_world @ atlas.world_from_voxel, atlas.regions, atlas.head,
        modality=modality, landing=(landing.information, landing.rival, landing.turned_degrees), ears=ears,
    )  # fmt: skip
    if picture_path:
        both = picture.picture([values, after], voxel_from_world, found.threshold, mask)
        picture.write(picture_path, both)
    check = _check(found, landing)
    if check["decision"] != "held":
        _write(out_path, image, stored if check["decision"] == "no_face" else defaced)
        if mask_path:
            header = nifti.header(mask.shape, np.dtype(np.uint8), image.affine)
            kept = mask & (check["decision"] == "defaced")
            nifti.write(mask_path, kept.astype(np.uint8), header)
        if release_picture_path:
            shown = values if check["decision"] == "no_face" else after
            picture.write(release_picture_path, picture.picture([shown], voxel_from_world, found.threshold))
    return check


def _values(stored: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """Return the image's values, averaged over time: (I, J, K) float32, without NaN."""
    mean = stored.mean(axis=-1, dtype=np.float32) if stored.ndim == 4 else stored.astype(np.float32)
    return np.nan_to_num(mean * np.float32(slope) + np.float32(intercept), posinf=0, neginf=0)


def _bridged(values: np.ndarray, filled: Sequence[int]) -> np.ndarray:
    """Return values whose filled planes K are interpolated between the nearest planes that were scanned."""
    scanned = np.setdiff1d(np.arange(values.shape[2]), filled)
    for plane in filled:
        # The first and the last plane are never filled: planes are counted between those that were scanned.
        below, above = scanned[scanned < plane].max(), scanned[scanned > plane].min()
        share = (plane - below) / (above - below)
        values[:, :, plane] = (1 - share) * values[:, :, below] + share * values[:, :, above]
    return values


def _readable(values: np.ndarray, modality: str) -> np.ndarray:
    """Return values that set scalp, brain and air apart: CT from air to bone, PET without hot spots."""
    if modality == "CT":
        return np.clip(values, -500, 300)
    return np.sqrt(np.maximum(values, 0)) if modality == "PT" else values


def _check(found: measure.Measures, landing: Landing) -> dict:
    """Return the record of an image that was measured."""
    if found.reasons:
        decision = "held"
    elif not found.face_in_view and not found.masked_tissue:
        decision = "no_face"
    else:
        decision = "defaced"
    return {
        "decision": decision,
        "reasons": found.reasons,
        "brain_voxels_changed": found.brain_voxels_changed,
        "face_surface_surviving": found.worst,
        "registration_score": round(landing.information, 3),
        "method": "atlas",
        "surviving_by_region": found.surviving,
        "tissue_in_front": found.in_front,
        "head_overlap": found.overlap,
        "offset_mm": found.offset_mm,
        "offset_degrees": found.offset_degrees,
        "nose_mm": found.nose_mm,
        "brain_ml": found.brain_ml,
        "registration_rival": round(landing.rival, 3),
        "turned_degrees": round(landing.turned_degrees, 1),
    }


def held(reasons: list[str]) -> dict:
    """Return the record of an image that is held before anything could be measured."""
    return {
        "decision": "held",
        "reasons": list(reasons),
        "brain_voxels_changed": 0,
        "face_surface_surviving": None,
        "registration_score": 0.0,
        "method": "atlas",
    }


def _write(path: Path | str, image, voxels: np.ndarray) -> None:
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
