"""One head as it is given to a tool, and what is known of it: its brain, its tissue, its skin."""

from dataclasses import dataclass, field

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes

from defacing.skin import regions_of, tissue_of


@dataclass(frozen=True)
class Case:
    """One head, disturbed or not.

    Attributes
    ----------
    name : of the disturbance
    voxels : (I, J, K[, T]) array, as stored
    world_from_voxel : (4, 4) array
        As the file says it; a header that lies says something false. None: the file does not say.
    brain : (I, J, K) bool array, or None
    tissue : (I, J, K) bool array
        What is not air, found on the undisturbed head: no noise or contrast can hide skin from the judge.
    regions : (I, J, K) uint8 array
        The skin of the undisturbed head as `regions_of` gives it.
    world_from_original : (4, 4) array
        From the undisturbed head's world coordinates to where the file's matrix puts the same anatomy.
    lies : bool
        The header denies the content: holding it is right.
    scale : (slope, intercept) or None
    spacing_mm : of the voxels
    """

    name: str
    voxels: np.ndarray
    world_from_voxel: np.ndarray | None
    brain: np.ndarray | None
    tissue: np.ndarray
    regions: np.ndarray
    world_from_original: np.ndarray = field(default_factory=lambda: np.eye(4))
    lies: bool = False
    scale: tuple[float, float] | None = None
    spacing_mm: tuple[float, ...] = (1.0, 1.0, 1.0)

    @property
    def image(self) -> nib.Nifti1Image:
        """The case as an image, to be saved."""
        header = nib.Nifti1Header()
        header.set_data_dtype(self.voxels.dtype)
        image = nib.Nifti1Image(self.voxels, self.world_from_voxel, header)
        if self.world_from_voxel is None:
            image.header.set_zooms(self.spacing_mm[: self.voxels.ndim])
        if self.scale:
            image.header.set_slope_inter(*self.scale)
        return image

    @property
    def told(self) -> np.ndarray:
        """Where readers of the file place its voxels: (4, 4) array."""
        return self.image.header.get_best_affine() if self.world_from_voxel is None else self.world_from_voxel


def undisturbed(image: nib.Nifti1Image, brain: np.ndarray | None, landmarks: dict) -> Case:
    """Return the head as it is, in RAS order.

    Parameters
    ----------
    image : (I, J, K) image of an upright head, its header true
    brain : (I, J, K) bool array on the image's grid, from a method that no judged tool uses
    landmarks : points on the skin by their names in REGIONS_MM, in world coordinates (RAS+, mm)
    """
    upright = nib.as_closest_canonical(image)
    voxels, affine = np.asanyarray(upright.dataobj), upright.affine
    if voxels.dtype == np.float64:  # a scaling was applied: half the bytes are enough
        voxels = voxels.astype(np.float32)
    if brain is not None:
        drawn = nib.Nifti1Image(brain.astype(np.uint8), image.affine)
        brain = np.asanyarray(nib.as_closest_canonical(drawn).dataobj) > 0
    spacing_mm = tuple(float(size) for size in voxel_sizes(affine))
    tissue = tissue_of(voxels, spacing_mm)
    regions = regions_of(tissue, affine, spacing_mm, landmarks)
    return Case("undisturbed", voxels, affine, brain, tissue, regions, spacing_mm=spacing_mm)
