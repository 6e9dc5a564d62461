"""The list of planted values: read off the headers that are written, so that the list cannot miss one."""

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from .people import Person, written_dates

# Codes that say nothing about a person, and values too short to be searched for.
_HARMLESS = {
    "SpecificCharacterSet", "CodingSchemeDesignator", "ReferencedSOPClassUID", "PatientSex", "PatientAge",
    "CompletionFlag", "VerificationFlag", "ContinuityOfContent", "ValueType", "RelationshipType",
    "SOPClassUID", "Modality", "ConceptNameCodeSequence",
}  # fmt: skip
_HARMLESS_PRIVATE = {"com", "C:HE1-4", "+LPH"}
_SHORTEST = 5


def entries(dataset: Dataset, charset: str, where: str = "") -> list[dict[str, str]]:
    """Return {"value", "where"} for each single value of a dataset and of all that it nests."""
    found = []
    for element in dataset:
        name = (
            keyword_for_tag(element.tag)
            or f"({element.tag.group:04X},{element.tag.element:04X}) {element.VR}"
        )
        if name in _HARMLESS or element.tag.is_private_creator:
            continue
        here = f"{where}{name}"
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                found += entries(item, charset, f"{here}[{number}].")
            continue
        for value in element.value if element.VM > 1 else [element.value]:
            text = _text(value, charset)
            if len(text) >= _SHORTEST and text not in _HARMLESS_PRIVATE:
                found.append({"value": text, "where": here})
    return found


def spelled(person: Person, visit: int) -> list[dict[str, str]]:
    """Return the words, dates and numbers that stand inside longer texts."""
    number, when = person.number, person.visits[visit]
    found = [{"value": word, "where": f"a name's word in texts, person {number}"} for word in person.words]
    found += [
        {"value": word.upper(), "where": f"a name's word in capitals, person {number}"}
        for word in person.words
    ]
    for date, kind in ((person.birth_date, "birth date"), (when.date, "study date")):
        found += [
            {"value": text, "where": f"{kind} in texts, person {number}"} for text in written_dates(date)
        ]
    for value in (person.phone, person.mail, person.patient_id, person.hospital.physician.split("^")[0]):
        found.append({"value": value, "where": f"inside texts, person {number}"})
    return found


def unique(found: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the entries without repeated values: the first place of each stands."""
    return list({entry["value"]: entry for entry in reversed(found)}.values())[::-1]


def _text(value: object, charset: str) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1" if charset == "ISO_IR 100" else "utf-8")
    return str(value).rstrip("\0 ")
