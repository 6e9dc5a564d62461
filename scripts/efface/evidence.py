"""What is known of each image, in words and pictures, for the reports."""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from efface.audit.faces import BOUNDS
from efface.tables import read_json

_PNG = b"\x89PNG\r\n\x1a\n"
_NO_MEASURES = frozenset({"decision", "reasons", "image", "image_sha256", "image_from_template"})
_LABELS = {
    "brain_voxels_changed": "Brain voxels changed",
    "face_surface_surviving": "Face surface surviving, worst region",
    "registration_score": "Registration score, bits",
    "registration_rival": "Best rival pose, bits",
    "surviving_by_region": "Face surface surviving",
    "tissue_in_front": "Tissue left in front of the face, voxels of 8 mm³",
    "head_overlap": "Overlap of head and template (Dice)",
    "nose_mm": "Nose stands out, mm",
    "turned_degrees": "Turned against the header, degrees",
    "method": "Method",
    "frames": "DICOM frames found in the image",
    "planes": "Planes of the image accounted for",
    "dtype": "Stored as",
    "shape": "Grid",
    "engine": "Converted by",
    "filled": "Planes filled in",
}


@dataclass
class Image:
    """One image on a page.

    Attributes
    ----------
    picture, released_picture : str
        PNG as data address; empty when there is none. The first shows the face before it was removed.
    measures : list of (name, value, bounds)
        In words.
    face_in_doubt : bool
        The conversion was proved and the defacing was not: no override releases that.
    sidecar : str
        The released JSON; empty when the image is not staged.
    """

    name: str
    series: str
    decision: str
    reason: str
    picture: str = ""
    released_picture: str = ""
    measures: list[tuple[str, str, str]] = field(default_factory=list)
    proof: list[tuple[str, str, str]] = field(default_factory=list)
    face_in_doubt: bool = False
    sidecar: str = ""


def images(
    outcome: Sequence[Mapping[str, str]], checks: Path, proofs: Path, bids: Path, allowed: bool
) -> list[Image]:
    """Return every image of the outcome with what is known of it.

    Parameters
    ----------
    allowed : bool
        Whether pictures of the defaced images may be shown to everybody.
    """
    found = [image(row, checks, proofs, bids, allowed) for row in outcome if row["image"]]
    return sorted(found, key=lambda one: one.name)


def image(row: Mapping[str, str], checks: Path, proofs: Path, bids: Path, allowed: bool) -> Image:
    """Return the image of one row of the outcome, as `images` does."""
    name = row["image"]
    known = Image(name, row["series"], row["decision"], row["reason"])
    known.picture = _data_address(checks / f"{name}.png")
    if row["decision"] == "release" and allowed:
        known.released_picture = _data_address(checks / f"{name}_release.png")
    check, proof = _record(checks / f"{name}.json"), _record(proofs / f"{name}.json")
    known.measures, known.proof = _measures(check), _measures(proof)
    known.face_in_doubt = proof.get("decision") == "proved" and check.get("decision") == "held"
    for sidecar in (bids / name.split("_")[0]).glob(f"**/{name}.json"):
        known.sidecar = json.dumps(read_json(sidecar), indent=2, ensure_ascii=False)
    return known


def _record(path: Path) -> dict:
    return read_json(path) if path.is_file() and path.stat().st_size else {}


def _measures(record: dict) -> list[tuple[str, str, str]]:
    return [
        (_LABELS.get(key, key.replace("_", " ").capitalize()), _measure(key, value), _range(BOUNDS.get(key)))
        for key, value in record.items()
        if key not in _NO_MEASURES
    ]


def _measure(key: str, value: object) -> str:
    return " × ".join(map(str, value)) if key == "shape" and isinstance(value, list) else _spoken(value)


def _spoken(value: object) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(map(_spoken, value)) or "none"
    if isinstance(value, dict):
        return (
            "; ".join(f"{key.replace('_', ' ')} {_spoken(inner)}" for key, inner in value.items()) or "none"
        )
    return str(value)


def _range(bound: tuple[float, float] | None) -> str:
    if bound is None:
        return ""
    low, high = bound
    if high == math.inf:
        return f"at least {_spoken(low)}"
    return f"at most {_spoken(high)}" if low == 0 else f"{_spoken(low)} to {_spoken(high)}"


def _data_address(path: Path) -> str:
    if not path.is_file():
        return ""
    raw = path.read_bytes()
    return "data:image/png;base64," + base64.b64encode(raw).decode("ascii") if raw.startswith(_PNG) else ""
