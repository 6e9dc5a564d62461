"""The scanners that a person has looked at, and which values and private elements are known of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from efface import schema
from efface.errors import UsageError
from efface.policy import Key
from efface.settings import WORKFLOW

_SCHEMA = WORKFLOW / "schemas" / "scanners.schema.yaml"
_ATTRIBUTES = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions")


class Scanner(NamedTuple):
    """What sets house rules apart: vendors, models and versions fill the same attributes differently."""

    manufacturer: str
    model: str
    software: str

    def __str__(self) -> str:
        return " / ".join(part or "-" for part in self)


@dataclass(frozen=True)
class Private:
    """A private element that may be published, and the rule for its value.

    Attributes
    ----------
    creator : str
        Of its block (PS3.5 7.8.1).
    element : str
        Group and number in the block, such as 0019,xx0C.
    within : tuple of str
        Sequences on the way to it, from the outside: keywords, or elements of the same creator.
    vr : str
        What bytes of unknown type are, "" where they are refused.
    key : Key
        The sidecar's key; numbers have a range, texts a closed list.
    """

    creator: str
    element: str
    within: tuple[str, ...]
    vr: str
    key: Key


@dataclass(frozen=True)
class Profile:
    """What is known of one scanner, who says so and since when."""

    scanner: Scanner
    owner: str
    since: str
    values: dict[str, frozenset[str]]
    private: tuple[Private, ...]


class Registry:
    """The profiles of all scanners.

    Attributes
    ----------
    entries : list of dict
        As they stand in the file.
    profiles : list of Profile

    Raises
    ------
    UsageError
        When two entries are one scanner, or two private elements of a scanner have one key or a wrong range.
    """

    def __init__(self, entries: Sequence[dict] = ()):
        self.entries = list(entries)
        self.profiles = [_profile(entry, place) for place, entry in enumerate(self.entries, 1)]
        self._by_scanner: dict[tuple[str, ...], Profile] = {}
        for place, profile in enumerate(self.profiles, 1):
            if self._by_scanner.setdefault(_folded(profile.scanner), profile) is not profile:
                raise UsageError(f"the registry of scanners, entry {place}", expected="one entry a scanner")

    def find(self, scanner: Scanner) -> Profile | None:
        """Return the profile of a scanner, None when nobody has looked at it."""
        return self._by_scanner.get(_folded(scanner))


def read(path: Path | str) -> Registry:
    """Return the registry in a YAML file.

    Raises
    ------
    UsageError
        When it does not fit the schema or contradicts itself.
    """
    return Registry(schema.read(path, _SCHEMA, f"scanners {Path(path).name}"))


def scanner(attributes: Mapping[str, Sequence[str]]) -> Scanner:
    """Return the scanner that a series comes from, by its attributes as the index has them."""
    said = ({" ".join(value.split()) for value in attributes.get(name, ())} - {""} for name in _ATTRIBUTES)
    return Scanner(*(" | ".join(sorted(values)) for values in said))


def _profile(entry: dict, place: int) -> Profile:
    private = tuple(_private(rule, place) for rule in entry.get("private", ()))
    if len({rule.key.name for rule in private}) < len(private):
        raise UsageError(f"the registry of scanners, entry {place}", expected="each private key once")
    return Profile(
        Scanner(*(" ".join(entry[part].split()) for part in Scanner._fields)),
        entry.get("owner", ""),
        str(entry.get("since", "")),
        {keyword: frozenset(values) for keyword, values in entry.get("values", {}).items()},
        private,
    )


def _private(rule: dict, place: int) -> Private:
    if "range" in rule and not rule["range"][0] < rule["range"][1]:
        raise UsageError(
            f"the registry of scanners, entry {place}, {rule['key']}", expected="the lower number first"
        )
    key = Key(
        name=rule["key"],
        type=rule["type"],
        sources=(),
        scale=rule.get("scale", 1.0),
        range=tuple(rule["range"]) if "range" in rule else None,
        values=frozenset(rule.get("values", ())),
        pattern=None,
        publish=(),
        modalities=frozenset(("MR", "CT", "PT")),
        unit=rule.get("unit", ""),
        reason=rule["reason"],
    )
    return Private(rule["creator"], rule["element"], tuple(rule.get("in", ())), rule.get("vr", ""), key)


def _folded(scanner: Scanner) -> tuple[str, ...]:
    return tuple(part.casefold() for part in scanner)
