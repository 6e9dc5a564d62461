"""One person's files, rows and lines out of a work folder and a release; the others' stay."""

import base64
import binascii
import csv
import glob
import os
import re
import shutil
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from efface.files import replacing, sha256
from efface.publish import MANIFEST, MANIFEST_COLUMNS, timeless
from efface.tables import read_json, read_tsv, write_json, write_tsv

# What tells of several people at once and is soon made again, or serves a run that is over.
_MADE_AGAIN = (
    *("report", "audit", "review/queue.tsv", "review/scanners.yaml"),
    *(f".snakemake/{name}" for name in ("auxiliary", "backups", "iocache", "locks", "scripts", "shadow")),
)
_OF_SNAKEMAKE = (".snakemake/metadata/", ".snakemake/incomplete/")
_TABLES, _RECORDS = (".tsv",), (".json",)
_LINES = (".log", ".txt", ".md", ".yaml", ".yml", ".html", "")
_PUBLIC = 0o644


class Traces:
    """What a person's files are known by.

    Parameters
    ----------
    label : str
        Without sub-; empty where there is none.
    series : collection of str
        Keys of series.
    values : collection of str
        Further values that are theirs alone: in tables and records, not in names of files.
    """

    def __init__(self, label: str, series: Collection[str], values: Collection[str] = ()):
        names = [f"sub-{label}"] * bool(label) + sorted(series)
        self._named, self._told = _whole(names), _whole([*names, *sorted(values)])

    def named(self, text: str) -> bool:
        """Return whether a label or a series stands in a text."""
        return bool(self._named.search(text))

    def told(self, text: str) -> bool:
        """Return whether a label, a series or another value stands in a text."""
        return bool(self._told.search(text))


def _whole(words: Collection[str]) -> re.Pattern:
    inside = "|".join(map(re.escape, words))
    return re.compile(rf"(?<![A-Za-z0-9])(?:{inside})(?![A-Za-z0-9])" if words else "(?!)", re.IGNORECASE)


def from_work(work: Path, traces: Traces, leave: Collection[Path]) -> tuple[int, int]:
    """Remove what is a person's from a work folder; return how many files went, and rows, entries and lines.

    The index keeps its times: it is cut as a new index would be, so that nothing has to be made again for it.

    Parameters
    ----------
    leave : collection of Path
        Files that are not looked into.
    """
    files = sum(_remove(work / name) for name in _MADE_AGAIN)
    rows = 0
    for path in _walk(work, traces):
        name = path.relative_to(work).as_posix()
        record = _recorded(name)
        if path.suffix == ".part" or traces.named(path.name) or traces.named(record):
            files += _remove(path)
        elif path.is_file() and not path.is_symlink() and path not in leave:
            if record and traces.named(path.read_text("utf-8", "replace")):
                files += _remove(path)  # Snakemake then goes by times
            elif not record:
                rows += _cut(path, traces, keep_time=name.startswith("index/"))
    return files, rows


def from_release(release: Path, label: str, changes: str) -> tuple[int, int]:
    """Remove what is a person's from a release; return how many files and rows went.

    Only what is in the manifest is touched. A release of nobody else goes as a whole.

    Parameters
    ----------
    changes : str
        The new text of CHANGES.
    """
    if not (release / MANIFEST).is_file():
        return 0, 0
    listed = read_tsv(release / MANIFEST, MANIFEST_COLUMNS)
    theirs = [row["path"] for row in listed if of_label(row["path"], label)]
    others = [row for row in listed if row["path"] not in set(theirs)]
    if not any(row["path"].startswith("sub-") for row in others):
        gone = [*(row["path"] for row in listed), MANIFEST]
        files = sum(_unpublish(release, path) for path in gone)
        if not any(release.iterdir()):
            release.rmdir()
        return files, 0
    files, rows, traces = sum(_unpublish(release, path) for path in theirs), 0, Traces(label, ())
    of_all = [row for row in others if not row["path"].startswith("sub-")]
    for path in [release / MANIFEST, *(release / row["path"] for row in of_all)]:
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):  # by a kill
            left.unlink()
    for row in of_all:
        path = release / row["path"]
        if row["path"] == "CHANGES" and changes:
            with replacing(path, _PUBLIC) as beside:
                beside.write_text(changes, encoding="utf-8")
        elif path.suffix in _TABLES + _RECORDS:
            rows += _cut(path, traces, keep_time=False)
        else:
            continue
        row |= {"size": path.stat().st_size, "sha256": sha256(path)}
    write_tsv(release / MANIFEST, others, MANIFEST_COLUMNS, _PUBLIC)
    for place, _, names in os.walk(release, topdown=False):
        for name in names:
            timeless(Path(place, name))
        timeless(Path(place))
    return files, rows


def of_label(path: str, label: str) -> bool:
    """Return whether a path of a release is a person's.

    >>> of_label("sub-ab/anat/sub-ab_T1w.nii.gz", "ab"), of_label("sub-abc/anat/sub-abc_T1w.nii.gz", "ab")
    (True, False)
    """
    return bool(re.search(rf"(^|/)sub-{re.escape(label)}(?=[/_.]|$)", path))


def _walk(folder: Path, traces: Traces) -> Iterator[Path]:
    """Yield the files below a folder, and the folders that are a person's as a whole."""
    for place, folders, names in os.walk(folder):
        whole = [name for name in folders if traces.named(name) or name.endswith(".part")]
        folders[:] = sorted(set(folders) - set(whole))
        yield from (Path(place, name) for name in sorted([*whole, *names]))


def _recorded(name: str) -> str:
    """Return the path that one of Snakemake's records is about, for others nothing.

    It names records by the base64 of the path, a long one in folders whose names begin with @.
    """
    for folder in _OF_SNAKEMAKE:
        if name.startswith(folder):
            text = "".join(part.removeprefix("@") for part in name.removeprefix(folder).split("/"))
            try:
                return base64.urlsafe_b64decode(text).decode("utf-8", "replace") or "?"
            except binascii.Error:
                return "?"
    return ""


def _cut(path: Path, traces: Traces, keep_time: bool) -> int:
    """Take what is a person's out of a table, record or text; return how many rows, entries or lines."""
    if path.suffix not in _TABLES + _RECORDS + _LINES:
        return 0
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    if "\0" in text or not traces.told(text):
        return 0
    before = path.stat()
    mode = stat.S_IMODE(before.st_mode)
    if path.suffix in _RECORDS:
        try:
            record, count = _without(read_json(path), traces)
        except ValueError:
            return 0  # no JSON, whatever its name: the search for what is left will tell
        write_json(path, record, mode)
    elif path.suffix in _TABLES:
        with path.open(newline="", encoding="utf-8") as stream:
            head, *rows = csv.reader(stream, delimiter="\t")
        kept = [row for row in rows if not any(map(traces.told, row))]
        count = len(rows) - len(kept)
        with replacing(path, mode) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, delimiter="\t", lineterminator="\n").writerows([head, *kept])
    else:
        lines = text.splitlines(keepends=True)
        kept = [line for line in lines if not traces.told(line)]
        count = len(lines) - len(kept)
        with replacing(path, mode) as beside:
            beside.write_bytes("".join(kept).encode("utf-8", "surrogateescape"))
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return count


def _without(part: object, traces: Traces) -> tuple[object, int]:
    """Return a part of a record without what is a person's, and how many entries went."""
    if not isinstance(part, (dict, list)):
        return part, 0
    pairs = list(part.items() if isinstance(part, dict) else enumerate(part))
    kept, count = {}, 0
    for key, value in pairs:
        if traces.told(str(key)) or (isinstance(value, str) and traces.told(value)):
            count += 1
        else:
            kept[key], fewer = _without(value, traces)
            count += fewer
    return (kept if isinstance(part, dict) else list(kept.values())), count


def _remove(path: Path) -> int:
    """Remove a file or a folder; return how many files went."""
    if path.is_dir() and not path.is_symlink():
        count = sum(len(names) for _, _, names in os.walk(path))
        shutil.rmtree(path)
        return count
    if not os.path.lexists(path):
        return 0
    path.unlink()
    return 1


def _unpublish(release: Path, path: str) -> int:
    count = _remove(release / path)
    for folder in Path(path).parents:
        place = release / folder
        if folder != Path() and place.is_dir() and not any(place.iterdir()):
            place.rmdir()
    return count
