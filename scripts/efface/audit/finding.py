"""One thing that the audit found: where it is and what to do, never the value itself."""

from collections.abc import Iterable
from typing import NamedTuple

BLOCK = "block"
WARN = "warn"
ALLOWED = "allowed"
COLUMNS = ("check", "severity", "file", "where", "what", "advice")
_ORDER = (BLOCK, WARN, ALLOWED)


class Finding(NamedTuple):
    """A row of the table of findings.

    Attributes
    ----------
    check : str
        Which check found it: identifier, secret, rule, digest, structure, names, metadata, faces, files,
        filesystem, order, rare, small_cells, bids, allow.
    severity : str
        `block` keeps the dataset from being published; `warn` asks a person to look; `allowed` is what a
        person has looked at and given a reason for.
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


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return each finding once, blocking ones first."""
    return sorted(set(findings), key=lambda one: (_ORDER.index(one.severity), one))
