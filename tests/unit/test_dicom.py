"""Headers: read by keyword, looked up in functional groups, and never quoted."""

import pydicom
import pytest
from pydicom.dataset import Dataset

from efface import dicom
from efface.errors import EffaceError, Held
from phantom import centred, make_series


@pytest.fixture
def file(tmp_path):
    return make_series(tmp_path / "s", shape=(4, 5, 4), world_from_voxel=centred((4, 5, 4), (1, 1, 1)))[0]


def enhanced(shared, *frames):
    """Return a dataset with one functional group, EchoTime in it as given (None: not in it)."""

    def item(echo):
        group, inner = Dataset(), Dataset()
        if echo is not None:
            inner.EffectiveEchoTime = echo
            group.MREchoSequence = [inner]
        return group

    dataset = Dataset()
    dataset.SharedFunctionalGroupsSequence = [item(shared)]
    dataset.PerFrameFunctionalGroupsSequence = [item(frame) for frame in frames]
    return dataset


def test_only_what_is_wanted_is_read(file):
    dataset = dicom.read(file, ["Rows"])
    assert dataset.Rows == 5 and "PatientName" not in dataset and "PixelData" not in dataset


def test_other_files_are_held_and_a_lost_one_is_an_error(file, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"#!/bin/sh\n" * 100)
    with pytest.raises(Held, match="expected DICOM"):
        dicom.read(other, ["Rows"])
    other.write_bytes(b"")
    with pytest.raises(Held, match="expected DICOM"):
        dicom.read(other, ["Rows"])
    other.unlink()
    with pytest.raises(EffaceError, match="no longer there") as caught:
        dicom.read(other, ["Rows"])
    assert str(tmp_path) not in str(caught.value)


def test_a_frames_own_value_comes_before_the_shared_and_the_top_one():
    dataset = enhanced(20.0, 30.0, None)
    dataset.EchoTime = 40
    path = "MREchoSequence.EffectiveEchoTime"
    assert dicom.frame_value(dataset, path, 0) == 30
    assert dicom.frame_value(dataset, path, 1) == 20
    assert dicom.frame_value(dataset, "EchoTime", 1) == 40
    assert dicom.frame_value(dataset, "MREchoSequence.EchoTime") is None


def test_a_value_that_cannot_be_parsed_is_no_value(file):
    raw = file.read_bytes()
    spacing = pydicom.dcmread(file).get_item("PixelSpacing").value
    file.write_bytes(raw.replace(spacing, b"Smith".ljust(len(spacing))[: len(spacing)]))
    dataset = dicom.read(file, ["PixelSpacing"])
    assert dicom.numbers(dicom.frame_value(dataset, "PixelSpacing")) == []


def test_numbers():
    assert dicom.numbers("2.5") == [2.5] and dicom.numbers(["1", 2]) == [1, 2]
    assert dicom.numbers(None) == dicom.numbers("abc") == dicom.numbers(["1", "nan"]) == []


@pytest.mark.parametrize(
    ("date", "time", "later"),
    [
        ("20200101", "120000", 0),
        ("20200101", "1200", 0),
        ("20200101", "12", 0),
        ("20200102", "000000.250", 43200.25),
        ("20200101120001.5+0100", None, 1.5),
    ],
)
def test_seconds(date, time, later):
    noon = dicom.seconds("20200101", "120000.000")
    assert dicom.seconds(date, time) - noon == pytest.approx(later, abs=1e-6)


def test_no_seconds_without_a_day_or_an_hour():
    assert dicom.seconds("20200101") is None and dicom.seconds(None, "120000") is None
    assert dicom.seconds("20201301", "120000") is None
