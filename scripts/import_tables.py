"""Write what a dictionary releases of a clinical table, under the labels of the scans."""

import argparse
from pathlib import Path

from efface.clinical import Person, imported
from efface.dictionary import read_dictionary
from efface.errors import EffaceError, guarded, leave
from efface.identity import normalised
from efface.tables import read_tsv, write_json, write_tsv

CROSSWALK = ("participant_id", "source_id", "birth_date", "first_session")


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=Path, required=True, help=f"table with {', '.join(CROSSWALK)}")
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


def _people(crosswalk: Path) -> dict[str, Person]:
    people = {}
    for number, row in enumerate(read_tsv(crosswalk, CROSSWALK), 2):
        label = row["participant_id"].removeprefix("sub-")
        person = Person(label, row["birth_date"], row["first_session"])
        if people.setdefault(normalised(row["source_id"]), person) != person:
            raise EffaceError(f"the crosswalk, row {number}: an ID that another row has", todo="index again")
    return people


if __name__ == "__main__":
    leave(guarded(main))
