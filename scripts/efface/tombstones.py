"""Who was erased: digests under the study's key, in which nobody can be read but everybody is recognised."""

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

from efface.errors import EffaceError, UsageError
from efface.identity import keyed
from efface.tables import read_tsv, write_tsv

NAME = "erased.tsv"
UNFINISHED = "erasing.json"
COLUMNS = ("person", "label", "numbers", "key", "day")


@dataclass(frozen=True)
class Tombstones:
    """The people who were erased.

    Attributes
    ----------
    key : the study's secret
    people, labels : digests of normalised source IDs and of labels, hexadecimal
    numbers : how many numbers of a template had been given by then: none of them is given again
    """

    key: bytes = b""
    people: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    numbers: int = 0

    def of_person(self, source_id: str) -> bool:
        """Return whether a person, by normalised source ID, was erased."""
        return bool(self.people) and _person(self.key, source_id) in self.people

    def of_label(self, label: str) -> bool:
        """Return whether a label, without sub-, was an erased person's."""
        return bool(self.labels) and _label(self.key, label) in self.labels


def read(path: Path | str, key: bytes) -> Tombstones:
    """Return the tombstones; none where there is no table.

    Raises
    ------
    UsageError
        When a row is damaged or was made with another key: nobody could be recognised, and would come back.
    """
    if not path or not Path(path).exists():
        return Tombstones(key)
    rows = read_tsv(path, COLUMNS)
    for number, row in enumerate(rows, 2):
        whole = re.fullmatch("[0-9a-f]{64}", row["person"] or "") and (row["numbers"] or "").isdecimal()
        if not whole or row["key"] != _mark(key):
            raise UsageError(
                f"{NAME}, row {number}",
                expected="a digest made with the study's key",
                found="another key's" if whole else "a damaged row",
                todo="set the key of before, or put back the table; else who was erased would come back",
            )
    return Tombstones(
        key,
        frozenset(row["person"] for row in rows),
        frozenset(row["label"] for row in rows if row["label"]),
        max((int(row["numbers"]) for row in rows), default=0),
    )


def add(path: Path | str, key: bytes, source_id: str, label: str, numbers: int = 0) -> None:
    """Add the tombstone of a person; one who has it already gets no second one.

    Parameters
    ----------
    source_id : str
        Normalised.
    label : str
        Without sub-; empty for somebody who never had one.
    numbers : int
        Of a template that have been given, to anybody.
    """
    known = read(path, key)
    if known.of_person(source_id) and (not label or known.of_label(label)):
        return
    row = {
        "person": _person(key, source_id),
        "label": _label(key, label) if label else "",
        "numbers": numbers,
        "key": _mark(key),
        "day": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    rows = read_tsv(path, COLUMNS) if Path(path).exists() else []
    write_tsv(path, sorted([*rows, row], key=lambda one: one["person"]), COLUMNS)


def _person(key: bytes, source_id: str) -> str:
    return keyed(key, "erased", source_id).hex()


def _label(key: bytes, label: str) -> str:
    return keyed(key, "erased label", label).hex()


def _mark(key: bytes) -> str:
    """Return what tells that the key is the same, and nothing of the key."""
    return keyed(key, "erased", "", "key").hex()[:16]


def refuse_unfinished(work: Path | str) -> None:
    """Refuse to go on with a study while somebody is erased by half: a run could bring them back.

    Raises
    ------
    EffaceError
    """
    if Path(work, "key", UNFINISHED).exists():
        raise EffaceError("an erasure was not finished", todo="start efface erase again, then this")
