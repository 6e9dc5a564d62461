"""people: one person is never two, two are never one, and what is said of them is what was asked for."""

import re

import pytest

from efface.schema import defaults
from efface.settings import CONFIG_SCHEMA
from planning import T1W, planned_with_doubts

LATER = T1W | {"StudyInstanceUID": ["1.2.9"], "StudyDate": ["20200620"], "SeriesInstanceUID": ["1.2.9.1"]}


def configured(**changes):
    return defaults({"task": "rest"} | changes, CONFIG_SCHEMA)


@pytest.mark.parametrize(
    ("change", "attribute"),
    [
        ({"PatientName": ["Whitlock^Harold"]}, "PatientName"),
        ({"PatientBirthDate": ["19771108"]}, "PatientBirthDate"),
        ({"PatientAge": ["058Y"]}, "PatientAge"),
    ],
)
def test_r51_two_people_under_one_id_are_held_with_a_private_line_and_a_person_may_know_better(
    change, attribute
):
    index = {"aaaaaaaa": T1W, "bbbbbbbb": LATER | change}
    rows, _, doubts = planned_with_doubts(index)
    assert rows["bbbbbbbb"].decision == "held"
    assert attribute in rows["bbbbbbbb"].reason
    (doubt,) = [one for one in doubts if one.series == "bbbbbbbb"]
    assert doubt.attribute == attribute
    assert change[attribute][0] in doubt.values
    assert change[attribute][0] not in rows["bbbbbbbb"].reason
    keep = {series: {"decision": "keep", "reason": "the same person"} for series in index}
    rows, _, _ = planned_with_doubts(index, keep)
    assert {row.decision for row in rows.values()} == {"convert"}


@pytest.mark.parametrize(
    "change",
    [
        {"PatientName": ["SMITHSON^ADA^MARIA"]},
        {"PatientName": ["Smithsón, Ada"]},
        {"PatientID": ["77 34-421"]},
        {"PatientAge": ["043Y"]},
    ],
    ids=str,
)
def test_spellings_of_one_person_are_one_person(change):
    rows, people, doubts = planned_with_doubts({"a": T1W, "b": LATER | change})
    assert (len(people), doubts) == (1, [])
    assert rows["b"].image.startswith(rows["a"].image.split("_")[0] + "_ses-2")


def test_no_keep_mixes_what_one_series_or_study_says_of_two_people():
    keep = {"a": {"decision": "keep", "reason": "the same person"}}
    for change in ({"PatientSex": ["F", "M"]}, {"PatientID": ["7734421", "7734422"]}, {"PatientID": []}):
        rows, _, _ = planned_with_doubts({"a": T1W | change}, keep)
        assert rows["a"].decision == "held", change


def test_r51_the_age_that_is_believed_is_the_configurations_choice():
    index = {"a": T1W | {"PatientAge": ["058Y"]}}
    for believed, age in (("birth_date", 41), ("stated", 58)):
        _, (person,), doubts = planned_with_doubts(
            index, config=configured(participants={"age_conflict": believed})
        )
        assert (person.age, doubts) == (age, [])


def test_r68_ages_come_in_bins_and_weights_rounded_and_only_where_asked_for():
    index = {"a": T1W | {"PatientWeight": ["73.4"], "PatientSize": ["1.78"]}}
    chosen = {"age_bin": 5, "weight": 5, "size": 10}
    _, (person,), _ = planned_with_doubts(index, config=configured(participants=chosen))
    assert (person.age, person.weight, person.size) == (40, 75, 180)
    _, (person,), _ = planned_with_doubts(index)
    assert (person.weight, person.size) == (None, None)
    for broken in ("", "heavy", "nan", "inf", "-3", "0"):
        index = {"a": T1W | {"PatientWeight": [broken]}}
        _, (person,), _ = planned_with_doubts(index, config=configured(participants=chosen))
        assert person.weight is None


def test_studies_of_one_day_are_one_session_where_sessions_are_days():
    same_day = LATER | {"StudyDate": T1W["StudyDate"]}
    rows, _, _ = planned_with_doubts(
        {"a": T1W, "b": same_day, "c": LATER | {"StudyInstanceUID": ["1.2.10"]}},
        config=configured(dates={"sessions": "day"}),
    )
    assert [rows[key].record["session"] for key in "abc"] == ["1", "1", "2"]
    assert len({row.image for row in rows.values()}) == 3


def test_r69_sessions_get_the_days_that_may_be_shown():
    index = {"a": T1W, "b": LATER}
    rows, (person,), _ = planned_with_doubts(index, config=configured(dates={"mode": "shift"}))
    days = [rows[key].record["day"] for key in "ab"]
    assert all(re.fullmatch(r"19(0[1-9]|1\d)-\d\d-\d\d", day) for day in days)
    assert person.first_session == "20190414"
    rows, _, _ = planned_with_doubts(index)
    assert [rows[key].record["day"] for key in "ab"] == ["", ""]


def test_r02_a_period_and_no_date_is_given():
    rows, _, _ = planned_with_doubts({"a": T1W}, config=configured(dates={"period": 5}))
    assert (rows["a"].record["day"], rows["a"].record["period"]) == ("", "2015-2019")


def test_r24_neither_sessions_nor_runs_tell_an_order_where_it_is_random():
    config = configured(dates={"mode": "order"})
    orders, runs = set(), set()
    for number in range(12):
        person = {"PatientID": [f"{number}"], "StudyInstanceUID": [f"1.{number}.1"]}
        index = {"a": T1W | person, "b": LATER | person | {"StudyInstanceUID": [f"1.{number}.2"]}}
        rows, _, _ = planned_with_doubts(index, config=config)
        orders.add(rows["a"].record["session"] < rows["b"].record["session"])
    assert orders == {True, False}
    for names in (("a", "b"), ("b", "a")):
        index = {names[0]: T1W | {"SeriesTime": ["1"]}, names[1]: T1W | {"SeriesTime": ["2"]}}
        rows, _, _ = planned_with_doubts(index, config=config)
        runs.add("run" in rows[names[0]].image)
    assert runs == {True, False}


def test_days_that_cannot_be_shown_hold_the_person_and_nobody_else():
    much_later = LATER | {"StudyDate": ["20450620"]}
    other = T1W | {"PatientID": ["1"], "StudyInstanceUID": ["1.3"]}
    rows, _, _ = planned_with_doubts(
        {"a": T1W, "b": much_later, "c": other}, config=configured(dates={"mode": "shift"})
    )
    assert [rows[key].decision for key in "abc"] == ["held", "held", "convert"]
    assert "dates.mode" in rows["a"].reason
