"""What the file system tells of a dataset beside its files' bytes: links, times, owners, attributes."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from efface.audit.finding import BLOCK, WARN, Finding
from efface.audit.manifest import NAME

HISTORIES = frozenset({".git", ".datalad", ".hg", ".svn", ".bzr"})
_DAY = 86400
_ACCESS = "system.posix_acl_"
_PUBLISH = "publish it with efface, or set it anew"


def files_below(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each file below a folder, sorted, relative and with slashes, and what is odd about its kind.

    Links are not followed. Folders only count when they are empty, or a history of versions: nothing else
    would name the first, and no release has a use for the other.
    """
    for place, folders, files in os.walk(folder, onerror=_raise):
        below = Path(place).relative_to(folder)
        for name in sorted(HISTORIES & set(folders)):
            yield (below / name).as_posix(), "a history of earlier versions (git, DataLad)"
        folders[:] = sorted(set(folders) - HISTORIES)
        for name in sorted(files + [name for name in folders if Path(place, name).is_symlink()]):
            mode = Path(place, name).lstat().st_mode
            kind = "" if stat.S_ISREG(mode) else "a link" if stat.S_ISLNK(mode) else "not a plain file"
            yield (below / name).as_posix(), kind
        if not any(Path(place).iterdir()) and Path(place) != Path(folder):
            yield below.as_posix(), "an empty folder"


def _raise(error: OSError) -> None:
    raise error


def attributes(path: Path) -> dict[str, bytes]:
    """Return a file's extended attributes that a user or a program of theirs wrote (xattr(7), `user.`)."""
    names = os.listxattr(path, follow_symlinks=False) if hasattr(os, "listxattr") else []
    return {
        name: os.getxattr(path, name, follow_symlinks=False) for name in names if name.startswith("user.")
    }


def told(dataset: Path, paths: list[str]) -> Iterator[Finding]:
    """Yield what time stamps, modes, owners, access lists and second names of the files tell.

    One finding of each kind for the whole dataset. A release that efface published has one time stamp and
    one mode; of any other only stamps more than a day apart are told of, as they may be the days of scans.

    Parameters
    ----------
    paths : list of str
        The dataset's plain files, relative to it.
    """
    stats = {path: (dataset / path).lstat() for path in paths}
    stamps = [found.st_mtime for path, found in stats.items() if path != NAME]
    if stamps and max(stamps) - min(stamps) > (0 if NAME in paths else _DAY):
        yield _warn(f"time stamps differ, over {round((max(stamps) - min(stamps)) / _DAY)} days")
    if NAME in paths and len({stat.S_IMODE(found.st_mode) for found in stats.values()}) > 1:
        yield _warn("permissions differ from file to file")
    if len({found.st_uid for found in stats.values()}) > 1:
        yield _warn("files belong to several users")
    names = {}
    for found in stats.values():
        names.setdefault((found.st_dev, found.st_ino), []).append(found.st_nlink)
    if second := sum(links[0] > len(links) for links in names.values()):
        yield _warn(f"files that are also elsewhere on this disk (hard links): {second}")
    if listed := sum(_has_access_list(dataset / path) for path in paths):
        yield _warn(f"files with an access list, which may name staff: {listed}")
    for path in paths:
        if count := len(attributes(dataset / path)):
            what = f"extended attributes: {count}"
            yield Finding("filesystem", BLOCK, path, "the file", what, _PUBLISH)


def _has_access_list(path: Path) -> bool:
    return hasattr(os, "listxattr") and any(name.startswith(_ACCESS) for name in os.listxattr(path))


def _warn(what: str) -> Finding:
    return Finding("filesystem", WARN, "", "all files", what, _PUBLISH)
