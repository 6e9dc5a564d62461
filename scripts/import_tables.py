"""Write what a dictionary releases of a clinical table, under the labels of the scans."""

import argparse
from pathlib import Path

from efface import crosswalk
from efface.clinical import Person, imported
from efface.dictionary import read_dictionary
from efface.errors import guarded, leave
from efface.tables import write_json, write_tsv


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--people", type=Path, required=True, help=f"table with {', '.join(crosswalk.COLUMNS)}"
    )
    parser.add_argument("--table", type=Path, required=True, help="CSV or TSV in UTF-8, a row a person")
    parser.add_argument("--dictionary", type=Path, required=True, help="what each column is, YAML")
    parser.add_argument("--level", type=int, required=True, help="how much is released, 1 to 6")
    parser.add_argument("--out", type=Path, required=True, help="the table to write")
    parser.add_argument("--columns", type=Path, required=True, help="what its columns are, JSON")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write the table and what its columns are."""
    args = parser().parse_args(argv)
    dictionary = read_dictionary(args.dictionary)
    result = imported(args.table, dictionary, _people(args.people), args.level)
    write_tsv(args.out, result.rows, ("participant_id", *result.columns))
    write_json(args.columns, result.columns)
    print(f"{len(result.rows)} people imported; {result.unknown} people of the table have no scan")


def _people(path: Path) -> dict[str, Person]:
    labels = crosswalk.labels(rows := crosswalk.read(path))
    return {
        source: Person(labels[source], row["birth_date"], row["first_session"])
        for source, row in rows.items()
    }


if __name__ == "__main__":
    leave(guarded(main))
