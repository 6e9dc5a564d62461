"""The registry of scanners and the private elements that it allows."""

import pytest
import yaml
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from efface import privates, scanners
from efface.errors import UsageError
from efface.scanners import Registry, Scanner
from efface.sidecar import _published

ENTRY = {"manufacturer": "Acme Imaging", "model": "Bright 3", "software": "5.1", "owner": "A. Physicist"}
RULE = {
    "key": "GradientMode",
    "creator": "ACME MR",
    "element": "0019,xx0C",
    "reason": "Distortion depends on the gradients' mode.",
    "type": "text",
    "values": ["fast", "slow"],
}
NUMBER = RULE | {"type": "number", "unit": "s/mm2", "range": [0, 5000]}
del NUMBER["values"]


def rule(**changes):
    """Return a private element's rule, of NUMBER where the type is one."""
    raw = (RULE if changes.get("type", "text").startswith("text") else NUMBER) | changes
    (profile,) = Registry([ENTRY | {"private": [raw]}]).profiles
    return profile.private[0]


def with_private(value, vr, creator="ACME MR", into=None):
    """Return a dataset with one private element."""
    dataset = Dataset() if into is None else into
    dataset.private_block(0x0019, "OTHER MAKER", create=True).add_new(0x0C, "LO", "Lindqvist")
    block = dataset.private_block(0x0019, creator, create=True)
    if vr == "UN":
        dataset.add(DataElement(block.get_tag(0x0C), vr, value, already_converted=True))
    else:
        block.add_new(0x0C, vr, value)
    return dataset


def write(folder, entries):
    path = folder / "scanners.yaml"
    path.write_text(entries if isinstance(entries, str) else yaml.safe_dump(entries))
    return path


def test_r18_each_scanner_has_a_profile_with_its_owner_and_date(tmp_path):
    entries = [ENTRY | {"since": 2026, "values": {"ScanOptions": ["FS"]}}, ENTRY | {"software": "5.2"}]
    registry = scanners.read(write(tmp_path, entries))
    headers = {"Manufacturer": ["ACME  imaging "], "ManufacturerModelName": ["Bright 3"]}
    known = registry.find(scanners.scanner(headers | {"SoftwareVersions": ["5.1"]}))
    assert (known.owner, known.since) == ("A. Physicist", "2026")
    assert known.values == {"ScanOptions": {"FS"}}
    assert str(known.scanner) == "Acme Imaging / Bright 3 / 5.1"
    assert registry.find(scanners.scanner(headers | {"SoftwareVersions": ["5.2"]})) is registry.profiles[1]
    assert registry.find(scanners.scanner(headers | {"SoftwareVersions": ["5.3"]})) is None
    assert registry.find(scanners.scanner({})) is None


def test_a_series_of_two_versions_is_another_scanner():
    assert scanners.scanner({"SoftwareVersions": ["2", "1"]}) == Scanner("", "", "1 | 2")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("- manufacturer: [", "syntax error"),
        ({}, "expected array"),
        ([{"manufacturer": "Acme"}], "'model' is missing"),
        ([ENTRY | {"modell": "x"}], "did you mean 'model'"),
        ([ENTRY, ENTRY | {"manufacturer": "ACME IMAGING"}], "entry 2: expected one entry a scanner"),
        ([ENTRY | {"private": [RULE, RULE]}], "each private key once"),
        ([ENTRY | {"private": [{**RULE, "reason": "good"}]}], "minLength"),
        ([ENTRY | {"private": [{k: v for k, v in RULE.items() if k != "reason"}]}], "'reason' is missing"),
        ([ENTRY | {"private": [{k: v for k, v in RULE.items() if k != "values"}]}], "'values' is missing"),
        ([ENTRY | {"private": [{k: v for k, v in NUMBER.items() if k != "range"}]}], "'range' is missing"),
        ([ENTRY | {"private": [NUMBER | {"range": [5, 5]}]}], "the lower number first"),
        ([ENTRY | {"private": [RULE | {"element": "0018,xx0C"}]}], "pattern"),
        ([ENTRY | {"private": [RULE | {"element": "0019,100C"}]}], "pattern"),
        ([ENTRY | {"private": [RULE | {"pattern": ".*"}]}], "unknown key 'pattern'"),
    ],
)
def test_a_wrong_registry_is_refused(entries, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        scanners.read(write(tmp_path, entries))


@pytest.mark.parametrize("vr", ["CS", "SH", "LO"])
def test_r35_only_the_element_and_the_values_that_a_profile_lists_are_shown(vr):
    listed = rule()
    assert _published(privates.value(with_private("fast", vr), listed), listed.key) == "fast"
    assert _published(privates.value(with_private("Lindqvist", vr), listed), listed.key) is None
    # The same number in a block of another creator is another element.
    assert privates.value(with_private("fast", vr, creator="ACME CT"), listed) is None
    assert privates.value(with_private("fast", vr), rule(element="0019,xx0D")) is None
    assert privates.value(Dataset(), listed) is None


@pytest.mark.parametrize("vr", "PN DA DT TM UI AE ST LT UT UC UR".split())
def test_r34_kinds_that_hold_names_dates_and_texts_are_never_shown(vr):
    values = {"DA": "20190414", "TM": "120000", "DT": "20190414120000", "UI": "1.2.3"}
    assert privates.value(with_private(values.get(vr, "fast"), vr), rule()) is None


def test_r34_bytes_are_read_as_numbers_only_where_the_profile_says_how():
    double = b"\0\0\0\0\0\x40\x8f\x40"  # 1000 in little-endian IEEE 754
    assert privates.value(with_private(double, "UN"), rule(type="number")) is None
    assert privates.value(with_private(b"fast", "UN"), rule()) is None
    assert privates.value(with_private(double, "OB"), rule(type="number", vr="FD")) is None
    listed = rule(type="number", vr="FD")
    assert _published(privates.value(with_private(double, "UN"), listed), listed.key) == 1000
    assert privates.value(with_private(double[:5], "UN"), listed) is None
    assert (
        _published(privates.value(with_private(double, "UN"), rule(type="number", vr="UL")), listed.key)
        is None
    )


def test_numbers_keep_to_their_range():
    listed = rule(type="number")
    for vr, value in (("IS", "1000"), ("DS", "1000"), ("FD", 1000.0), ("SS", 1000), ("LO", "1000")):
        assert _published(privates.value(with_private(value, vr), listed), listed.key) == 1000
    assert _published(privates.value(with_private("19700101", "IS"), listed), listed.key) is None
    assert _published(privates.value(with_private("1000 Smith", "LO"), listed), listed.key) is None


def test_r35_nested_elements_are_read_where_the_profile_names_the_way():
    nested, header = with_private("fast", "LO"), Dataset()
    header.RequestAttributesSequence = [nested]
    assert privates.value(header, rule()) is None
    assert privates.value(header, rule(**{"in": ["RequestAttributesSequence"]})) == "fast"
    assert privates.value(header, rule(**{"in": ["ReferencedStudySequence"]})) is None


def test_functional_groups_are_read_by_frame_and_private_sequences_by_creator():
    frames = []
    for value in ("fast", "slow"):
        frame = Dataset()
        frame.private_block(0x0021, "ACME MR", create=True).add_new(
            0xFE, "SQ", Sequence([with_private(value, "SH")])
        )
        frames.append(frame)
    header = Dataset()
    header.PerFrameFunctionalGroupsSequence = frames
    listed = rule(**{"in": ["0021,xxFE"]})
    assert [privates.value(header, listed, number) for number in (0, 1, 2)] == ["fast", "slow", None]


def test_a_file_read_with_the_wanted_tags_has_the_element():
    header = with_private("fast", "LO")
    assert {element.tag for element in header} <= set(privates.wanted(rule()))
    nested = rule(**{"in": ["RequestAttributesSequence"]})
    assert Tag("RequestAttributesSequence") in privates.wanted(nested)
