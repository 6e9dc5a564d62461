"""record: what a release tells of its making is complete, follows its schema, and leads to nobody."""

import json
import re
from dataclasses import replace

import pytest

from efface import deidentification, policy, record, schema
from efface.description import describe
from efface.errors import EffaceError, UsageError
from efface.record import RECORD
from efface.schema import defaults
from efface.settings import CONFIG_SCHEMA, WORKFLOW

SCHEMA = WORKFLOW / "schemas" / "record.schema.yaml"
MINIMAL = policy.load(WORKFLOW / "policies" / "minimal.yaml", 4)
METHODS = deidentification.sidecar_fields(("113100", "113102"))
CHECK = {
    "decision": "defaced",
    "reasons": [],
    "method": "atlas",
    "brain_voxels_changed": 0,
    "face_surface_surviving": 0.01,
}


def configured(**changes):
    return defaults({"input": "in", "release": "out", "dataset": {"name": "Heads"}} | changes, CONFIG_SCHEMA)


def planned(subject, session, suffix="T1w", sidecar=None, metadata=None):
    sidecar = {"Modality": "MR", "EchoTime": 0.003} if sidecar is None else sidecar
    return {
        "subject": subject,
        "session": session,
        "image": f"sub-{subject}_ses-{session}_{suffix}",
        "metadata": metadata or {},
        "sidecar": sidecar | METHODS,
    }


def made(images, checks=None, decisions=("release",), rules=MINIMAL, config=None, **more):
    """Make a record; without `checks` each image passed."""
    checks = {image["image"]: CHECK for image in images} | (checks or {})
    found = record.record(rules, config or configured(), images, checks, decisions, **more)
    schema.check(found, SCHEMA, RECORD)
    return found


def test_r01_each_kept_key_is_printed_with_its_reason():
    task = planned("b", "1", "bold", {"Modality": "MR", "TaskName": "rest"}, {"TaskName": "rest"})
    found = made([planned("a", "1"), task])
    reasons = {row["key"]: row["reason"] for row in found["policy"]["kept"]}
    assert set(reasons) == {"Modality", "EchoTime", "TaskName", *METHODS}
    by_name = {key.name: key.reason for key in MINIMAL.keys}
    assert reasons["EchoTime"] == by_name["EchoTime"]
    assert "study" in reasons["TaskName"]
    assert (found["policy"]["name"], found["policy"]["level"]) == ("minimal", 4)


@pytest.mark.parametrize("reason", [None, "", " "])
def test_r01_a_kept_key_without_a_reason_is_refused_and_not_named(reason):
    keys = () if reason is None else (replace(MINIMAL.keys[0], name="Svensson", reason=reason),)
    with pytest.raises(EffaceError, match="key 2 of the sidecar of sub-a_ses-1_T1w") as refusal:
        made([planned("a", "1", sidecar={"Modality": "MR", "Svensson": 3})], private=keys)
    assert "Svensson" not in str(refusal.value)


def test_r01_a_private_key_has_a_reason_for_each_scanner():
    image = planned("a", "1", sidecar={"GradientMode": "fast"})
    key = replace(MINIMAL.keys[0], name="GradientMode", reason="Distortion depends on it.")
    other = replace(key, reason="Says how fast the gradients of this model are.")
    told = made([image], private=(key, other, key))["policy"]["kept"]
    assert [row["reason"] for row in told if row["key"] == "GradientMode"] == [key.reason, other.reason]


def test_the_worst_measure_of_all_images_is_told():
    images = [planned("a", "1"), planned("a", "2"), planned("b", "1", "T2w"), planned("b", "1", "magnitude1")]
    checks = {
        "sub-a_ses-2_T1w": CHECK | {"face_surface_surviving": 0.04, "brain_voxels_changed": 3},
        "sub-b_ses-1_T2w": CHECK | {"decision": "no_face", "face_surface_surviving": None},
        "sub-b_ses-1_magnitude1": CHECK | {"method": "quickshear", "text": {"searched": True, "strings": 0}},
    }
    found = made(images, checks)
    assert found["defacing"] == {
        "methods": [{"method": "atlas", "images": 2}, {"method": "quickshear", "images": 1}],
        "ears": "remove",
        "no_face_in_view": 1,
        "most_brain_voxels_changed": 3,
        "most_face_surface_surviving": 0.04,
        "searched_for_text": 1,
    }
    nobody = made([planned("a", "1")], {"sub-a_ses-1_T1w": checks["sub-b_ses-1_T2w"]})
    assert nobody["defacing"]["most_face_surface_surviving"] is None


def test_an_image_without_measures_is_refused():
    with pytest.raises(EffaceError, match="measures of every image"):
        record.record(MINIMAL, configured(), [planned("a", "1")], {}, ())


def test_people_sessions_images_and_what_stayed_behind_are_counted():
    images = [planned("a", "1"), planned("a", "2"), planned("a", "2", "run-2_T1w"), planned("b", "1", "T2w")]
    decisions = ["release"] * 4 + ["held"] * 2 + ["dropped"]
    found = made(images, decisions=decisions, config=configured(review={"mode": "pilot"}), reviewed=4)
    assert found["counts"] == {
        "people": 2,
        "sessions": 3,
        "images": [{"suffix": "T1w", "images": 3}, {"suffix": "T2w", "images": 1}],
        "held": 2,
        "dropped": 1,
    }
    assert found["review"] == {"mode": "pilot", "images": 4}
    assert [row["images"] for row in found["deidentification"]["methods"]] == [4, 4]


def test_the_same_images_in_any_order_give_the_same_bytes():
    sidecar = dict.fromkeys(("Modality", "RepetitionTime", "EchoTime", "FlipAngle", "InversionTime"), 1)
    images = [planned(one, "1", suffix, sidecar) for one in "abc" for suffix in ("T1w", "T2w", "bold")]
    assert json.dumps(made(images)) == json.dumps(made(images[::-1]))
    kept = [row["key"] for row in made(images)["policy"]["kept"]]
    assert kept == sorted(kept)


def test_the_readme_and_the_record_say_the_same_of_labels_and_dates(tmp_path):
    for mode in ("none", "shift", "proportional", "order"):
        config = configured(dates={"mode": mode}, mode="anonymous", participants={"age_bin": 5})
        describe(tmp_path, config)
        readme = (tmp_path / "README.md").read_text()
        told = made([planned("a", "1")], config=config)["deidentification"]["told"]
        assert len(told) == 3
        assert all(f"- {sentence}\n" in readme for sentence in told)
    assert "release_record.json" in readme
    assert "release_record.json\n" in (tmp_path / ".bidsignore").read_text()


def test_nothing_private_is_in_a_record():
    secret = {
        "input": "/in/Norrvik",
        "release": "/out/Norrvik",
        "dataset": {
            "name": "Norrvik heads",
            "authors": ["Norrvik"],
            "ethics": "Norrvik 7",
            "terms": "Norrvik",
        },
        "identity": {"site": "Norrvik", "prefix": "norrvik", "context": "Norrvik", "second_key": "/Norrvik"},
        "scanners": "/Norrvik.yaml",
        "metadata": {"T1w": {"Norrvik": "Norrvik"}},
    }
    check = CHECK | {"reasons": ["Norrvik"], "tried": {"quickshear": ["Norrvik"]}, "image_sha256": "f" * 64}
    found = made(
        [planned("norrvik", "1")], {"sub-norrvik_ses-1_T1w": check}, config=configured(**secret), decisions=()
    )
    text = json.dumps(found)
    assert "norrvik" not in text.lower()
    assert "/" not in text
    assert not re.search(r"\d{4}-\d\d-\d\d|f{64}|sub-", text)


RISKS = {
    "Ears were kept": {"deface": {"ears": "keep"}},
    "Intervals between sessions": {"dates": {"mode": "shift"}},
    "Labels lead back": {},
}


@pytest.mark.parametrize("sentence", RISKS)
def test_r40_remaining_risks_follow_what_was_done(sentence):
    told = " ".join(made([planned("a", "1")], config=configured(**RISKS[sentence]))["residual_risks"])
    other = configured(mode="anonymous", dates={"mode": "none"}, deface={"ears": "remove"})
    not_told = " ".join(made([planned("a", "1")], config=other)["residual_risks"])
    assert sentence in told
    assert sentence not in not_told
    assert "cannot exclude" in told
    assert "anonymi" not in told.lower()


def test_r40_text_and_small_groups_are_remaining_risks():
    images = [planned("a", "1"), planned("b", "1")]
    read = {"sub-a_ses-1_T1w": CHECK | {"text": {"searched": True, "strings": 0}}}
    told = " ".join(made(images, read, smallest_cell=2)["residual_risks"])
    assert "Pixels of 1 of 2 images were not searched" in told
    assert "can miss some" in told
    assert "has 2." in told
    assert "smallest group" not in " ".join(made(images)["residual_risks"])


@pytest.mark.parametrize(("reference", "told"), [("", False), ("  ", False), ("Board 7, number 12", True)])
def test_r23_the_record_says_whether_there_is_an_ethics_reference(reference, told):
    config = configured(dataset={"name": "Heads", "ethics": reference})
    assert made([planned("a", "1")], config=config)["ethics_reference"] is told


def test_versions_are_those_of_the_engine_that_was_chosen():
    def libraries(engine):
        config = configured(convert={"engine": engine})
        return {row["name"]: row["version"] for row in made([planned("a", "1")], config=config)["libraries"]}

    ours = libraries("dicom2nifti")
    assert {"dicom2nifti", "nibabel", "numpy", "pydicom"} <= ours.keys()
    assert "dcm2niix" not in ours
    assert set(ours) <= set(libraries("dcm2niix"))


@pytest.mark.parametrize(
    "place", [(), ("policy",), ("counts",), ("defacing",), ("review",), ("deidentification",)]
)
def test_the_schema_knows_no_further_key_at_any_depth(place):
    found = made([planned("a", "1")])
    inner = found
    for key in place:
        inner = inner[key]
    inner["Svensson"] = 1
    with pytest.raises(UsageError):
        schema.check(found, SCHEMA, RECORD)
