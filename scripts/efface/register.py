"""The head template is laid onto an image: a search over poses, then an affine by mutual information.

The image's own content decides: its header only gives the search a first direction, so that a header that
denies the content is found out. Everything runs on one thread, on coarse grids: the same bytes each time.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from nibabel.affines import apply_affine
from scipy import ndimage

from efface import grid
from efface.atlas import Atlas

STEP_MM = 4.0
BINS = 24
MARGIN_MM = 12.0  # of air around the template's head that takes part
CENTRE = np.array([0.0, 0.0, -20.0])  # of the template's head
# Turns (pitch, roll, yaw; degrees) that the search tries: heads nod more than they turn or tilt.
TURNS = [(0, 0, 0), (-25, 0, 0), (25, 0, 0), (-50, 0, 0), (50, 0, 0)]
TURNS += [(0, 25, 0), (0, -25, 0), (0, 0, 25), (0, 0, -25), (0, 50, 0), (0, -50, 0), (0, 0, 50), (0, 0, -50)]
STRIDE_MM = 24.0
FEW, MANY = 600, 2500  # points of the template that a pose is scored by
CLIMBERS = 6
LEAST_SEEN = 0.25  # of the template's points must lie in the image
NEAR_MM, NEAR_DEGREES = 30.0, 30.0  # two poses within both are the same answer
LYING_DEGREES = 65.0  # nobody lies in a scanner with the head turned so far from what the header says


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


def register(values: np.ndarray, world_from_voxel: np.ndarray, atlas: Atlas) -> Landing:
    """Return where the template lies in an image.

    Parameters
    ----------
    values : (I, J, K) float array
        Any contrast.
    world_from_voxel : (4, 4) array
        From voxel indices to world coordinates (RAS+, mm).
    """
    image, world_from_image = grid.coarse(values, world_from_voxel, STEP_MM)
    image = _levels(image)
    points, template = _template_points(atlas)
    scorer = _Scorer(image, world_from_image, points, template)
    poses = sorted(
        (scorer.climbed(pose) for pose in _search(scorer, world_from_image, image)),
        key=lambda found: -found[0],
    )
    fitted = []
    for _, pose in _distinct(poses)[:2]:
        refined = _refined(pose, image, world_from_image, atlas)
        fitted.append((scorer.information(refined), refined))
    information, best = max(fitted, key=lambda found: found[0])
    rivals = [found for found, pose in poses + fitted if not _same(pose, best)]
    return Landing(best, information, max(rivals, default=0.0), _angle(best))


def _levels(image: np.ndarray) -> np.ndarray:
    """Return the image scaled to 0..1 between its 1st and 99.5th percentile; NaN (not seen) stays."""
    low, high = np.nanpercentile(image, (1, 99.5))
    return np.clip((image - low) / max(high - low, 1e-6), 0, 1)


def _around(atlas: Atlas) -> np.ndarray:
    """Return the template's head with a margin of air, where the template was seen: a mask on its grid."""
    size = float(atlas.world_from_voxel[0, 0])
    return ndimage.binary_dilation(atlas.head == 1, iterations=round(MARGIN_MM / size)) & (atlas.head > 0)


def _template_points(atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 3) points of the template in world mm, well mixed, and their (N,) values, 0..1."""
    smooth = ndimage.gaussian_filter(atlas.template.astype(np.float32), 1.5)
    index = np.argwhere(_around(atlas)[::3, ::3, ::3]) * 3
    index = index[np.random.default_rng(0).permutation(len(index))]
    return apply_affine(atlas.world_from_voxel, index), np.clip(smooth[tuple(index.T)] / 200, 0, 1)


class _Scorer:
    """Mutual information between the template's points and an image, for many poses at once."""

    def __init__(self, image, world_from_image, points, template):
        unseen = np.isnan(image)
        smooth = ndimage.gaussian_filter(np.where(unseen, 0, image), 0.7)
        self.binned = np.where(unseen, BINS, np.minimum(smooth * BINS, BINS - 1)).astype(np.uint8)
        self.shape = np.array(image.shape)
        self.origin, self.step = world_from_image[:3, 3], world_from_image[0, 0]
        self.points = points
        self.wanted = np.minimum(template * BINS, BINS - 1).astype(np.int32)

    def at(self, linear: np.ndarray, shifts: np.ndarray, count: int = FEW) -> np.ndarray:
        """Return (S,) bits for the template's points about CENTRE, put at each of the (S, 3) shifts."""
        start = ((self.points[:count] - CENTRE) @ linear.T - self.origin) / self.step + 0.5
        wanted = self.wanted[:count] * (BINS + 1)
        bits = np.empty(len(shifts))
        for first in range(0, len(shifts), 512):
            some = shifts[first : first + 512]
            index = np.floor(start[None] + some[:, None] / self.step).astype(np.int32)
            inside = ((index >= 0) & (index < self.shape)).all(-1)
            flat = np.where(
                inside, (index[..., 0] * self.shape[1] + index[..., 1]) * self.shape[2] + index[..., 2], 0
            )
            value = np.where(inside, self.binned.ravel()[flat], BINS)
            cell = np.arange(len(some))[:, None] * BINS * (BINS + 1) + wanted + value
            joint = np.bincount(cell.ravel(), minlength=len(some) * BINS * (BINS + 1))
            bits[first : first + 512] = _mutual(joint.reshape(len(some), BINS, BINS + 1)[..., :BINS], count)
        return bits

    def information(self, pose: np.ndarray, count: int | None = None) -> float:
        """Return the bits of one pose, by all points unless told."""
        centre = apply_affine(pose, CENTRE[None])
        return float(self.at(pose[:3, :3], centre, count or len(self.points))[0])

    def climbed(self, pose: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the bits and the pose after a climb over shifts, turns and sizes with shrinking steps."""
        linear, centre = pose[:3, :3], apply_affine(pose, CENTRE[None])[0]
        best = self.at(linear, centre[None], MANY)[0]
        for step_mm, degrees, size in ((12, 12, 1.12), (6, 6, 1.06), (3, 3, 1.03)):
            for _ in range(4):
                before = best
                shifts = centre + step_mm * np.array(list(itertools.product((-1, 0, 1), repeat=3)))
                bits = self.at(linear, shifts, MANY)
                if bits.max() > best:
                    best, centre = bits.max(), shifts[bits.argmax()]
                changes = [turn(*(sign * degrees * axis)) for axis in np.eye(3) for sign in (1, -1)]
                changes += [
                    np.diag(size ** (sign * axis)) for axis in (*np.eye(3), np.ones(3)) for sign in (1, -1)
                ]
                for change in changes:
                    # Sizes stay those of heads; without a bound a pose can shrink into a uniform corner.
                    tried = linear @ change
                    sizes = np.linalg.svd(tried, compute_uv=False)
                    bits = self.at(tried, centre[None], MANY)[0]
                    if bits > best and sizes[-1] > 0.55 and sizes[0] < 1.5 and sizes[0] < 1.4 * sizes[-1]:
                        best, linear = bits, tried
                if best - before < 1e-3:
                    break
        return float(best), _pose(linear, centre)


def _mutual(joint: np.ndarray, total: int) -> np.ndarray:
    """Return the mutual information in bits of (..., A, B) counts, weighted by the share of points seen."""
    seen = joint.sum((-2, -1))
    shares = joint / np.maximum(seen, 1)[..., None, None]

    def entropy(p, axis):
        return -(p * np.log2(np.maximum(p, 1e-12))).sum(axis)

    bits = entropy(shares.sum(-1), -1) + entropy(shares.sum(-2), -1) - entropy(shares, (-2, -1))
    return np.where(seen >= LEAST_SEEN * total, bits * np.sqrt(seen / total), 0)


def _search(scorer: _Scorer, world_from_image: np.ndarray, image: np.ndarray) -> list[np.ndarray]:
    """Return the poses to climb from: the upright ones always, then the best of all turns and axes."""
    tissue = np.argwhere(np.nan_to_num(image) > 0.15)
    low, high = np.percentile(apply_affine(world_from_image, tissue), (1, 99), axis=0)
    # The stride is spread evenly, and grows on a whole body, so that the time stays the same.
    stride = max(STRIDE_MM, (np.prod(high - low + STRIDE_MM) / 1500) ** (1 / 3))
    lines = [np.linspace(a, b, max(2, round((b - a) / stride) + 1)) for a, b in zip(low, high, strict=True)]
    shifts = np.stack(np.meshgrid(*lines, indexing="ij"), -1).reshape(-1, 3)
    found = []
    for rotation in [turn(*angles) for angles in TURNS] + _axes()[1:]:
        bits = scorer.at(rotation, shifts)
        order = np.argsort(-bits, kind="stable")[:2]
        found += [(bits[k], _pose(rotation, shifts[k])) for k in order]
    upright, others = found[:2], sorted(found[2:], key=lambda item: -item[0])
    return [pose for _, pose in upright + others[:CLIMBERS]]


def turn(pitch: float, roll: float, yaw: float) -> np.ndarray:
    """Return the (3, 3) rotation by degrees about x (pitch), then y (roll), then z (yaw).

    >>> turn(90, 0, 0).round().tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]
    """
    (cx, cy, cz), (sx, sy, sz) = (
        np.cos(np.radians((pitch, roll, yaw))),
        np.sin(np.radians((pitch, roll, yaw))),
    )
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1.0]])
    return about_z @ about_y @ about_x


def _axes() -> list[np.ndarray]:
    """Return the 24 turns that put axes onto axes, the identity first; a symmetric head needs no mirrors."""
    turns = [
        np.eye(3)[list(order)] * np.array(signs)
        for order in itertools.permutations(range(3))
        for signs in itertools.product((1, -1), repeat=3)
    ]
    return sorted((m for m in turns if np.linalg.det(m) > 0), key=lambda matrix: -np.trace(matrix))


def _pose(linear: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return the (4, 4) matrix that turns the template about CENTRE and puts it at `centre`."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = linear, centre - linear @ CENTRE
    return pose


def _angle(pose: np.ndarray) -> float:
    """Return the angle in degrees of the rotation within a pose."""
    u, _, v = np.linalg.svd(pose[:3, :3])
    return float(np.degrees(np.arccos(np.clip((np.trace(u @ v) - 1) / 2, -1, 1))))


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether two poses are the same answer."""
    apart = np.linalg.norm(apply_affine(a, CENTRE[None]) - apply_affine(b, CENTRE[None]))
    return bool(apart < NEAR_MM and _angle(np.linalg.inv(a) @ b) < NEAR_DEGREES)


def _distinct(poses: list[tuple[float, np.ndarray]]) -> list[tuple[float, np.ndarray]]:
    """Return the poses, best first, without those that are the same answer as a better one."""
    kept = []
    for information, pose in poses:
        if not any(_same(pose, other) for _, other in kept):
            kept.append((information, pose))
    return kept


def _itk(volume: np.ndarray, world_from_voxel: np.ndarray) -> sitk.Image:
    """Return an upright volume as an ITK image in the same world coordinates."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.T))
    image.SetSpacing([float(step) for step in np.diag(world_from_voxel)[:3]])
    image.SetOrigin([float(place) for place in world_from_voxel[:3, 3]])
    return image


def _refined(pose: np.ndarray, image: np.ndarray, world_from_image: np.ndarray, atlas: Atlas) -> np.ndarray:
    """Return the pose after an affine registration by Mattes mutual information."""
    every = (slice(None, None, 2),) * 3
    world_from_fixed = atlas.world_from_voxel @ np.diag([2, 2, 2, 1.0])
    fixed = ndimage.gaussian_filter(atlas.template.astype(np.float32), 1)[every]
    # Sums over threads differ in their last bits; the metric obeys only the number for the whole process.
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricFixedMask(_itk(_around(atlas)[every].astype(np.uint8), world_from_fixed))
    method.SetMetricMovingMask(_itk((~np.isnan(image)).astype(np.uint8), world_from_image))
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(
        0.3, seed=1
    )  # regular samples are shaken a little, by the clock unless told
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.02, 60, 0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    affine = sitk.AffineTransform(3)
    affine.SetCenter(CENTRE.tolist())
    affine.SetMatrix(pose[:3, :3].ravel().tolist())
    affine.SetTranslation((apply_affine(pose, CENTRE[None])[0] - CENTRE).tolist())
    method.SetInitialTransform(affine, inPlace=True)
    try:
        method.Execute(
            _itk(fixed, world_from_fixed), _itk(np.nan_to_num(image).astype(np.float32), world_from_image)
        )
    except RuntimeError:  # too few samples within both: the start was no landing
        return pose
    linear = np.array(affine.GetMatrix()).reshape(3, 3)
    return _pose(linear, CENTRE + np.array(affine.GetTranslation()))
