"""Decisions of people on images: who must look at what, what was decided, and whether it still holds.

A judge: it decides nothing itself, and lets nothing pass that a person has not seen as it is now.
"""

import hashlib
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from efface.errors import EffaceError, UsageError
from efface.files import in_turn
from efface.schema import check
from efface.settings import WORKFLOW
from efface.tables import read_tsv, write_tsv

COLUMNS = ("item", "image_sha256", "policy_sha256", "decision", "flags", "note", "by", "date")
REQUIRED = (*COLUMNS, "series", "scanner", "why")
FLAGS = ("jewellery", "text", "face", "brain cut", "other")
# What is signed beside the images: that the pilot went well, and that the data protection officer agrees.
SIGN_OFFS = ("pilot", "dpo")
ACCEPT, REJECT = "accept", "reject"
_SCHEMA = WORKFLOW / "schemas" / "review.schema.yaml"

Row = Mapping[str, str]


@dataclass(frozen=True)
class Candidate:
    """An image that may be released unless a person rejects it.

    Attributes
    ----------
    image, series, scanner : str
        The BIDS stem, the key of its series, and what sets its scanner apart.
    sha256 : str
        Of the defaced image's file.
    """

    image: str
    series: str
    scanner: str
    sha256: str


def policy_digest(policy: Path | str, level: int, scanners: Path | str = "") -> str:
    """Return the SHA-256 of all that says which keys sidecars show: policy, level, private elements."""
    registry = yaml.safe_load(Path(scanners).read_text(encoding="utf-8")) if scanners else []
    private = [one["private"] for one in registry or () if one.get("private")]
    parts = (Path(policy).read_bytes(), str(level).encode(), repr(private).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def read(path: Path | str) -> list[dict[str, str]]:
    """Return the rows of a table of decisions that hold a decision; none where there is no table yet.

    A flag without a decision rejects. Columns besides `COLUMNS` are left out.

    Raises
    ------
    UsageError
        When a row does not follow the schema, names nobody, accepts what it flags, or when two rows
        contradict one another.
    """
    rows, seen = [], {}
    for number, row in enumerate(read_tsv(path, COLUMNS) if path and Path(path).exists() else [], 2):
        row = {name: (row[name] or "").strip() for name in COLUMNS}
        row["decision"] = row["decision"].casefold() or (REJECT if row["flags"] else "")
        if not row["decision"]:
            continue
        row["flags"] = ", ".join(flags_of(row["flags"]))
        where = f"the table of decisions, row {number}"
        check({name: value for name, value in row.items() if value}, _SCHEMA, where)
        if row["flags"] and row["decision"] == ACCEPT:
            raise UsageError(where, expected="reject beside a flag, or no flag", found="accept")
        other = seen.setdefault((row["item"], row["image_sha256"], row["policy_sha256"]), row)
        if other["decision"] != row["decision"]:
            raise UsageError(where, expected="one decision on an item", found="two that differ")
        rows.append(row)
    return rows


def flags_of(text: str) -> list[str]:
    """Return the flags in a cell, in the order of `FLAGS`; what is none of them comes last, for the check."""
    named = [one.strip().casefold() for one in text.replace(";", ",").split(",") if one.strip()]
    return sorted(set(named), key=lambda one: (FLAGS.index(one) if one in FLAGS else len(FLAGS), one))


def decide(path: Path | str, row: Row) -> None:
    """Write one decision to the table at once, in place of an earlier one on the same item as it is.

    A row without a decision takes the earlier one back. Decisions on what an item was before it changed
    stay, as a record.
    """
    path = Path(path)
    with in_turn(path.parent):
        same = ("item", "image_sha256", "policy_sha256")
        rows = [one for one in read(path) if any(one[name] != row[name] for name in same)]
        if row["decision"]:
            rows.append({name: row.get(name, "") for name in COLUMNS})
        write_tsv(path, rows, COLUMNS)


def standing(
    candidates: Sequence[Candidate],
    decisions: Iterable[Row],
    policy: str,
    *,
    mode: str = "none",
    share: float = 0.01,
    new: Collection[str] = (),
    order: Callable[[Candidate], bytes],
) -> list[dict[str, str]]:
    """Return a row for every image, with the decision that still holds and why there must be one.

    An image that was rejected before it or the policy changed is looked at again, whatever the mode. In the
    mode pilot every image is looked at; in the mode scale a sample of `share`, at least one of each
    scanner, the first series of new scanners, and every image of a scanner of which one was rejected. Both
    need the sign-offs.

    Parameters
    ----------
    decisions : iterable of mapping
        From `read`. One counts while the digests of the image and of the policy are those it was made on.
    policy : str
        From `policy_digest`.
    new : collection of str
        Keys of series to look at because nobody knows their scanner yet.
    order : callable
        Gives the sample's order, such as a keyed digest: nobody can arrange what is looked at.

    Returns
    -------
    rows : list of dict
        With `REQUIRED`; `why` is empty where no decision is asked for.
    """
    decisions = list(decisions)
    made = {(one["item"], one["image_sha256"]): one for one in decisions if one["policy_sha256"] == policy}
    rejected_before = {one["item"] for one in decisions if one["decision"] == REJECT}

    def row(item: str, digest: str, why: str, series: str = "", scanner: str = "") -> dict[str, str]:
        found = made.get((item, digest), {})
        here = {"item": item, "image_sha256": digest, "policy_sha256": policy}
        here |= {"series": series, "scanner": scanner, "why": why}
        return {name: here.get(name) or found.get(name, "") for name in REQUIRED}

    reasons = dict.fromkeys((one.image for one in candidates), "pilot: every image" * (mode == "pilot"))
    if mode == "scale":
        reasons |= dict.fromkeys(sample(candidates, share, order), "in the sample")
        rejected = [made.get((one.image, one.sha256), {}).get("decision") == REJECT for one in candidates]
        doubted = {one.scanner for one, no in zip(candidates, rejected, strict=True) if no}
        for one in candidates:
            why = "of a new scanner" if one.series in new else ""
            why = why or "an image of its scanner was rejected" * (one.scanner in doubted)
            reasons[one.image] = reasons[one.image] or why
    for one in candidates:
        if one.image in rejected_before and (one.image, one.sha256) not in made:
            reasons[one.image] = reasons[one.image] or "rejected before it changed"
    rows = [row(one.image, one.sha256, reasons[one.image], one.series, one.scanner) for one in candidates]
    signs = SIGN_OFFS if mode != "none" else ()
    return sorted(rows, key=lambda one: one["item"]) + [row(item, "", "sign-off") for item in signs]


def sample(candidates: Sequence[Candidate], share: float, order: Callable[[Candidate], bytes]) -> set[str]:
    """Return the images to look at: the first of every scanner, then the first of all up to the share."""
    ordered = sorted(candidates, key=order)
    first_of = {one.scanner: one.image for one in reversed(ordered)}
    chosen = set(first_of.values())
    wanted = math.ceil(share * len(ordered))
    rest = (one.image for one in ordered if one.image not in chosen)
    return chosen | {image for _, image in zip(range(wanted - len(chosen)), rest, strict=False)}


def rejected(rows: Sequence[Row]) -> dict[str, str]:
    """Return the images that must not be released, with the reason: rejected ones and their series."""
    by_series = {one["series"]: _reason(one) for one in rows if one["series"] and one["decision"] == REJECT}
    return {
        one["item"]: _reason(one)
        if one["decision"] == REJECT
        else f"another image of its series was {by_series[one['series']]}"
        for one in rows
        if one["series"] in by_series
    }


def _reason(row: Row) -> str:
    return "rejected in review" + (f": {row['flags']}" if row["flags"] else "")


def waiting(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that keep the dataset from being published: open images, sign-offs not given.

    An image whose series is rejected by another of its images needs no decision of its own.
    """
    gone = rejected(rows)
    return [
        one
        for one in rows
        if one["why"]
        and (one["decision"] != ACCEPT if one["item"] in SIGN_OFFS else not one["decision"])
        and one["item"] not in gone
    ]


def refuse(rows: Sequence[Row], digests: Mapping[str, str]) -> None:
    """Refuse to publish while a decision is open, or images that are not those that were decided on.

    Parameters
    ----------
    digests : mapping of str to str
        SHA-256 of each staged file by its path.

    Raises
    ------
    EffaceError
    """
    if still := waiting(rows):
        images = sum(one["item"] not in SIGN_OFFS for one in still)
        signs = [one["item"] for one in still if one["item"] in SIGN_OFFS]
        found = [f"{images} image{'s' * (images != 1)} without one"] * bool(images)
        found += [f"no sign-off of {' and '.join(signs)}"] * bool(signs)
        raise EffaceError(
            "nothing is published: it waits for a person",
            expected="a decision on every image that must be looked at, and the sign-offs",
            found=", ".join(found),
            todo="run efface review, then start again",
        )
    if strange := not_as_decided(rows, digests):
        raise EffaceError(
            "nothing is published",
            expected="the images that decisions were made on",
            found=f"{len(strange)} other or rejected",
            todo="stage and audit again",
        )


def not_as_decided(rows: Sequence[Row], digests: Mapping[str, str]) -> Collection[str]:
    """Return the staged images that are rejected, or whose bytes are not those of their row."""
    gone = rejected(rows)
    of_item = {one["item"]: one["image_sha256"] for one in rows}
    images = {
        PurePosixPath(path).name.removesuffix(".nii.gz"): digest
        for path, digest in digests.items()
        if path.endswith(".nii.gz")
    }
    return [image for image, digest in images.items() if image in gone or of_item.get(image) != digest]
