"""The judge of a conversion: every DICOM frame is in the image, once, where its header says, value for value.

It predicts from each frame's own position, orientation, spacing and rescale which voxels it must be, and
compares.
"""

from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np

from efface import nifti
from efface.claims import CLOCKS, Claim, Unproved, claims_of, distinct, readable

_IN_PLANE, _ACROSS = 0.05, 0.1  # of a voxel: how far a predicted place may be from the grid


def prove(files: list[Path], image_path: Path, accept: tuple[str, ...] = ()) -> dict:
    """Return the verdict on one converted image.

    Parameters
    ----------
    files : list of Path
        All DICOM files that the image was made from.
    image_path : Path
        The NIfTI file.
    accept : of {"missing_slices"}
        With it, a plane that no frame claims may hold the lowest stored value throughout.

    Returns
    -------
    dict
        decision ("proved" or "held"), reasons, frames, planes, volumes, shape, dtype, filled.
    """
    image = nifti.read(image_path)
    voxels, faults = nifti.stored(image), Counter()
    record = {"shape": list(voxels.shape), "dtype": str(voxels.dtype), "frames": 0, "filled": []}
    try:
        _check_header(image)
        claims = list(chain.from_iterable(claims_of(file) for file in distinct(files)))
        record |= {"frames": len(claims), "filled": _compare(claims, image, voxels, accept, faults)}
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


def _compare(claims: list[Claim], image, voxels: np.ndarray, accept, faults: Counter) -> list[int]:
    """Count the faults between claims and image; return the planes that are filled."""
    voxel_from_lps = np.linalg.inv(image.affine) @ np.diag([-1.0, -1, 1, 1])
    places = [_place(claim, voxel_from_lps, voxels.shape) for claim in claims]
    if len({(row, column) for row, column, _, _ in places}) != 1:
        raise Unproved("the frames do not share one orientation")
    if len({claim.echo for claim in claims}) > 1:
        raise Unproved("the frames have different echo times")
    row, column = places[0][:2]
    by_plane = np.moveaxis(voxels.reshape(*voxels.shape[:3], -1), 3 - row - column, 2)
    turns = _turns(claims, [place[2] for place in places], by_plane.shape[3])
    scale = nifti.scaling(image)
    current, pixels = None, None
    for claim, (*_, plane, backwards), turn in zip(claims, places, turns, strict=True):
        if claim.file is not current:
            current, pixels = claim.file, readable(claim.file)
        found = by_plane[:, :, plane, turn]
        found = found.T if row < column else found  # now (along the column, along the row)
        found = found[:: -1 if backwards[1] else 1, :: -1 if backwards[0] else 1]
        if not _same(found, scale, pixels[claim.number], (claim.slope, claim.intercept)):
            faults["a frame's values are not those of the image's plane at its place"] += 1
    unclaimed = sorted(set(range(by_plane.shape[2])) - {place[2] for place in places})
    lowest = voxels.min() if unclaimed else 0
    for plane in unclaimed:
        if "missing_slices" not in accept or (by_plane[:, :, plane] != lowest).any():
            faults["a plane of the image belongs to no frame"] += 1
    return unclaimed


def _turns(claims: list[Claim], planes: list[int], volumes: int) -> list[int]:
    """Return the volume each frame belongs to; every clock that tells the frames apart must agree."""
    groups: dict[int, list[int]] = {}
    for number, plane in enumerate(planes):
        groups.setdefault(plane, []).append(number)
    if any(len(group) != volumes for group in groups.values()):
        raise Unproved("a plane of the image has more or fewer frames than the image has volumes")
    if volumes == 1:
        return [0] * len(claims)
    clocks = [[claim.clocks.get(name) for claim in claims] for name in CLOCKS]
    orders = [order for clock in clocks if (order := _order(groups, clock))]
    if not orders and all(claim.file.get("NumberOfTemporalPositions") == volumes for claim in claims):
        orders = [_order(groups, [claim.file.get("InstanceNumber") for claim in claims])]
    if not orders or not orders[0] or any(order != orders[0] for order in orders):
        raise Unproved("the order of the volumes cannot be proved: no clock tells it, or two disagree")
    return orders[0]


def _order(groups: dict[int, list[int]], clock: list) -> list[int]:
    """Return each frame's rank at its plane by one clock, an empty list when it does not tell all apart."""
    turns = [0] * len(clock)
    for group in groups.values():
        ticks = [clock[number] for number in group]
        if None in ticks or len(set(ticks)) != len(ticks):
            return []
        for turn, number in enumerate(sorted(group, key=clock.__getitem__)):
            turns[number] = turn
    return turns


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
