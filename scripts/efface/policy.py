"""The policy of the sidecar: which keys may be published, from which attributes, with which values."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydicom.datadict import dictionary_VR, tag_for_keyword

from efface import schema
from efface.errors import UsageError
from efface.settings import WORKFLOW

# Attributes of these kinds name people, places or days, or hold free text or bytes (DICOM PS3.5 6.2).
FORBIDDEN_VR = {"DA", "DT", "TM", "PN", "UI", "LT", "ST", "UT", "UC", "UR", "AE", "OB", "OW", "UN"}
_TEXT = ("text", "texts")
_SCHEMA = WORKFLOW / "schemas" / "policy.schema.yaml"


@dataclass(frozen=True)
class Key:
    """One sidecar key's rule; the fields are those of the schema.

    Parameters
    ----------
    sources : tuple of str
        Paths of DICOM keywords, looked at in order; none for a derived key.
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
    deidentification: tuple[str, ...]
    keys: tuple[Key, ...]

    @property
    def keywords(self) -> tuple[str, ...]:
        """The top-level DICOM keywords that the keys read."""
        return tuple(sorted({path.split(".")[0] for key in self.keys for path in key.sources}))


def load(path: Path) -> Policy:
    """Return the policy in a YAML file.

    Raises
    ------
    UsageError
        When it does not fit the schema, names an unknown attribute, or one that must never be published.
    """
    try:
        raw = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError:
        raise UsageError(f"policy {path.name}", expected="YAML", found="a syntax error") from None
    schema.check(raw, _SCHEMA, f"policy {path.name}")
    keys = tuple(_key(name, rule, path.name) for name, rule in raw["keys"].items())
    return Policy(raw["name"], tuple(raw["deidentification"]), keys)


def _key(name: str, rule: dict, policy: str) -> Key:
    where = f"policy {policy}, key {name}"
    for source in rule.get("from", ()):
        _check_source(source, where)
    if rule["type"] in _TEXT and not any(rule.get(way) for way in ("values", "pattern", "publish")):
        raise UsageError(where, expected="values, pattern or publish for a text", found="none")
    try:
        for expression in [rule.get("pattern", ""), *rule.get("publish", ())]:
            re.compile(expression)
    except re.error:
        raise UsageError(where, expected="regular expressions", found="one that cannot be read") from None
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
    )


def _check_source(source: str, where: str) -> None:
    *outer, last = source.split(".")
    for keyword in (*outer, last):
        if tag_for_keyword(keyword) is None:
            raise UsageError(where, expected="DICOM keywords", found=f"the unknown {keyword}")
    if any(dictionary_VR(keyword) != "SQ" for keyword in outer) or dictionary_VR(last) == "SQ":
        raise UsageError(where, expected="a path of sequences that ends in an attribute", found=source)
    if dictionary_VR(last) in FORBIDDEN_VR:
        raise UsageError(
            f"{where}: {last} is of a kind ({dictionary_VR(last)}) that is never published",
            todo="remove the key: such attributes hold names, dates, places, identifiers or free text",
        )
