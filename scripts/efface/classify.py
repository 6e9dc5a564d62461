"""What a series is, decided by the attributes that the scanner sets and never by what a person typed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from efface.schema import check

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


@dataclass(frozen=True)
class Kind:
    """What the rules say of a series.

    Attributes
    ----------
    decision : {"convert", "dropped", "held"}
    reason : str
        Why it is dropped or held, or the name of the rule that it meets.
    datatype, suffix : str
        Of BIDS; empty unless it is to be converted.
    """

    decision: str
    reason: str
    datatype: str = ""
    suffix: str = ""


class Modalities:
    """The rules of a modalities file, in their order: first those that drop, then that hold, then that name.

    Raises
    ------
    UsageError
        When the file does not follow its schema.
    """

    def __init__(self, path: Path | str, schema: Path | str):
        self._rules = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        check(self._rules, schema, Path(path).name)

    def classify(self, attributes: Attributes) -> Kind:
        """Return what a series with these attributes is; one that meets no rule is held."""
        facts = _normalised(attributes)
        for decision, group in (("dropped", "drop"), ("held", "hold")):
            for rule in self._rules[group]:
                if _meets(facts, rule["where"]):
                    return Kind(decision, rule["reason"])
        for rule in self._rules["images"]:
            if _meets(facts, rule["where"]):
                return Kind("convert", rule["name"], rule["datatype"], rule["suffix"])
        return Kind(
            "held", "unknown kind of series: no rule of modalities.yaml fits; name it in overrides.tsv"
        )


def _normalised(attributes: Attributes) -> Attributes:
    facts = dict(attributes)
    for enhanced, classic in _NAME_OF_ENHANCED.items():
        facts.setdefault(classic, attributes.get(enhanced, []))
    sequence = [part for value in attributes.get("ScanningSequence", ()) for part in value.split("\\")]
    for (keyword, value), names in _SEQUENCE_OF_ENHANCED.items():
        if value in attributes.get(keyword, ()):
            sequence += names
    planes = {_plane(orientation) for orientation in attributes.get("ImageOrientationPatient", ())}
    return facts | {"ScanningSequence": sequence, "Planes": sorted(planes - {""})}


def _plane(orientation: str) -> str:
    """Return the plane of slices that an ImageOrientationPatient is nearest to (PS3.3 C.7.6.2.1.1)."""
    cosines = [number for part in orientation.split("\\") if (number := _number(part)) is not None]
    if len(cosines) != 6:
        return ""
    normal = np.abs(np.cross(cosines[:3], cosines[3:]))
    return ("sagittal", "coronal", "axial")[int(normal.argmax())]


def _meets(facts: Attributes, where: dict[str, object]) -> bool:
    return all(_holds(facts.get(keyword, []), condition) for keyword, condition in where.items())


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
