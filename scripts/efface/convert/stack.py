"""Frames in order: volume by volume, plane by plane; what is not one regular grid is refused by name.

Planes are ordered by position and volumes by time. InstanceNumber never orders planes, and volumes only where
the header says how many there are and nothing better is left (GE's classic series).
"""

from dataclasses import dataclass

import numpy as np

from efface.convert import tilt
from efface.convert.frames import Frame
from efface.errors import Held

FEWEST_PLANES, FEWEST_OF_SEVERAL = 4, 2  # of one volume (fewer are a localizer), and of several
_SAME_PLACE_MM = 0.01
_UNEVEN = 0.05  # of the distance between planes
_MOST_MISSING = 0.1  # of the planes: beyond that the distances are a pattern, not an accident
_SHEAR = 0.1  # of a pixel, over the whole stack
_TILT_DEGREES = 0.1


@dataclass(frozen=True, eq=False)
class Stack:
    """One image's frames.

    Parameters
    ----------
    volumes : list of lists of Frame
        Planes ascend along the first frame's normal.
    missing : list of int
        Places in the full grid, counted from 0, where no frame lies.
    step : (3,) array
        From one plane to the next, in patient coordinates (LPS+, mm).
    upright : tilt.Plan or None
        The grid that a tilted or uneven CT has to be resampled on.
    """

    volumes: list[list[Frame]]
    missing: list[int]
    step: np.ndarray
    upright: tilt.Plan | None = None

    @property
    def planes(self) -> int:
        """How many planes the full grid has."""
        return len(self.volumes[0]) + len(self.missing)

    @property
    def places(self) -> list[int]:
        """The place in the full grid of each plane that is there."""
        return [place for place in range(self.planes) if place not in self.missing]


def stack(frames: list[Frame], accept: tuple[str, ...] = ()) -> Stack:
    """Return the frames of one image in order.

    Parameters
    ----------
    accept : of {"missing_slices"}
        What a person has accepted.

    Raises
    ------
    Held
        When they are not all of one kind, or not on one regular grid, each place once in each volume.
    """
    _check_alike(frames)
    places = _by_place(frames)
    fewest = FEWEST_PLANES if len(frames) < 2 * len(places) else FEWEST_OF_SEVERAL
    if len(places) < fewest:
        raise Held("too few slices", expected=f"at least {fewest} positions", found=str(len(places)))
    _check_counts(places)
    if frames[0].modality == "CT" and len(places[0]) == 1 and not _is_even(places):
        return _tilted([place[0] for place in places])
    _check_straight(places)
    missing = _missing(places)
    if missing and "missing_slices" not in accept:
        total, first = len(places) + len(missing), missing[0]
        verb = "is" if len(missing) == 1 else "are"
        raise Held(
            f"{len(missing)} of {total} slice positions {verb} missing (after position {first})",
            todo="keep the series in the overrides to fill them with the lowest value",
        )
    first, last = places[0][0], places[-1][0]
    step = (last.position - first.position) / (len(places) + len(missing) - 1)
    return Stack(_volumes(places), missing, step)


def _is_even(places: list[list[Frame]]) -> bool:
    """Say whether planes lie on one straight line at even distances, but for missing ones."""
    try:
        _check_straight(places)
        _missing(places)
    except Held:
        return False
    return True


def _tilted(planes: list[Frame]) -> Stack:
    """Return the slices of a CT with the upright, even grid that they are to be resampled on."""
    first = planes[0]
    positions = np.array([frame.position for frame in planes])
    thickness = np.array([frame.thickness for frame in planes])
    plan = tilt.upright(positions, first.row, first.column, first.spacing, first.shape, thickness)
    return Stack([planes], [], (positions[-1] - positions[0]) / (len(planes) - 1), plan)


def _check_alike(frames: list[Frame]) -> None:
    first = frames[0]
    if len({frame.shape for frame in frames}) > 1:
        raise Held("the frames differ in size (Rows, Columns)", todo="split the series")
    if any(not np.allclose([f.row, f.column], [first.row, first.column], atol=1e-3) for f in frames):
        raise Held("the frames differ in orientation", todo="split the series, or drop it if a localizer")
    if any(not np.allclose(frame.spacing, first.spacing, rtol=1e-3) for frame in frames):
        raise Held("the frames differ in PixelSpacing", todo="split the series")
    if any(frame.slope == 0 for frame in frames):
        raise Held("RescaleSlope is 0", expected="a slope that keeps the values apart")


def _by_place(frames: list[Frame]) -> list[list[Frame]]:
    normal = frames[0].normal
    ordered = sorted(frames, key=lambda frame: float(frame.position @ normal))
    places = [[ordered[0]]]
    for frame in ordered[1:]:
        if (frame.position - places[-1][0].position) @ normal > _SAME_PLACE_MM:
            places.append([])
        places[-1].append(frame)
    return places


def _check_counts(places: list[list[Frame]]) -> None:
    counts = [len(place) for place in places]
    usual = max(set(counts), key=counts.count)
    odd = [number for number, count in enumerate(counts, 1) if count != usual]
    if odd and usual == 1:
        raise Held(f"{len(odd)} slice positions hold more than one frame (duplicates; first at {odd[0]})")
    if odd:
        raise Held(
            f"{len(odd)} of {len(places)} slice positions do not hold {usual} frames (incomplete volumes)",
            found=f"{counts[odd[0] - 1]} at position {odd[0]}",
        )


def _check_straight(places: list[list[Frame]]) -> None:
    """Refuse planes that are shifted against one another: a tilted gantry, or two stacks side by side."""
    first = places[0][0]
    offsets = np.array([frame.position - first.position for place in places for frame in place])
    along = offsets @ first.normal
    drift = offsets - np.outer(along, first.normal)
    slant = (drift[-1] / along[-1]) if along[-1] else np.zeros(3)
    pixel = min(first.spacing)
    if np.abs(drift - np.outer(along, slant)).max() > _SHEAR * pixel:
        raise Held("the slices do not lie on one straight line", todo="split the series")
    degrees = float(np.degrees(np.arctan(np.linalg.norm(slant))))
    if degrees > _TILT_DEGREES and np.abs(drift).max() > _SHEAR * pixel:
        raise Held(
            f"the slices are sheared by {degrees:.1f} degrees",
            todo="only a CT's tilted gantry is undone: drop the series",
        )


def _missing(places: list[list[Frame]]) -> list[int]:
    """Return the places, in the full grid, that no frame fills; refuse distances that fit no grid."""
    first = places[0][0]
    along = np.array([(place[0].position - first.position) @ first.normal for place in places])
    gaps = np.diff(along)
    step = float(np.median(gaps))
    steps = np.rint(gaps / step).astype(int)
    gaping = steps.sum() - len(steps) > _MOST_MISSING * len(places)
    if steps.min() < 1 or gaping or np.abs(gaps - steps * step).max() > _UNEVEN * step:
        raise Held(
            "the distances between slices are uneven",
            expected="equal distances",
            found=f"a largest {gaps.max() / gaps.min():.2f} times the smallest, over {len(places)} slices",
        )
    index = np.concatenate([[0], np.cumsum(steps)])
    if np.abs(along - index * along[-1] / index[-1]).max() > 2 * _UNEVEN * step:
        raise Held("the distances between slices drift", expected="equal distances", found="a trend")
    return sorted(set(range(index[-1] + 1)) - set(index.tolist()))


def _volumes(places: list[list[Frame]]) -> list[list[Frame]]:
    count = len(places[0])
    if count == 1:
        return [[place[0] for place in places]]
    first = places[0][0]
    for key in first.when:
        if key == "InstanceNumber" and not first.weighting and first.temporal_positions != count:
            continue
        if all(len({frame.when.get(key) for frame in place} - {None}) == count for place in places):
            ordered = [sorted(place, key=lambda frame, key=key: frame.when[key]) for place in places]
            volumes = [list(volume) for volume in zip(*ordered, strict=True)]
            if all(len({frame.weighting for frame in volume}) == 1 for volume in volumes):
                return volumes
    if first.weighting and all(len({frame.weighting for frame in place}) == count for place in places):
        return _by_weighting(places)
    raise Held(
        f"each slice position holds {count} frames and no attribute tells their order",
        todo="they are duplicates, or several images in one series",
    )


def _by_weighting(places: list[list[Frame]]) -> list[list[Frame]]:
    """Return the volumes of a diffusion image that only their weighting tells apart, by first numbers."""
    volumes: dict[object, list[Frame]] = {}
    for place in places:
        for frame in place:
            volumes.setdefault(frame.weighting, []).append(frame)
    if any(len(volume) != len(places) for volume in volumes.values()):
        raise Held("the slice positions do not all have the same diffusion weightings")

    def first(volume: list[Frame]) -> tuple:
        number = min(frame.when.get("InstanceNumber", 0) for frame in volume)
        return number, volume[0].weighting.b_value, volume[0].weighting.direction or ()

    return sorted(volumes.values(), key=first)
