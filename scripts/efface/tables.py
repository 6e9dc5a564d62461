"""Tables (TSV) and records (JSON) on disk: one way to read and to write them, always the same bytes."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from efface.errors import EffaceError
from efface.files import PRIVATE_FILE, replacing


def read_tsv(path: Path | str, columns: Sequence[str] = ()) -> list[dict[str, str]]:
    """Return the rows of a TSV file with a header line.

    Raises
    ------
    EffaceError
        When one of `columns` is missing.
    """
    # Spreadsheets begin UTF-8 with a mark of byte order.
    with Path(path).open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream, delimiter="\t")
        rows = list(reader)
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise EffaceError(
            f"table {Path(path).name}",
            expected=f"the columns {', '.join(columns)}",
            found=f"no {', '.join(missing)}",
        )
    return rows


def write_tsv(
    path: Path | str, rows: Iterable[dict[str, object]], columns: Sequence[str], mode: int = PRIVATE_FILE
) -> None:
    """Write rows under a header line; a missing value becomes an empty cell."""
    with replacing(path, mode) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="", delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_json(path: Path | str) -> dict:
    """Return the object in a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_json(path: Path | str, record: object, mode: int = PRIVATE_FILE) -> None:
    """Write a JSON file, indented, in the order of the record."""
    with replacing(path, mode) as beside:
        beside.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
