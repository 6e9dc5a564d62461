"""The head template is laid onto an image: a search over poses, then an affine by mutual information.

One thread and coarse grids: the same bytes each time.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from nibabel.affines import apply_affine
from scipy import ndimage

from efface import grid, poses
from efface.atlas import Atlas

STEP_MM = 4.0
AGAIN, BETTER = 3, 1.05  # fits that follow the first, where a climb from it tells so much more
WORTH_FITTING = 0.8  # of the best pose's information: less is no candidate any more
BRAIN_STEP = np.float32(250)  # above the template's levels: the brain is apart from scalp as bright as it


@dataclass(frozen=True)
class Landing:
    """Where the template came to lie.

    Attributes
    ----------
    image_from_template : (4, 4) array
        From the template's to the image's world coordinates (RAS+, mm).
    information : float
        Mutual information of template and image, in bits.
    rival : float
        The same for the best pose that lies elsewhere.
    turned_degrees : float
        How far the head is turned from upright, as the header has it.
    """

    image_from_template: np.ndarray
    information: float
    rival: float
    turned_degrees: float


class Template:
    """The atlas made ready to be laid onto images: what it needs of time does not wait for an image."""

    def __init__(self, atlas: Atlas):
        around = poses.around(atlas)
        with ThreadPoolExecutor(1) as beside:
            mixing = beside.submit(poses.template_points, atlas, around)
            every = (slice(None, None, 2),) * 3
            world_from_fixed = atlas.world_from_voxel @ np.diag([2, 2, 2, 1.0])
            fixed = ndimage.gaussian_filter(atlas.template.astype(np.float32), 1)
            inner = ndimage.gaussian_filter(atlas.brain.astype(np.float32), 1) > 0.5
            fixed = np.minimum(fixed, 200) + BRAIN_STEP * inner
            self.fixed = _itk(fixed[every], world_from_fixed)
            self.fixed_mask = _itk(around[every].astype(np.uint8), world_from_fixed)
            self.points, self.classes = mixing.result()


def register(
    values: np.ndarray, world_from_voxel: np.ndarray, template: Template, starts: Sequence[np.ndarray] = ()
) -> Landing:
    """Return where the template lies in an image.

    Parameters
    ----------
    values : (I, J, K) float array
        Any contrast.
    world_from_voxel : (4, 4) array
        From voxel indices to world coordinates (RAS+, mm).
    starts : sequence of (4, 4) arrays
        Poses to be tried beside those that are searched: where another image of the session has its head.
    """
    refine = _Refiner(values, world_from_voxel, template, STEP_MM)
    scorer = refine.scorer
    starts = [*starts, *poses.search(scorer, refine.image, refine.world_from_image)]
    chosen = poses.distinct([scorer.climbed(pose) for pose in starts])
    fitted = []
    for _, pose in [one for one in chosen[:2] if one[0] > WORTH_FITTING * chosen[0][0]]:
        refined = refine(pose)
        found = scorer.information(refined), refined
        # A brain that is stretched, as in echo-planar images, may lead the fit astray.
        start = scorer.information(pose), pose
        fitted.append(start if start[0] > BETTER * found[0] else found)
    information, best = refine.further(*max(fitted, key=lambda found: found[0]))
    if poses.size(best) < poses.SMALL:
        finer = _Refiner(values, world_from_voxel, template, STEP_MM * poses.size(best))
        best = max(best, finer(best), key=finer.scorer.information)
        information = scorer.information(best)
    rivals = [scorer.information(pose) for _, pose in chosen + fitted if not poses.same(pose, best)]
    return Landing(best, information, max(rivals, default=0.0), poses.angle(best))


def _levels(image: np.ndarray) -> np.ndarray:
    """Return the image scaled to 0..1 between its 1st and 99.5th percentile; NaN (not seen) stays."""
    low, high = np.nanpercentile(image, (1, 99.5))
    return np.clip((image - low) / max(high - low, 1e-6), 0, 1)


class _Refiner:
    """Mattes mutual information over affine transforms (SimpleITK), on a coarse grid of the image."""

    def __init__(self, values: np.ndarray, world_from_voxel: np.ndarray, template: Template, step_mm: float):
        image, self.world_from_image = grid.coarse(values, world_from_voxel, step_mm)
        self.image = _levels(image)
        self.scorer = poses.Scorer(self.image, self.world_from_image, template.points, template.classes)
        self.template = template
        self.moving = _itk(np.nan_to_num(self.image).astype(np.float32), self.world_from_image)
        self.moving_mask = _itk((~np.isnan(image)).astype(np.uint8), self.world_from_image)

    def __call__(self, pose: np.ndarray) -> np.ndarray:
        """Return the pose after an affine fit; where that is no head any more, after a fit of one size."""
        fitted = self._fitted(sitk.AffineTransform(3), pose)
        if poses.is_head(fitted[:3, :3]):
            return fitted
        u, _, v = np.linalg.svd(pose[:3, :3])
        centre = apply_affine(pose, poses.CENTRE[None])[0]
        even = poses.posed(poses.size(pose) * u @ v, centre)
        return self._fitted(sitk.Similarity3DTransform(), even)

    def further(self, information: float, fitted: np.ndarray) -> tuple[float, np.ndarray]:
        """Return bits and pose after more fits, where a climb shows that the last one has not arrived."""
        for _ in range(AGAIN):
            climbed = self.scorer.climbed(fitted)[1]
            if self.scorer.information(climbed) <= BETTER * information:
                break
            again = self(climbed)
            more = self.scorer.information(again)
            if more <= BETTER * information:
                break
            information, fitted = more, again
        return information, fitted

    def _fitted(self, transform: sitk.Transform, pose: np.ndarray) -> np.ndarray:
        """Return the pose after a fit of a kind of transform, in which it must lie itself."""
        transform.SetCenter(poses.CENTRE.tolist())
        transform.SetMatrix(pose[:3, :3].ravel().tolist())
        transform.SetTranslation((apply_affine(pose, poses.CENTRE[None])[0] - poses.CENTRE).tolist())
        # Sums over threads differ in their last bits; the metric obeys only the number for the whole process.
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(32)
        method.SetMetricFixedMask(self.template.fixed_mask)
        method.SetMetricMovingMask(self.moving_mask)
        method.SetMetricSamplingStrategy(method.REGULAR)
        # Regular samples are shaken a little, by the clock unless told.
        method.SetMetricSamplingPercentage(0.3, seed=1)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.02, 60, 0.6)
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetInitialTransform(transform, inPlace=True)
        try:
            method.Execute(self.template.fixed, self.moving)
        except RuntimeError:  # too few samples within both: the start was no landing
            return pose
        linear = np.array(transform.GetMatrix()).reshape(3, 3)
        return poses.posed(linear, poses.CENTRE + np.array(transform.GetTranslation()))


def _itk(volume: np.ndarray, world_from_voxel: np.ndarray) -> sitk.Image:
    """Return an upright volume as an ITK image in the same world coordinates."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.T))
    image.SetSpacing([float(step) for step in np.diag(world_from_voxel)[:3]])
    image.SetOrigin([float(place) for place in world_from_voxel[:3, 3]])
    return image
