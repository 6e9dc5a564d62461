"""A phase image or a field map shows no head that could be measured: it takes the mask of its magnitude."""

from pathlib import Path

import numpy as np

from efface import nifti, picture
from efface.deface.attempt import held
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
    picture_path: Path | str | None = None,
) -> dict:
    """Write an image without the voxels that were masked in another one of the same grid; return its check.

    Parameters
    ----------
    image_path, out_path : NIfTI files
    check : dict
        What was measured on the other image; its decision and its measures are taken over.
    mask_path, own_mask_path : NIfTI files
        The other image's mask, and where this one's is written.
    modality, fill : as for `deface_file`
    picture_path : before and after, in slices; private
    """
    if check["decision"] == "held":
        return held(["the magnitude image that shows the same head is held"])
    image = nifti.read(image_path)
    volume = Volume(nifti.stored(image), *nifti.scaling(image))
    if check["decision"] == "no_face":
        write_like(out_path, image, volume.stored)
        return check | {"method": METHOD}
    other = nifti.read(mask_path)
    corners = np.array([[0, 0, 0, 1], [*image.shape[:3], 1]]).T
    apart = (
        np.abs((image.affine - other.affine) @ corners).max() if image.shape[:3] == other.shape else np.inf
    )
    if apart > _SAME_MM:
        return held(["the magnitude image that shows the same head has other voxels"])
    mask = nifti.stored(other) > 0
    defaced = volume.without(mask, modality, fill)
    if picture_path:
        template = np.linalg.inv(image.affine) @ np.array(check["image_from_template"])
        seen = picture.picture([volume.values(), defaced.values()], template, np.inf, mask)
        picture.write(picture_path, seen)
    write_like(out_path, image, defaced.stored)
    nifti.write(
        own_mask_path, mask.astype(np.uint8), nifti.header(mask.shape, np.dtype(np.uint8), image.affine)
    )
    return check | {"method": METHOD}
