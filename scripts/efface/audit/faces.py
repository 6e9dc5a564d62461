"""Whether each staged image is one that was measured and found to show no face."""

import math
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from efface import measure, tables
from efface.audit.finding import BLOCK, Finding
from efface.audit.layout import IMAGES
from efface.audit.volume import Volume
from efface.files import sha256

# What every passed image keeps to, whatever the step that measured it decided.
BOUNDS = {
    "registration_score": (measure.LEAST_INFORMATION, math.inf),
    "face_surface_surviving": (0.0, measure.MOST_SURVIVING),
    "tissue_in_front": (0, measure.MOST_IN_FRONT),
    "brain_voxels_changed": (0, 0),
}
# Where no skin of the face is in view there is nothing that could survive.
_MAY_BE_ABSENT = frozenset({"face_surface_surviving", "tissue_in_front"})
_PASSED = ("defaced", "no_face")
_ADVICE = "deface the image again, or hold its series in overrides.tsv"


def unproven(
    dataset: Path, images: list[str], checks: Path, digests: Mapping[str, str] | None = None
) -> Iterator[Finding]:
    """Yield a blocking finding for each image that no passed check stands behind.

    Parameters
    ----------
    images : list of str
        Paths relative to the dataset.
    checks : Path
        The folder with one record an image, `{image}.json`.
    digests : mapping of str to str, optional
        SHA-256 of images that were read already, by their paths: so that no file is read twice, and so that
        the bytes that were searched are those that were checked.
    """
    for path in images:
        stem = _stem(path)
        fault = (
            _mask(dataset / path)
            if stem.endswith("_defacemask")
            else _check(dataset / path, checks / f"{stem}.json", (digests or {}).get(path))
        )
        if fault:
            yield Finding("faces", BLOCK, path, "the image", fault, _ADVICE)


def undecided(images: list[str], released: Collection[str]) -> Iterator[Finding]:
    """Yield a blocking finding for each image that is there but not decided, or decided but absent."""
    staged = {_stem(path): path for path in images if not _stem(path).endswith("_defacemask")}
    for stem in sorted(staged.keys() - set(released)):
        yield Finding(
            "files", BLOCK, staged[stem], "", "an image that was not decided to be released", _ADVICE
        )
    for stem in sorted(set(released) - staged.keys()):
        yield Finding(
            "files", BLOCK, "", "", f"image {stem} is decided to be released but absent", "stage again"
        )


def _stem(path: str) -> str:
    return re.sub(r"\.nii(\.gz)?$", "", PurePosixPath(path).name)


def _check(image: Path, record: Path, digest: str | None) -> str:
    try:
        check = tables.read_json(record)
    except FileNotFoundError:
        return "no record that the face was removed"
    except ValueError:
        return "the record that the face was removed is not readable"
    if check.get("decision") not in _PASSED:
        return "its check did not pass"
    if check.get("reasons"):
        return "its check passed and yet gives reasons to hold it"
    for name, (low, high) in BOUNDS.items():
        value = check.get(name)
        if value is None and name in _MAY_BE_ABSENT:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f"its measure {name} was not taken"
        if not low <= value <= high:
            return f"its measure {name} is outside its bounds"
    if check.get("image_sha256") != (digest or sha256(image)):
        return "the image is not the one that was checked"
    return ""


def _mask(path: Path) -> str:
    # A mask may hide an image, if nobody looks.
    volume, rest = Volume(), b""
    for block in volume.blocks(path):
        if volume.dtype is None or volume.dtype.itemsize * 8 != volume.bits:
            return "the mask is not readable"
        rest += block
        whole = len(rest) // volume.dtype.itemsize
        values, rest = np.frombuffer(rest, volume.dtype, whole), rest[whole * volume.dtype.itemsize :]
        if not ((values == 0) | (values == 1)).all():
            return "a mask with other values than 0 and 1"
    return "" if volume.whole else "the mask is not readable"


def is_image(path: str) -> bool:
    """Return whether a file holds voxels."""
    return path.lower().endswith(IMAGES)
