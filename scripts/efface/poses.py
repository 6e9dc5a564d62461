"""The search for the pose of a head: which way the template lies in an image, by mutual information.

The image's own content decides: its header only gives the search a first direction, so that a header that
denies the content is found out. One thread, coarse grids, no chance: the same poses each time.
"""

import itertools

import numpy as np
from nibabel.affines import apply_affine
from scipy import ndimage

from efface.atlas import Atlas

CENTRE = np.array([0.0, 0.0, -20.0])  # of the template's head
BINS = 16  # of the image's values
LEVELS = 6  # of the template's brightness, once for the brain and once for all else
MARGIN_MM = 12.0  # of air around the template's head that takes part
# Turns (pitch, roll, yaw; degrees) that the search tries: heads nod more than they turn or tilt.
TURNS = [(0, 0, 0), (-25, 0, 0), (25, 0, 0), (-50, 0, 0), (50, 0, 0)]
TURNS += [(0, 25, 0), (0, -25, 0), (0, 0, 25), (0, 0, -25), (0, 50, 0), (0, -50, 0), (0, 0, 50), (0, 0, -50)]
SIZES = (0.7, 1.25)  # tried beside 1, upright: children, and headers whose voxel size is wrong
STRIDE_MM = 24.0
FEW, MANY = 600, 2500  # points of the template that a pose is scored by
CLIMBERS = 6
LEAST_SEEN = 0.25  # of the template's points must lie in the image
NEAR_MM, NEAR_DEGREES = 30.0, 30.0  # two poses within both are the same answer
LEAST_SIZE, MOST_SIZE, MOST_STRETCH = 0.55, 1.5, 1.25  # of the template; the longest over the shortest axis
SMALL = 0.8  # of the template: a smaller head is looked at more finely, and its mask goes deeper
CHUNK = 2_000_000  # points that are looked up at once


def around(atlas: Atlas) -> np.ndarray:
    """Return the template's head with a margin of air, where the template was seen: a mask on its grid."""
    size = float(atlas.world_from_voxel[0, 0])
    return ndimage.binary_dilation(atlas.head == 1, iterations=round(MARGIN_MM / size)) & (atlas.head > 0)


def template_points(atlas: Atlas, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 3) points of the template within a mask in world mm, well mixed, and their (N,) classes.

    A class is a level of brightness within or without the brain: what is brain is told apart from scalp
    of the same brightness, so that an image in which only the brain shines (EPI, PET) finds its place too.
    """
    smooth = ndimage.gaussian_filter(atlas.template.astype(np.float32), 1.5)
    index = np.argwhere(where[::3, ::3, ::3]) * 3
    place = tuple(index[np.random.default_rng(0).permutation(len(index))].T)
    level = np.minimum(smooth[place] / 200 * LEVELS, LEVELS - 1).astype(np.int32)
    return apply_affine(atlas.world_from_voxel, np.transpose(place)), level + LEVELS * (
        atlas.brain[place] > 0
    )


class Scorer:
    """Mutual information between the template's points and an image, for many poses at once.

    Parameters
    ----------
    image : (X, Y, Z) float array
        Scaled to 0..1, NaN where nothing was seen, on an upright grid.
    world_from_image : (4, 4) array, RAS+, mm
    points, classes : (N, 3) world mm of the template and (N,) int
    """

    def __init__(
        self, image: np.ndarray, world_from_image: np.ndarray, points: np.ndarray, classes: np.ndarray
    ):
        unseen = np.isnan(image)
        smooth = ndimage.gaussian_filter(np.where(unseen, 0, image), 0.7)
        binned = np.where(unseen, BINS, np.minimum(smooth * BINS, BINS - 1)).astype(np.uint8)
        # One layer of "not seen" all around: an index is clipped to it, not tested.
        self.binned = np.pad(binned, 1, constant_values=BINS)
        self.origin, self.step = world_from_image[:3, 3], world_from_image[0, 0]
        self.points = points - CENTRE
        self.classes = classes * (BINS + 1)

    def at(self, linear: np.ndarray, lines: list[np.ndarray], count: int = FEW) -> np.ndarray:
        """Return (A, B, C) bits for the template put at each place of the grid that three lines span."""
        turned = (self.points[:count] @ linear.T - self.origin) / self.step + 1.5
        strides = np.array(self.binned.strides)
        index = []
        for axis, line in enumerate(lines):
            place = np.floor(turned[:, axis] + np.asarray(line)[:, None] / self.step)
            index.append((np.clip(place, 0, self.binned.shape[axis] - 1) * strides[axis]).astype(np.int32))
        planes = (index[1][:, None] + index[2][None]).reshape(-1, count)
        cells, wanted, values = 2 * LEVELS * (BINS + 1), self.classes[:count], self.binned.ravel()
        bits = np.empty((len(lines[0]), len(planes)))
        some = max(1, CHUNK // count)
        for a, first in itertools.product(range(len(lines[0])), range(0, len(planes), some)):
            value = values[index[0][a] + planes[first : first + some]]
            cell = np.arange(len(value), dtype=np.int32)[:, None] * cells + wanted + value
            joint = np.bincount(cell.ravel(), minlength=len(value) * cells)
            joint = joint.reshape(len(value), 2 * LEVELS, BINS + 1)[..., :BINS]
            bits[a, first : first + some] = _mutual(joint, count)
        return bits.reshape([len(line) for line in lines])

    def information(self, pose: np.ndarray, count: int | None = None) -> float:
        """Return the bits of one pose, by all points unless told."""
        centre = apply_affine(pose, CENTRE[None])[0]
        return float(self.at(pose[:3, :3], list(centre[:, None]), count or len(self.points))[0, 0, 0])

    def climbed(self, pose: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the bits and the pose after a climb over shifts, turns and sizes with shrinking steps."""
        linear, centre = pose[:3, :3], apply_affine(pose, CENTRE[None])[0]
        best = self.information(pose, MANY)
        for step_mm, degrees, size in ((12, 12, 1.12), (6, 6, 1.06), (3, 3, 1.03)):
            changes = [turn(*(sign * degrees * axis)) for axis in np.eye(3) for sign in (1, -1)]
            changes += [
                np.diag(size ** (sign * axis)) for axis in (*np.eye(3), np.ones(3)) for sign in (1, -1)
            ]
            for _ in range(4):
                before = best
                bits = self.at(linear, list(centre[:, None] + step_mm * np.array((-1, 0, 1))), MANY)
                if bits.max() > best:
                    best = bits.max()
                    centre = centre + step_mm * (np.unravel_index(bits.argmax(), (3, 3, 3)) - np.ones(3))
                for change in changes:
                    tried = linear @ change
                    if is_head(tried):
                        bits = self.at(tried, list(centre[:, None]), MANY)[0, 0, 0]
                        if bits > best:
                            best, linear = bits, tried
                if best - before < 1e-3:
                    break
        return float(best), posed(linear, centre)


def is_head(linear: np.ndarray) -> bool:
    """Return whether a (3, 3) matrix leaves the template a head: without bounds a pose can shrink away."""
    sizes = np.linalg.svd(linear, compute_uv=False)
    return bool(sizes[-1] > LEAST_SIZE and sizes[0] < MOST_SIZE and sizes[0] < MOST_STRETCH * sizes[-1])


def _mutual(joint: np.ndarray, total: int) -> np.ndarray:
    """Return the mutual information in bits of (..., A, B) counts, weighted by the share of points seen."""
    seen = joint.sum((-2, -1))
    shares = joint / np.maximum(seen, 1)[..., None, None]

    def entropy(p, axis):
        return -(p * np.log2(np.maximum(p, 1e-12))).sum(axis)

    bits = entropy(shares.sum(-1), -1) + entropy(shares.sum(-2), -1) - entropy(shares, (-2, -1))
    return np.where(seen >= LEAST_SEEN * total, bits * np.sqrt(seen / total), 0)


def search(scorer: Scorer, image: np.ndarray, world_from_image: np.ndarray) -> list[np.ndarray]:
    """Return the poses to climb from: the upright ones always, then the best of all turns, sizes and axes."""
    tissue = np.argwhere(np.nan_to_num(image) > 0.15)
    low, high = np.percentile(apply_affine(world_from_image, tissue), (1, 99), axis=0)
    # The stride is spread evenly, and grows on a whole body, so that the time stays the same.
    stride = max(STRIDE_MM, (np.prod(high - low + STRIDE_MM) / 1500) ** (1 / 3))
    lines = [np.linspace(a, b, max(2, round((b - a) / stride) + 1)) for a, b in zip(low, high, strict=True)]
    found = []
    for linear in (
        [turn(*angles) for angles in TURNS] + [size * np.eye(3) for size in SIZES] + axis_turns()[1:]
    ):
        bits = scorer.at(linear, lines)
        for place in np.argsort(-bits, axis=None, kind="stable")[:2]:
            index = np.unravel_index(place, bits.shape)
            centre = [line[k] for line, k in zip(lines, index, strict=True)]
            found.append((bits[index], posed(linear, centre)))
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


def axis_turns() -> list[np.ndarray]:
    """Return the 24 turns that put axes onto axes, the identity first; a symmetric head needs no mirrors."""
    turns = [
        np.eye(3)[list(order)] * np.array(signs)
        for order in itertools.permutations(range(3))
        for signs in itertools.product((1, -1), repeat=3)
    ]
    return sorted((m for m in turns if np.linalg.det(m) > 0), key=lambda matrix: -np.trace(matrix))


def posed(linear: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return the (4, 4) matrix that turns the template about CENTRE and puts it at `centre`."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = linear, centre - linear @ CENTRE
    return pose


def angle(pose: np.ndarray) -> float:
    """Return the angle in degrees of the rotation within a pose."""
    u, _, v = np.linalg.svd(pose[:3, :3])
    return float(np.degrees(np.arccos(np.clip((np.trace(u @ v) - 1) / 2, -1, 1))))


def size(pose: np.ndarray) -> float:
    """Return the size of a pose's head, as a multiple of the template's."""
    return float(np.cbrt(abs(np.linalg.det(pose[:3, :3]))))


def apart(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Return by how many mm and degrees two poses differ."""
    shift = np.linalg.norm(apply_affine(a, CENTRE[None]) - apply_affine(b, CENTRE[None]))
    return float(shift), angle(np.linalg.inv(a) @ b)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether two poses are the same answer."""
    shift, degrees = apart(a, b)
    return shift < NEAR_MM and degrees < NEAR_DEGREES


def distinct(poses: list[tuple[float, np.ndarray]]) -> list[tuple[float, np.ndarray]]:
    """Return the poses, best first, without those that are the same answer as a better one."""
    kept = []
    for information, pose in sorted(poses, key=lambda found: -found[0]):
        if not any(same(pose, other) for _, other in kept):
            kept.append((information, pose))
    return kept
