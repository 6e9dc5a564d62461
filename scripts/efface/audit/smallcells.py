"""How many people of a dataset share what is told of them: who is alone can be found by whoever knows them.

A judge: it reads the dataset as staged and nothing else. k-anonymity as in Sweeney (2002),
doi:10.1142/S0218488502001648.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from efface.audit.faces import is_image
from efface.audit.finding import BLOCK, Finding
from efface.errors import EffaceError
from efface.nifti import read

SCANNER = ("Manufacturer", "ManufacturersModelName")
ALWAYS = ("age", "sex", "weight", "size", "site")
_MISSING = "n/a"
_ADVICE = "coarsen or leave out a column (k_anonymity.tsv says which), or release fewer of these people"


class Cells(NamedTuple):
    """How people fall into cells by some of what is told of them; it holds names of columns, no value.

    Attributes
    ----------
    kind : str
        `all columns`, `one column`, `without` (all but one: what leaving it out would gain), or `images`.
    columns : str
        Their names, joined by commas.
    people, cells : int
        How many there are.
    k : int
        People in the smallest cell; 0 without people.
    alone : int
        People who share their cell with nobody.
    """

    kind: str
    columns: str
    people: int
    cells: int
    k: int
    alone: int


def smallcells(dataset: Path | str, quasi: Collection[str] = ()) -> list[Cells]:
    """Return the cells by all columns together, then by each and by all but each, then by the images.

    Parameters
    ----------
    dataset : Path
        In BIDS.
    quasi : collection of str
        Columns of participants.tsv and of phenotype/ that count besides `ALWAYS`; the scanner counts too.

    Raises
    ------
    EffaceError
        When a table has no participant_id, or no table has a column of `quasi`.
    """
    dataset = Path(dataset)
    told = _told(dataset, quasi)
    columns = sorted({column for known in told.values() for column in known})
    rows = [_cells("all columns", columns, told)]
    rows += sorted((_cells("one column", [one], told) for one in columns), key=lambda row: -row.alone)
    rows += [
        _cells("without", [one for one in columns if one != left_out], told)._replace(columns=left_out)
        for left_out in columns
    ]
    grids, patterns = _images(dataset, told)
    return [*rows, _cells("images", ["grids and scanner"], grids), _cells("images", ["names"], patterns)]


def findings(rows: Sequence[Cells], k_min: int) -> list[Finding]:
    """Return a blocking finding when fewer than `k_min` people share what is told of them, else none.

    Parameters
    ----------
    rows : sequence of Cells
        From `smallcells`.
    """
    whole = rows[0]
    if whole.k >= k_min or not whole.people:
        return []
    most = next((row.columns for row in rows if row.kind == "one column" and row.alone), "")
    hint = f"; by {most} alone most are singled out" if most else ""
    what = f"k is {whole.k}, k_min is {k_min}; {whole.alone} of {whole.people} people are alone{hint}"
    return [Finding("small_cells", BLOCK, "participants.tsv", f"columns {whole.columns}", what, _ADVICE)]


def _cells(kind: str, columns: list[str], told: Mapping[str, Mapping]) -> Cells:
    sizes = Counter(tuple(known.get(column, _MISSING) for column in columns) for known in told.values())
    smallest = min(sizes.values(), default=0)
    alone = sum(size == 1 for size in sizes.values())
    return Cells(kind, ", ".join(columns), len(told), len(sizes), smallest, alone)


def _told(dataset: Path, quasi: Collection[str]) -> dict[str, dict[str, tuple]]:
    """Return by person what each column says: all its values, as a person may have several rows."""
    told = {folder.name: {} for folder in dataset.glob("sub-*") if folder.is_dir()}
    wanted, found = {*ALWAYS, *quasi}, set()
    tables = [dataset / "participants.tsv", *sorted(dataset.glob("phenotype/*.tsv"))]
    for table in filter(Path.is_file, tables):
        prefix = "" if table.name == "participants.tsv" else f"phenotype/{table.stem}."
        header, rows = _table(table)
        found.update(header)
        values = defaultdict(lambda: defaultdict(list))
        for row in rows:
            known = values[row.get("participant_id", "")]
            for column in wanted & set(header):
                known[prefix + column].append(row.get(column, _MISSING))
        for person, known in values.items():
            told.setdefault(person, {}).update((name, tuple(sorted(said))) for name, said in known.items())
    if absent := sorted(set(quasi) - found):
        raise EffaceError(
            "the tables of the dataset", expected="each column that counts", found=f"no {absent[0]}"
        )
    for person in told:
        told[person]["scanner"] = _scanners(dataset / person)
    return told


def _table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    lines = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    header, *rows = [line.split("\t") for line in lines if line] or [[]]
    if "participant_id" not in header:
        raise EffaceError(f"table {path.name}", expected="the column participant_id", found="none")
    return header, [dict(zip(header, row, strict=False)) for row in rows]


def _scanners(folder: Path) -> tuple:
    found = set()
    for path in folder.rglob("*.json"):
        try:
            said = json.loads(path.read_bytes())
        except ValueError:
            said = None
        if not isinstance(said, dict):
            said = {SCANNER[0]: path}  # nobody else's: in doubt this person is alone
        found.add(tuple(str(said.get(key, _MISSING)) for key in SCANNER))
    return tuple(sorted(found))


def _images(dataset: Path, told: Mapping[str, Mapping]) -> tuple[dict, dict]:
    """Return by person the grids of the images with the scanner, and which images there are."""
    grids, patterns = {}, {}
    for person, known in told.items():
        paths = sorted(path for path in (dataset / person).rglob("*") if is_image(path.name))
        shapes = set()
        for path in paths:
            try:
                header = read(path).header
            except EffaceError:
                shapes.add(str(path))  # nobody else's
                continue
            zooms = tuple(round(float(zoom), 3) for zoom in header.get_zooms())
            shapes.add((tuple(header.get_data_shape()), zooms))
        grids[person] = {"grids and scanner": (frozenset(shapes), known["scanner"])}
        names = (
            re.sub(rf"{re.escape(person)}(?![A-Za-z0-9])", "", str(p.relative_to(dataset))) for p in paths
        )
        patterns[person] = {"names": tuple(sorted(names))}
    return grids, patterns
