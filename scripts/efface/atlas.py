"""The head atlas: a template and what is drawn on it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from efface import nifti
from efface.errors import EffaceError


@dataclass(frozen=True)
class Atlas:
    """The head template and its masks, all on one grid of (I, J, K) uint8 voxels.

    Attributes
    ----------
    template : the mean head, 0..255
    head : 1 head, 2 air, 0 not seen by the template
    brain, face, ears : masks
    regions : parts of the face whose skin is measured, 1 eyes, 2 nose, 3 mouth and chin, 4 ears
    world_from_voxel : (4, 4) array, RAS+, mm; x = 0 is the plane of symmetry
    """

    template: np.ndarray
    head: np.ndarray
    brain: np.ndarray
    face: np.ndarray
    ears: np.ndarray
    regions: np.ndarray
    world_from_voxel: np.ndarray


def read_atlas(folder: Path | str) -> Atlas:
    """Return the atlas in a folder with one NIfTI file for each of its volumes.

    Raises
    ------
    EffaceError
        When the volumes are not all on one grid.
    """
    names = ("template", "head", "brain", "face", "ears", "regions")
    images = {name: nifti.read(Path(folder) / f"{name}.nii.gz") for name in names}
    affine = images["template"].affine
    for name, image in images.items():
        if image.shape != images["template"].shape or not np.allclose(image.affine, affine):
            raise EffaceError(
                f"atlas volume {name}",
                expected="the grid of the template",
                found="another grid",
                todo="rebuild it",
            )
    volumes = {name: np.asarray(nifti.stored(image), np.uint8) for name, image in images.items()}
    return Atlas(**volumes, world_from_voxel=affine)
