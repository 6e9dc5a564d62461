"""Every way in which efface refuses, and how a refusal becomes one line and an exit code."""

import errno
import os
import sys
from collections.abc import Callable
from typing import NoReturn

REFUSED = 1
USAGE = 2
HELD = 3

_ADVICE = {
    errno.ENOSPC: "the disk is full: free space and start again",
    errno.EDQUOT: "the disk quota is used up: free space and start again",
    errno.EFBIG: "the file would be larger than is allowed here: raise the limit (ulimit -f) and start again",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EACCES: "permission denied: check who may read and write there",
    errno.EPERM: "not permitted: check who may read and write there",
}


class EffaceError(Exception):
    """A refusal that a person can act on.

    The text never holds a header's value: it names the attribute and the series key instead.

    Parameters
    ----------
    what : str
        The thing that is wrong.
    expected, found, todo : str
        What was wanted, what is there, and what to do about it.
    """

    exit_code = REFUSED

    def __init__(self, what: str, *, expected: str = "", found: str = "", todo: str = ""):
        facts = [f"expected {expected}"] * bool(expected) + [f"found {found}"] * bool(found)
        text = what + (": " + ", ".join(facts) if facts else "")
        super().__init__(" ".join((text + (f"; {todo}" if todo else "")).split()))


class UsageError(EffaceError):
    """The command or the configuration asks for something that cannot be."""

    exit_code = USAGE


class Held(EffaceError):
    """An image or a series is stopped for a person to decide."""

    exit_code = HELD


def leave(code: int) -> NoReturn:
    """End the process at once: to take SimpleITK, GDCM and SciPy apart first takes 0.2 s an image."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def guarded(main: Callable[[], int | None]) -> int:
    """Run a program; a refusal becomes one line on standard error and its exit code.

    Errors of the operating system get advice instead of a path, because a path of the input may hold a name.
    Anything else is a bug and keeps its traceback.
    """
    try:
        return main() or 0
    except EffaceError as error:
        print(f"efface: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if error.errno not in _ADVICE:
            raise
        print(f"efface: cannot read or write a file: {_ADVICE[error.errno]}", file=sys.stderr)
        return REFUSED
