"""Values in DICOM headers that identify: the audit looks for each of them in the release."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

from efface.dicom import raw_value

COLUMNS = ("kind", "attribute", "series", "value")

# By value representation (PS3.5 6.2): what an element of this kind carries, whatever its keyword.
_KIND_OF_VR = {
    "PN": "name",
    "DA": "date",
    "DT": "date",
    "TM": "time",
    "UI": "uid",
    "AE": "device",
    "UR": "text",
}
_TEXT_VR = frozenset({"LO", "SH", "ST", "LT", "UT", "UC"})
_ID = re.compile(
    r"(ID|IDs|Number|Identifier|IDofPatient)$|^(PatientID|IssuerOf|AccessionNumber|Admission|Filler|Placer)"
)
_PLACE = re.compile(
    r"Institution|Address|Department|Location|Residence|Telephone|Region|Country|Organization"
)
_DEVICE = re.compile(r"Serial|Station|DetectorID|PlateID|CassetteID|Gantry|DeviceID|DeviceUID")

# Attributes that a sidecar may keep, or that hold terms of the standard: to look for their values would be a
# false alarm. They are checked against the policy's vocabularies instead.
_TECHNICAL = frozenset(
    [
        *("SequenceName", "PulseSequenceName", "ConvolutionKernel"),
        *("CodingSchemeDesignator", "CodingSchemeVersion", "CodingSchemeName", "ContextIdentifier"),
        *("MappingResource", "MappingResourceName", "SpecificCharacterSet"),
        *("TimezoneOffsetFromUTC", "Radiopharmaceutical", "ReconstructionMethod", "ReconstructionAlgorithm"),
        *(
            "FilterType",
            "RescaleType",
            "ResonantNucleus",
            "ImagedNucleus",
            "ReceiveCoilName",
            "TransmitCoilName",
        ),
        *("DimensionDescriptionLabel", "DimensionOrganizationType", "DecayCorrection", "Units", "FrameType"),
    ]
)
# Terms of these coding schemes (PS3.16 8) are the world's; a hospital's own codes name its people and places.
_CODE = frozenset(["CodeValue", "LongCodeValue", "CodeMeaning"])
_COMMON_SCHEMES = frozenset(
    ["DCM", "SRT", "SCT", "SNM3", "UCUM", "LN", "FMA", "UMLS", "NCIt", "RADLEX", "MDC", "ICD10"]
)
# Digits and signs alone in a private element are a measurement, unless long enough for a record number.
_SHORTEST = {"name": 2, "id": 3, "place": 4, "device": 4, "text": 4, "private": 6}
_MEASUREMENT = re.compile(r"[\d\s.,:;+\-eE/*\\]*")
_PRINTABLE = re.compile(rb"[\x20-\x7e\xa0-\xff]{6,}")
# A longer block of bytes is a vendor's own header (CSA): thousands of parameter names, also of sidecar keys.
_LONGEST_BLOCK = 512


class Identifier(NamedTuple):
    """One value that must not be found: what kind it is, the attribute that it came from, the value."""

    kind: str
    attribute: str
    value: str


def identifiers(header: Dataset, tags: Iterable[BaseTag] | None = None) -> set[Identifier]:
    """Return every value of a header that may identify somebody, nested, private and in the preamble too.

    Parameters
    ----------
    header : Dataset
        Without pixels.
    tags : iterable of BaseTag, optional
        The elements to look at, all by default. The slices of a series repeat most of theirs.
    """
    found = set()
    for element in _elements(header, header.keys() if tags is None else tags):
        found.update(_of_element(element))
    meta = getattr(header, "file_meta", None)
    for element in _elements(meta, meta.keys()) if meta is not None else ():
        found.update(_of_element(element))
    for text in _PRINTABLE.findall(getattr(header, "preamble", None) or b""):
        found.add(Identifier("private", "preamble", text.decode("latin-1").strip()))
    return found


def path_identifiers(relative_path: str) -> set[Identifier]:
    """Return the folder and file names on a path that are long enough to be somebody's."""
    return {Identifier("text", "path", part) for part in relative_path.split("/") if len(part) >= 8}


def _elements(dataset: Dataset, tags: Iterable[BaseTag]) -> Iterator[DataElement]:
    common_code = str(dataset.get("CodingSchemeDesignator", "")) in _COMMON_SCHEMES
    for tag in list(tags):
        if common_code and keyword_for_tag(tag) in _CODE:
            continue
        raw = raw_value(dataset, tag)
        try:
            element = dataset[tag]
        except Exception:  # a value that pydicom cannot decode: look at its bytes
            yield DataElement(tag, "UN", raw if isinstance(raw, bytes) else b"", already_converted=True)
            continue
        if element.VR == "SQ":
            for item in element.value:
                yield from _elements(item, item.keys())
        else:
            yield element


def _of_element(element: DataElement) -> Iterator[Identifier]:
    private = element.tag.is_private
    attribute = element.keyword or f"({element.tag.group:04X},{element.tag.element:04X})"
    if attribute in _TECHNICAL or "Manufacturer" in attribute or (private and element.tag.is_private_creator):
        return
    for value in _texts(element):
        kind = _kind(element, attribute, value, private)
        if kind is None or len(value) < _SHORTEST.get(kind, 4):
            continue
        yield Identifier(kind, attribute, value)
        if kind == "name":
            for token in re.split(r"[\^=\s,.]+", value):
                if len(token) >= _SHORTEST["name"]:
                    yield Identifier("name", attribute, token)


def _texts(element: DataElement) -> Iterator[str]:
    if isinstance(element.value, bytes):
        if element.VR in ("UN", "OB") and len(element.value) <= _LONGEST_BLOCK:
            for run in _PRINTABLE.findall(element.value):
                yield run.decode("latin-1").strip()
        return
    values = element.value if isinstance(element.value, (list, tuple)) or element.VM > 1 else [element.value]
    for value in values:
        for line in str(value if value is not None else "").splitlines():
            if text := line.strip(" \0"):
                yield text


def _kind(element: DataElement, attribute: str, value: str, private: bool) -> str | None:
    vr = element.VR
    if vr in _KIND_OF_VR:
        standard = vr == "UI" and (UID(value).startswith("1.2.840.10008.") or "." not in value)
        return None if standard else _KIND_OF_VR[vr]
    if vr in ("UN", "OB"):
        return "private" if private and not _MEASUREMENT.fullmatch(value) else None
    if private and vr in ("IS", "DS"):
        return "private" if len(re.sub(r"\D", "", value)) >= 8 else None
    if vr not in _TEXT_VR and not (private and vr == "CS"):
        return None
    if private:
        return None if _MEASUREMENT.fullmatch(value) and len(value) < 8 else "private"
    if _PLACE.search(attribute):
        return "place"
    if _DEVICE.search(attribute):
        return "device"
    return "id" if _ID.search(attribute) else "text"
