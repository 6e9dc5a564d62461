"""What the clinic knows: an export of case report forms, with its dictionary, as a study would bring it."""

import csv
from pathlib import Path

from .people import PEOPLE, written_dates

_PEOPLE_DICTIONARY = """\
id: record_id
columns:
  initials: {type: drop}
  postcode: {type: drop}
  remarks: {type: drop}
  onset:
    name: age_at_onset
    type: date
    as: age
    description: Age at the first symptom
    reason: The course of the disease depends on it; whole years only.
  group:
    type: category
    levels: {"0": control, "1": patient}
    diagnosis: true
    description: Whether the person has the disease
    reason: It is what the study compares.
"""
_TEST_DICTIONARY = """\
id: record_id
columns:
  examiner: {type: drop}
  test_date:
    name: days
    type: date
    as: days
    description: Days since the first session
    reason: The score changes with time; days since the first scan tell no date.
  score:
    type: integer
    range: [0, 30]
    unit: "1"
    description: Points of the test
    reason: The outcome of the study.
"""
_ONSET = ("20150309", "20010630")


def write(folder: Path) -> list[dict[str, str]]:
    """Write the tables and their dictionaries into a folder and return what was planted."""
    folder.mkdir(exist_ok=True)
    people, tests, found = [], [], []
    for person, onset in zip(PEOPLE, _ONSET, strict=True):
        # The clinic writes the ID in its own way.
        identifier = person.patient_id.replace("-", " ").lower()
        initials = ".".join(word[0] for word in person.words) + f".{person.number}77"
        postcode = f"799 9{person.number}77"
        remarks = f"{person.words[0]} was late; next of kin {person.mother.replace('^', ' ')}"
        onset_text = written_dates(onset)[1]
        people.append([identifier, initials, postcode, onset_text, person.number - 1, remarks])
        test_date = written_dates(person.visits[1].date)[1]
        tests.append([identifier, person.hospital.operator, test_date, 25 + person.number])
        found += [
            {"value": value, "where": f"clinical table, {where}"}
            for where, value in (
                ("ID", identifier),
                ("initials", initials),
                ("postcode", postcode),
                ("remarks", remarks),
                ("date of onset", onset_text),
            )
        ]
    people_columns = ["record_id", "initials", "postcode", "onset", "group", "remarks"]
    _write(folder / "people.csv", people_columns, people)
    _write(folder / "attention.csv", ["record_id", "examiner", "test_date", "score"], tests)
    (folder / "people.yaml").write_text(_PEOPLE_DICTIONARY, encoding="utf-8")
    (folder / "attention.yaml").write_text(_TEST_DICTIONARY, encoding="utf-8")
    return found


def _write(path: Path, columns: list[str], rows: list[list]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([columns, *rows])
