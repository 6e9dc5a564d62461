"""The data dictionary of a clinical table: what each column is, and what none may release."""

import datetime
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from efface import schema
from efface.dates import OLDEST_AGE
from efface.errors import UsageError
from efface.settings import DIAGNOSIS, FURTHER, WORKFLOW

MISSING = "n/a"  # BIDS, "Tabular files"
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?")
_MOST_LEVELS, _LONGEST_LEVEL = 30, 40
_SCHEMA = WORKFLOW / "schemas" / "dictionary.schema.yaml"
_TELLING_LEVEL = re.compile(
    r"[0-9]{5}|[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}|(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])|[@\t\r\n]"
)
# Direct identifiers and places below a country (45 CFR 164.514(b)(2)(i)(A-R)), also in Swedish and German.
_TELLING_NAME = frozenset(
    """
    postcode postal postnummer postnr plz zip zipcode address adress street city town ort stadt stad county
    region municipality kommun kreis province lan district village parish neighbourhood neighborhood suburb
    latitude longitude lat lon lng gps geocode coordinates residence birthplace hospital clinic ward
    institution name names firstname lastname surname forename fullname patientname vorname nachname fornamn
    efternamn namn initials phone telephone telefon tel mobile fax email epost mail url ip ssn personnummer
    personnr pnr mrn cpr nhs passport licence license account serial accession id ids identifier patientid
    recordid operator physician doctor
    """.split()
)


@dataclass(frozen=True)
class Column:
    """A column to release: its name in the table, and its rule with the fields of the schema."""

    source: str
    rule: Mapping
    missing: frozenset[str]

    @property
    def name(self) -> str:
        """Its name in the release."""
        return self.rule.get("name", self.source)

    @property
    def quasi(self) -> bool:
        """Whether it counts among what singles people out."""
        return self.rule.get("quasi", self.rule["type"] == "category" or self.rule.get("as") == "age")

    def described(self) -> dict:
        """Return what BIDS wants to know of it ("Tabular files")."""
        record = {"Description": self.rule["description"]}
        if self.rule["type"] == "category":
            return record | {"Levels": {level: level for level in self.rule["levels"].values()}}
        return record | {"Units": self.rule.get("unit") or {"days": "day", "age": "year"}[self.rule["as"]]}


@dataclass(frozen=True)
class Dictionary:
    """What a table holds: the column of IDs, the columns to release and those to drop."""

    file: str
    id: str
    columns: tuple[Column, ...]
    dropped: frozenset[str]

    @property
    def quasi(self) -> tuple[str, ...]:
        """The released columns that count among what singles people out."""
        return tuple(column.name for column in self.columns if column.quasi)

    def refuse_above(self, level: int) -> None:
        """Refuse a level of the configuration that lets out less than the dictionary does.

        Raises
        ------
        UsageError
            With the first such column and the level that it needs.
        """
        for column in self.columns:
            needed = DIAGNOSIS if column.rule.get("diagnosis") else FURTHER
            if level < needed:
                raise UsageError(
                    f"{self.file}, column {column.source}",
                    expected=f"level {needed} in the configuration",
                    found=f"level {level}",
                    todo="drop the column or raise the level",
                )


def read_dictionary(path: Path | str) -> Dictionary:
    """Return the dictionary in a YAML file.

    Raises
    ------
    UsageError
        When it does not fit its schema, or would release what identifies; with the column named.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError("a table's dictionary", expected="a file", found="none at that path")
    raw = schema.defaults(schema.read(path, _SCHEMA, path.name), _SCHEMA)
    rules = raw["columns"]
    columns = tuple(
        Column(source, rule, frozenset(rule.get("missing", raw["missing"])))
        for source, rule in rules.items()
        if rule["type"] != "drop"
    )
    if raw["id"] in rules:
        raise UsageError(f"{path.name}, column {raw['id']}: it is the id and cannot be released")
    taken = {"participant_id", "session_id"}
    for column in columns:
        where = f"{path.name}, column {column.source}"
        if fault := _fault(column, taken):
            raise UsageError(f"{where}: {fault}")
        taken.add(column.name)
    return Dictionary(path.name, raw["id"], columns, frozenset(rules) - {c.source for c in columns})


def _fault(column: Column, taken: set[str]) -> str:
    rule = column.rule
    if not re.fullmatch(r"[a-z][a-z0-9_]*", column.name):
        return "give it a name of small letters, digits and _"
    if column.name in taken:
        return "its released name is taken: give it another"
    if _words(column.source) & _TELLING_NAME or _words(column.name) & _TELLING_NAME:
        return (
            "its name says a direct identifier, or a place below a country: drop it;"
            " if it holds something else, rename it in the table"
        )
    if rule["type"] == "category":
        return _fault_of_levels(rule["levels"], column.missing)
    if rule["type"] == "date":
        return _fault_of_format(rule.get("format"))
    low, high = rule["range"]
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        return "expected a range from a lower to a higher number"
    if "age" in _words(column.name) | _words(column.source) and high > OLDEST_AGE:
        return f"an age stops at {OLDEST_AGE}, which stands for {OLDEST_AGE} and older: end the range there"
    if any(NUMBER.fullmatch(code) and low <= float(code) <= high for code in column.missing):
        return "its range holds one of the texts that mean a missing value: give the column its own 'missing'"
    return ""


def _words(name: str) -> set[str]:
    """Return the words of a column's name, and pairs of neighbours as one word (post_code, zipCode)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.findall("[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain).lower())
    return {*words, *(one + other for one, other in pairwise(words))}


def _fault_of_levels(levels: dict, missing: frozenset[str]) -> str:
    texts = [*levels, *levels.values()]
    if not all(isinstance(text, str) and text.strip() == text for text in texts):
        return "expected levels and what is released for them as texts in quotes, without blanks around them"
    if missing & set(levels):
        return "one of its levels is also a text that means a missing value"
    if len(set(levels.values())) > _MOST_LEVELS:
        return f"expected at most {_MOST_LEVELS} levels: group the rare ones"
    for number, level in enumerate(levels.values(), 1):
        if not level or level == MISSING or len(level) > _LONGEST_LEVEL or _TELLING_LEVEL.search(level):
            return (
                f"level number {number}: expected 1 to {_LONGEST_LEVEL} letters to release,"
                " without a date, a year or 5 digits in a row"
            )
    return ""


def _fault_of_format(form: str | None) -> str:
    # The year in two digits would come back as 2042, and a month alone as its first day.
    day = datetime.date(1942, 12, 31)
    try:
        if form is None or datetime.datetime.strptime(day.strftime(form), form).date() == day:
            return ""
    except ValueError:
        pass
    return "expected a format with %Y, %m and %d"
