"""The policy of the sidecar: which keys may be published, from which attributes, with which values."""

import csv
import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydicom.datadict import dictionary_VR, tag_for_keyword

from efface import schema
from efface.errors import UsageError
from efface.settings import FURTHER, WORKFLOW

# Attributes of these kinds name people, places or days, or hold free text or bytes (DICOM PS3.5 6.2).
FORBIDDEN_VR = frozenset("DA DT TM PN UI LT ST UT UC UR AE OB OW OF OD OL OV UN".split())
_NUMERIC_VR = frozenset("DS IS FD FL US SS UL SL UV SV".split())
_TEXT = ("text", "texts")
_SCHEMA = WORKFLOW / "schemas" / "policy.schema.yaml"
_TABLE = WORKFLOW / "policies" / "ps3_15_e1_1.csv"
# What somebody may have typed where a code is expected; a pattern that lets one of these through is too open.
_TYPED = (
    *("Svensson", "SVENSSON", "svensson", "Anna Svensson", "SVENSSON^ANNA", "Norrvik Hospital"),
    *("2019-04-14", "20190414", "140419", "19700101-1234", "197001011234", "123456"),
)


@dataclass(frozen=True)
class Key:
    """One sidecar key's rule; the fields are those of the schema.

    Parameters
    ----------
    sources : tuple of str
        Paths of DICOM keywords, looked at in order; none for a derived key.
    level : int
        Lowest level of release, 1 to 6, at which the key is published.
    """

    name: str
    type: str
    sources: tuple[str, ...]
    scale: float
    range: tuple[float, float] | None
    values: frozenset[str]
    pattern: str | None
    publish: tuple[tuple[str, str], ...]
    modalities: frozenset[str]
    level: int = 1
    unit: str = ""
    reason: str = ""

    def text(self, value: object) -> str | None:
        """Return the text to publish for a value, None when the vocabulary does not have it."""
        said = str(value).strip()
        for found, instead in self.publish:
            if re.search(found, said):
                return instead
        if said in self.values or (self.pattern and re.fullmatch(self.pattern, said)):
            return said
        return None

    def number(self, value: float) -> float | int | None:
        """Return the number to publish, in BIDS's unit, None when it is out of range."""
        scaled = float(f"{value * self.scale:.9g}")  # 2.4 ms is 0.0024 s, not 0.0024000000000000002
        if self.range and not self.range[0] <= scaled <= self.range[1]:
            return None
        if self.type == "integer":
            return int(scaled) if scaled.is_integer() else None
        return int(scaled) if scaled.is_integer() and abs(scaled) < 1e15 else scaled


@dataclass(frozen=True)
class Policy:
    """What a sidecar may say."""

    name: str
    keys: tuple[Key, ...]

    @property
    def keywords(self) -> tuple[str, ...]:
        """The top-level DICOM keywords that the keys read."""
        return tuple(sorted({path.split(".")[0] for key in self.keys for path in key.sources}))


def load(path: Path, level: int = FURTHER) -> Policy:
    """Return the policy in a YAML file, without the keys above a level of release.

    Raises
    ------
    UsageError
        When it does not fit the schema, names an unknown attribute or one that must never be published, or
        gives a key no reason of its own. Keys above the level are checked too.
    """
    path = Path(path)
    raw = schema.read(path, _SCHEMA, f"policy {path.name}")
    keys = tuple(_key(name, rule, path.name) for name, rule in raw["keys"].items())
    _check_reasons(keys, path.name)
    return Policy(raw["name"], tuple(key for key in keys if key.level <= level))


@cache
def standard() -> tuple[dict[str, str], ...]:
    """Return the rows of DICOM PS3.15 Table E.1-1 (2026c), attributes with a confidentiality action."""
    with _TABLE.open(newline="", encoding="utf-8") as stream:
        return tuple(csv.DictReader(stream))


@cache
def listed() -> dict[int, dict[str, str]]:
    """Return the rows of Table E.1-1 by tag; repeating and private groups have none and no keyword either."""
    rows = {re.sub(r"\W", "", row["tag"]): row for row in standard()}
    return {int(digits, 16): row for digits, row in rows.items() if re.fullmatch("[0-9A-F]{8}", digits)}


def _key(name: str, rule: dict, policy: str) -> Key:
    where = f"policy {policy}, key {name}"
    for source in rule.get("from", ()):
        _check_source(source, rule, where)
    _check_values(rule, where)
    return Key(
        name,
        rule["type"],
        tuple(rule.get("from", ())),
        rule.get("scale", 1.0),
        tuple(rule["range"]) if "range" in rule else None,
        frozenset(rule.get("values", ())),
        rule.get("pattern"),
        tuple(rule.get("publish", {}).items()),
        frozenset(rule.get("modalities", ("MR", "CT", "PT"))),
        rule["level"],
        rule.get("unit", ""),
        rule["reason"],
    )


def _check_reasons(keys: tuple[Key, ...], policy: str) -> None:
    first: dict[str, str] = {}
    for key in keys:
        said = " ".join(key.reason.casefold().split()).rstrip(".")
        if first.setdefault(said, key.name) != key.name:
            raise UsageError(
                f"policy {policy}: {first[said]} and {key.name} have the same reason",
                todo="say of each why it is worth publishing and identifies nobody",
            )


def _check_values(rule: dict, where: str) -> None:
    vocabulary = [way for way in ("values", "pattern", "publish") if way in rule]
    numeric = [way for way in ("range", "scale", "unit") if way in rule]
    if rule["type"] not in _TEXT:
        low, high = rule["range"]
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise UsageError(f"{where}, range", expected="two finite numbers, the lower one first")
    elif not vocabulary:
        raise UsageError(where, expected="values, pattern or publish for a text", found="none")
    idle = numeric if rule["type"] in _TEXT else vocabulary
    if idle:
        raise UsageError(f"{where}: {idle[0]} means nothing for the type {rule['type']}", todo="remove it")
    try:
        for expression in [rule.get("pattern", ""), *rule.get("publish", ())]:
            re.compile(expression)
    except re.error:
        raise UsageError(where, expected="regular expressions", found="one that cannot be read") from None
    if "pattern" in rule and any(re.fullmatch(rule["pattern"], typed) for typed in _TYPED):
        raise UsageError(
            f"{where}: the pattern lets a name, a date or a long number through", todo="name the codes"
        )


def _check_source(source: str, rule: dict, where: str) -> None:
    *outer, last = source.split(".")
    for keyword in (*outer, last):
        if tag_for_keyword(keyword) is None:
            raise UsageError(where, expected="DICOM keywords", found=f"the unknown {keyword}")
    if any(dictionary_VR(keyword) != "SQ" for keyword in outer) or dictionary_VR(last) == "SQ":
        raise UsageError(where, expected="a path of sequences that ends in an attribute", found=source)
    kinds = set(dictionary_VR(last).split(" or "))
    if kinds & FORBIDDEN_VR:
        raise UsageError(
            f"{where}: {last} is of a kind ({dictionary_VR(last)}) that is never published",
            todo="remove the key: such attributes hold names, dates, places, identifiers or free text",
        )
    if rule["type"] not in _TEXT and not kinds <= _NUMERIC_VR:
        raise UsageError(f"{where}: {last} holds text ({dictionary_VR(last)}) and not numbers")
    for keyword in (*outer, last):
        _check_listed(keyword, rule, where)


def _check_listed(keyword: str, rule: dict, where: str) -> None:
    # Of what the standard removes or replaces, its options leave one way: a descriptor of which only words of
    # a closed list remain (E.3.5, Clean Descriptors). Age and sex (E.3.7) belong to participants.tsv.
    row = listed().get(tag_for_keyword(keyword))
    if row is None:
        return
    closed = rule["type"] in _TEXT and "pattern" not in rule
    if row["clean_descriptors"] and closed:
        return
    if row["clean_descriptors"]:
        todo = "list what may be published under values or publish"
    elif row["retain_patient_characteristics"]:
        todo = "remove the key: what is released of people is set under participants"
    else:
        todo = "remove the key"
    raise UsageError(f"{where}: DICOM PS3.15 Table E.1-1 removes or replaces {keyword}", todo=todo)
