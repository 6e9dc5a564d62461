"""From a released label back to the source ID, for who can read the key; every attempt leaves a line."""

import csv
import datetime
import io
import os
import pwd
from collections.abc import Callable
from pathlib import Path

from efface import crosswalk, schemes, tombstones
from efface.errors import EffaceError, UsageError
from efface.files import PRIVATE_FILE, in_turn
from efface.identity import load_or_make_key
from efface.settings import Settings
from efface.tables import read_tsv, write_tsv

ACCESS = "access.tsv"
COLUMNS = ("time", "user", "action", "label", "outcome")
NO_LABEL = "(erased)"


def lookup(settings: Settings, label: str) -> str:
    """Return the source ID of whoever has a label, as `identity.normalised` spells it.

    Parameters
    ----------
    label : str
        As released, with or without sub-.

    Raises
    ------
    EffaceError
        When there is no way back, nobody has the label, or the attempt cannot be written down: then nothing
        is told.
    """
    work, label = Path(settings.work), label.removeprefix("sub-")
    if not work.is_dir():
        raise UsageError("the work folder", expected="that of an earlier run", found="none at that place")
    try:
        source_id = _found(settings, label)
    except Exception:
        log(work, "lookup", label, "refused")
        raise
    log(work, "lookup", label, "told")
    return source_id


def log(work: Path, action: str, label: str, outcome: str) -> None:
    """Add a line to the private list of who looked for whom, on the disk when this returns.

    Raises
    ------
    EffaceError
        When it cannot be written.
    """
    time = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    # Whatever else is typed in place of a label (a name, an ID) has no business in the list.
    shown = label if label == NO_LABEL or (label.isascii() and label.isalnum()) else "(no label)"
    try:
        with in_turn(work / "key"):
            path = work / "key" / ACCESS
            # Never behind a link: the line would go elsewhere.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
            descriptor = os.open(path, flags, PRIVATE_FILE)
            try:
                text = io.StringIO()
                writer = csv.writer(text, delimiter="\t", lineterminator="\n")
                if not os.fstat(descriptor).st_size:
                    writer.writerow(COLUMNS)
                writer.writerow((time, _user(), action, shown, outcome))
                line = text.getvalue().encode()
                if os.write(descriptor, line) != len(line):
                    raise OSError
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except OSError:
        raise EffaceError(
            "nothing is told or done: the list of accesses cannot be written",
            expected=f"to add a line to key/{ACCESS} in the work folder",
            todo="free space or ask whoever owns it",
        ) from None


def forget(work: Path, is_theirs: Callable[[str], bool]) -> int:
    """Put `NO_LABEL` in place of an erased person's label in the list; return in how many lines."""
    path = work / "key" / ACCESS
    with in_turn(path.parent):
        rows = read_tsv(path, COLUMNS) if path.exists() else []
        theirs = [row for row in rows if is_theirs(row["label"])]
        for row in theirs:
            row["label"] = NO_LABEL
        if theirs:
            write_tsv(path, rows, COLUMNS)
    return len(theirs)


def _found(settings: Settings, label: str) -> str:
    identity = settings.config["identity"]
    if not schemes.crosswalk_is_kept(settings.config["mode"], identity["scheme"]):
        chosen = "mode anonymous" if settings.config["mode"] == "anonymous" else "identity.scheme random"
        raise EffaceError(f"{chosen}: no way back from a label was kept")
    if not Path(settings.key).is_file():
        raise EffaceError("the study's key is not there", todo="set key to where it is kept")
    key = load_or_make_key(settings.key)
    if tombstones.read(Path(settings.work, "key", tombstones.NAME), key).of_label(label):
        raise EffaceError("whoever had the label was erased")
    if identity["scheme"] == "encrypted":
        return schemes.source_id(label, identity, key)
    for source_id, known in crosswalk.labels(crosswalk.read(crosswalk.place(settings.work))).items():
        if known == label:
            return source_id
    raise EffaceError("nobody in the crosswalk has that label", expected="a label as it was released")


def _user() -> str:
    """Return who runs the program by the system's word, which the environment cannot change."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
