"""A phase image or a field map shows no head that could be measured: it takes the mask of its magnitude."""

from pathlib import Path

import nibabel as nib
import numpy as np

from efface import burned, nifti, picture
from efface.deface.attempt import held, read_in
from efface.deface.scene import Volume, write_like

METHOD = "mask of its magnitude image"
_SAME_MM = 0.01  # how far voxels of one grid may lie apart, as headers round


def deface_like(
    image_path: Path | str,
    out_path: Path | str,
    *,
    check: dict,
    mask_path: Path | str,
    own_mask_path: Path | str,
    modality: str = "MR",
    fill: str = "zero",
    text: bool = False,
    picture_path: Path | str | None = None,
    before_path: Path | str | None = None,
) -> dict:
    """Write an image without the voxels that were masked in another one of the same grid; return its check.

    Parameters
    ----------
    image_path, out_path : NIfTI files
    check : dict
        What was measured on the other image; its decision and its measures are taken over.
    mask_path, own_mask_path : NIfTI files
        The other image's mask, and where this one's is written.
    modality, fill, text : as for `deface_file`
    picture_path : before and after, in slices; private
    before_path : the volume before anything was removed, small; private
    """
    if check["decision"] == "held":
        return held(["the magnitude image that shows the same head is held"])
    image = nifti.read(image_path)
    volume = Volume(nifti.stored(image), *nifti.scaling(image))
    if reason := burned.flat(volume.stored):
        return held([reason])
    other = nifti.read(mask_path)
    mask = nifti.stored(other) > 0
    if check["decision"] == "no_face" and not mask.any():  # nor was a border blanked
        return _written(out_path, image, volume, check, modality, text)
    corners = np.array([[0, 0, 0, 1], [*image.shape[:3], 1]]).T
    apart = (
        np.abs((image.affine - other.affine) @ corners).max() if image.shape[:3] == other.shape else np.inf
    )
    if apart > _SAME_MM:
        return held(["the magnitude image that shows the same head has other voxels"])
    defaced = volume.without(mask, modality, fill)
    if picture_path:
        template = np.linalg.inv(image.affine) @ np.array(check["image_from_template"])
        seen = picture.picture([volume.values(), defaced.values()], template, np.inf, mask)
        picture.write(picture_path, seen)
    check = _written(out_path, image, defaced, check, modality, text)
    if check["decision"] != "held":
        header = nifti.header(mask.shape, np.dtype(np.uint8), image.affine)
        nifti.write(own_mask_path, mask.astype(np.uint8), header)
        if before_path:
            picture.write_small(before_path, volume.values(), image.affine)
    return check


def _written(
    out_path: Path | str, image: nib.Nifti1Image, volume: Volume, check: dict, modality: str, text: bool
) -> dict:
    """Write an image, unless text can be read in it, and return its check."""
    check = check | {"method": METHOD}
    if text:
        check |= read_in(volume, modality, check["reasons"])
    if check["decision"] != "held":
        write_like(out_path, image, volume.stored)
    return check
