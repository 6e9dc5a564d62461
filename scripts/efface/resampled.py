"""The judge of a resampled CT: each voxel is what the slices around it predict.

It knows each slice's own place and values and the written image, and nothing of how the image was made. The
rule: a voxel lies between two slices along their normal. In each its value is bilinear between four pixels,
the slice being surrounded by air (-1024 HU); along the normal it is linear between the two. So where only one
of the two reaches, the other counts as air. Very near to a slice, the slice itself will do.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

AIR_HU = -1024.0
_IN_PLANE = (
    0.1  # of a pixel: how much longer, or how much less at right angles, a slice may be than its voxels
)
_ACROSS = 0.05  # of the distance between two slices: so near to one of them, it may be shown as it is
_LOOSE = 1.05  # of SliceThickness: how far apart slices that leave no gap may be
_AFFINE = 2e-4  # of a pixel: rounding of the image's affine, which NIfTI keeps as float32
_EXACT_HU = 1e-3  # rounding of the arithmetic itself


@dataclass(eq=False)
class Shown:
    """One slice as it must be seen in the image.

    Parameters
    ----------
    corner : (3,) array
        Centre of the first pixel (LPS+, mm).
    along_row, along_column : (3,) arrays
        From one column to the next, from one row to the next (mm).
    values : (rows, columns) float array
        After rescale, HU.
    thickness_mm : float
        SliceThickness; where it is not known, nothing may be interpolated between slices.
    """

    corner: np.ndarray
    along_row: np.ndarray
    along_column: np.ndarray
    values: np.ndarray
    thickness_mm: float = np.nan


def faults(frames: list[Shown], image: np.ndarray, affine: np.ndarray, tolerance: float) -> list[str]:
    """Return what is wrong with an image, nothing when every voxel is as predicted.

    Parameters
    ----------
    frames : list of Shown
        In any order.
    image : (I, J, K) float array
        Values after rescale, HU.
    affine : (4, 4) array
        From the image's voxels to world coordinates (RAS+, mm).
    tolerance : float
        Rounding of a stored value, HU: half of RescaleSlope.
    """
    if len(frames) < 2 or not all(_alike(frames[0], frame) for frame in frames):
        return ["the slices are not two or more of one size, orientation and spacing"]
    normal = np.cross(frames[0].along_row, frames[0].along_column)
    normal /= np.linalg.norm(normal)
    frames = sorted(frames, key=lambda frame: float(frame.corner @ normal))
    depths = np.array([frame.corner @ normal for frame in frames])
    if np.diff(depths).min() <= 0:
        return ["two slices lie at one place"]
    if not np.isfinite(affine).all() or not np.linalg.det(affine[:3, :3]):
        return ["the image's affine is none"]
    lps_from_voxel = np.diag([-1.0, -1, 1, 1]) @ affine
    across = int(np.abs(normal @ lps_from_voxel[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)).argmax())
    order = [*np.delete(np.arange(3), across), across]
    image, lps_from_voxel = image.transpose(order), lps_from_voxel[:, [*order, 3]]
    wrong, loose = _misplaced(frames, depths, normal, image.shape, lps_from_voxel)
    return wrong or _differing(frames, depths, normal, image, lps_from_voxel, tolerance, loose)


def _alike(one: Shown, other: Shown) -> bool:
    if one.values.shape != other.values.shape:
        return False
    pairs = ((one.along_row, other.along_row), (one.along_column, other.along_column))
    return all(
        np.linalg.norm(mine - yours) * count <= _IN_PLANE * np.linalg.norm(mine)
        for (mine, yours), count in zip(pairs, one.values.shape[::-1], strict=True)
    )


def _misplaced(frames, depths, normal, shape, lps_from_voxel) -> tuple[list[str], float]:
    """Return how the image's grid fails to hold the slices, and by how much of a pixel headers are loose."""
    voxel_from_lps, wrong = np.linalg.inv(lps_from_voxel), []
    leaning = np.abs(normal @ lps_from_voxel[:3, :2]) @ shape[:2] / abs(normal @ lps_from_voxel[:3, 2])
    within = lps_from_voxel[:3, 2] - normal * (normal @ lps_from_voxel[:3, 2])
    loose = np.linalg.norm(within) * shape[2] / np.linalg.norm(lps_from_voxel[:3, :2], axis=0).min()
    if max(leaning, loose) > _ACROSS:
        return ["the image's grid is not upright on the slices"], 0.0
    misfit, last = 0.0, np.array(shape) - 1
    for frame in frames:
        rows, columns = np.array(frame.values.shape) - 1
        spans = np.stack([frame.along_row * columns, frame.along_column * rows])
        voxels = np.sort(np.abs(spans @ voxel_from_lps[:3, :3].T), axis=1)
        misfit = max(misfit, np.abs(voxels - [[0, 0, columns], [0, 0, rows]]).sum())
        corners = frame.corner + np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) @ spans
        indices = np.c_[corners, np.ones(4)] @ voxel_from_lps[:3].T
        beyond = np.maximum(-indices, indices - last).max(axis=0)
        if (beyond > [_IN_PLANE, _IN_PLANE, 0.5 + _ACROSS]).any():
            wrong.append("a slice is not entirely within the image's field of view")
    if misfit > _IN_PLANE:
        wrong.append("the slices' rows and columns are not the image's in direction or size")
    planes = _depths(normal, shape, lps_from_voxel)
    step = abs(planes[1] - planes[0]) if len(planes) > 1 else 0.0
    if planes.min() < depths[0] - _ACROSS * step or planes.max() > depths[-1] + _ACROSS * step:
        wrong.append("a plane of the image lies beyond the first or the last slice")
    places = _places(depths, planes)
    thickness = np.array([frame.thickness_mm for frame in frames])
    near = np.diff(depths) <= _LOOSE * np.maximum(thickness[1:], thickness[:-1])
    if (np.abs(places - np.rint(places)) > _ACROSS).any() and not near.all():
        wrong.append("the image is interpolated between slices that leave gaps")
    weights = 1 - np.abs(places[:, None] - np.arange(len(depths)))
    if weights.max(axis=0).min() < _ACROSS / 2:
        wrong.append("a slice shows in no plane of the image")
    return sorted(set(wrong)), misfit + loose + _AFFINE


def _depths(normal: np.ndarray, shape: tuple[int, ...], lps_from_voxel: np.ndarray) -> np.ndarray:
    """Return how far along the normal (mm) the middle of each plane of the image lies."""
    middle = lps_from_voxel[:3, :2] @ ((np.array(shape[:2]) - 1) / 2) + lps_from_voxel[:3, 3]
    return normal @ middle + normal @ lps_from_voxel[:3, 2] * np.arange(shape[2])


def _places(depths: np.ndarray, planes: np.ndarray) -> np.ndarray:
    """Return each plane's place among the slices: 2.25 is a quarter of the way from slice 2 to slice 3."""
    return np.interp(planes, depths, np.arange(len(depths)))


def _differing(frames, depths, normal, image, lps_from_voxel, tolerance: float, loose: float) -> list[str]:
    """Return how many of the image's planes hold other values than the slices predict."""
    places = _places(depths, _depths(normal, image.shape, lps_from_voxel))
    below = np.minimum(places.astype(int), len(frames) - 2)
    seen: dict[int, np.ndarray] = {}
    differing = 0
    for number, (one, place) in enumerate(zip(below.tolist(), places, strict=True)):
        seen = {
            each: seen[each] if each in seen else _seen(frames[each], image.shape, lps_from_voxel)
            for each in (one, one + 1)
        }
        first, second = seen.values()
        predicted = first + (place - one) * (second - first)
        also = seen[round(place)] if abs(place - round(place)) <= _ACROSS else predicted
        found = image[:, :, number]
        off = np.maximum(np.minimum(predicted, also) - found, found - np.maximum(predicted, also))
        rest = ~(off <= tolerance + _EXACT_HU)
        span = max(first.max(), second.max()) - min(first.min(), second.min())
        if not off.max() <= tolerance + _EXACT_HU + 2 * loose * span:
            differing += 1
        elif rest.any():
            # Rounded headers move a voxel a little; what that changes depends on how its neighbours differ.
            points = np.argwhere(rest) @ lps_from_voxel[:3, :2].T + lps_from_voxel[:3, 3]
            contrast = np.abs(second - first)[rest]
            contrast += np.maximum(*(_contrast(frames[each], points) for each in (one, one + 1)))
            differing += not (off[rest] <= tolerance + _EXACT_HU + loose * contrast).all()
    if differing:
        return [f"{differing} of {len(places)} planes hold values that the slices around them do not predict"]
    return []


def _contrast(frame: Shown, points: np.ndarray) -> np.ndarray:
    """Return (N,) by how much pixels around (N, 3) points differ: the four mixed there and those beside."""
    pixel_from_lps = np.linalg.pinv(np.stack([frame.along_column, frame.along_row], axis=1))
    first = np.floor((points - frame.corner) @ pixel_from_lps.T).astype(int) + 4
    padded = np.pad(frame.values, 5, constant_values=AIR_HU)
    first = np.clip(first, 0, np.array(padded.shape) - 4)
    around = [padded[first[:, 0] + down, first[:, 1] + right] for down in range(4) for right in range(4)]
    return np.max(around, axis=0) - np.min(around, axis=0)


def _seen(frame: Shown, shape: tuple[int, ...], lps_from_voxel: np.ndarray) -> np.ndarray:
    """Return a slice (I, J) as the image's columns and rows see it, looking along the normal."""
    pixel_from_lps = np.linalg.pinv(np.stack([frame.along_column, frame.along_row], axis=1))
    return ndimage.affine_transform(
        frame.values, pixel_from_lps @ lps_from_voxel[:3, :2],
        pixel_from_lps @ (lps_from_voxel[:3, 3] - frame.corner), shape[:2],
        order=1, mode="grid-constant", cval=AIR_HU, output=float,
    )  # fmt: skip
