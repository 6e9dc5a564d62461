"""The second witness: does a face detector still see a face in the skin? It warns, it never decides.

Depth renders of the skin, from the front and from either side, go through dlib's detector of faces, and
through its face embedding where heads are to be told apart. The detector says little alone: a slab with
eyes and nose fires nothing when intact. What decides is the surface that `measure` finds.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy import ndimage

TURNS = (-20.0, 0.0, 20.0)  # of the head about its long axis, in degrees
STEP_MM = 1.5  # of the rays and along them
# What is in view of an upright head's frame: right, front, up; the nose's tip lies near (0, 111, -62).
VIEW_FROM = (-99.0, -30.0, -168.0)
VIEW_MM = (198.0, 180.0, 252.0)
PIVOT = (0.0, 60.0, 0.0)  # of the turns: the face stays amid the view
PIXELS_PER_MM = 1.25  # the detector was trained on faces of 80 pixels and more; these are of about 160
SMOOTH_MM = 1.0  # noise and slices roughen a skin, and the detector knows smooth ones
AMBIENT, LAMP = 0.3, (0.5, 0.86)  # light from everywhere; and from a lamp above and in front
FIRES = 0.0  # scores above it are faces: dlib's own bound; heads whose face is gone have no score at all
FACE = (36, 80, 200, 244)  # left, top, right, bottom pixel, where the detector finds most faces
MODELS = {
    "detector": "mmod_human_face_detector.dat",
    "points": "shape_predictor_5_face_landmarks.dat",
    "network": "dlib_face_recognition_resnet_model_v1.dat",
}


def available() -> bool:
    """Say whether dlib and its models are installed (the extra `witness`)."""
    return find_spec("dlib") is not None and all(path is not None for path in map(_model, MODELS))


def testify(before: np.ndarray, after: np.ndarray, voxel_from_frame: np.ndarray, threshold: float) -> dict:
    """Return how surely a detector sees a face in an image before and after: the best score of the views.

    Parameters
    ----------
    before, after : (I, J, K) float arrays
    voxel_from_frame, threshold : as for `depth_renders`

    Returns
    -------
    scores : dict
        face_detector_before, face_detector_after: about 1 for a face, 0 for none.
    """
    return {
        f"face_detector_{when}": round(max(faces(depth_renders(values, voxel_from_frame, threshold))), 3)
        for when, values in (("before", before), ("after", after))
    }


def depth_renders(values: np.ndarray, voxel_from_frame: np.ndarray, threshold: float) -> list[np.ndarray]:
    """Return views of the skin from the front and 20 degrees to each side, each (H, W, 3) uint8.

    Parameters
    ----------
    values : (I, J, K) float array
    voxel_from_frame : (4, 4) array
        From an upright head's world coordinates (RAS+, mm) to voxel indices.
    threshold : float
        Values above it are tissue.
    """
    return [_lit(_depth(values, voxel_from_frame, threshold, degrees)) for degrees in TURNS]


def faces(views: list[np.ndarray]) -> list[float]:
    """Return the score of the surest face in each view, 0 where there is none."""
    return [max((found.confidence for found in _found(view)), default=0.0) for view in views]


def embedding(view: np.ndarray) -> np.ndarray | None:
    """Return what tells a face from others, (128,) float; None when nothing is in view where a face would be.

    Where the detector finds no face, the place is taken where most faces are: renders are aligned, and
    whoever wants to recognise a defaced head knows as much.
    """
    import dlib

    found = max(_found(view), key=lambda one: one.confidence, default=None)
    left, top, right, bottom = FACE
    if found is None and not view[top:bottom, left:right].any():
        return None
    place = dlib.rectangle(*FACE) if found is None else found.rect
    chip = dlib.get_face_chip(view, _loaded("points")(view, place))
    return np.array(_loaded("network").compute_face_descriptor(chip))


def _model(name: str) -> Path | None:
    """Return the path of a model. Its package is not imported: that needs what setuptools no longer has."""
    package = find_spec("face_recognition_models")
    for folder in package.submodule_search_locations if package else ():
        path = Path(folder) / "models" / MODELS[name]
        if path.is_file():
            return path
    return None


@cache
def _loaded(name: str):
    """Return a model, read once."""
    import dlib

    reader = {
        "detector": dlib.cnn_face_detection_model_v1,
        "points": dlib.shape_predictor,
        "network": dlib.face_recognition_model_v1,
    }[name]
    return reader(str(_model(name)))


def _found(view: np.ndarray) -> list:
    """Return what the detector takes for faces."""
    return list(_loaded("detector")(view, 0)) if view.any() else []


def _depth(values: np.ndarray, voxel_from_frame: np.ndarray, threshold: float, degrees: float) -> np.ndarray:
    """Return how far the first tissue lies from the front of the view, in mm: (X, Z) float, NaN for none."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    frame_from_view = np.eye(4)
    frame_from_view[:3, :3] = turn * STEP_MM
    frame_from_view[:3, 3] = turn @ np.subtract(VIEW_FROM, PIVOT) + PIVOT
    voxel_from_view = voxel_from_frame @ frame_from_view
    shape = tuple(round(size / STEP_MM) for size in VIEW_MM)
    seen = ndimage.affine_transform(
        values, voxel_from_view[:3, :3], voxel_from_view[:3, 3], shape, order=1, cval=float(values.min())
    )
    rays = ndimage.gaussian_filter(seen, SMOOTH_MM / STEP_MM)[:, ::-1]
    tissue = rays > threshold
    # Two in a row: a single bright voxel of noise in front of the face hides nothing.
    tissue &= np.roll(tissue, -1, axis=1)
    first = tissue.argmax(axis=1)[:, None]
    here, before = (np.take_along_axis(rays, np.maximum(first - back, 0), 1)[:, 0] for back in (0, 1))
    part = np.clip((here - threshold) / np.maximum(here - before, 1e-6), 0, 1)
    return np.where(tissue.any(axis=1), (first[:, 0] - part) * STEP_MM, np.nan)


def _lit(depth: np.ndarray) -> np.ndarray:
    """Return a depth map as a picture of a grey surface: (H, W, 3) uint8."""
    hit = ~np.isnan(depth)
    if not hit.any():
        return np.zeros((round(VIEW_MM[2] * PIXELS_PER_MM), round(VIEW_MM[0] * PIXELS_PER_MM), 3), np.uint8)
    zoom = STEP_MM * PIXELS_PER_MM
    filled = ndimage.median_filter(np.where(hit, depth, depth[hit].max()), 3)
    smooth = ndimage.gaussian_filter(ndimage.zoom(filled, zoom, order=3), SMOOTH_MM * PIXELS_PER_MM)
    across, up = np.gradient(smooth * PIXELS_PER_MM)
    light = (LAMP[0] * up + LAMP[1]) / np.sqrt(across**2 + up**2 + 1)
    skin = ndimage.zoom(hit.astype(float), zoom, order=1) > 0.5
    grey = np.where(skin, AMBIENT + (1 - AMBIENT) * np.clip(light, 0, 1), 0)
    # x grows to the head's right; seen from the front the head's right is on the left.
    grey = np.round(255 * np.clip(grey, 0, 1)).astype(np.uint8)[::-1, ::-1].T
    return np.repeat(np.ascontiguousarray(grey)[..., None], 3, axis=2)
