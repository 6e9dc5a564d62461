"""Pictures of a head to judge by: renders of its skin and slices with the mask's edge, before and after."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from efface import nifti
from efface.files import PRIVATE_FILE, replacing

STEP_MM = 2.0
VIEW_MM = (220.0, 300.0, 280.0)  # width, depth, height of what is shown, in the template's frame
VIEW_FROM = (-110.0, -140.0, -175.0)
TURNS = (25.0, 0.0, -25.0)  # of the head about its long axis, in degrees
ZOOM = 2
OUTLINE = (255, 90, 60)
SHADES = (2, 99.7)  # percentiles that become black and white


def picture(
    volumes: list[np.ndarray],
    voxel_from_frame: np.ndarray,
    threshold: float,
    mask: np.ndarray | None = None,
) -> Image.Image:
    """Return one row of three renders and three slices for each volume.

    Parameters
    ----------
    volumes : list of (I, J, K) float arrays
        The same grid, say before and after.
    voxel_from_frame : (4, 4) array
        From an upright head's world coordinates (RAS+, mm) to voxel indices.
    threshold : float
        Values above it are tissue.
    mask : (I, J, K) bool array, optional
        Outlined on the slices.
    """
    shape = tuple(int(size / STEP_MM) for size in VIEW_MM)
    frame_from_view = np.diag([STEP_MM, STEP_MM, STEP_MM, 1.0])
    frame_from_view[:3, 3] = VIEW_FROM
    white = None
    rows = []
    outline = (
        None
        if mask is None
        else _sampled(mask.astype(np.float32), voxel_from_frame @ frame_from_view, shape) > 0.5
    )
    for volume in volumes:
        seen = _sampled(volume, voxel_from_frame @ frame_from_view, shape, low=float(volume.min()))
        if white is None:
            black, white = np.percentile(seen, SHADES)
            black = min(black, threshold)
        tiles = [_render(seen, threshold, degrees) for degrees in TURNS]
        tiles += _slices(np.clip((seen - black) / max(white - black, 1e-6), 0, 1), outline)
        height = max(tile.shape[0] for tile in tiles)
        rows.append(np.hstack([np.pad(t, ((0, height - t.shape[0]), (0, 2), (0, 0))) for t in tiles]))
    both = np.vstack(rows)
    return Image.fromarray(both).resize(
        (both.shape[1] * ZOOM, both.shape[0] * ZOOM), Image.Resampling.BICUBIC
    )


def write(path: Path | str, image: Image.Image, mode: int = PRIVATE_FILE) -> None:
    """Write a PNG without any text in it."""
    with replacing(path, mode) as beside, beside.open("wb") as stream:
        image.save(stream, "PNG", compress_level=6)


def write_small(path: Path | str, values: np.ndarray, world_from_voxel: np.ndarray) -> None:
    """Write a volume to look at, on its own grid in 8 bits from black to white; private, it shows a face.

    Parameters
    ----------
    values : (I, J, K) float32 array
    world_from_voxel : (4, 4) array
        From voxel indices to world coordinates (RAS+, mm).
    """
    some = values[tuple(slice(None, None, max(1, size // 100)) for size in values.shape)]
    black, white = (float(shade) for shade in np.percentile(some, SHADES))
    step = max(white - black, 1e-6) / 255
    grey = np.clip((values - np.float32(black)) * np.float32(1 / step), 0, 255)
    np.rint(grey, out=grey)
    head = nifti.header(values.shape, np.dtype(np.uint8), world_from_voxel, slope=step, intercept=black)
    nifti.write(path, grey.astype(np.uint8), head, level=1)


def _sampled(
    volume: np.ndarray, voxel_from_view: np.ndarray, shape: tuple[int, ...], low: float = 0.0
) -> np.ndarray:
    """Return the volume on the view's grid."""
    return ndimage.affine_transform(
        volume, voxel_from_view[:3, :3], voxel_from_view[:3, 3], shape, order=1, cval=low
    )


def _render(seen: np.ndarray, threshold: float, degrees: float) -> np.ndarray:
    """Return the skin from the front, lit from above, after a turn about the long axis: (H, W, 3) uint8."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    middle = (np.array(seen.shape) - 1) / 2
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    turned = ndimage.affine_transform(seen, turn, middle - turn @ middle, order=1, cval=float(seen.min()))
    tissue = turned[:, ::-1] > threshold
    # Two voxels in a row: a single bright voxel of noise in front of the face hides nothing.
    tissue &= np.roll(tissue, -1, axis=1)
    hit = tissue.any(axis=1)
    depth = tissue.argmax(axis=1)
    grid_x, grid_z = np.indices(depth.shape)
    line = turned[:, ::-1]
    here, before = (line[grid_x, np.maximum(depth - back, 0), grid_z] for back in (0, 1))
    depth = depth - np.clip((here - threshold) / np.maximum(here - before, 1e-6), 0, 1)
    depth = np.where(hit, depth, depth.shape[0] + 60.0)
    depth = ndimage.gaussian_filter(ndimage.median_filter(depth, 3), 0.6)
    slope_x, slope_z = np.gradient(depth)
    length = np.sqrt(slope_x**2 + slope_z**2 + 1)
    light = np.clip((0.25 * slope_x + 0.45 * slope_z + 0.86) / length, 0, 1) * hit
    # x grows to the head's right; seen from the front the head's right is on the left.
    grey = np.round(255 * light).astype(np.uint8)[::-1, ::-1].T
    return np.repeat(grey[..., None], 3, axis=2)


def _slices(shades: np.ndarray, outline: np.ndarray | None) -> list[np.ndarray]:
    """Return a sagittal, coronal and axial slice, (H, W, 3) uint8 each, with the mask's edge drawn in."""
    at = [int((place - start) / STEP_MM) for place, start in zip((4, 66, -34), VIEW_FROM, strict=True)]
    tiles = []
    for axis, index in enumerate(at):
        grey = np.repeat(np.round(255 * shades.take(index, axis)).astype(np.uint8)[..., None], 3, axis=2)
        if outline is not None:
            flat = outline.take(index, axis)
            grey[flat & ~ndimage.binary_erosion(flat, border_value=1)] = OUTLINE
        tiles.append(grey[:, ::-1].transpose(1, 0, 2))
    return tiles
