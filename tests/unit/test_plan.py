"""plan and bids: a row and a reason for every series, one person never mixed up with another."""

import re

import pytest

from efface.bids import outcome
from efface.errors import UsageError
from efface.plan import read_overrides
from efface.tables import write_tsv
from planning import SCHEMAS, T1W, planned

BOLD = T1W | {"ScanningSequence": ["EP"], "EchoTime": ["30"]}


def test_every_series_has_a_row_and_a_reason():
    index = {"a": T1W, "b": T1W | {"ImageType": ["ORIGINAL\\PRIMARY\\LOCALIZER"]}, "c": {"Modality": ["MR"]}}
    rows, _ = planned(index)
    assert {series: row.decision for series, row in rows.items()} == {
        "a": "convert",
        "b": "dropped",
        "c": "held",
    }
    assert all(row.reason for row in rows.values())


def test_names_are_pseudonyms_and_hold_nothing_of_the_person():
    rows, people = planned({"a": T1W})
    assert re.fullmatch("sub-[a-z2-7]{8}_ses-1_T1w", rows["a"].image)
    (person,) = people
    assert (person.age, person.sex, person.source_id) == (41, "F", "7734421")
    assert planned({"a": T1W}, key=bytes(32))[0]["a"].image != rows["a"].image


@pytest.mark.parametrize("hostile", ["../../etc", "a/b", "x y;z", "ÄÖ^1"])
def test_a_hostile_patient_id_cannot_leave_the_folder(hostile):
    rows, _ = planned({"a": T1W | {"PatientID": [hostile]}})
    assert re.fullmatch("sub-[a-z2-7]{8}_ses-1_T1w", rows["a"].image)


def test_spellings_of_one_id_are_one_person_and_studies_are_sessions_in_time():
    later = {"StudyInstanceUID": ["1.2.2"], "StudyDate": ["20200101"], "PatientID": [" 7734421 "]}
    rows, people = planned({"a": T1W | later, "b": T1W})
    assert len(people) == 1
    assert ["_ses-2_" in rows["a"].image, "_ses-1_" in rows["b"].image] == [True, True]


def test_a_second_image_of_one_name_gets_a_run_in_the_order_of_time():
    rows, _ = planned({"a": T1W | {"SeriesTime": ["2"]}, "b": T1W | {"SeriesTime": ["1"]}})
    assert rows["b"].image.endswith("_ses-1_T1w")
    assert rows["a"].image.endswith("_ses-1_run-2_T1w")


def test_a_task_comes_from_the_configuration_or_the_series_is_held():
    rows, _ = planned({"a": BOLD})
    assert rows["a"].image.endswith("_task-rest_bold")
    assert rows["a"].record["metadata"] == {"Instructions": "Lie still", "TaskName": "rest"}
    rows, _ = planned({"a": BOLD}, config={"task": "", "metadata": {}})
    assert (rows["a"].decision, rows["a"].image) == ("held", "")
    assert "task" in rows["a"].reason


GRID = {
    "FrameOfReferenceUID": ["1.2.9"],
    "Rows": ["256"],
    "Columns": ["256"],
    "PixelSpacing": ["1\\1"],
    "SliceThickness": ["1"],
}
FINE = T1W | GRID
THICK = FINE | {"PixelSpacing": ["0.4\\0.4"], "SliceThickness": ["5"], "Rows": ["640"], "Columns": ["640"]}


def leaders(index):
    """Return, by series, the series whose image leads it."""
    rows, _ = planned(index)
    series_of = {row.image: series for series, row in rows.items() if row.image}
    return {series: series_of.get(row.record["leader"]) for series, row in rows.items() if row.image}


def test_the_finest_t1w_that_shows_most_leads_its_session():
    slab = FINE | {"PixelSpacing": ["0.8\\0.8"], "Rows": ["64"], "Columns": ["64"], "SliceThickness": ["0.8"]}
    index = {"a": THICK, "b": FINE, "c": slab, "d": BOLD | GRID, "e": FINE | {"SeriesTime": ["9"]}}
    found = leaders(index)
    assert len(set(found.values()) - {None}) == 1
    (leader,) = set(found.values()) - {None}
    assert leader in ("b", "e") and found[leader] is None
    assert all(found[series] == leader for series in set(index) - {leader})
    assert leaders({"d": BOLD | GRID, "a": THICK}) == {"a": None, "d": "a"}, "better than none"


@pytest.mark.parametrize(
    "change",
    [
        {"FrameOfReferenceUID": ["1.2.8"]},
        {"FrameOfReferenceUID": []},
        {"FrameOfReferenceUID": [""]},
        {"FrameOfReferenceUID": ["1.2.9", "1.2.8"]},
        {"PatientID": ["9"], "StudyInstanceUID": ["9"]},
        {"StudyInstanceUID": ["9"]},
    ],
)
def test_nobody_leads_into_another_frame_session_or_person(change):
    assert leaders({"a": FINE, "b": BOLD | GRID | change}) == {"a": None, "b": None}


@pytest.mark.parametrize("change", [{"PixelSpacing": []}, {"SliceThickness": ["thin"]}, {"Rows": ["0"]}])
def test_a_t1w_of_unknown_size_does_not_lead(change):
    assert leaders({"a": FINE | change, "b": BOLD | GRID}) == {"a": None, "b": None}


def test_a_held_t1w_does_not_lead():
    doubtful = FINE | {"PatientSex": ["F", "M"]}
    assert leaders({"a": doubtful, "b": BOLD | GRID}) == {"b": None}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"PatientID": []}, "PatientID is missing"),
        ({"PatientID": [" "]}, "PatientID is missing"),
        ({"SeriesInstanceUID": []}, "SeriesInstanceUID is missing"),
        ({"PatientID": ["7734421", "7734422"]}, "PatientID differ"),
        ({"PatientName": ["Smithson^Ada", "Smithson^Bo"]}, "PatientName differ"),
        ({"PatientBirthDate": ["19771107", "19771108"]}, "PatientBirthDate differ"),
    ],
)
def test_doubt_about_the_person_holds_the_series(change, named):
    rows, people = planned({"a": T1W | change})
    assert rows["a"].decision == "held"
    assert named in rows["a"].reason
    assert not re.search("7734|Smithson|1977", rows["a"].reason)
    assert people == []


def test_two_people_in_one_study_and_two_birth_dates_under_one_id_hold_all():
    rows, _ = planned({"a": T1W, "b": T1W | {"PatientID": ["8"]}})
    assert {row.decision for row in rows.values()} == {"held"}
    other = {"StudyInstanceUID": ["9"], "PatientBirthDate": ["19500101"]}
    rows, _ = planned({"a": T1W, "b": T1W | other})
    assert {row.decision for row in rows.values()} == {"held"}


def test_a_person_may_name_keep_and_drop_but_not_release_a_report():
    unknown = T1W | {"ScanningSequence": ["RM"]}
    report = T1W | {"Modality": ["SR"]}
    doubtful = T1W | {"PatientName": ["A", "B"], "StudyInstanceUID": ["7"]}
    overrides = {
        "a": {"decision": "keep", "name": "anat/acq-fast_T1w", "reason": "seen"},
        "b": {"decision": "keep", "name": "anat/T1w", "reason": "wish"},
        "c": {"decision": "drop", "reason": "moved"},
        "d": {"decision": "keep", "name": "anat/T1w", "reason": "wish"},
    }
    rows, _ = planned({"a": unknown, "b": report, "c": T1W, "d": doubtful}, overrides)
    assert rows["a"].image.endswith("_ses-1_acq-fast_T1w")
    assert rows["a"].record["accept"] == ["missing_slices"]
    assert (rows["b"].decision, rows["d"].decision) == ("dropped", "held")
    assert (rows["c"].decision, rows["c"].reason) == ("dropped", "dropped by a person: moved")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"series": "aaaaaaaa", "decision": "keep"}, "'reason' is missing"),
        ({"series": "aaaaaaaa", "decision": "release", "reason": "x"}, "expected one of keep, drop"),
        ({"series": "bbbbbbbb", "decision": "keep", "reason": "x"}, "not in the index"),
        ({"series": "7734421", "decision": "keep", "reason": "x"}, "does not meet"),
    ],
)
def test_wrong_overrides_are_refused(tmp_path, row, said):
    write_tsv(tmp_path / "o.tsv", [row], ("series", "decision", "name", "reason"))
    with pytest.raises(UsageError, match=said):
        read_overrides(tmp_path / "o.tsv", SCHEMAS / "overrides.schema.yaml", {"aaaaaaaa"})


ROW = {"series": "a", "modality": "MR", "files": "4", "image": "i", "decision": "convert", "reason": "T1w"}
PROVED, HELD_PROOF = (
    {"decision": "proved", "reasons": []},
    {"decision": "held", "reasons": ["a slice is missing"]},
)


@pytest.mark.parametrize(
    ("row", "proof", "check", "decision", "reason"),
    [
        (ROW, PROVED, {"decision": "defaced", "reasons": []}, "release", "proved, defaced"),
        (ROW, PROVED, {"decision": "no_face", "reasons": []}, "release", "proved, no face in view"),
        (ROW, PROVED, {"decision": "held", "reasons": ["face left"]}, "held", "face left"),
        (ROW, HELD_PROOF, {"decision": "defaced", "reasons": []}, "held", "a slice is missing"),
        (ROW, None, {"decision": "defaced", "reasons": []}, "held", "conversion gave no proof"),
        (ROW, PROVED, None, "held", "defacing gave no measures"),
        (ROW, {"decision": "?", "reasons": ["odd"]}, {"decision": "defaced", "reasons": []}, "held", "odd"),
        (ROW | {"decision": "dropped"}, None, None, "dropped", "T1w"),
    ],
)
def test_nothing_is_released_without_proof_and_check(row, proof, check, decision, reason):
    result = outcome(row, proof, check)
    assert (result.decision, result.reason) == (decision, reason)
