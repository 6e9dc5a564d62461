"""One person taken out of a study for good; what a kill has cut short is taken up again."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from efface import crosswalk, lookup, publish, removal, tombstones
from efface.errors import EffaceError, UsageError
from efface.files import alone
from efface.identity import load_or_make_key
from efface.leftovers import leftovers
from efface.settings import Settings
from efface.subject import Person, find
from efface.tables import read_json, read_tsv, write_json

_NOT_REACHED = (
    "copies of the release that others have, and backups: ask for theirs to be removed, and remove yours",
    "models that were trained on the release",
)


@dataclass(frozen=True)
class Erased:
    """How many published images, files and rows (entries and lines too) went, and what a person must do."""

    images: int
    files: int
    rows: int
    remains: tuple[str, ...]

    def __str__(self) -> str:
        told = f"Erased: {self.images} published images, {self.files} files, {self.rows} rows and lines."
        if not self.files + self.rows:
            told = "Nothing was left to erase."
        return "\n".join([told, "What you have to do:", *(f"- {one}" for one in self.remains)])


def erase(settings: Settings, subject: str) -> Erased:
    """Erase a person from the release and the work folder.

    Parameters
    ----------
    subject : str
        Source ID in any spelling, or label with or without sub-.

    Raises
    ------
    UsageError
        When nobody has that ID or label, or two have.
    EffaceError
        When a run is at work, or something of the person is left: it names the files.
    """
    work = Path(settings.work).absolute()
    if not work.is_dir():
        raise UsageError("the work folder", expected="that of an earlier run", found="none at that place")
    anonymous = settings.config["mode"] == "anonymous"
    key = None if anonymous or not Path(settings.key).is_file() else load_or_make_key(settings.key)
    pending = work / "key" / tombstones.UNFINISHED
    with alone(work):
        _refuse_locks(work)
        publish.settle(Path(settings.release))
        if key:
            tombstones.read(work / "key" / tombstones.NAME, key)  # refuses another key than before
        # Whose erasure a kill has cut short is erased first; it may be who is asked for.
        if pending.exists():
            begun = Person(**read_json(pending))
            done = _finish(settings, key, begun)
            if begun.meant(subject):
                return done
        try:
            person = find(settings, key, subject)
        except EffaceError:
            lookup.log(work, "erase", "", "refused")
            raise
        if person is None:
            lookup.log(work, "erase", lookup.NO_LABEL, "was erased before")
            return Erased(0, 0, 0, _remains(settings, None, key))
        lookup.log(work, "erase", person.label, "begun")
        write_json(pending, asdict(person))
        return _finish(settings, key, person)


def _finish(settings: Settings, key: bytes | None, person: Person) -> Erased:
    work, release = Path(settings.work).absolute(), Path(settings.release).absolute()
    folder = work / "key"
    remains = _remains(settings, person, key)
    if key and person.source_id:
        table = folder / tombstones.NAME
        tombstones.add(table, key, person.source_id, person.label, person.numbers)
    own = [
        Path(settings.key).absolute(),
        *(folder / name for name in (tombstones.UNFINISHED, tombstones.NAME)),
    ]
    last = [crosswalk.place(work), folder / lookup.ACCESS]
    files, rows = removal.from_work(
        work, removal.Traces(person.label, person.series, person.words), leave=[*own, *last]
    )
    for name in ("part", "gone"):  # what a killed run had left beside it
        shutil.rmtree(release.with_name(f".{release.name}.{name}"), ignore_errors=True)
    if person.label:
        published = removal.from_release(release, person.label, person.changes)
        files, rows = files + published[0], rows + published[1]
    lookup.forget(work, person.meant)
    rows += crosswalk.without(last[0], person.source_id) if last[0].exists() else 0
    words = [f"sub-{person.label}"] * bool(person.label) + [*person.series, *person.words]
    if found := leftovers([work, release], words, leave=own):
        shown = [_shown(path, work, release, person) for path in found]
        raise EffaceError(
            "something of the person is left",
            expected="neither label, series, ID nor name in any file or name of one",
            found=f"some in {', '.join(shown[:5])}" + f" and {len(shown) - 5} more" * (len(shown) > 5),
            todo="take it out there and start again",
        )
    lookup.log(work, "erase", lookup.NO_LABEL, "done")
    (folder / tombstones.UNFINISHED).unlink()
    return Erased(person.images, files, rows, remains)


def _remains(settings: Settings, person: Person | None, key: bytes | None) -> tuple[str, ...]:
    """Return what a person has to do that this program cannot."""
    said = []
    if key is None or (person and not person.source_id):
        said.append("no tombstone, for nothing leads to the ID: with the scans in the input they come back")
    said.append("the scans in the input: remove them")
    if tables := settings.tables():
        said.append(f"rows in your clinical tables: {', '.join(sorted(tables))}")
    overrides = settings.config["overrides"]
    if person and overrides and Path(overrides).is_file():
        rows = [
            str(number)
            for number, row in enumerate(read_tsv(overrides), 2)
            if (row.get("series") or "").split(".")[0] in person.series
        ]
        if rows:
            said.append(f"rows {', '.join(rows)} of the overrides: remove them, or the next run refuses")
    said.append("the reports, and the record in the release: the next efface run writes them anew")
    return (*said, *_NOT_REACHED)


def _shown(path: Path, work: Path, release: Path, person: Person) -> str:
    """Return a path as it may be shown: names that hold what was searched for are only counted from."""
    for name, folder in (("work", work), ("release", release)):
        if path.is_relative_to(folder):
            path = Path(name) / path.relative_to(folder)
    words = removal.Traces("", person.series, person.words)
    return "/".join("(a name of theirs)" if words.told(part) else part for part in path.parts)


def _refuse_locks(work: Path) -> None:
    locks = work / ".snakemake" / "locks"
    if locks.is_dir() and any(locks.iterdir()):
        raise EffaceError(
            "Snakemake is at work in the work folder, or was killed there",
            todo="wait for it to end; if none is at work, remove .snakemake/locks there",
        )
