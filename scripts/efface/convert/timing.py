"""When volumes and planes were acquired: repetition time, slice times, the frames of a dynamic scan."""

from collections.abc import Callable, Iterator

import numpy as np
import pydicom
from pydicom.values import convert_SQ

from efface import dicom
from efface.convert import mosaic
from efface.convert.frames import Frame
from efface.convert.private import csa_values, made_by, private_numbers
from efface.convert.stack import Stack
from efface.errors import Held

_SIEMENS_TILE_TIMES = 0x00191029
_GE_TIMER, _GE_DELAY = 0x0021105E, 0x0043107C
_UIH_TILES = 0x00651051
WANTED = (
    *("RepetitionTime", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("Manufacturer", "TriggerTime", "ActualFrameDuration", 0x00190010, 0x00210010, 0x00430010, 0x00650010),
    *(_SIEMENS_TILE_TIMES, _GE_TIMER, _GE_DELAY, _UIH_TILES),
)
"""What a file must be read with besides `frames.WANTED`."""

_AGREE = 0.02  # of the repetition time
_SAME_S = 0.001
_DURATION = ("ActualFrameDuration", "FrameContentSequence.FrameAcquisitionDuration")  # ms
_REPETITION_TIME = ("MRTimingAndRelatedParametersSequence.RepetitionTime", "RepetitionTime")


def interval_s(headers: list[pydicom.Dataset], order: Stack, strict: bool) -> float:
    """Return RepetitionTime in seconds, 0 when the headers do not have it.

    Raises
    ------
    Held
        When `strict`, and the volumes' acquisition times say otherwise (several shots or echoes a volume).
    """
    first = order.volumes[0][0]
    header = headers[first.source]
    values = [dicom.frame_value(header, path, first.number) for path in _REPETITION_TIME]
    said_s = next((found[0] for value in values if (found := dicom.numbers(value))), 0.0) / 1000
    if said_s and made_by(header, "ge"):
        # A pause after each volume, which GE's RepetitionTime leaves out.
        said_s += next((delay for delay in private_numbers(header, _GE_DELAY, "f") if delay > 0), 0.0)
    starts = [min(frame.when.get("AcquisitionTime", 0) for frame in volume) for volume in order.volumes]
    measured_s = float(np.median(np.diff(starts)))
    # A clock that counts whole seconds, or that stands still, measures nothing.
    if strict and _ticks(starts) and measured_s > 0 and abs(measured_s - said_s) > max(_AGREE * said_s, 0.05):
        raise Held(
            "RepetitionTime disagrees with the time from volume to volume",
            todo="check whether the series is a bold image of one volume a repetition",
        )
    return round(said_s, 6)


def slice_times_s(
    headers: list[pydicom.Dataset], order: Stack, planes: list[int], repetition_s: float
) -> list[float]:
    """Return when each plane K of a volume was acquired, from the volume's start, in seconds.

    The second volume counts: on GE's scanners the first one's timer is often wrong.

    Parameters
    ----------
    planes : list of int
        The plane K of each frame of a volume.

    Returns
    -------
    list of float
        Empty when the headers do not tell all planes' times, they do not fit into one repetition, or the last
        volume's are others.
    """
    usual, last = order.volumes[:2][-1], order.volumes[-1]
    times, again = (_offsets_s(headers, volume, order.planes, repetition_s) for volume in (usual, last))
    if not times or not again or np.abs(np.subtract(times, again)).max() > max(_AGREE * repetition_s, 0.01):
        return []
    placed = dict(zip(planes, times, strict=True))
    return [round(placed[plane], 6) for plane in range(order.planes)]


def frame_times_s(headers: list[pydicom.Dataset], order: Stack) -> tuple[list[float], list[float]]:
    """Return when each volume of a dynamic scan starts, from the first one's start, and how long it lasts.

    Returns
    -------
    starts, durations : lists of float
        In seconds, one a volume. Each is empty where a plane does not tell, where planes of a volume differ
        (several beds), or where a volume starts before another ends.
    """
    durations = _of_volumes(order, lambda frame: _duration_s(headers[frame.source], frame.number))
    starts = _of_volumes(order, lambda frame: frame.when.get("AcquisitionTime"))
    # FrameReferenceTime lies somewhere in the frame (PS3.3 C.8.9.4.1.5): where depends on scanner and
    # duration, so it tells starts only where durations are equal.
    if len(set(starts)) < len(order.volumes) and len(set(durations)) == 1:
        references = _of_volumes(order, lambda frame: frame.when.get("FrameReferenceTime"))
        starts = [time / 1000 for time in references]
    if not starts:
        return [], durations
    unsure_s = 0.0 if _ticks(starts) else 1.0  # a clock that counts whole seconds
    needed_s = np.array(durations or [0.0] * len(starts))[:-1] * (1 - _AGREE) - unsure_s
    gaps = np.diff(starts)
    if (gaps <= 0).any() or (gaps < needed_s).any():
        return [], durations
    return [round(start - starts[0], 6) for start in starts], durations


def _offsets_s(
    headers: list[pydicom.Dataset], volume: list[Frame], planes: int, repetition_s: float
) -> list[float]:
    for times in _clocks_s(headers, volume):
        known = len(times) == planes and None not in times
        if known and len(set(times)) > 1 and _ticks(times) and max(times) - min(times) < repetition_s:
            return [time - min(times) for time in times]
    if made_by(headers[volume[0].source], "ge"):
        # Old releases count the timer in 1/10000 s: then, and only then, a volume fills most of a repetition.
        times = [time * 1e-4 for time in _timer(headers, volume)]
        if len(times) == planes and repetition_s / 2 < max(times) - min(times) < repetition_s:
            return [time - min(times) for time in times]
    return []


def _clocks_s(headers: list[pydicom.Dataset], volume: list[Frame]) -> Iterator[list[float | None]]:
    """Yield the frames' times by each clock that the vendor keeps, in seconds, the best first."""
    header = headers[volume[0].source]
    if made_by(header, "uih") and _UIH_TILES in header:
        items = header[_UIH_TILES].value
        # A sequence of an unknown kind may come as its bytes, in implicit VR little endian (PS3.5 6.2.2).
        items = convert_SQ(items, True, True) if isinstance(items, bytes) else items
        yield [_item_s(items[frame.number]) for frame in volume] if len(items) == len(volume) else []
        return
    if mosaic.is_mosaic(header):
        tiles = csa_values(header, "MosaicRefAcqTimes")  # ms
        if not tiles and made_by(header, "siemens"):
            tiles = private_numbers(header, _SIEMENS_TILE_TIMES, "d")
        yield [tiles[frame.number] / 1000 for frame in volume] if len(tiles) == len(volume) else []
        return
    yield [frame.when.get("AcquisitionTime") for frame in volume]
    said = [
        dicom.frame_value(headers[frame.source], "FrameContentSequence.FrameReferenceDateTime", frame.number)
        for frame in volume
    ]
    yield [dicom.seconds(value) for value in said]
    if made_by(header, "ge"):
        yield _timer(headers, volume)
        yield [frame.when["TriggerTime"] / 1000 if "TriggerTime" in frame.when else None for frame in volume]


def _timer(headers: list[pydicom.Dataset], volume: list[Frame]) -> list[float]:
    return [time for frame in volume for time in private_numbers(headers[frame.source], _GE_TIMER)[:1]]


def _item_s(item: pydicom.Dataset) -> float | None:
    joined = dicom.seconds(item.get("AcquisitionDateTime"))
    return joined or dicom.seconds(item.get("AcquisitionDate") or "20000101", item.get("AcquisitionTime"))


def _duration_s(header: pydicom.Dataset, number: int) -> float | None:
    values = [dicom.numbers(dicom.frame_value(header, path, number)) for path in _DURATION]
    return next((found[0] / 1000 for found in values if len(found) == 1 and found[0] > 0), None)


def _of_volumes(order: Stack, told: Callable[[Frame], float | None]) -> list[float]:
    """Return what all frames of each volume tell alike, one number a volume, or an empty list."""
    found = []
    for volume in order.volumes:
        values = [told(frame) for frame in volume]
        if None in values or max(values) - min(values) > _SAME_S:
            return []
        found.append(values[0])
    return found


def _ticks(times: list[float]) -> bool:
    return any(time % 1 for time in times)
