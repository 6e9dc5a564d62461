"""False alarms that a person has looked at: each with a reason, and still listed."""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from efface import tables
from efface.audit.finding import ALLOWED, WARN, Finding, in_order
from efface.errors import EffaceError, UsageError

COLUMNS = ("check", "file", "where", "what", "reason")
# Of the others it can be argued whether they tell of somebody. A face in an image, a file that nobody decided
# to release, bytes that no image needs and the key of the labels can only be taken out.
CHECKS = frozenset(
    (
        "identifier",
        "rule",
        "digest",
        "names",
        "metadata",
        "filesystem",
        "order",
        "rare",
        "small_cells",
        "bids",
    )
)
_ROW = re.compile(r" \(identifiers row \d+\)")
_NO_VALIDATOR = "the BIDS validator "
_STALE = "remove the row, or mend it: the finding may have moved or changed its words"


class Allowed(NamedTuple):
    """A row of the table: the findings it covers, and why they are harmless.

    Attributes
    ----------
    check, what : str
        Equal to the finding's; `what` may leave out "(identifiers row N)", and then covers every value of
        that attribute.
    file : str
        A pattern as in a shell; its `*` goes over slashes too.
    where : str
        Equal to the finding's, or empty for anywhere in the file.
    reason : str
    """

    check: str
    file: str
    where: str
    what: str
    reason: str


def read(path: Path | str) -> list[Allowed]:
    """Return the rows of a table of what is allowed, TSV.

    Raises
    ------
    UsageError
        When a column is missing or unknown, a cell is missing, or a check can have no exception.
    """
    name = Path(path).name
    try:
        rows = tables.read_tsv(path, COLUMNS)
    except FileNotFoundError:
        raise UsageError(f"the table of what is allowed, {name}", found="no such file") from None
    except (EffaceError, UnicodeDecodeError):
        raise UsageError(f"table {name}", expected=f"TSV in UTF-8 with {', '.join(COLUMNS)}") from None
    allowed = []
    for number, row in enumerate(rows, 2):
        place = f"table {name}, line {number}"
        if set(row) != set(COLUMNS) or None in row.values():
            raise UsageError(place, expected=f"the columns {', '.join(COLUMNS)} and no other")
        one = Allowed(**{column: cell.strip() for column, cell in row.items()})
        if one.check not in CHECKS:
            raise UsageError(f"{place}, check", expected=f"one of {', '.join(sorted(CHECKS))}")
        if not one.what or not one.reason:
            raise UsageError(f"{place}, {'reason' if one.what else 'what'}", expected="text", found="none")
        allowed.append(one)
    return allowed


def apply(findings: Iterable[Finding], rows: Sequence[Allowed]) -> list[Finding]:
    """Return the findings, blocking ones first; those that a row covers are `allowed`, for its reason.

    A row that covers nothing gives a warning: it may be left from a fault that was mended.
    """
    told, used = [], set()
    for one in findings:
        covering = [number for number, row in enumerate(rows) if _covers(row, one)]
        used.update(covering)
        told.append(one._replace(severity=ALLOWED, advice=rows[covering[0]].reason) if covering else one)
    for number in sorted(set(range(len(rows))) - used):
        what = f"row {number + 1} of the table of what is allowed covers nothing"
        told.append(Finding("allow", WARN, "", "", what, _STALE))
    return in_order(told)


def _covers(row: Allowed, one: Finding) -> bool:
    return (
        row.check == one.check
        and row.where in ("", one.where)
        and row.what in (one.what, _ROW.sub("", one.what))
        and fnmatchcase(one.file, row.file)
        and not one.what.startswith(_NO_VALIDATOR)
    )
