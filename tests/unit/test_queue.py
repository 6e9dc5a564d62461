"""The private queue: what is new, what was typed, who is in doubt, and how a look at it empties it."""

import pytest

from efface import examination, policy, queue
from efface.examination import describe
from efface.scanners import Registry
from efface.settings import WORKFLOW


@pytest.fixture(scope="module")
def vocabulary():
    return examination.load(WORKFLOW / "vocabulary.yaml")


@pytest.fixture(scope="module")
def rules():
    return policy.load(WORKFLOW / "policies" / "minimal.yaml")


def series(**changes):
    return {
        "Modality": ["CT"],
        "Manufacturer": ["SIEMENS"],
        "ManufacturerModelName": ["SOMATOM Force"],
        "SoftwareVersions": ["VA50A"],
        "BodyPartExamined": ["HEAD"],
        "ConvolutionKernel": ["Hr40d\\3"],
        "KVP": ["120"],
        "SeriesDescription": ["Smith-CT/Head w/o Contrast"],
    } | {name: values if isinstance(values, list) else [values] for name, values in changes.items()}


@pytest.fixture
def run(rules, vocabulary):
    """Return a function that gives the queue and the proposed registry of some series, each an image."""

    def run(index, registry=None, doubts=(), dropped=()):
        known = registry or Registry()
        planned = [
            {"series": name, "image": "" if name in dropped else f"sub-a_{place}_ct"}
            for place, name in enumerate(index)
        ]
        found = queue.rows(index, planned, rules, known, vocabulary, doubts)
        return found, Registry(queue.proposal(index, planned, rules, known))

    return run


def of_kind(found, kind):
    return [row for row in found if row["kind"] == kind]


def values(found):
    return {(row["attribute"], row["value"]): row["suggestion"] for row in of_kind(found, "value")}


def test_r13_a_scanner_that_nobody_looked_at_asks_for_its_first_series(run):
    index = {f"s{day}": series(SeriesDate=f"2020010{9 - day}") for day in range(1, 8)}
    found, registry = run(index)
    asked = of_kind(found, "scanner")
    assert [row["series"] for row in asked] == ["s7", "s6", "s5", "s4", "s3"]  # the first in time
    assert asked[0]["suggestion"] == "new scanner: series 1 of 7"
    assert {row["scanner"] for row in asked} == {"SIEMENS / SOMATOM Force / VA50A"}
    updated = {"s1": series(), "s2": series(SoftwareVersions="VB10A")}
    assert [row["series"] for row in of_kind(run(updated, registry)[0], "scanner")] == ["s2"]


def test_the_parts_of_a_series_are_one_row(run):
    found, _ = run({"a.1": series(), "a.2": series()})
    (row,) = of_kind(found, "scanner")
    assert (row["series"], row["image"]) == ("a", "sub-a_0_ct sub-a_1_ct")


def test_r04_what_a_person_entered_after_review_is_no_finding_in_the_next_run(run):
    index = {"a": series(), "b": series(Manufacturer="Philips", ConvolutionKernel="UB")}
    found, registry = run(index)
    assert len(of_kind(found, "scanner")) == 2
    assert values(found)
    again, _ = run(index, registry)
    assert not of_kind(again, "scanner") and not of_kind(again, "value")
    assert of_kind(again, "text") == of_kind(found, "text")


def test_r17_a_new_value_of_an_allowed_key_is_listed_with_what_becomes_of_it(run):
    _, registry = run({"a": series()})
    drifted = series(ConvolutionKernel="SMITH", BodyPartExamined="Norrvik", KVP="120 Smith")
    found, _ = run({"a": series(), "b": drifted}, registry)
    assert values(found) == {
        ("BodyPartExamined", "Norrvik"): "no BodyPart",
        ("ConvolutionKernel", "SMITH"): "ConvolutionKernel: left out; no KernelClass",
        ("KVP", "120 Smith"): "KVP: left out, no number in its range",
    }
    assert {row["series"] for row in of_kind(found, "value")} == {"b"}


def test_r17_a_new_protocol_name_is_listed(run):
    index = {"a": series()}
    _, registry = run(index)
    found, _ = run(index | {"b": series(ProtocolName="Head follow-up Lindqvist")}, registry)
    listed = {(row["attribute"], row["value"]) for row in of_kind(found, "text")}
    assert ("ProtocolName", "Head follow-up Lindqvist") in listed


def test_a_value_known_of_one_scanner_is_new_on_another(run):
    _, registry = run({"a": series()})
    other = {"b": series(SoftwareVersions="VB10A")}
    assert ("ConvolutionKernel", "Hr40d") in values(run(other, registry)[0])


def test_what_is_published_is_said_and_numbers_in_range_are_no_news(run):
    told = values(run({"a": series()})[0])
    assert told["Manufacturer", "SIEMENS"] == "Manufacturer: published as Siemens"
    assert told["BodyPartExamined", "HEAD"] == "BodyPart head"
    assert told["ConvolutionKernel", "Hr40d"].endswith("KernelClass medium")
    assert ("KVP", "120") not in told


def test_only_series_that_become_images_are_asked_about(run):
    found, registry = run({"a": series(), "b": series(Manufacturer="Norrvik Scans")}, dropped=("b",))
    assert not any("Norrvik" in str(row) for row in found)
    assert len(registry.profiles) == 1


def test_r36_raw_text_is_in_the_queue_once_with_the_label_as_suggestion(run, vocabulary):
    found, _ = run({"a": series(), "b": series()})
    (row,) = of_kind(found, "text")
    assert row["value"] == "Smith-CT/Head w/o Contrast"
    assert row["suggestion"] == "BodyPart head, ContrastAgent no"
    assert (row["series"], row["todo"].split(";")[0]) == ("a", "not released")
    assert "Smith" not in str(describe(series(), vocabulary))


def test_r18_a_row_names_the_profile_of_its_series(run):
    found, _ = run({"a": series()}, doubts=[doubt("a", "PatientName")])
    assert {row["scanner"] for row in found} == {"SIEMENS / SOMATOM Force / VA50A"}


def doubt(name, attribute):
    return {"series": name, "attribute": attribute, "values": "one | other", "reason": f"{attribute} differs"}


def test_doubts_about_people_and_ages_are_in_the_queue_of_held_series_too(run):
    doubts = [doubt("a", "PatientName"), doubt("b", "PatientAge")]
    found, _ = run({"a": series(), "b": series()}, doubts=doubts, dropped=("b",))
    (person,), (age,) = of_kind(found, "person"), of_kind(found, "age")
    assert (person["value"], person["todo"], person["image"]) == (
        "one | other",
        "PatientName differs",
        "sub-a_0_ct",
    )
    assert (age["series"], age["image"]) == ("b", "")


def test_the_proposal_keeps_what_the_registry_has(run):
    entry = {
        "manufacturer": "siemens",
        "model": "SOMATOM Force",
        "software": "VA50A",
        "owner": "A. Physicist",
    }
    entry |= {"values": {"Manufacturer": ["SIEMENS", "Siemens"]}, "private": []}
    other = entry | {"model": "Sensation"}
    _, registry = run({"a": series()}, Registry([entry, other]))
    assert registry.entries[1] == other
    (merged, _) = registry.entries
    assert merged["owner"] == "A. Physicist"
    assert merged["values"]["Manufacturer"] == ["SIEMENS", "Siemens"]
    assert merged["values"]["ConvolutionKernel"] == ["3", "Hr40d"]
    assert "values" in entry and "ConvolutionKernel" not in entry["values"]


def test_r04_rounds_are_counted_when_something_changed():
    digests = {"policy": "a", "scanners": "", "vocabulary": "c"}
    first = queue.next_round([], [{"kind": "text"}, {"kind": "value"}, {"kind": "text"}], digests)
    assert first == digests | {
        **{"round": "1", "scanner": "0", "value": "1", "text": "2"},
        **{"person": "0", "age": "0"},
    }
    assert queue.next_round([first], [{"kind": "text"}, {"kind": "value"}, {"kind": "text"}], digests) is None
    second = queue.next_round([first], [{"kind": "text"}], digests | {"scanners": "b"})
    assert (second["round"], second["scanners"], second["value"]) == ("2", "b", "0")
