"""The gate: decides from the findings, then puts the dataset in its place in one move."""

import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from efface import tables
from efface.errors import EffaceError, UsageError
from efface.files import sha256

MANIFEST = "MANIFEST.tsv"
HARMLESS = ("warn", "allowed")  # severities of findings
MANIFEST_COLUMNS = ("path", "size", "sha256")
_FILE, _FOLDER = 0o644, 0o755
# The first moment of 1980: what reproducible archives use, because zip knows none before.
_MTIME = 315532800
_CHUNK = 1 << 22


def refuse(findings: Sequence[Mapping[str, str]], outcome: Sequence[Mapping[str, str]], table: str) -> None:
    """Refuse a dataset that has blocking findings or holds no image.

    Parameters
    ----------
    findings, outcome : rows of the tables of findings and of what became of each series
    table : str
        Where the findings are, for the message.

    Raises
    ------
    EffaceError
    """
    if kept := blocking(findings):
        files = len({row["file"] for row in kept})
        raise EffaceError(
            "nothing is published",
            expected="no blocking finding",
            found=f"{len(kept)} in {files} file{'s' * (files != 1)}",
            todo=f"see {table}",
        )
    if not any(row["decision"] == "release" for row in outcome):
        raise EffaceError(
            "nothing is published",
            expected="an image to release",
            found=f"{len(outcome)} series, all held or dropped",
            todo="see the reasons in the private report",
        )


def blocking(findings: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return the findings that keep a dataset from being published."""
    # Whatever is not known to be harmless blocks, a misspelt severity too.
    return [row for row in findings if row["severity"] not in HARMLESS]


def publish(
    dataset: Path, release: Path, digests: Mapping[str, str] | None = None
) -> list[dict[str, object]]:
    """Copy a dataset to its public place, whole or not at all, and return the rows of its manifest.

    The copy is made beside `release` and takes its place by renaming. An earlier release is set aside for
    that moment; where a run was killed in it, the next one puts it back first. What a killed run has copied
    is taken over, where it is what was staged.

    Parameters
    ----------
    digests : mapping of str to str, optional
        SHA-256 of each file when it was staged.

    Raises
    ------
    EffaceError
        When something that efface did not publish stands at `release`, or the dataset is not as staged.
    """
    release = Path(release).absolute()
    beside, before = _beside(release, "part"), _beside(release, "before")
    _recover(release, before)
    refuse_foreign(release)
    if _empty(release):
        release.rmdir()  # Snakemake makes the folders of outputs before a job
    try:
        release.parent.mkdir(parents=True, exist_ok=True)
        rows = _copy(dataset, beside, digests or {})
        if digests is not None and digests != {row["path"]: row["sha256"] for row in rows}:
            raise EffaceError(
                "nothing is published",
                expected="the dataset as it was staged",
                found="files that were added, changed or removed since",
                todo="stage and audit it again",
            )
        if release.exists():
            release.rename(before)
        beside.rename(release)
    except BaseException:
        _recover(release, before)
        shutil.rmtree(beside, ignore_errors=True)
        raise
    _discard(before)
    return rows


def settle(release: Path) -> None:
    """Leave at the place of a release what was published before, whole, or nothing.

    An earlier release that a killed run had set aside is put back; an empty folder is removed.
    """
    release = Path(release).absolute()
    _recover(release, _beside(release, "before"))
    if _empty(release):
        release.rmdir()


def timeless(path: Path) -> None:
    """Give a published file or folder the one time that all of a release have."""
    os.utime(path, (_MTIME, _MTIME))


def _beside(release: Path, what: str) -> Path:
    return release.with_name(f".{release.name}.{what}")


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())


def _recover(release: Path, before: Path) -> None:
    if not before.exists():
        return
    if release.exists() and not _empty(release):
        _discard(before)
        return
    if release.exists():
        release.rmdir()
    before.rename(release)


def _discard(before: Path) -> None:
    # Renamed first: what is called "before" is always whole, also when this is killed on the way.
    gone = before.with_suffix(".gone")
    shutil.rmtree(gone, ignore_errors=True)
    if before.exists():
        before.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def refuse_foreign(release: Path) -> None:
    """Refuse a place where something stands that efface did not publish.

    Raises
    ------
    UsageError
    """
    if release.is_symlink() or (release.exists() and not release.is_dir()):
        found = "a link or a file"
    elif release.exists() and not _empty(release) and not (release / MANIFEST).is_file():
        found = f"a folder with files and without {MANIFEST}"
    else:
        return
    raise UsageError(
        "the place of the release is taken",
        expected="nothing, an empty folder or an earlier release",
        found=found,
        todo="choose another place",
    )


def _copy(dataset: Path, target: Path, digests: Mapping[str, str]) -> list[dict[str, object]]:
    rows, sources = [], list(_files(dataset))
    _keep_only(target, {target / source.relative_to(dataset) for source in sources})
    for source in sources:
        path = source.relative_to(dataset)
        copied, digest = target / path, ""
        copied.parent.mkdir(parents=True, exist_ok=True)
        if copied.exists():
            digest = sha256(copied)
        if not digest or digest != digests.get(path.as_posix()):
            # Bytes only: no owner, extended attribute or access list comes along.
            with source.open("rb") as read, copied.open("wb") as write:
                shutil.copyfileobj(read, write, _CHUNK)
                write.flush()
                os.fsync(write.fileno())
            digest = sha256(copied)
        rows.append({"path": path.as_posix(), "size": copied.stat().st_size, "sha256": digest})
    rows.sort(key=lambda row: row["path"])
    tables.write_tsv(target / MANIFEST, rows, MANIFEST_COLUMNS)
    for place, _, names in os.walk(target, topdown=False):
        for name in names:
            Path(place, name).chmod(_FILE)
            timeless(Path(place, name))
        Path(place).chmod(_FOLDER)
        timeless(Path(place))
    return rows


def _keep_only(folder: Path, wanted: Collection[Path]) -> None:
    """Remove whatever lies below a folder and is not one of the plain files that are wanted."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    for place, folders, names in os.walk(folder, topdown=False):
        for path in (Path(place, name) for name in names + folders):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in wanted or path.is_symlink() or not path.is_file():
                path.unlink()


def _files(dataset: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(dataset):
        folders.sort()
        for name in sorted(names + [name for name in folders if Path(place, name).is_symlink()]):
            path = Path(place, name)
            if path.is_symlink() or not path.is_file():
                raise EffaceError("nothing is published", expected="plain files", found="a link or a device")
            if path != dataset / MANIFEST:
                yield path
