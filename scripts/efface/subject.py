"""Whom a source ID or a label means, and everything in a study that is theirs alone."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from efface import changes, crosswalk, publish, removal, schemes, tombstones
from efface.errors import UsageError
from efface.identity import normalised
from efface.people import person_of
from efface.settings import Settings
from efface.tables import read_json, read_tsv

# Letters and digits of a word that is looked for: shorter ones are anywhere.
_SHORTEST, _SHORTEST_NUMBER = 5, 6


@dataclass(frozen=True)
class Person:
    """Who is to be erased.

    Attributes
    ----------
    label : without sub-; empty where there never was one
    source_id : normalised; empty where nothing leads to it
    series : keys
    words : what else is theirs alone: IDs and names
    images : how many the release has
    changes : what its CHANGES will say
    numbers : of a template that have been given
    """

    label: str
    source_id: str
    series: list[str]
    words: list[str]
    images: int
    changes: str
    numbers: int

    def meant(self, text: str) -> bool:
        """Return whether a text is the person's ID, in any spelling, or label."""
        of_id = bool(self.source_id) and normalised(text) == self.source_id
        return of_id or (bool(self.label) and text.removeprefix("sub-") == self.label)


def find(settings: Settings, key: bytes | None, subject: str) -> Person | None:
    """Return who has an ID or label, None when they were erased before.

    Parameters
    ----------
    key : bytes or None
        The study's secret, where one stands.

    Raises
    ------
    UsageError
        When nobody has it, or it is one's ID and another's label.
    """
    work, label = Path(settings.work), subject.removeprefix("sub-")
    attributes = _read(read_json, work / "index" / "attributes.json", {})
    planned = [row for row in _read(read_tsv, work / "plan" / "images.tsv", []) if row["image"]]
    known = crosswalk.labels(crosswalk.read(crosswalk.place(work)))
    pairs = {(of_label, source) for source, of_label in known.items()}
    pairs |= {("", person_of(one)) for one in attributes.values()}
    for row in planned:
        one = attributes.get(row["series"])
        pairs.add((_label(row["image"]), person_of(one) if one else ""))
    released = _released(settings)
    pairs |= {(_label(path), "") for path in released}
    found = {pair for pair in pairs if label and label == pair[0]}
    found |= {pair for pair in pairs if normalised(subject) and normalised(subject) == pair[1]}
    sources, labels = ({pair[place] for pair in found} - {""} for place in (1, 0))
    for source in list(sources):  # the same person under the ID alone
        labels |= {pair[0] for pair in pairs if pair[1] == source} - {""}
    if len(sources) > 1 or len(labels) > 1:
        raise UsageError(
            "two people: one has that ID, another has that label",
            todo="give the label of who is meant by the ID, or the ID of who is meant by the label",
        )
    if not found:
        return _nobody(settings, key, subject)
    label, source = min(labels, default=""), min(sources, default="")
    series = {name.split(".")[0] for name, one in attributes.items() if source and source in _ids(one)}
    outcome = _read(read_tsv, work / "outcome.tsv", [])
    series |= {
        row["series"].split(".")[0] for row in [*planned, *outcome] if label and _label(row["image"]) == label
    }
    theirs = [path for path in released if label and removal.of_label(path, label)]
    images = sum(path.endswith((".nii.gz", ".nii")) for path in theirs)
    text = Path(settings.release, "CHANGES")
    said = text.read_text(encoding="utf-8") if label and text.is_file() else ""
    return Person(
        label,
        source,
        sorted(series - {""}),
        _own_words(settings, source, series),
        images,
        changes.removed(said, 1, images, label) if said and theirs else said,
        schemes.numbers_given(settings.config["identity"], key, known.values()) if key else 0,
    )


def _nobody(settings: Settings, key: bytes | None, subject: str) -> None:
    """Return when whoever has an ID or label was erased before, else refuse."""
    if key:
        erased = tombstones.read(Path(settings.work, "key", tombstones.NAME), key)
        if erased.of_person(normalised(subject)) or erased.of_label(subject.removeprefix("sub-")):
            return
    by = "a label" if settings.config["mode"] == "anonymous" else "a source ID or a label"
    raise UsageError("nobody in this study has that", expected=f"{by} of the release or the work folder")


def _own_words(settings: Settings, source: str, series: set[str]) -> list[str]:
    """Return the IDs and names in a person's headers that nobody else's headers have, nor the configuration.

    Short ones are left out: they come up anywhere.
    """
    mine, others = {source}, set()
    for row in _read(read_tsv, Path(settings.work, "index", "identifiers.tsv"), []):
        if row["series"].split(".")[0] not in series:
            others |= {row["value"].casefold(), *_words(row["value"])}
        elif row["kind"] in ("name", "id") and (
            row["attribute"] != "PatientID" or normalised(row["value"]) == source  # two in one series
        ):
            mine.add(row["value"])
    # A name that the study is called by, or a folder, is not there by the scans.
    others |= _words(f"{settings.config} {Path(settings.work).resolve()} {Path(settings.release).resolve()}")
    kept = {one for one in mine if one.casefold() not in others and not _words(one) <= others}
    return sorted(
        one
        for one in kept
        if len(_letters(one)) >= (_SHORTEST_NUMBER if _letters(one).isdecimal() else _SHORTEST)
    )


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def _ids(attributes: Mapping[str, Sequence[str]]) -> set[str]:
    """Return every ID in a series, also the second of a series that mixes two people up."""
    values = attributes.get("PatientID", ())
    return {normalised(one) for value in values for one in (value, *value.split("\\"))}


def _released(settings: Settings) -> list[str]:
    rows = _read(read_tsv, Path(settings.release, publish.MANIFEST), [])
    return [row["path"] for row in rows if row["path"].startswith("sub-")]


def _label(path: str) -> str:
    found = re.match("sub-([A-Za-z0-9]+)", path)
    return found[1] if found else ""


def _read(reader: Callable, path: Path, otherwise: object):
    return reader(path) if path.exists() else otherwise
