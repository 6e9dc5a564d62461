"""The clinical table: what its dictionary releases, under the labels of the scans and without a date."""

import csv
import datetime
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from efface import dates
from efface.dictionary import MISSING, NUMBER, Column, Dictionary
from efface.errors import UsageError
from efface.identity import normalised

_LONGEST_LIFE = 120
_DELIMITERS = ("\t", ";", ",")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")  # a leading zero is a record number's
_DATE = re.compile(r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?")
_DA = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")


@dataclass(frozen=True)
class Person:
    """Whose row it is: label, birth date and day of the first scan session (DA, or empty)."""

    label: str
    birth_date: str
    first_session: str


@dataclass(frozen=True)
class Imported:
    """Columns as BIDS describes them, a row a person, and how many people of the table have no scan."""

    columns: dict[str, dict]
    rows: list[dict[str, str]]
    unknown: int


def imported(table: Path | str, dictionary: Dictionary, people: Mapping[str, Person], level: int) -> Imported:
    """Return a table's rows under the labels of the scans, in the order of these.

    One row a person: the BIDS validator accepts no more, in participants.tsv as in phenotype/.

    Parameters
    ----------
    table : Path
        CSV or TSV in UTF-8; tabs, semicolons or commas.
    people : mapping of str to Person
        By normalised ID. Rows of anybody else are left out and counted.
    level : int
        What the configuration lets out: 5 diagnoses, 6 further columns.

    Raises
    ------
    UsageError
        When a column is not in the dictionary or above the level, or a cell is not as the dictionary says; it
        names column and row (1 is the header), never a value.
    """
    dictionary.refuse_above(level)
    rows, numbers = {}, defaultdict(list)
    for number, cells in _rows(Path(table), dictionary):
        source = normalised(cells[dictionary.id])
        if not source:
            raise UsageError(f"the table of {dictionary.file}, row {number}: there is no ID")
        person = people.get(source)
        numbers[person.label if person else (source,)].append(number)
        if person:
            rows[person.label] = {"participant_id": f"sub-{person.label}"}
            for column in dictionary.columns:
                rows[person.label][column.name] = _released(column, cells, person, dictionary, number)
    for several in numbers.values():
        if len(several) > 1:
            raise UsageError(
                f"the table of {dictionary.file}, rows {', '.join(map(str, several))}: one person",
                expected="one row a person",
                todo="give each visit a table or columns of its own",
            )
    if not rows:
        raise UsageError(f"the table of {dictionary.file}", expected="people with scans", found="none")
    for column in dictionary.columns:
        if fault := _fault_of_values(column, [row[column.name] for row in rows.values()]):
            raise UsageError(f"the table of {dictionary.file}, column {column.source}: {fault}")
    described = {column.name: column.described() for column in dictionary.columns}
    return Imported(described, [rows[label] for label in sorted(rows)], len(numbers) - len(rows))


def _rows(table: Path, dictionary: Dictionary) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield number and cells of each row that is not blank."""
    what = f"the table of {dictionary.file}"
    if not table.is_file():
        raise UsageError(what, expected="a file", found="none at that path")
    try:
        text = table.read_text(encoding="utf-8-sig")
        marks = [mark for mark in _DELIMITERS if dictionary.id in _header(text, mark)]
        rows = list(
            csv.reader(io.StringIO(text, newline=""), delimiter=marks[0] if marks else ",", strict=True)
        )
    except (UnicodeDecodeError, csv.Error):
        raise UsageError(what, expected="CSV or TSV in UTF-8", found="something else") from None
    if not marks:
        # Without a header line the first row would be somebody's: nothing of it is shown.
        raise UsageError(
            what, expected=f"a header line with the column {dictionary.id}", found="no such column"
        )
    header = [name.strip() for name in rows[0]]
    _check_header(header, dictionary, what)
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise UsageError(f"{what}, row {number}", expected=f"{len(header)} cells", found=str(len(row)))
        yield number, {name: cell.strip() for name, cell in zip(header, row, strict=True)}


def _header(text: str, mark: str) -> list[str]:
    return [name.strip() for name in next(csv.reader(io.StringIO(text, newline=""), delimiter=mark), [])]


def _check_header(header: list[str], dictionary: Dictionary, what: str) -> None:
    listed = {column.source for column in dictionary.columns} | dictionary.dropped | {dictionary.id}
    for place, name in enumerate(header, 1):
        if not name or header.count(name) > 1:
            raise UsageError(f"{what}, column number {place}", expected="a name of its own")
        if name not in listed:
            raise UsageError(
                f"{what}, column {name}",
                expected=f"one that is in {dictionary.file}",
                todo="describe it there, or list it with type: drop",
            )
    for column in dictionary.columns:
        if column.source not in header:
            raise UsageError(
                f"{what}, column {column.source}: it is in {dictionary.file} but not in the table"
            )


def _released(column: Column, cells: Mapping, person: Person, dictionary: Dictionary, number: int) -> str:
    text, rule = cells[column.source], column.rule
    if text in column.missing:
        return MISSING
    if rule["type"] == "category":
        value, expected = rule["levels"].get(text), "one of the levels"
    elif rule["type"] == "date":
        value = _since(_day(text, rule.get("format")), rule["as"], person)
        expected = (
            f"a date ({rule.get('format') or 'YYYY-MM-DD'}) from birth on, within {_LONGEST_LIFE} years,"
            " and for days not the birth date itself"
        )
    else:
        value = _number(text, rule)
        expected = f"{rule['type']} from {rule['range'][0]} to {rule['range'][1]}, with a point, and no date"
    if value is None:
        where = f"the table of {dictionary.file}, column {column.source}, row {number}"
        raise UsageError(where, expected=expected, found="something else")
    return value


def _number(text: str, rule: Mapping) -> str | None:
    # A decimal comma is refused: 1,234 is one and a bit here, and over a thousand elsewhere.
    whole = rule["type"] == "integer"
    if not (_INTEGER if whole else NUMBER).fullmatch(text) or _DA.fullmatch(text):
        return None
    value = float(text)
    if not rule["range"][0] <= value <= rule["range"][1]:
        return None
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.9g}"


def _day(text: str, form: str | None) -> datetime.date | None:
    try:
        if form:
            return datetime.datetime.strptime(text, form).date()
        match = _DATE.fullmatch(text)
        return datetime.date(int(match[1]), int(match[3]), int(match[4])) if match else None
    except ValueError:
        return None


def _since(day: datetime.date | None, unit: str, person: Person) -> str | None:
    """Return days since the first session or the age in years, `n/a` where the headers lack that date."""
    birth, first = dates.date(person.birth_date), dates.date(person.first_session)
    if day is None or any(known and abs(day - known).days > _LONGEST_LIFE * 366 for known in (birth, first)):
        return None
    # Days to one's birth are an exact age, and a birth date.
    if birth and (day < birth or (day == birth and unit == "days")):
        return None
    if unit == "days":
        return str((day - first).days) if first else MISSING
    if not birth:
        return MISSING
    years = dates.age(person.birth_date, f"{day:%Y%m%d}")
    return None if years is None else str(years)


def _fault_of_values(column: Column, values: list[str]) -> str:
    """Return what a column of numbers may be in truth, by all its values."""
    given = [value for value in values if value != MISSING]
    if column.rule["type"] not in ("integer", "number") or not given:
        return ""
    long = [value for value in given if re.fullmatch("-?[0-9]{5,}", value)]
    if 2 * len(long) >= len(given) and len(set(long)) == len(long) > 0:
        return (
            "its values look like record numbers, all different and of 5 digits or more:"
            " drop it, or use a larger unit"
        )
    if all(_YEAR.fullmatch(value) for value in given):
        return "its values look like calendar years: give a date as an age or days, or drop it"
    return ""
