"""A series is cut into the images that it holds, and the judge cuts it the same way by code of its own."""

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from efface.index import index
from efface.parts import alike, component, part_key, traits
from efface.share import belongs
from phantom import centred, make_series

SHAPE = (8, 8, 5)
GRID = centred(SHAPE, (2, 2, 3))
ECHO_1 = {"EchoTime": "4.92", "EchoNumbers": 1}
ECHO_2 = {"EchoTime": "7.38", "EchoNumbers": 2}
MAGNITUDE = {"ImageType": ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"]}
PHASE = {"ImageType": ["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"]}


def parts_of(folder, *kinds):
    """Return the parts of one series of which each kind is written beside the others."""
    for number, kind in enumerate(kinds):
        make_series(
            folder / str(number), shape=SHAPE, world_from_voxel=GRID, SeriesInstanceUID="1.2.3", **kind
        )
    found, _ = index(folder)
    return found["1.2.3"]


def header(**attributes):
    dataset = Dataset()
    dataset.update({"Modality": "MR", "Rows": 8, "Columns": 8} | attributes)
    return dataset


def enhanced(*echoes_ms):
    """Return a header with one frame for each echo."""
    frames = []
    for echo in echoes_ms:
        frame, group = Dataset(), Dataset()
        group.EffectiveEchoTime = echo
        frame.MREchoSequence = Sequence([group])
        frames.append(frame)
    return header(PerFrameFunctionalGroupsSequence=Sequence(frames), NumberOfFrames=len(frames))


@pytest.mark.parametrize(
    ("kinds", "count"),
    [
        ([{}], 1),
        ([ECHO_1, ECHO_2], 2),
        ([MAGNITUDE, PHASE], 2),
        ([ECHO_1 | MAGNITUDE, ECHO_1 | PHASE, ECHO_2 | MAGNITUDE, ECHO_2 | PHASE], 4),
        ([{"EchoTime": "4.92"}, {"EchoTime": "4.921"}], 1),
        ([{}, {"AcquisitionNumber": 2}], 1),
    ],
)
def test_a_series_has_as_many_parts_as_images(tmp_path, kinds, count):
    found = parts_of(tmp_path, *kinds)
    assert len(found.parts) == count
    assert sum(part.frames for part in found.parts) == len(kinds) * SHAPE[2]
    assert {len(part.places) for part in found.parts} == {SHAPE[2]}


def test_parts_are_ordered_by_echo_and_component_whatever_the_files_are_called(tmp_path):
    found = parts_of(tmp_path, ECHO_2 | PHASE, ECHO_2 | MAGNITUDE, ECHO_1 | PHASE, ECHO_1 | MAGNITUDE)
    described = [found.described(part) for part in found.ordered()]
    assert [(one["EchoTime"], one["Component"]) for one in described] == [
        (["4.92"], ["MAGNITUDE"]),
        (["4.92"], ["PHASE"]),
        (["7.38"], ["MAGNITUDE"]),
        (["7.38"], ["PHASE"]),
    ]
    assert described[0]["Echoes"] == ["2"] and described[0]["Slices"] == [str(SHAPE[2])]


def test_frames_of_an_enhanced_object_fall_into_parts():
    whole = enhanced(4.92, 7.38, 4.92)
    first, second, third = (traits(whole, number) for number in range(3))
    assert alike(first, third) and not alike(first, second)
    assert [belongs(whole, number, first) for number in range(3)] == [True, False, True]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"]}, "MAGNITUDE"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, "PHASE"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"]}, "PHASE"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "R_FFE", "R", "FFE"]}, "REAL"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "B0 MAP", "B0", "UNSPECIFIED"]}, "FIELDMAP"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "OTHER"]}, ""),
        ({}, ""),
    ],
)
def test_the_component_is_named_by_the_image_type(attributes, expected):
    assert component(traits(header(**attributes))) == expected


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "MAGNITUDE"), (1, "PHASE"), (2, "REAL"), (3, "IMAGINARY")]
)
def test_ge_numbers_its_components(number, expected):
    dataset = header(ImageType=["ORIGINAL", "PRIMARY", "OTHER"])
    dataset.add_new(0x0043102F, "SS", number)
    assert component(traits(dataset)) == expected
    assert belongs(dataset, 0, traits(dataset))


def test_the_map_of_a_b0_mapping_sequence_is_told_from_its_magnitude():
    """Other sequences of GE use the same element for something else: it must not split them."""
    images = []
    for sequence, flag in (("B0map", 2), ("B0map", 0), ("EPI2", 14), ("EPI2", 16)):
        images.append(header(Manufacturer="GE MEDICAL SYSTEMS"))
        images[-1].add_new(0x0019109E, "LO", sequence)
        images[-1].add_new(0x00431030, "SS", flag)
    magnitude, fieldmap, low, high = map(traits, images)
    assert (component(magnitude), component(fieldmap)) == ("MAGNITUDE", "FIELDMAP")
    assert not alike(magnitude, fieldmap) and alike(low, high)
    assert [belongs(one, 0, fieldmap) for one in images[:2]] == [False, True]


@pytest.mark.parametrize(
    "change",
    [
        {"Rows": 16},
        {"EchoTime": 7.38},
        {"EchoNumbers": 2},
        {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]},
        {"PixelSpacing": [2, 2.5]},
        {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]},
    ],
)
def test_judge_and_maker_see_the_same_difference(change):
    common = {
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "EchoTime": 4.92,
        "EchoNumbers": 1,
        "PixelSpacing": [2, 2],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    }
    one, other = header(**common), header(**common | change)
    assert not alike(traits(one), traits(other))
    assert belongs(one, 0, traits(one)) and not belongs(other, 0, traits(one))


def test_a_part_that_lacks_what_the_plan_names_does_not_belong():
    assert not belongs(header(), 0, traits(header(EchoTime=4.92)))
    assert not belongs(header(EchoTime=4.92), 0, traits(header()))


def test_headers_that_make_no_sense_make_a_part_too():
    dataset = header(EchoTime=None, ImageType=None)
    dataset.add(pydicom.DataElement(0x00200037, "DS", None))
    found = traits(dataset)
    assert found["ImageOrientationPatient"] is None and found["ImageType"] == "" and component(found) == ""


def test_keys_of_parts():
    assert [part_key("abcdefgh", number, 2) for number in (1, 2)] == ["abcdefgh.1", "abcdefgh.2"]
    assert part_key("abcdefgh", 1, 1) == "abcdefgh"


def test_each_plane_of_a_localizer_knows_of_the_others(tmp_path):
    turned = [GRID, GRID[:, [1, 2, 0, 3]], GRID[:, [2, 0, 1, 3]]]
    for number, grid in enumerate(turned):
        make_series(tmp_path / str(number), shape=SHAPE, world_from_voxel=grid, SeriesInstanceUID="1.2.3")
    found, _ = index(tmp_path)
    assert len(found["1.2.3"].parts) == 3
    for part in found["1.2.3"].parts:
        assert len(found["1.2.3"].described(part)["ImageOrientationPatient"]) == 3
