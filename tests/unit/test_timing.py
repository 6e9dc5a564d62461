"""Repetition time, slice times and the frames of dynamic scans: by each vendor's clock, or not at all."""

import struct

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from efface.convert.frames import Frame
from efface.convert.stack import Stack
from efface.convert.timing import frame_times_s, interval_s, slice_times_s
from efface.errors import Held

ORDER = [0.0, 1.0, 0.5, 1.5]  # seconds from the start of a volume, plane by plane
PLANES = [0, 1, 2, 3]
NOON = 43200.0
X, Y, Z = np.eye(3)


def made(maker="", **attributes):
    header = Dataset()
    header.Manufacturer = maker
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    return header


def series(when, maker="", volumes=3, planes=4, **attributes):
    """Return headers and order of one file a plane; `when(volume, plane)` gives each frame's clocks."""
    headers, ordered = [], []
    for volume in range(volumes):
        frames = []
        for plane in range(planes):
            position = np.array([0.0, 0, plane])
            clocks = when(volume, plane)
            frames.append(Frame(len(headers), 0, position, X, Y, (1.0, 1.0), (8, 8), when=clocks))
            headers.append(made(maker, **attributes))
        ordered.append(frames)
    return headers, Stack(ordered, [], Z)


def mosaics(volumes=2, **attributes):
    """Return headers and order of one picture a volume."""
    headers = [made(**attributes) for _ in range(volumes)]
    ordered = [
        [Frame(n, tile, np.array([0.0, 0, tile]), X, Y, (1.0, 1.0), (8, 8)) for tile in range(4)]
        for n in range(volumes)
    ]
    return headers, Stack(ordered, [], Z)


def encoded(items):
    """Return a sequence as its bytes in implicit VR little endian."""
    whole = Dataset()
    whole.ReferencedImageSequence = Sequence(items)
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = True, True
    write_dataset(buffer, whole)
    return buffer.getvalue()[8:]  # after the tag and the length


def acquired(volume, plane):
    return {"AcquisitionTime": NOON + 2 * volume + ORDER[plane] + 0.25}


def test_slice_times_by_acquisition_time_follow_the_planes():
    headers, order = series(acquired)
    assert slice_times_s(headers, order, PLANES, 2.0) == ORDER
    assert slice_times_s(headers, order, PLANES[::-1], 2.0) == ORDER[::-1]


def test_times_that_do_not_fit_into_one_repetition_are_none():
    headers, order = series(acquired)
    assert slice_times_s(headers, order, PLANES, 1.5) == []


@pytest.mark.parametrize(
    "when",
    [
        lambda volume, plane: {"AcquisitionTime": NOON + 2 * volume + 0.25},  # one time a volume
        lambda volume, plane: {"AcquisitionTime": NOON + 2 * volume + plane // 2},  # whole seconds
        lambda volume, plane: acquired(volume, plane) if plane else {},
        lambda volume, plane: {
            "AcquisitionTime": acquired(volume, (plane + (volume == 2)) % 4)["AcquisitionTime"]
        },
        lambda volume, plane: {},
    ],
    ids=["volume", "seconds", "one-missing", "last-volume-differs", "none"],
)
def test_a_clock_that_does_not_tell_all_planes(when):
    headers, order = series(when)
    assert slice_times_s(headers, order, PLANES, 2.0) == []


def test_a_missing_plane_gives_no_times():
    headers, order = series(acquired)
    assert slice_times_s(headers, Stack(order.volumes, [4], Z), PLANES, 2.0) == []


def test_the_second_volume_counts_and_jitter_is_forgiven():
    def when(volume, plane):
        early = plane * 0.1 if volume == 0 else ORDER[plane] + 0.0025 * (volume == 2)
        return {"AcquisitionTime": NOON + 2 * volume + early + 0.25}

    headers, order = series(when)
    assert slice_times_s(headers, order, PLANES, 2.0) == ORDER
    single = Stack(order.volumes[:1], [], Z)
    assert slice_times_s(headers, single, PLANES, 2.0) == [0, 0.1, 0.2, 0.3]


def test_frame_reference_times_stand_in_for_acquisition_times():
    header = made("Siemens Healthineers")
    items = []
    for time in (*ORDER, *(2 + offset for offset in ORDER)):
        content, item = Dataset(), Dataset()
        content.FrameReferenceDateTime = f"2020010112000{time + 0.25:.6f}"
        item.FrameContentSequence = Sequence([content])
        items.append(item)
    header.PerFrameFunctionalGroupsSequence = Sequence(items)
    frames = [Frame(0, n, np.array([0.0, 0, n % 4]), X, Y, (1.0, 1.0), (8, 8)) for n in range(8)]
    order = Stack([frames[:4], frames[4:]], [], Z)
    assert slice_times_s([header], order, PLANES, 2.0) == ORDER


@pytest.mark.parametrize(("unit", "expected"), [(1.0, ORDER), (1e4, ORDER), (1e3, []), (2e4, [])])
def test_ges_timer_counts_seconds_or_ten_thousandths(unit, expected):
    headers, order = series(lambda volume, plane: {"AcquisitionTime": NOON}, "GE MEDICAL SYSTEMS")
    for number, header in enumerate(headers):
        time = (2 * (number // 4) + ORDER[number % 4] + 0.25) * unit
        header.add_new(0x0021105E, "DS", f"{time:.6f}")
    assert slice_times_s(headers, order, PLANES, 2.0) == expected
    for header in headers:
        header.Manufacturer = "Philips"
    assert slice_times_s(headers, order, PLANES, 2.0) == []


def test_ges_trigger_time():
    def when(volume, plane):
        return {"TriggerTime": 1000 * ORDER[plane] + 2.5}

    assert slice_times_s(*series(when, "GE MEDICAL SYSTEMS"), PLANES, 2.0) == ORDER
    assert slice_times_s(*series(when, "SIEMENS"), PLANES, 2.0) == []


@pytest.mark.parametrize("lost", [False, True])
def test_siemens_tiles_without_their_csa_header(lost):
    headers, order = mosaics(Manufacturer="SIEMENS", ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    for header in headers:
        times = [1000 * offset for offset in ORDER]
        header.add_new(0x00191029, "UN" if lost else "FD", struct.pack("<4d", *times) if lost else times)
    assert slice_times_s(headers, order, PLANES[::-1], 2.0) == ORDER[::-1]
    headers[1][0x00191029].value = [0.0, 500.0]
    assert slice_times_s(headers, order, PLANES, 2.0) == []


@pytest.mark.parametrize("form", ["apart", "joined", "bytes"])
def test_united_imagings_tiles_tell_their_times(form):
    headers, order = mosaics(Manufacturer="UIH", ImageType=["ORIGINAL", "PRIMARY", "M", "VFRAME"])
    for number, header in enumerate(headers):
        items = []
        for offset in ORDER:
            item, time = Dataset(), f"1159{50.25 + 2 * number + offset:09.6f}"
            if form == "joined":
                item.AcquisitionDateTime = f"20200101{time}"
            else:
                item.AcquisitionDate, item.AcquisitionTime = "20200101", time
            items.append(item)
        if form == "bytes":
            header.add_new(0x00651051, "UN", encoded(items))
        else:
            header.add_new(0x00651051, "SQ", Sequence(items))
    assert slice_times_s(headers, order, PLANES, 2.0) == ORDER
    headers[1].add_new(0x00651051, "SQ", Sequence(items))
    headers[1][0x00651051].value[3] = Dataset()
    assert slice_times_s(headers, order, PLANES, 2.0) == []
    headers[1][0x00651051].value.pop()
    assert slice_times_s(headers, order, PLANES, 2.0) == []


def test_the_repetition_time_is_the_headers():
    headers, order = series(acquired, RepetitionTime=2000)
    assert interval_s(headers, order, strict=True) == 2.0
    headers, order = series(acquired, RepetitionTime=1000)
    assert interval_s(headers, order, strict=False) == 1.0
    with pytest.raises(Held, match="RepetitionTime disagrees"):
        interval_s(headers, order, strict=True)
    headers, order = series(acquired)
    assert interval_s(headers, order, strict=False) == 0


@pytest.mark.parametrize(
    ("maker", "delay", "expected"),
    [
        ("GE MEDICAL SYSTEMS", ("FL", 0.055), 2.055),
        ("GE MEDICAL SYSTEMS", ("UN", struct.pack("<f", 0.055)), 2.055),
        ("GE MEDICAL SYSTEMS", ("FL", 0.0), 2.0),
        ("SIEMENS", ("FL", 0.055), 2.0),
    ],
)
def test_ges_repetition_time_leaves_out_the_pause_after_a_volume(maker, delay, expected):
    headers, order = series(lambda volume, plane: {"AcquisitionTime": NOON}, maker, RepetitionTime=2000)
    for header in headers:
        header.add_new(0x0043107C, *delay)
    assert interval_s(headers, order, strict=True) == expected


def dynamic(starts, durations, clock="AcquisitionTime", unit=1.0, base=NOON):
    """Return a dynamic PET: starts and durations in seconds."""
    headers, order = series(
        lambda volume, plane: {clock: (base + starts[volume]) * unit}, volumes=len(starts)
    )
    for number, header in enumerate(headers):
        if durations:
            header.ActualFrameDuration = round(1000 * durations[number // 4])
    return headers, order


def test_frames_of_a_dynamic_scan_by_acquisition_time():
    starts, durations = [0, 10, 20, 50], [10, 10, 30, 60]
    assert frame_times_s(*dynamic(starts, durations)) == (starts, durations)
    assert frame_times_s(*dynamic(starts, [])) == (starts, [])


def test_whole_seconds_are_forgiven_and_overlaps_are_not():
    assert frame_times_s(*dynamic([0, 2, 5], [2.5] * 3)) == ([0, 2, 5], [2.5] * 3)
    assert frame_times_s(*dynamic([0, 2.25, 5], [2.5] * 3, base=NOON + 0.25)) == ([], [2.5] * 3)
    assert frame_times_s(*dynamic([0, 5, 10], [10] * 3)) == ([], [10] * 3)
    assert frame_times_s(*dynamic([0, 20, 10], [10] * 3)) == ([], [10] * 3)


def test_reference_times_tell_starts_only_of_equal_durations():
    def by_reference(starts, durations):
        return frame_times_s(*dynamic(starts, durations, "FrameReferenceTime", 1000, 5))

    assert by_reference([0, 10, 20], [10, 10, 10]) == ([0, 10, 20], [10, 10, 10])
    assert by_reference([0, 10, 25], [10, 10, 20]) == ([], [10, 10, 20])
    assert by_reference([0, 10, 20], []) == ([], [])


def test_planes_of_a_volume_that_differ_tell_nothing():
    headers, order = dynamic([0, 10, 20], [10, 10, 10])
    order.volumes[1][2].when["AcquisitionTime"] += 3
    assert frame_times_s(headers, order) == ([], [10, 10, 10])
    headers[6].ActualFrameDuration = 9000
    assert frame_times_s(headers, order) == ([], [])
    del headers[6].ActualFrameDuration
    assert frame_times_s(headers, order) == ([], [])


def test_one_volume_starts_at_zero():
    assert frame_times_s(*dynamic([0], [180])) == ([0], [180])
