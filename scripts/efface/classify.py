"""What a series is, decided by the attributes that the scanner sets and never by what a person typed."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from efface.schema import check, read

Attributes = dict[str, list[str]]

# Enhanced MR objects (PS3.3 C.8.13) say with other attributes what classic ones say with ScanningSequence.
_SEQUENCE_OF_ENHANCED = {
    ("EchoPulseSequence", "SPIN"): ["SE"],
    ("EchoPulseSequence", "GRADIENT"): ["GR"],
    ("EchoPulseSequence", "BOTH"): ["SE", "GR"],
    ("EchoPlanarPulseSequence", "YES"): ["EP"],
    ("InversionRecovery", "YES"): ["IR"],
}
_NAME_OF_ENHANCED = {"EffectiveEchoTime": "EchoTime", "InversionTimes": "InversionTime"}
# Where the sequence itself writes its name. On Canon's scanners PulseSequenceName repeats what a user typed.
_NAMES_OF_SEQUENCE = {
    "SIEMENS": ("SequenceName", "PulseSequenceName"),
    "UIH": ("SequenceName",),
    "PHILIPS": ("PulseSequenceName",),
}
# Siemens gives the ScanningSequence EP to gradient and spin echoes alike; Philips leaves EP out.
_SEQUENCE_OF_NAME = {
    "EPFID": ["EP", "GR"],
    "EPSE": ["EP", "SE"],
    "EP_B": ["EP", "SE"],
    "EZ_B": ["EP", "SE"],
    "FEEPI": ["EP", "GR"],
    "SEEPI": ["EP", "SE"],
    "DWISE": ["EP", "SE"],
}
_LONGEST_INVERSION_MS = 1e5
_WORD = re.compile(r"[^\W\d_]+")
_CLOSE = 1e-3  # two cosines or mm that are the same
_PRESCRIBED = ("Rows", "Columns", "ImageOrientationPatient", "EchoTime", "Slices", "FrameOfReferenceUID")
_SLICES = (
    "ImageOrientationPatient",
    "Slices",
    "SliceThickness",
    "SpacingBetweenSlices",
    "FrameOfReferenceUID",
)


@dataclass(frozen=True)
class Kind:
    """What the rules say of a series.

    Attributes
    ----------
    decision : {"convert", "dropped", "held"}
    reason : str
        Why it is dropped or held, or the name of the rule that it meets.
    datatype, suffix : str
        Of BIDS. Of a held series a guess that its neighbours may confirm (`beside`), mostly empty.
    entities : dict of str to str
        Of BIDS, as far as the attributes tell them.
    """

    decision: str
    reason: str
    datatype: str = ""
    suffix: str = ""
    entities: dict[str, str] = field(default_factory=dict)


class Modalities:
    """The rules of a modalities file, in their order: drop, hold, images, and what they add.

    Parameters
    ----------
    names : sequence of dict
        Rows as under `add`, from the configuration: a study's tasks and acquisitions.

    Raises
    ------
    UsageError
        When the file or the names do not follow the schema.
    """

    def __init__(self, path: Path | str, schema: Path | str, names: Sequence[dict] = ()):
        self._rules = read(path, schema, Path(path).name)
        named = [{"name": "the configuration"} | row for row in names]
        check(self._rules | {"add": named}, schema, "the configuration, names")
        self._rules["add"] = [*self._rules.get("add", ()), *named]

    def classify(self, attributes: Attributes) -> Kind:
        """Return what a part of a series with these attributes is; one that meets no rule is held."""
        facts = _normalised(attributes)
        for decision, group in (("dropped", "drop"), ("held", "hold")):
            for rule in self._rules[group]:
                if _meets(facts, rule["where"]):
                    return Kind(decision, rule["reason"])
        for rule in self._rules["images"]:
            if _meets(facts, rule["where"]):
                return self._named(rule, facts)
        return Kind("held", self._unknown(facts))

    def _named(self, rule: dict, facts: Attributes) -> Kind:
        datatype, suffix = rule.get("datatype", ""), rule.get("suffix", "")
        if "hold" in rule:
            return Kind("held", rule["hold"], datatype, suffix)
        entities = dict(rule.get("entities", {}))
        for more in self._rules["add"]:
            if suffix in more["suffixes"] and _meets(facts, more["where"]):
                entities |= more["entities"]
        return Kind("convert", rule["name"], datatype, suffix, entities)

    def _unknown(self, facts: Attributes) -> str:
        """Return a reason that names the attributes of the rules for this modality, never their values."""
        tables = [table for rule in self._rules["images"] for table in _alternatives(rule["where"])]
        asked = dict.fromkeys(
            keyword
            for table in tables
            if "Modality" in table and _holds(facts.get("Modality", []), table["Modality"])
            for keyword in table
        ) or {"Modality": None}
        there = [keyword for keyword in asked if any(facts.get(keyword, ()))]
        absent = [keyword for keyword in asked if keyword not in there]
        missing = f"; absent: {', '.join(absent)}" if absent else ""
        return (
            "unknown kind of series: no rule of modalities.yaml fits; "
            f"looked at {', '.join(there) or 'nothing'}{missing}; name it in overrides.tsv"
        )


def beside(kind: Kind, attributes: Attributes, company: Iterable[tuple[Kind, Attributes]]) -> Kind:
    """Return what a series is in the light of the others of its study, where its attributes leave it open.

    One volume of an EPI is the single-band reference of a multiband series with the same prescription: CMRR's
    sequences write MB into the ImageType of the series and not into that of its reference. A 2D T1w or T2w
    with the slices of a bold series is an in-plane anatomical image.

    Parameters
    ----------
    kind : Kind
        What `Modalities.classify` says of it.
    company : iterable of (Kind, Attributes)
        The other series of the same study.
    """
    own = _normalised(attributes)
    for other, its in company:
        theirs = _normalised(its)
        if _is_reference(kind, own, other, theirs):
            part = {"part": "phase"} if _parts(own, "Component") == {"PHASE"} else {}
            return Kind("convert", "sbref of a multiband series", other.datatype, "sbref", part)
        if _is_in_plane(kind, own, other, theirs):
            return replace(
                kind, reason=f"{kind.reason} in the slices of a bold", suffix=f"inplane{kind.suffix[:2]}"
            )
    return kind


def _is_reference(kind: Kind, own: Attributes, other: Kind, theirs: Attributes) -> bool:
    open_for = {"sbref": "bold", "epi": "dwi"}.get(kind.suffix)
    return (
        (other.decision, other.suffix) == ("convert", open_for)
        and _holds(own.get("Volumes", []), {"max": 1})
        and "MB" in _parts(theirs, "ImageType")
        and "MB" not in _parts(own, "ImageType")
        and all(_same(own, theirs, keyword) for keyword in _PRESCRIBED)
    )


def _is_in_plane(kind: Kind, own: Attributes, other: Kind, theirs: Attributes) -> bool:
    return (
        (kind.decision, other.decision, other.suffix) == ("convert", "convert", "bold")
        and kind.suffix in ("T1w", "T2w")
        and "2D" in _parts(own, "MRAcquisitionType")
        # The tiles of a mosaic are at one position: of them nobody knows here.
        and _holds(own.get("Slices", []), {"above": 1})
        and all(_same(own, theirs, keyword) for keyword in _SLICES)
    )


def _same(own: Attributes, theirs: Attributes, keyword: str) -> bool:
    """Say whether both have an attribute, one value each, and the same but for rounding."""
    values = [facts.get(keyword, []) for facts in (own, theirs)]
    if any(len(found) != 1 or not found[0] for found in values):
        return False
    one, two = (found[0].split("\\") for found in values)
    numbers = [[_number(part) for part in parts] for parts in (one, two)]
    if None in numbers[0] or None in numbers[1] or len(one) != len(two):
        return one == two
    return bool(np.allclose(numbers[0], numbers[1], rtol=0, atol=_CLOSE))


def _normalised(attributes: Attributes) -> Attributes:
    facts = dict(attributes)
    for enhanced, classic in _NAME_OF_ENHANCED.items():
        if not any(facts.get(classic, ())):
            facts[classic] = attributes.get(enhanced, [])
    # Philips writes 0 where nothing is inverted, and the largest number there is beside it.
    inversions = [part for value in facts["InversionTime"] for part in value.split("\\")]
    facts["InversionTime"] = [part for part in inversions if 0 < (_number(part) or 0) < _LONGEST_INVERSION_MS]
    pulse = _pulse_sequence(attributes)
    sequence = [part for value in attributes.get("ScanningSequence", ()) for part in value.split("\\")]
    for (keyword, value), names in _SEQUENCE_OF_ENHANCED.items():
        if value in attributes.get(keyword, ()):
            sequence += names
    for start, names in _SEQUENCE_OF_NAME.items():
        if any(name.upper().startswith(start) for name in pulse):
            sequence += names
    planes = {_plane(orientation) for orientation in attributes.get("ImageOrientationPatient", ())}
    return facts | {
        "ScanningSequence": sequence,
        "PulseSequence": pulse,
        "Planes": sorted(planes - {""}),
        "TypeWords": _words(attributes.get("ImageType", ())),
        "DescriptionWords": _words(attributes.get("SeriesDescription", ())),
    }


def _words(values: Iterable[str]) -> list[str]:
    """Return the words in values, of letters only: what divides them differs from scanner to scanner."""
    return sorted({word for value in values for word in _WORD.findall(value)})


def _pulse_sequence(attributes: Attributes) -> list[str]:
    """Return the vendor's name of the pulse sequence; Siemens marks its own with * and trials with WIP_."""
    manufacturers = " ".join(attributes.get("Manufacturer", ())).upper()
    keywords = next(
        (names for maker, names in _NAMES_OF_SEQUENCE.items() if manufacturers.startswith(maker)), ()
    )
    names = (name for keyword in keywords for name in attributes.get(keyword, ()))
    return sorted({name.strip().removeprefix("*").removeprefix("WIP_") for name in names} - {""})


def _plane(orientation: str) -> str:
    """Return the plane of slices that an ImageOrientationPatient is nearest to (PS3.3 C.7.6.2.1.1)."""
    cosines = [number for part in orientation.split("\\") if (number := _number(part)) is not None]
    if len(cosines) != 6:
        return ""
    normal = np.abs(np.cross(cosines[:3], cosines[3:]))
    return ("sagittal", "coronal", "axial")[int(normal.argmax())]


def _meets(facts: Attributes, where: dict[str, object] | list[dict[str, object]]) -> bool:
    return any(
        all(_holds(facts.get(keyword, []), condition) for keyword, condition in table.items())
        for table in _alternatives(where)
    )


def _alternatives(where: dict[str, object] | list[dict[str, object]]) -> list[dict[str, object]]:
    return where if isinstance(where, list) else [where]


def _parts(facts: Attributes, keyword: str) -> set[str]:
    values = facts.get(keyword, ())
    return {part.strip().upper() for value in values for part in value.split("\\") if part.strip()}


def _holds(values: list[str], condition: object) -> bool:
    if not isinstance(condition, dict):
        condition = {"has": condition}
    parts = {part.strip().upper() for value in values for part in value.split("\\") if part.strip()}
    numbers = [number for part in parts if (number := _number(part)) is not None]
    tests = {
        "has": lambda wanted: bool(parts & _upper(wanted)),
        "all": lambda wanted: _upper(wanted) <= parts,
        "lacks": lambda unwanted: not parts & _upper(unwanted),
        "starts": lambda prefixes: any(part.startswith(tuple(_upper(prefixes))) for part in parts),
        "absent": lambda absent: bool(parts) is not absent,
        "min": lambda least: bool(numbers) and min(numbers) >= least,
        "max": lambda most: bool(numbers) and max(numbers) <= most,
        "above": lambda bound: bool(numbers) and max(numbers) > bound,
    }
    return all(tests[test](argument) for test, argument in condition.items())


def _upper(wanted: object) -> set[str]:
    many = wanted if isinstance(wanted, Iterable) and not isinstance(wanted, str) else [wanted]
    return {str(one).upper() for one in many}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
