"""The face mask: drawn once on the template, carried to each image's own voxels."""

import numpy as np
from scipy import ndimage

from efface import grid, poses
from efface.atlas import Atlas

DEEPER_MM = 2.0  # that the mask goes on a small head, as the template has it,
BRAIN_MM = 6.0  # but no nearer to the brain
SCALP_MM = (6.0, 14.0)  # from the template's brain: skull and scalp
EARS_TOP = 70  # layer of the atlas's grid, z = -30: scalp is looked at above it
DARK = 0.4  # of the brain's median: scalp of EPI 0.07 to 0.23, of T1w and T2w 0.67 to 1.6
THIN = 3  # layers on either side: scalp is thinner than that, a temporal pole is not
BEYOND_MM = 14.0  # so far beyond the template's brain a distorted one is looked for
ALIKE, LEVEL_MM = 0.4, 20.0  # of the brain's own level within so many mm


def face_mask(
    shape: tuple[int, ...],
    world_from_voxel: np.ndarray,
    image_from_template: np.ndarray,
    atlas: Atlas,
    *,
    ears: bool = True,
    spared: np.ndarray | None = None,
) -> np.ndarray:
    """Return the voxels of an image that show the face or lie around it: (I, J, K) bool array.

    The mask goes on beyond the template's field of view to the front and to the sides, so that neither a long
    chin nor a ghost before the nose stays, and takes what lies behind the head, where a nose may come in
    again. It ends below the neck. The atlas keeps it off the brain and 4 mm around that. On a small head it
    goes deeper: what lies within 2 mm of the skin that was shows it, and on the template that is further.

    Parameters
    ----------
    shape : (I, J, K[, T])
    world_from_voxel : (4, 4) array
        Of the image (RAS+, mm).
    image_from_template : (4, 4) array
        From the template's to the image's world coordinates (RAS+, mm).
    spared : (X, Y, Z) bool array
        What else the mask is to keep off, on the atlas's grid.
    """
    drawn = (atlas.face > 0) | ((atlas.ears > 0) & ears)
    if poses.size(image_from_template) < poses.SMALL:
        step_mm = abs(atlas.world_from_voxel[0, 0])
        off_brain = ndimage.distance_transform_edt(atlas.brain == 0) * step_mm > BRAIN_MM
        drawn |= ndimage.binary_dilation(drawn, iterations=round(DEEPER_MM / step_mm)) & off_brain
    if spared is not None:
        drawn &= ~spared
    atlas_from_voxel = (
        np.linalg.inv(atlas.world_from_voxel) @ np.linalg.inv(image_from_template) @ world_from_voxel
    )
    return grid.carried(drawn, atlas_from_voxel, shape)


def brain_beside(values: np.ndarray, voxel_from_atlas: np.ndarray, atlas: Atlas) -> np.ndarray | None:
    """Return where an image shows brain beyond the template's: (X, Y, Z) bool array on the atlas's grid.

    Echo-planar images are distorted: their brain is wider than any affine makes the template's. Scalp is dark
    in them, so what is as bright as the brain and joined to it is brain. Where scalp is bright, brightness
    tells nothing, and None is returned.

    Parameters
    ----------
    values : (I, J, K) float array
    voxel_from_atlas : (4, 4) array
        From indices of the atlas's grid to indices of the image.
    """
    if not _scalp_is_dark(values, voxel_from_atlas, atlas):
        return None
    step_mm = abs(atlas.world_from_voxel[0, 0])
    inside = atlas.brain > 0
    away = ndimage.distance_transform_edt(~inside) * step_mm
    seen = ndimage.affine_transform(
        values, voxel_from_atlas[:3, :3], voxel_from_atlas[:3, 3], atlas.brain.shape, order=1
    )
    sigma = LEVEL_MM / step_mm
    level = ndimage.gaussian_filter(np.where(inside, seen, 0), sigma)
    share = ndimage.gaussian_filter(inside.astype(np.float32), sigma)
    alike = (seen * share > ALIKE * level) & (away <= BEYOND_MM)
    # Eyes shine, too, and at the ears skin is as near as a distorted brain may be.
    alike &= (atlas.regions == 0) & (atlas.ears == 0)
    # Scalp that shows is thin, and a dark skull lies between.
    thick = ndimage.binary_opening(inside | alike, iterations=THIN)
    return ndimage.binary_propagation(inside & thick, mask=thick) & ~inside


def _scalp_is_dark(values: np.ndarray, voxel_from_atlas: np.ndarray, atlas: Atlas) -> bool:
    """Return whether scalp and skull give far less signal than the brain; seen on every other voxel."""
    brain, head = atlas.brain[::2, ::2, ::2] > 0, atlas.head[::2, ::2, ::2] == 1
    away = ndimage.distance_transform_edt(~brain) * 2 * abs(atlas.world_from_voxel[0, 0])
    scalp = head & (away > SCALP_MM[0]) & (away < SCALP_MM[1])
    scalp[:, :, : EARS_TOP // 2] = False
    level = {}
    for name, where in (("scalp", scalp), ("brain", brain)):
        places = 2 * np.argwhere(where) @ voxel_from_atlas[:3, :3].T + voxel_from_atlas[:3, 3]
        met = ndimage.map_coordinates(values, places.T, order=0, cval=np.nan)
        level[name] = np.median(met[~np.isnan(met)]) if not np.isnan(met).all() else np.nan
    return bool(level["scalp"] < DARK * level["brain"])
