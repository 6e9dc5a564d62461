"""The private table from labels back to people, with the true dates that never leave."""

from collections.abc import Iterable, Mapping
from operator import itemgetter
from pathlib import Path

from efface.errors import EffaceError
from efface.identity import normalised
from efface.tables import read_tsv, write_tsv

COLUMNS = ("participant_id", "source_id", "birth_date", "first_session")


def place(work: Path | str) -> Path:
    """Return where the table of a work folder is."""
    return Path(work, "key", "crosswalk.tsv")


def read(path: Path | str) -> dict[str, dict[str, str]]:
    """Return the rows by normalised source ID; none where there is no table yet.

    Raises
    ------
    EffaceError
        When one ID has two rows.
    """
    rows: dict[str, dict[str, str]] = {}
    for number, row in enumerate(read_tsv(path, COLUMNS) if path and Path(path).exists() else [], 2):
        if rows.setdefault(normalised(row["source_id"]), row) is not row:
            raise EffaceError(f"the crosswalk, row {number}: an ID that another row has", todo="index again")
    return rows


def labels(rows: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the labels by source ID."""
    return {source: row["participant_id"].removeprefix("sub-") for source, row in rows.items()}


def write(
    path: Path | str, known: Mapping[str, Mapping[str, str]], people: Iterable[Mapping[str, object]]
) -> None:
    """Write the table, readable by its owner only.

    Whoever was given a label keeps the row when their scans are no longer in the input.

    Parameters
    ----------
    known : mapping
        From `read`.
    people : iterable of mapping
        Of this run, with `COLUMNS` and whatever else.
    """
    rows = dict(known) | {one["source_id"]: {name: one[name] for name in COLUMNS} for one in people}
    write_tsv(path, sorted(rows.values(), key=itemgetter("participant_id")), COLUMNS)


def without(path: Path | str, source_id: str) -> int:
    """Take the line of a person, by normalised source ID, out of the table; return how many went, 1 or 0."""
    known = read(path)
    if source_id not in known:
        return 0
    write(path, {one: row for one, row in known.items() if one != source_id}, ())
    return 1
