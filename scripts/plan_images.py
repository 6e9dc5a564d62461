"""Decide for every series of the index whether it becomes an image, under which name, or why not."""

import argparse
import json
from pathlib import Path

from efface.classify import Modalities
from efface.errors import guarded, leave
from efface.files import private_folder
from efface.identity import load_or_make_key
from efface.plan import plan, read_overrides
from efface.tables import read_json, read_tsv, write_json, write_tsv

COLUMNS = ("series", "modality", "files", "decision", "reason", "image")
SCHEMAS = Path(__file__).resolve().parent.parent / "workflow" / "schemas"


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path, required=True, help="folder that index_series wrote")
    parser.add_argument("--key", type=Path, required=True, help="the study's secret")
    parser.add_argument("--modalities", type=Path, required=True, help="rules that say what a series is")
    parser.add_argument("--overrides", default="", help="table of a person's decisions")
    parser.add_argument("--task", default="", help="task label of functional series")
    parser.add_argument("--metadata", type=json.loads, default={}, help="sidecar fields by suffix, in JSON")
    parser.add_argument("--names", type=json.loads, default=[], help="entities by attributes, in JSON")
    parser.add_argument("--unnamed", action="store_true", help="plan images of unknown kinds too")
    parser.add_argument("--out", type=Path, required=True, help="folder for the plan")
    parser.add_argument("--crosswalk", type=Path, required=True, help="table from label to source ID")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write images.tsv, one record an image, participants.tsv and the crosswalk."""
    args = parser().parse_args(argv)
    attributes = read_json(args.index / "attributes.json")
    listed = read_tsv(args.index / "series.tsv")
    files = {row["series"].split(".")[0]: int(row["files_of_series"]) for row in listed}
    files |= {row["series"]: int(row["files"]) for row in listed}
    overrides = {}
    if args.overrides:
        overrides = read_overrides(args.overrides, SCHEMAS / "overrides.schema.yaml", set(attributes))
    modalities = Modalities(args.modalities, SCHEMAS / "modalities.schema.yaml", args.names)
    config = {"task": args.task, "metadata": args.metadata, "unnamed": args.unnamed}
    parts = read_json(args.index / "parts.json")
    rows, people = plan(attributes, files, modalities, parts, overrides, load_or_make_key(args.key), config)

    records = private_folder(args.out / "images")
    for row in rows:
        if row.image:
            write_json(records / f"{row.image}.json", row.record)
    participants = [{"participant_id": f"sub-{one.label}", "age": one.age, "sex": one.sex} for one in people]
    write_tsv(args.out / "participants.tsv", participants, ("participant_id", "age", "sex"))
    crosswalk = [{"participant_id": f"sub-{one.label}", "source_id": one.source_id} for one in people]
    write_tsv(args.crosswalk, crosswalk, ("participant_id", "source_id"))
    write_tsv(
        args.out / "images.tsv",
        [{column: getattr(row, column) for column in COLUMNS} for row in rows],
        COLUMNS,
    )


if __name__ == "__main__":
    leave(guarded(main))
