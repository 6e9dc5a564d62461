"""CHANGES: what a version of a release changed against the one before, as the digests of their files tell.

BIDS asks for CPAN's convention of a changelog ("Modality agnostic files", CHANGES), newest version first. The
day of a release stands there only where a person has written it.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from efface.errors import EffaceError
from efface.publish import MANIFEST, MANIFEST_COLUMNS
from efface.record import RECORD
from efface.tables import read_tsv

CHANGES = "CHANGES"
MOST_NAMED = 20  # changed images; of more only the number is told
_FIRST = "1.0.0\n  - First release.\n"
_LEFT = "  - Changes to what was removed since.\n"
# What follows from the other files, and changes with every run of another version of the software.
_ASIDE = frozenset({CHANGES, MANIFEST, RECORD})
_TEXTS = frozenset({"README.md", "dataset_description.json", ".bidsignore"})
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?=\s|$)")
# Where efface writes a label it writes sub- before it; in lines of a person it may stand alone.
_OWN = re.compile(
    r"  - (First release|(Added|Removed|Changed): \d+ images? of \d+ subjects?|Changed: sub-[\w-]+)\.\s*"
)


def write(earlier: Path | None, staged: Mapping[str, str]) -> str:
    """Return the text of CHANGES for a dataset that follows an earlier release, or is the first.

    The same files give the earlier text, byte for byte. Images that changed or went away make a major
    version, images that came a minor one, anything else a patch. Lines about people who are no longer there
    are left out.

    Parameters
    ----------
    earlier : Path or None
        Folder of the earlier release; one without a manifest is none.
    staged : mapping of str to str
        SHA-256 of each file by its path in the dataset.

    Raises
    ------
    EffaceError
        When the earlier CHANGES or manifest cannot be read.
    """
    if earlier is None or not (Path(earlier) / MANIFEST).is_file():
        return _FIRST
    text = _read(Path(earlier) / CHANGES)
    before, now = _content(_manifest(Path(earlier))), _content(staged)
    if before == now:
        return text
    step, lines = _told(before, now)
    gone = _subjects(before) - _subjects(now)
    return _entry(text, step, lines) + _without(text, gone)


def removed(text: str, subjects: int, images: int, label: str) -> str:
    """Return CHANGES after a person was erased: a new major version that tells how much, and no word of whom.

    Raises
    ------
    EffaceError
        When the text cannot be read.
    """
    _checked(text)
    lines = [f"Removed: {_counted(images, 'image')} of {_counted(subjects, 'subject')}."]
    return _entry(text, 0, lines) + _without(text, {label.removeprefix("sub-")})


def _manifest(release: Path) -> dict[str, str]:
    rows = read_tsv(release / MANIFEST, MANIFEST_COLUMNS)
    if not all(re.fullmatch("[0-9a-f]{64}", row["sha256"] or "") for row in rows):
        raise EffaceError(
            f"{MANIFEST} of the earlier release",
            expected="the SHA-256 of each file",
            found="rows without",
            todo="put the release back as it was published",
        )
    return {row["path"]: row["sha256"] for row in rows}


def _content(digests: Mapping[str, str]) -> dict[str, str]:
    return {path: digest for path, digest in digests.items() if path not in _ASIDE}


def _read(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        raise EffaceError(
            "CHANGES of the earlier release",
            expected="a text in UTF-8",
            found="none",
            todo="put back what was published",
        ) from None
    _checked(text)
    return text


def _checked(text: str) -> None:
    """Refuse a text that is no list of versions, newest first; a person may have written below them."""
    versions = []
    for number, line in enumerate(text.split("\n"), 1):
        wrong = ""
        if found := _VERSION.match(line):
            versions.append(tuple(map(int, found.groups())))
            if versions[1:] and versions[-1] >= versions[-2]:
                wrong = "a version that is not below the one before it"
        elif line.strip() and (not versions or line[0] not in " \t["):
            wrong = "a line that is neither a version such as 1.0.0 nor indented below one"
        if wrong:
            raise EffaceError(
                f"CHANGES of the earlier release, line {number}",
                expected="versions, newest first, each with indented lines",
                found=wrong,
                todo="correct it there",
            )
    if not versions:
        raise EffaceError("CHANGES of the earlier release", expected="a version such as 1.0.0", found="none")


def _told(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[int, list[str]]:
    """Return which number of the version rises, from 0 (major) to 2, and what is told of it."""
    old, new = ({path for path in paths if _is_image(path)} for paths in (before, now))
    added, gone = new - old, old - new
    changed = {path for path in old & new if before[path] != now[path]}
    lines = [f"Added: {_extent(added)}."] * bool(added) + [f"Removed: {_extent(gone)}."] * bool(gone)
    if len(changed) > MOST_NAMED:
        lines.append(f"Changed: {_extent(changed)}.")
    else:
        lines += [f"Changed: {stem}." for stem in sorted(map(_stem, changed))]
    # What lies beside an image comes and goes with it, and so do rows of tables.
    with_images = set(map(_stem, added | gone))
    stems = set(map(_stem, old | new))
    kinds = {
        _kind(path, stems)
        for path in (before.keys() | now.keys()) - old - new
        if before.get(path) != now.get(path) and _stem(path) not in with_images
    }
    if kinds := sorted(kinds - ({"tables"} if with_images else set())):
        lines.append(f"Changed: {', '.join(kinds)}.")
    return (0 if gone or changed else 1 if added else 2), lines


def _kind(path: str, stems: Collection[str]) -> str:
    if path.endswith((".bval", ".bvec")):
        return "gradient tables"
    if path in _TEXTS:
        return path
    if path.endswith(".json") and _stem(path) in stems:
        return "sidecars"
    return "tables" if path.endswith((".tsv", ".json")) else "other files"


def _is_image(path: str) -> bool:
    return path.endswith((".nii.gz", ".nii"))


def _stem(path: str) -> str:
    return PurePosixPath(path).name.partition(".")[0]


def _subjects(paths: Collection[str]) -> set[str]:
    return {found[1] for path in paths if (found := re.match(r"sub-([A-Za-z0-9]+)/", path))}


def _extent(images: Collection[str]) -> str:
    return f"{_counted(len(images), 'image')} of {_counted(len(_subjects(images)), 'subject')}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' * (count != 1)}"


def _entry(text: str, step: int, lines: list[str]) -> str:
    """Return the text of a new version above an earlier text; `step`: which of its three numbers rises."""
    newest = [int(number) for number in _VERSION.search(text).groups()]
    version = [*newest[:step], newest[step] + 1, 0, 0][:3]
    return ".".join(map(str, version)) + "\n" + "".join(f"  - {line}\n" for line in lines) + "\n"


def _without(text: str, labels: Collection[str]) -> str:
    """Return a text without the items that name somebody, and without such notes beside a version."""
    if not labels:
        return text
    names = "|".join(map(re.escape, sorted(labels)))
    alone = re.compile(rf"(?<![A-Za-z0-9])({names})(?![A-Za-z0-9])", re.IGNORECASE)
    behind_sub = re.compile(rf"(?<![A-Za-z0-9])sub-({names})(?![A-Za-z0-9])", re.IGNORECASE)
    kept = ""
    for version in re.split(r"^(?=\d)", text, flags=re.MULTILINE):
        if not version:
            continue
        head, end, body = version.partition("\n")
        number = _VERSION.match(head)[0]
        items = re.split(r"^(?=[ \t]*[-*+] |\[|[ \t]*$)", body, flags=re.MULTILINE)
        left = [item for item in items if not (behind_sub if _OWN.fullmatch(item) else alone).search(item)]
        if len(left) < len(items) and not "".join(left).strip():
            left.insert(0, _LEFT)
        kept += (number if alone.search(head[len(number) :]) else head) + end + "".join(left)
    return kept
