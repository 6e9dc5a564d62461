"""Decide for every series of the index whether it becomes an image, under which name, or why not."""

import argparse
import json
from dataclasses import asdict
from operator import itemgetter
from pathlib import Path

from efface import examination, scanners
from efface.classify import Modalities
from efface.errors import guarded, leave
from efface.files import private_folder
from efface.identity import load_or_make_key
from efface.people import person_of
from efface.plan import plan, read_overrides
from efface.schema import defaults
from efface.schemes import labels
from efface.settings import CONFIG_SCHEMA
from efface.tables import read_json, read_tsv, write_json, write_tsv

PARTICIPANTS = ("participant_id", "age", "sex", "weight", "size")
CROSSWALK = ("participant_id", "source_id", "birth_date", "first_session")
DOUBTS = ("series", "attribute", "values", "reason")
COLUMNS = ("series", "modality", "files", "decision", "reason", "image")
SCHEMAS = Path(__file__).resolve().parent.parent / "workflow" / "schemas"


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path, required=True, help="folder that index_series wrote")
    parser.add_argument("--key", type=Path, required=True, help="the study's secret")
    parser.add_argument("--modalities", type=Path, required=True, help="rules that say what a series is")
    parser.add_argument("--vocabulary", type=Path, required=True, help="words of the controlled label")
    parser.add_argument("--scanners", default="", help="registry of scanners")
    parser.add_argument("--overrides", default="", help="table of a person's decisions")
    parser.add_argument(
        "--study",
        type=json.loads,
        default={},
        help="keys of the configuration that differ from its defaults, in JSON",
    )
    parser.add_argument("--second-key", default="", help="the secret of a central stage")
    parser.add_argument("--unnamed", action="store_true", help="plan images of unknown kinds too")
    parser.add_argument("--out", type=Path, required=True, help="folder for the plan")
    parser.add_argument(
        "--crosswalk", default="", help="table from label to source ID; none where it is not kept"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write images.tsv, one record an image, participants.tsv, doubts.tsv and the crosswalk."""
    args = parser().parse_args(argv)
    attributes = read_json(args.index / "attributes.json")
    listed = read_tsv(args.index / "series.tsv")
    files = {row["series"].split(".")[0]: int(row["files_of_series"]) for row in listed}
    files |= {row["series"]: int(row["files"]) for row in listed}
    overrides = {}
    if args.overrides:
        overrides = read_overrides(args.overrides, SCHEMAS / "overrides.schema.yaml", set(attributes))
    config = defaults(args.study, CONFIG_SCHEMA) | {"unnamed": args.unnamed}
    modalities = Modalities(args.modalities, SCHEMAS / "modalities.schema.yaml", config["names"])
    parts, key = read_json(args.index / "parts.json"), load_or_make_key(args.key)
    second_key = load_or_make_key(args.second_key) if args.second_key else None
    crosswalk = Path(args.crosswalk) if args.crosswalk else None
    known = {}
    if crosswalk and crosswalk.exists():
        known = {row["source_id"]: row for row in read_tsv(crosswalk, CROSSWALK)}
    ids = {person_of(one) for one in attributes.values()}
    given = {source: row["participant_id"].removeprefix("sub-") for source, row in known.items()}
    label_of = labels(ids if args.unnamed else ids - {""}, config["identity"], key, given, second_key)
    rows, people, doubts = plan(attributes, files, modalities, parts, overrides, key, config, label_of)

    vocabulary = examination.load(args.vocabulary)
    registry = scanners.read(args.scanners) if args.scanners else scanners.Registry()
    records = private_folder(args.out / "images")
    for row in rows:
        if row.image:
            profile = registry.find(scanners.scanner(attributes[row.series]))
            row.record["profile"] = registry.profiles.index(profile) if profile else None
            row.record["examination"] = examination.describe(attributes[row.series], vocabulary)
            write_json(records / f"{row.image}.json", row.record)
    described = [asdict(one) | {"participant_id": f"sub-{one.label}"} for one in people]
    shown = [{column: one[column] for column in PARTICIPANTS} for one in described]
    write_tsv(args.out / "participants.tsv", shown, PARTICIPANTS)
    if crosswalk:
        # Whoever was given a label keeps the row when their scans are no longer in the input.
        known |= {one["source_id"]: {column: one[column] for column in CROSSWALK} for one in described}
        write_tsv(crosswalk, sorted(known.values(), key=itemgetter("participant_id")), CROSSWALK)
    doubted = [asdict(one) | {"values": " | ".join(one.values)} for one in doubts]
    write_tsv(
        args.out / "doubts.tsv", [{column: one[column] for column in DOUBTS} for one in doubted], DOUBTS
    )
    write_tsv(
        args.out / "images.tsv",
        [{column: getattr(row, column) for column in COLUMNS} for row in rows],
        COLUMNS,
    )


if __name__ == "__main__":
    leave(guarded(main))
