"""Files that are written whole or not at all, and folders that only their owner can read."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from efface.errors import EffaceError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


@contextmanager
def replacing(path: Path | str, mode: int = PRIVATE_FILE) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the place of `path` when the block ends well.

    Two jobs that write the same file (a cluster job that outlived its workflow) cannot mix their bytes.
    """
    path = Path(path)
    path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        beside.chmod(mode)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def private_folder(path: Path | str) -> Path:
    """Return the folder `path`, made if absent, that only its owner can enter."""
    path = Path(path)
    path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    path.chmod(PRIVATE_FOLDER)
    return path


@contextmanager
def alone(folder: Path | str) -> Iterator[int]:
    """Hold the lock of a work folder; its descriptor is for a program that keeps it when this one is killed.

    Raises
    ------
    EffaceError
        When another program holds it.
    """
    with Path(folder, ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EffaceError(
                "another run is at work in the work folder", todo="wait for it to end"
            ) from None
        yield stream.fileno()


@contextmanager
def in_turn(folder: Path | str) -> Iterator[None]:
    """Wait for those who change tables in a private folder, and keep others waiting meanwhile."""
    descriptor = os.open(private_folder(folder), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sha256(path: Path | str) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
