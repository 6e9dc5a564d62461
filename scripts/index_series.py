"""Read every DICOM header below a folder and write what series there are and what may identify somebody."""

import argparse
import os
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from efface import tombstones
from efface.errors import EffaceError, guarded, leave
from efface.files import private_folder, replacing
from efface.identifiers import COLUMNS
from efface.identity import load_or_make_key, pseudonym
from efface.index import ERASED, index, looked_for
from efface.parts import part_key
from efface.tables import write_json, write_tsv

OVERVIEW = ("SeriesNumber", "Modality", "StudyDate", "SeriesDescription", "ProtocolName")


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, required=True, help="folder of DICOM files")
    parser.add_argument("--key", type=Path, required=True, help="the study's secret")
    parser.add_argument("--erased", default="", help="table of people who were erased")
    parser.add_argument("--out", type=Path, required=True, help="folder for the index")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write series.tsv, attributes.json, parts.json, identifiers.tsv, skipped.tsv and lists of files."""
    args = parser().parse_args(argv)
    key = load_or_make_key(args.key)
    erased = tombstones.read(args.erased, key)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("Reading headers", total=None)
        by_uid, skipped = index(
            args.input,
            args.workers,
            lambda done, total: progress.update(bar, completed=done, total=total),
            erased.of_person,
        )
    if not by_uid and not any(one.held for one in skipped):
        found = f"{len(skipped)} files, none of them DICOM"
        if any(one.reason == ERASED for one in skipped):
            found = "none but those of people who were erased"
        raise EffaceError("the input", expected="DICOM files", found=found)

    found = dict(sorted((pseudonym(key, "series", uid), one) for uid, one in by_uid.items()))
    lists = private_folder(args.out / "files")
    attributes, parts, rows = {}, {}, []
    for series, one in found.items():
        for number, part in enumerate(one.ordered(), 1):
            name = part_key(series, number, len(one.parts))
            with replacing(lists / f"{name}.txt") as beside:
                listed = "".join(f"{path}\n" for path in sorted(part.paths))
                beside.write_text(listed, "utf-8", "surrogateescape")
            attributes[name], parts[name] = one.described(part), part.traits
            overview = {keyword: "|".join(part.attributes.get(keyword, ())) for keyword in OVERVIEW}
            counts = {"files": len(part.paths), "frames": part.frames, "files_of_series": one.files()}
            rows.append({"series": name} | counts | overview)
    write_json(args.out / "attributes.json", attributes)
    write_json(args.out / "parts.json", parts)
    rows_identifiers = (
        {"series": name, **found_value._asdict()}
        for name, values in looked_for(found).items()
        for found_value in values
    )
    write_tsv(args.out / "identifiers.tsv", rows_identifiers, COLUMNS)
    rows_skipped = [{"path": one.path, "reason": one.reason, "held": "yes" * one.held} for one in skipped]
    write_tsv(args.out / "skipped.tsv", rows_skipped, ("path", "reason", "held"))
    write_tsv(args.out / "series.tsv", rows, ("series", "files", "frames", "files_of_series", *OVERVIEW))


if __name__ == "__main__":
    leave(guarded(main))
