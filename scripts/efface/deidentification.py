"""Which codes of DICOM PS3.16 CID 7050 truly hold for an image, and the sidecar's fields that say so."""

from collections.abc import Mapping

from pydicom.datadict import tag_for_keyword

from efface.examination import CONTRAST, TEXTS
from efface.policy import Key, Policy, listed
from efface.settings import PERIOD

# Those that can hold. Never 113103 and 113104, about graphics and reports that are cleaned and kept: none is
# kept. Never 113106, 113109, 113110, 113112 (true dates, serial numbers and stations, UIDs, institutions): no
# policy that is loaded can name such an attribute.
METHODS = {
    "113100": "Basic Application Confidentiality Profile",
    "113101": "Clean Pixel Data Option",
    "113102": "Clean Recognizable Visual Features Option",
    "113105": "Clean Descriptors Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113111": "Retain Safe Private Option",
}
# Derived keys whose words are read from attributes that Table E.1-1 lists.
_LABELS = {"BodyPart": TEXTS, "ContrastAgent": (*CONTRAST, *TEXTS)}
_CHARACTERISTICS = ("age", "sex", "weight", "size")


def codes(policy: Policy, config: Mapping, *, faces: bool, ocr: bool, private: bool) -> tuple[str, ...]:
    """Return the codes that hold, in the order of their numbers.

    Parameters
    ----------
    policy : Policy
        As loaded for the configuration's level.
    config : mapping
        The whole configuration, with its defaults.
    faces : bool
        Whether the image's face was removed, or shown to be out of view, by the measures.
    ocr : bool
        Whether the released voxels were searched for text and none was found; to blank borders is not enough.
    private : bool
        Whether private elements of the image's scanner are allowed.
    """
    people = config["participants"]
    dates = config["dates"]
    holds = {
        # Nothing that Table E.1-1 lists is written, but for what the options below allow (`policy.load`).
        "113100": True,
        "113101": ocr,  # E.3.1
        # E.3.2: ears are recognised too, and with `keep` nobody has measured whether they are gone.
        "113102": faces and config["deface"]["ears"] == "remove",
        "113105": any(map(_describes, policy.keys)),  # E.3.5: words of closed lists are what remains
        # E.3.6: moved by a keyed shift or factor, or given as periods of years. An order has no date.
        "113107": dates["mode"] in ("shift", "proportional")
        or bool(dates["period"] and config["level"] >= PERIOD),
        "113108": any(people[name] for name in _CHARACTERISTICS),  # E.3.7, in participants.tsv
        "113111": private,  # E.3.10: each with a reason, by creator and element
    }
    return tuple(code for code in METHODS if holds[code])


def attributes(key: Key) -> frozenset[str]:
    """Return the keywords of all attributes and sequences that a key is read from."""
    parts = frozenset(part for path in key.sources for part in path.split("."))
    return parts or frozenset(_LABELS.get(key.name, ()))


def _describes(key: Key) -> bool:
    rows = (listed().get(tag_for_keyword(keyword)) for keyword in attributes(key))
    return any(row["clean_descriptors"] for row in rows if row)


def sidecar_fields(codes: tuple[str, ...]) -> dict[str, list]:
    """Return DeidentificationMethod and DeidentificationMethodCodeSequence (BIDS 1.11, "Common metadata")."""
    return {
        "DeidentificationMethod": [METHODS[code] for code in codes],
        "DeidentificationMethodCodeSequence": [
            {"CodeValue": code, "CodingSchemeDesignator": "DCM", "CodeMeaning": METHODS[code]}
            for code in codes
        ],
    }
