"""Cells of a clinical table that must not be found in a release."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

_MARKS = (",", ";", "\t")
# A code or a word such as "complete" is nobody's; a number, or several words, may be.
_TELLING = re.compile(r"(?=.*\d).{5,}|(?=.*\s).{8,}", re.DOTALL)


def identifiers(table: Path | str, dictionary: Path | str) -> Iterator[dict[str, str]]:
    """Yield the IDs, the dates and the telling cells of dropped columns, as rows for `audit`.

    Parameters
    ----------
    table : Path
        CSV or TSV.
    dictionary : Path
        YAML with `id` and `columns`.
    """
    rules = yaml.safe_load(Path(dictionary).read_text(encoding="utf-8"))
    kinds = {name: rule["type"] for name, rule in rules["columns"].items()} | {rules["id"]: "id"}
    text = Path(table).read_text(encoding="utf-8-sig")
    mark = max(_MARKS, key=text.split("\n", 1)[0].count)
    seen = set()
    for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=mark):
        for column, cell in row.items():
            value, kind = (cell or "").strip() if isinstance(cell, str) else "", kinds.get(column, "drop")
            if not value or (column, value) in seen:
                continue
            seen.add((column, value))
            if kind == "id":
                yield {"kind": "id", "attribute": column, "value": value}
            elif kind == "date" and re.fullmatch(r"\d{4}-?\d\d-?\d\d", value):
                yield {"kind": "date", "attribute": column, "value": value.replace("-", "")}
            elif kind in ("drop", "date") and _TELLING.fullmatch(value):
                yield {"kind": "text", "attribute": column, "value": value}
