"""One thing that the audit found: where it is and what to do, never the value itself."""

from typing import NamedTuple

BLOCK = "block"
WARN = "warn"
COLUMNS = ("check", "severity", "file", "where", "what", "advice")


class Finding(NamedTuple):
    """A row of the table of findings.

    Attributes
    ----------
    check : str
        Which check found it: identifier, rule, structure, names, metadata, faces, bids, files.
    severity : str
        `block` keeps the dataset from being published; `warn` asks a person to look.
    file : str
        Relative to the dataset, with slashes.
    where, what, advice : str
        The place in the file, the thing without its value, and what to do about it.
    """

    check: str
    severity: str
    file: str
    where: str
    what: str
    advice: str
