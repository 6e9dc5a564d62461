"""When volumes and planes were acquired: the repetition time, and the slice times of a bold image."""

import numpy as np
import pydicom

from efface import dicom
from efface.convert import mosaic
from efface.convert.stack import Stack
from efface.errors import Held

_AGREE = 0.02  # of the repetition time
_REPETITION_TIME = ("MRTimingAndRelatedParametersSequence.RepetitionTime", "RepetitionTime")


def interval_s(headers: list[pydicom.Dataset], order: Stack, strict: bool) -> float:
    """Return RepetitionTime in seconds, 0 when the headers do not have it.

    Raises
    ------
    Held
        When `strict`, and the volumes' acquisition times say otherwise (several shots or echoes a volume).
    """
    first = order.volumes[0][0]
    values = [dicom.frame_value(headers[first.source], path, first.number) for path in _REPETITION_TIME]
    said_s = next((found[0] for value in values if (found := dicom.numbers(value))), 0.0) / 1000
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
    """Return when each plane K of the first volume was acquired, from its start, in seconds.

    Parameters
    ----------
    planes : list of int
        The plane K of each frame of a volume.

    Returns
    -------
    list of float
        Empty when the header does not tell all planes' times, or they do not fit into one repetition.
    """
    volume = order.volumes[0]
    header = headers[volume[0].source]
    if mosaic.is_mosaic(header):
        by_tile = mosaic.csa_values(header, "MosaicRefAcqTimes")  # ms
        times = [by_tile[frame.number] / 1000 for frame in volume] if len(by_tile) == len(volume) else []
    else:
        times = [frame.when["AcquisitionTime"] for frame in volume if "AcquisitionTime" in frame.when]
    if len(times) != order.planes or len(set(times)) < 2 or not _ticks(times):
        return []
    start = min(times)
    if max(times) - start >= repetition_s:
        return []
    placed = dict(zip(planes, times, strict=True))
    return [round(placed[plane] - start, 6) for plane in range(order.planes)]


def _ticks(times: list[float]) -> bool:
    return any(time % 1 for time in times)
