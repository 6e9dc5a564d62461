"""Decide for every series of the index whether it becomes an image, under which name, or why not."""

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from efface import crosswalk, examination, scanners, tombstones
from efface.classify import Modalities
from efface.errors import EffaceError, guarded, leave
from efface.files import private_folder
from efface.identity import load_or_make_key, pseudonym
from efface.people import person_of
from efface.plan import plan, read_overrides
from efface.schema import defaults
from efface.schemes import labels
from efface.settings import CONFIG_SCHEMA
from efface.tables import read_json, read_tsv, write_json, write_tsv

PARTICIPANTS = ("participant_id", "age", "sex", "weight", "size")
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
    parser.add_argument("--erased", default="", help="table of people who were erased")
    parser.add_argument("--unnamed", action="store_true", help="plan images of unknown kinds too")
    parser.add_argument("--out", type=Path, required=True, help="folder for the plan")
    parser.add_argument(
        "--crosswalk", default="", help="table from label to source ID; none where it is not kept"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write images.tsv, one record an image, participants.tsv, doubts.tsv and the crosswalk."""
    args = parser().parse_args(argv)
    attributes, parts = read_json(args.index / "attributes.json"), read_json(args.index / "parts.json")
    listed = read_tsv(args.index / "series.tsv")
    files = {row["series"].split(".")[0]: int(row["files_of_series"]) for row in listed}
    files |= {row["series"]: int(row["files"]) for row in listed}
    overrides = {}
    if args.overrides:
        overrides = read_overrides(args.overrides, SCHEMAS / "overrides.schema.yaml", set(attributes))
    config = defaults(args.study, CONFIG_SCHEMA) | {"unnamed": args.unnamed}
    modalities = Modalities(args.modalities, SCHEMAS / "modalities.schema.yaml", config["names"])
    key = load_or_make_key(args.key)
    second_key = load_or_make_key(args.second_key) if args.second_key else None
    known = crosswalk.read(args.crosswalk)
    ids = {person_of(one) for one in attributes.values()} - ({""} if not args.unnamed else set())
    erased = tombstones.read(args.erased, key)
    if any(map(erased.of_person, ids)):
        raise EffaceError(
            "the index holds scans of a person who was erased", todo="index again: --forcerun index_series"
        )
    label_of = labels(
        ids, config["identity"], key, crosswalk.labels(known), second_key, numbers=erased.numbers
    )
    rows, people, doubts = plan(attributes, files, modalities, parts, overrides, key, config, label_of)

    vocabulary = examination.load(args.vocabulary)
    registry = scanners.read(args.scanners) if args.scanners else scanners.Registry()
    records = private_folder(args.out / "images")
    for row in rows:
        if row.image:
            scanner = scanners.scanner(attributes[row.series])
            profile = registry.find(scanner)
            # In the anonymous mode the record outlives the index, and a version may be typed by hand.
            row.record["scanner"] = pseudonym(key, "scanner", str(scanner))
            row.record["profile"] = registry.profiles.index(profile) if profile else None
            row.record["examination"] = examination.describe(attributes[row.series], vocabulary)
            write_json(records / f"{row.image}.json", row.record)
    described = [asdict(one) | {"participant_id": f"sub-{one.label}"} for one in people]
    _write(args.out / "participants.tsv", described, PARTICIPANTS)
    if args.crosswalk:
        crosswalk.write(args.crosswalk, known, described)
    doubted = [asdict(one) | {"values": " | ".join(one.values)} for one in doubts]
    _write(args.out / "doubts.tsv", doubted, DOUBTS)
    _write(args.out / "images.tsv", map(vars, rows), COLUMNS)


def _write(path: Path, rows: Iterable[dict], columns: tuple[str, ...]) -> None:
    write_tsv(path, [{column: row[column] for column in columns} for row in rows], columns)


if __name__ == "__main__":
    leave(guarded(main))
