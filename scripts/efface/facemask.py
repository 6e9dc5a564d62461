"""The face mask: drawn once on the template, carried to each image's own voxels."""

import numpy as np

from efface import grid
from efface.atlas import Atlas


def face_mask(
    shape: tuple[int, ...],
    world_from_voxel: np.ndarray,
    image_from_template: np.ndarray,
    atlas: Atlas,
    *,
    ears: bool = True,
) -> np.ndarray:
    """Return the voxels of an image that show the face or lie around it: (I, J, K) bool array.

    The mask goes on beyond the template's field of view to the front and to the sides, so that neither a long
    chin nor a ghost before the nose stays, and takes what lies behind the head, where a nose may come in
    again. It ends below the neck. The atlas keeps it off the brain and 4 mm around that.

    Parameters
    ----------
    shape : (I, J, K[, T])
    world_from_voxel : (4, 4) array
        Of the image (RAS+, mm).
    image_from_template : (4, 4) array
        From the template's to the image's world coordinates (RAS+, mm).
    """
    drawn = (atlas.face > 0) | ((atlas.ears > 0) & ears)
    atlas_from_voxel = (
        np.linalg.inv(atlas.world_from_voxel) @ np.linalg.inv(image_from_template) @ world_from_voxel
    )
    return grid.carried(drawn, atlas_from_voxel, shape)
