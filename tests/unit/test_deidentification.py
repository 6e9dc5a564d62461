"""The codes of CID 7050 follow from what is done: each is claimed when it holds and not otherwise."""

import pydicom
import pytest
from pydicom.sr.codedict import codes as dictionary

from efface import deidentification, policy
from efface.schema import defaults
from efface.settings import CONFIG_SCHEMA, WORKFLOW

BARE = {name: 0 for name in ("age", "sex", "weight", "size")}


def config(**given):
    whole = {"input": "in", "release": "out", "dataset": {"name": "x"}, "participants": BARE} | given
    return defaults(whole, CONFIG_SCHEMA)


def claimed(*, faces=False, ocr=False, private=False, level=1, name="minimal", **given):
    rules = policy.load(WORKFLOW / "policies" / f"{name}.yaml", level)
    whole = config(level=level, **given)
    return deidentification.codes(rules, whole, faces=faces, ocr=ocr, private=private)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"ocr": True}, "113101"),
        ({"faces": True}, "113102"),
        ({"level": 4}, "113105"),
        ({"dates": {"mode": "shift"}}, "113107"),
        ({"dates": {"mode": "proportional"}}, "113107"),
        ({"dates": {"period": 5}, "level": 3}, "113107"),
        *(({"participants": BARE | {name: 1}}, "113108") for name in BARE),
        ({"private": True}, "113111"),
    ],
)
def test_r38_each_option_is_declared_when_it_holds(given, code):
    assert claimed(**given) == ("113100", code)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"level": 3},
        {"dates": {"mode": "order"}},
        {"dates": {"mode": "none"}},
        {"dates": {"period": 5}, "level": 2},
        {"faces": True, "deface": {"ears": "keep"}},
        {"text": {"blank": {"top": 0.1}}},
        {"participants": BARE | {"age_bin": 5}},
    ],
)
def test_r38_no_option_is_declared_that_does_not_hold(given):
    assert claimed(**given) == ("113100",)


def test_descriptors_are_cleaned_where_a_source_is_a_description(tmp_path):
    rule = "{reason: Tells head from neck., level: 1, type: text, values: [head], from: [%s]}"
    for source, holds in (("SeriesDescription", True), ("BodyPartExamined", False)):
        path = tmp_path / "own.yaml"
        path.write_text(f"name: own\nkeys:\n  BodyPart: {rule % source}\n")
        found = deidentification.codes(policy.load(path), config(), faces=False, ocr=False, private=False)
        assert ("113105" in found) == holds


def test_what_is_never_done_is_never_claimed():
    everything = {"faces": True, "ocr": True, "private": True, "level": 6, "name": "research"}
    found = claimed(**everything, dates={"mode": "shift"}, participants={"age": True})
    assert found == tuple(deidentification.METHODS)
    assert not {"113103", "113104", "113106", "113109", "113110", "113112"} & set(found)


def test_r38_the_sidecar_says_so_in_words_and_in_codes():
    fields = deidentification.sidecar_fields(claimed(faces=True))
    assert fields["DeidentificationMethod"] == [
        "Basic Application Confidentiality Profile",
        "Clean Recognizable Visual Features Option",
    ]
    assert [code["CodeValue"] for code in fields["DeidentificationMethodCodeSequence"]] == [
        "113100",
        "113102",
    ]
    # The attribute that BIDS names the field after takes it as it is (PS3.3 C.7.1.1, PS3.18 F).
    dataset = pydicom.Dataset()
    dataset.DeidentificationMethodCodeSequence = [
        pydicom.Dataset() for _ in fields["DeidentificationMethodCodeSequence"]
    ]
    for item, code in zip(
        dataset.DeidentificationMethodCodeSequence, fields["DeidentificationMethodCodeSequence"], strict=True
    ):
        item.update(code)
        assert item.CodingSchemeDesignator == "DCM"


def test_the_meanings_are_the_standards():
    known = dictionary.cid7050
    listed = {getattr(known, name).value: getattr(known, name).meaning for name in known.dir()}
    assert {code: listed[code] for code in deidentification.METHODS} == deidentification.METHODS
