"""What lies before a person who reviews: the images of a work folder, and the table of decisions."""

import datetime
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np

from efface import evidence, review, viewing
from efface.errors import EffaceError, UsageError
from efface.files import sha256
from efface.settings import Settings
from efface.surface import Surface
from efface.surface import surface as surface_of
from efface.tables import read_json, read_tsv

SIDES = ("before", "after")
KEPT = 6  # scans in memory: before and after of three images
# Of the template's frame (RAS+, mm): the middle of a head
MIDDLE = (0.0, 10.0, -35.0, 1.0)
FACE = (4.0, 66.0, -34.0, 1.0)  # and what its slices go through
_AXES = ((1, 2), (0, 2), (0, 1))  # of a plane: to its right, and up
_BOUND = ("item", "image_sha256", "policy_sha256")  # what a decision is made on


class Desk:
    """The images and decisions of one work folder, read anew when a file has changed."""

    def __init__(self, settings: Settings, by: str):
        self.work = Path(settings.work)
        self.required = self.work / "review" / "required.tsv"
        self.decisions = self.work / "review" / "review.tsv"
        self.settings, self.by = settings, by
        self._scan = lru_cache(KEPT)(lambda path, *_: viewing.read(path))
        self._surface = lru_cache(2 * KEPT)(self._found_surface)
        self._required = lru_cache(1)(
            lambda path, *_: {row["item"]: row for row in read_tsv(path, review.REQUIRED)}
        )
        self._decided = lru_cache(1)(lambda path, *_: {_bound(row): row for row in review.read(path)})
        if not self.required.is_file():
            raise UsageError(
                "the work folder", expected="review/required.tsv", found="none", todo="run efface run first"
            )

    def rows(self) -> list[dict[str, str]]:
        """Return what is asked for, with the decisions that stand at this moment."""
        return [self.row(item) for item in self._required(*_state(self.required))]

    def row(self, item: str) -> dict[str, str] | None:
        """Return one row, None of what is not asked for."""
        row = self._required(*_state(self.required)).get(item)
        if row is None:
            return None
        made = self._decided(*_state(self.decisions)) if self.decisions.is_file() else {}
        found = made.get(_bound(row), {})
        return row | {name: found.get(name, "") for name in review.COLUMNS if name not in _BOUND}

    def path(self, item: str, side: str) -> Path:
        """Return the file of an image that was asked for."""
        after = self.work / "defaced" / f"{item}.nii.gz"
        return after if side == "after" else self.work / "check" / f"{item}_before.nii.gz"

    def scan(self, item: str, side: str) -> viewing.Scan:
        """Return an image as its file is now, from memory while that is unchanged."""
        return self._scan(*self._file(item, side))

    def surface(self, item: str, side: str, threshold: float) -> Surface:
        """Return the surface of an image."""
        landing = self._record("check", item).get("image_from_template")
        middle = None if landing is None else tuple((np.array(landing) @ MIDDLE)[:3].tolist())
        return self._surface(self._file(item, side), threshold, middle)

    def about(self, item: str) -> dict:
        """Return what the page needs to know of an image."""
        row = self.row(item)
        after = self.scan(item, "after")
        sides = [side for side in SIDES if self.has(item, side)]
        known = {"image": item, "series": row["series"], "decision": "release", "reason": ""}
        told = evidence.image(
            known, self.work / "check", self.work / "proof", self.work / "bids", allowed=False
        )
        sidecar = json.loads(told.sidecar) if told.sidecar else self._record("nifti", item)
        modality = str(sidecar.get("Modality", "MR"))
        first = self.scan(item, sides[0])
        check = self._record("check", item)
        low, high = float(first.few.min()), float(first.few.max())
        return {
            "item": item,
            "row": row,
            "sha256": after.sha256,
            "changed": after.sha256 != row["image_sha256"],
            "sides": sides,
            "modality": modality,
            "decision": check.get("decision", ""),
            "start": _start(after, check.get("image_from_template")),
            "volumes": after.volumes,
            "planes": [
                {
                    "name": plane,
                    "count": after.stored.shape[axis],
                    "mm": [after.stored.shape[one] * after.spacing_mm[one] for one in _AXES[axis]],
                    "labels": viewing.LABELS[plane],
                }
                for axis, plane in enumerate(viewing.PLANES)
            ],
            "windows": viewing.windows(first, modality),
            "range": [low, high],
            "level": viewing.level(first, modality),
            "measures": told.measures,
            "proof": told.proof,
            "sidecar": [[key, _said(value)] for key, value in sidecar.items()],
        }

    def ahead(self) -> None:
        """Read the first open image, while the browser starts."""
        with suppress(EffaceError, OSError):
            first = next((row for row in self.rows() if not row["decision"]), None)
            if first and first["item"] not in review.SIGN_OFFS:
                about = self.about(first["item"])
                for side in about["sides"]:
                    self.surface(first["item"], side, about["level"])

    def decide(self, said: Mapping[str, str]) -> dict[str, str]:
        """Write a decision, if the image and the policy are those that it was made on, and return its row.

        Raises
        ------
        EffaceError
        """
        row = self.row(said["item"])
        sign = row["item"] in review.SIGN_OFFS
        if (
            not sign
            and not said["image_sha256"] == sha256(self.path(row["item"], "after")) == row["image_sha256"]
        ):
            raise EffaceError(
                "nothing was written: the image has changed", todo="run efface run again, then look again"
            )
        config = self.settings.config
        if row["policy_sha256"] != review.policy_digest(
            self.settings.policy, config["level"], config["scanners"]
        ):
            raise EffaceError("nothing was written: the policy has changed", todo="run efface run again")
        flags = review.flags_of(said["flags"])
        by = " ".join(said["by"].split()) if sign else self.by
        right = said["decision"] in (review.ACCEPT, review.REJECT, "") and set(flags) <= set(review.FLAGS)
        if not right or (flags and said["decision"] != review.REJECT) or not (by or not said["decision"]):
            raise EffaceError(
                "nothing was written", expected="accept or reject, flags with reject, and a name"
            )
        made = {name: row[name] for name in _BOUND}
        made |= {"decision": said["decision"], "flags": ", ".join(flags), "by": by}
        made |= {"note": " ".join(said["note"].split()), "date": datetime.date.today().isoformat()}
        review.decide(self.decisions, made)
        return self.row(row["item"])

    def _record(self, part: str, item: str) -> dict:
        path = self.work / part / f"{item}.json"
        return read_json(path) if path.is_file() and path.stat().st_size else {}

    def has(self, item: str, side: str) -> bool:
        """Return whether there is an image of this side, and not the empty file in place of one."""
        path = self.path(item, side)
        return path.is_file() and path.stat().st_size > 0

    def _file(self, item: str, side: str) -> tuple:
        if not self.has(item, side):
            raise EffaceError(f"there is no image {side}", todo="run efface run again")
        return _state(self.path(item, side))

    def _found_surface(self, state: tuple, threshold: float, middle: tuple | None) -> Surface:
        return surface_of(self._scan(*state), threshold, None if middle is None else np.array(middle))


def _bound(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in _BOUND)


def _start(scan: viewing.Scan, landing: list | None) -> list[int]:
    """Return the slices to begin with: through the nose and the eyes, or through the middle."""
    size = np.array(scan.stored.shape[:3])
    at = (size - 1) / 2
    if landing is not None:
        at = (np.linalg.inv(scan.world_from_voxel) @ np.array(landing) @ FACE)[:3]
    return np.clip(np.round(at), 0, size - 1).astype(int).tolist()


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _state(path: Path) -> tuple[Path, int, int, int]:
    """Return a path with what changes when another file takes its place."""
    found = path.stat()
    return path, found.st_mtime_ns, found.st_size, found.st_ino
