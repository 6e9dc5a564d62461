"""Gather what is proved and defaced into a BIDS dataset, and say of every series what became of it."""

import argparse
import collections
import json
from dataclasses import asdict
from pathlib import Path

from efface import changes, record, review, scanners
from efface.bids import OUTCOME, Outcome, Table, outcome, participants, stage
from efface.deidentification import codes, sidecar_fields
from efface.errors import guarded, leave
from efface.files import sha256
from efface.policy import load
from efface.publish import settle
from efface.schema import defaults
from efface.settings import CONFIG_SCHEMA
from efface.tables import read_json, read_tsv, write_json, write_tsv


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder with plan, proof, check and defaced")
    parser.add_argument("--study", type=json.loads, required=True, help="the configuration, in JSON")
    parser.add_argument("--policy", type=Path, required=True, help="sidecar policy, YAML")
    parser.add_argument("--scanners", default="", help="registry of scanners, YAML")
    parser.add_argument("--review", type=Path, help="table of the images with people's decisions")
    parser.add_argument("--tables", type=Path, nargs="*", default=[], help="clinical tables, NAME.tsv each")
    parser.add_argument("--release", type=Path, help="folder of an earlier release, if there is one")
    parser.add_argument("--bids", type=Path, required=True, help="folder of the dataset")
    parser.add_argument("--outcome", type=Path, required=True, help="table of what became of every series")
    parser.add_argument(
        "--manifest", type=Path, required=True, help="table of the staged files with their digests"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write the dataset and the outcome."""
    args = parser().parse_args(argv)
    config = defaults(args.study, CONFIG_SCHEMA)
    policy = load(args.policy, config["level"])
    profiles = scanners.read(args.scanners).profiles if args.scanners else ()
    private = [rule.key for profile in profiles for rule in profile.private]
    private_keys = {key.name for key in private}
    decided = read_tsv(args.review, review.REQUIRED) if args.review else []
    rejected = review.rejected(decided)
    outcomes, images, checks = [], [], {}
    for row in read_tsv(args.work / "plan" / "images.tsv"):
        name = row["image"]
        proof = read_json(args.work / "proof" / f"{name}.json") if name else None
        check = read_json(args.work / "check" / f"{name}.json") if name else None
        outcomes.append(outcome(row, proof, check, rejected.get(name, "")))
        if outcomes[-1].decision == "release":
            volume = args.work / "defaced" / f"{name}.nii.gz"
            planned = read_json(args.work / "plan" / "images" / f"{name}.json")
            beside = [args.work / "nifti" / f"{name}.{kind}" for kind in ("bval", "bvec")]
            gradients = [path for path in beside if path.stat().st_size]
            sidecar = read_json(args.work / "nifti" / f"{name}.json")
            searched = bool(check.get("text", {}).get("searched"))
            shown = bool(private_keys & set(sidecar))
            sidecar |= sidecar_fields(codes(policy, config, faces=True, ocr=searched, private=shown))
            checks[name] = check
            images.append(planned | {"volume": volume, "sidecar": sidecar, "gradients": gradients})
    # Files that no header could be read of may belong to any series: they are held as a group, by reason.
    skipped = (row["reason"] for row in read_tsv(args.work / "index" / "skipped.tsv") if row["held"])
    for reason, files in sorted(collections.Counter(skipped).items()):
        outcomes.append(Outcome("", "", str(files), "", "held", f"{reason} (see work/index/skipped.tsv)"))

    tables = {path.stem: Table(read_tsv(path), read_json(path.with_suffix(".json"))) for path in args.tables}
    people = read_tsv(args.work / "plan" / "participants.tsv")
    people = participants(people, config["participants"], tables.pop("participants", None))
    stage(args.bids, images, people, tables, config)
    told = record.record(
        policy,
        config,
        images,
        checks,
        [one.decision for one in outcomes],
        private=private,
        reviewed=sum(row["item"] in checks and bool(row["decision"]) for row in decided),
    )
    write_json(args.bids / record.RECORD, told)
    files = sorted(path for path in args.bids.rglob("*") if path.is_file())
    digests = {path.relative_to(args.bids).as_posix(): sha256(path) for path in files}
    if args.release:
        settle(args.release)
    text = changes.write(args.release, digests)
    (args.bids / changes.CHANGES).write_text(text, encoding="utf-8")
    digests[changes.CHANGES] = sha256(args.bids / changes.CHANGES)
    rows = [{"path": path, "sha256": digest} for path, digest in sorted(digests.items())]
    write_tsv(args.manifest, rows, ("path", "sha256"))
    write_tsv(args.outcome, map(asdict, outcomes), OUTCOME)


if __name__ == "__main__":
    leave(guarded(main))
