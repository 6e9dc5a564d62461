"""The judge of a conversion: every DICOM frame is in the image, once, where its header says, value for value.

It predicts from each frame's own position, orientation, spacing and rescale which voxels it must be, and
compares.
"""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from efface import gradients, nifti, resampled
from efface.claims import TAGS, Claim, Unproved, claims_of, distinct, readable
from efface.errors import EffaceError
from efface.headers import Reader
from efface.share import belongs, leaf
from efface.turns import gradient_faults, turns_of

_ONE_ECHO_MS = 0.021
_IN_PLANE, _ACROSS = 0.05, 0.1  # of a voxel: how far a predicted place may be from the grid


def prove(
    files: list[Path], image_path: Path, plan: dict | None = None, texts: tuple[str, str] = ("", "")
) -> dict:
    """Return the verdict on one converted image.

    Parameters
    ----------
    files : list of Path
        All DICOM files that the image was made from.
    image_path : Path
        The NIfTI file.
    plan : dict
        `part` says which frames of the files the image must show, all by default. `accept`: with
        "missing_slices" a plane that no frame claims may hold the lowest stored value throughout.
        `datatype`: "dwi" must have both texts.
    texts : (str, str)
        Content of the .bval and .bvec beside the image, empty when it has none.

    Returns
    -------
    dict
        decision ("proved" or "held"), reasons, frames, planes, volumes, shape, dtype, filled.
    """
    return _verdict(_gathered(files, plan or {}), image_path, plan or {}, texts)


@contextmanager
def beside(files: list[Path], plan: dict) -> Iterator[Callable[[Path, tuple[str, str]], dict]]:
    """Let the judge read the files in a process of its own while somebody else makes the image.

    Yields a function of the image's path and the texts of .bval and .bvec, which gives what `prove` gives.

    Raises
    ------
    EffaceError
        When the judge's process ends before it has judged.
    """
    here, there = multiprocessing.Pipe()
    judge = multiprocessing.Process(target=_judge, args=(files, plan, there), daemon=True)
    judge.start()
    there.close()

    def verdict(image_path: Path, texts: tuple[str, str]) -> dict:
        try:
            here.send((image_path, texts))
            return here.recv()
        except (EOFError, BrokenPipeError):
            raise EffaceError("the judge of a conversion stopped", todo="give the step more memory") from None

    try:
        yield verdict
    finally:
        here.close()
        judge.terminate()
        judge.join()


def _judge(files: list[Path], plan: dict, pipe: Connection) -> None:
    claims = _gathered(files, plan)
    try:
        image_path, texts = pipe.recv()
    except EOFError:  # no image is made
        return
    pipe.send(_verdict(claims, image_path, plan, texts))


def _gathered(files: list[Path], plan: dict) -> list[Claim] | Unproved:
    """Return what the frames of the plan's part say of themselves, or why nobody can know."""
    try:
        return _share(list(chain.from_iterable(claims_of(file) for file in distinct(files))), plan)
    except Unproved as fault:
        return fault


def _verdict(claims: list[Claim] | Unproved, image_path: Path, plan: dict, texts: tuple[str, str]) -> dict:
    image = nifti.read(image_path)
    voxels, faults = nifti.stored(image), Counter()
    record = {"shape": list(voxels.shape), "dtype": str(voxels.dtype), "frames": 0, "filled": []}
    try:
        _check_header(image)
        if isinstance(claims, Unproved):
            raise claims
        record |= {"frames": len(claims)} | _compare(claims, image, voxels, plan, texts, faults)
    except Unproved as fault:
        faults[str(fault)] += 1
    reasons = [text if count == 1 else f"{text} ({count} times)" for text, count in faults.items()]
    return {"decision": "held" if reasons else "proved", "reasons": reasons, **record}


def _check_header(image) -> None:
    dtype = image.get_data_dtype()
    if image.ndim not in (3, 4) or dtype.kind not in "iuf" or dtype.itemsize > 4:
        raise Unproved("the image is not 3D or 4D, or its values are stored in a type that is not expected")
    qform, code = image.get_qform(coded=True)
    if image.header["sform_code"] == 0 or (code and not np.allclose(qform, image.affine, atol=1e-3)):
        raise Unproved("the image's two affines disagree, or it has none")


def _place(
    claim: Claim, voxel_from_lps: np.ndarray, shape: tuple[int, ...]
) -> tuple[int, int, int, list[bool]]:
    """Return the axes along rows and columns, the plane on the third, and which of the two run backwards."""
    spans = [claim.along_row * (claim.shape[1] - 1), claim.along_column * (claim.shape[0] - 1)]
    start = voxel_from_lps[:3] @ [*claim.corner, 1]
    axes, backwards = [], []
    for span, count in zip(spans, claim.shape[::-1], strict=True):
        steps = voxel_from_lps[:3, :3] @ span
        axis = int(np.abs(steps).argmax())
        ideal = np.zeros(3)
        ideal[axis] = np.sign(steps[axis]) * (count - 1)
        begin = 0 if steps[axis] > 0 else count - 1
        off_across = np.abs(np.delete(steps - ideal, axis)).max()
        if (
            shape[axis] != count
            or abs(steps[axis] - ideal[axis]) > _IN_PLANE
            or off_across > _ACROSS
            or abs(start[axis] - begin) > _ACROSS
        ):
            raise Unproved("a frame's rows and columns do not lie on the image's grid")
        axes.append(axis)
        backwards.append(steps[axis] < 0)
    if axes[0] == axes[1]:
        raise Unproved("a frame's rows and columns do not lie on the image's grid")
    across = 3 - sum(axes)
    plane = round(float(start[across]))
    if abs(start[across] - plane) > _ACROSS or not 0 <= plane < shape[across]:
        raise Unproved("a frame's position is between the image's planes, or outside of it")
    return axes[0], axes[1], plane, backwards


def _share(claims: list[Claim], plan: dict) -> list[Claim]:
    """Return the claims of the plan's part; each file must have some, and they must share one echo."""
    mine = [claim for claim in claims if belongs(claim.file, claim.number, plan.get("part") or {})]
    if {id(claim.file) for claim in mine} != {id(claim.file) for claim in claims}:
        raise Unproved("a file holds no frame of the part of the series that the image is to show")
    echoes = [float(claim.echo) for claim in mine if claim.echo not in (None, "")]
    if echoes and max(echoes) - min(echoes) > _ONE_ECHO_MS:
        raise Unproved("the frames have different echo times")
    return mine


def _lean(claims: list[Claim]) -> bool:
    """Say whether the slices of a CT lean or lie unevenly, so that no grid can hold them as they are."""
    first = claims[0]
    normal = np.cross(first.along_row, first.along_column)
    normal /= np.linalg.norm(normal)
    offsets = np.array([claim.corner - first.corner for claim in claims])
    depths = np.sort(offsets @ normal)
    gaps = np.diff(depths)
    if any(claim.file.get("Modality") != "CT" for claim in claims) or len(gaps) < 1 or gaps.min() <= 0:
        return False
    steps = np.median(gaps) * np.rint(gaps / np.median(gaps))  # a missing slice is no uneven one
    aside = np.abs(offsets - np.outer(offsets @ normal, normal)).max()
    return bool(
        aside > _ACROSS * np.linalg.norm(first.along_row)
        or np.abs(gaps - steps).max() > _ACROSS * np.median(gaps)
    )


def _weightings(claims: list[Claim]) -> list:
    """Return the diffusion weighting of each frame; what says nothing has none (Toshiba, b = 0)."""
    try:
        return [gradients.weighting_of(claim.file, claim.number) or (0.0, None) for claim in claims]
    except gradients.Unclear as fault:
        raise Unproved(str(fault)) from None


def _shown(claim: Claim) -> resampled.Shown:
    values = readable(claim.file, Reader(TAGS))[claim.number] * claim.slope + claim.intercept
    thickness = leaf(claim.file, claim.number, "PixelMeasuresSequence", "SliceThickness", "SliceThickness")
    return resampled.Shown(
        claim.corner, claim.along_row, claim.along_column, values, float(thickness or "nan")
    )


def _compare(
    claims: list[Claim], image, voxels: np.ndarray, plan: dict, texts: tuple[str, str], faults: Counter
) -> dict:
    """Count the faults between claims and image; return what the record says of it."""
    if _lean(claims):
        shown = [_shown(claim) for claim in claims]
        slope, intercept = nifti.scaling(image)
        exact_air = float((resampled.AIR_HU - intercept) / slope).is_integer()
        rounding = abs(slope) * (0.5 if exact_air else 1.0)
        faults.update(resampled.faults(shown, voxels * slope + intercept, image.affine, rounding))
        return {"resampled": True}
    voxel_from_lps = np.linalg.inv(image.affine) @ np.diag([-1.0, -1, 1, 1])
    places = [_place(claim, voxel_from_lps, voxels.shape) for claim in claims]
    if len({(row, column) for row, column, _, _ in places}) != 1:
        raise Unproved("the frames do not share one orientation")
    row, column = places[0][:2]
    by_plane = np.moveaxis(voxels.reshape(*voxels.shape[:3], -1), 3 - row - column, 2)
    weightings = _weightings(claims) if any(texts) or plan.get("datatype") == "dwi" else None
    turns = turns_of(claims, [place[2] for place in places], by_plane.shape[3], weightings)
    if weightings:
        faults.update(gradient_faults(weightings, turns, texts, image.affine))
    scale = nifti.scaling(image)
    current, pixels, reader = None, None, Reader(TAGS)
    for claim, (*_, plane, backwards), turn in zip(claims, places, turns, strict=True):
        if claim.file is not current:
            current, pixels = claim.file, readable(claim.file, reader)
        found = by_plane[:, :, plane, turn]
        found = found.T if row < column else found  # now (along the column, along the row)
        found = found[:: -1 if backwards[1] else 1, :: -1 if backwards[0] else 1]
        if not _same(found, scale, pixels[claim.number], (claim.slope, claim.intercept)):
            faults["a frame's values are not those of the image's plane at its place"] += 1
    unclaimed = sorted(set(range(by_plane.shape[2])) - {place[2] for place in places})
    lowest = voxels.min() if unclaimed else 0
    for plane in unclaimed:
        if "missing_slices" not in plan.get("accept", ()) or (by_plane[:, :, plane] != lowest).any():
            faults["a plane of the image belongs to no frame"] += 1
    return {"filled": unclaimed}


def _same(
    found: np.ndarray, scale: tuple[float, float], pixels: np.ndarray, own: tuple[float, float]
) -> bool:
    """Say whether a plane holds the frame's values: exactly where both scale alike, else as float32."""
    if found.shape != pixels.shape:
        return False
    if found.dtype.kind in "iu" and np.array_equal(np.float32(scale), np.float32(own)):
        return np.array_equal(found, pixels)
    wanted = pixels.astype(np.float64) * own[0] + own[1]
    values = found.astype(np.float64) * scale[0] + scale[1]
    return bool((np.abs(values - wanted) <= 2.0**-22 * (np.abs(wanted) + abs(own[1]))).all())
