"""List what a person has to look at before anything is published, and propose a registry of scanners."""

import argparse
from pathlib import Path

import yaml

from efface import examination, policy, scanners
from efface.errors import guarded, leave
from efface.files import replacing, sha256
from efface.queue import COLUMNS, ROUNDS, next_round, proposal, rows
from efface.settings import FURTHER
from efface.tables import read_json, read_tsv, write_tsv

_HEAD = """\
# Private. The scanners and values of this run beside those that were known. Look at each new entry
# (docs/review.md), name yourself as owner, and put the file where `scanners` in the configuration points.
"""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path, required=True, help="folder that index_series wrote")
    parser.add_argument("--plan", type=Path, required=True, help="folder that plan_images wrote")
    parser.add_argument("--policy", type=Path, required=True, help="the sidecar's policy")
    parser.add_argument("--level", type=int, default=FURTHER, help="level of release")
    parser.add_argument("--scanners", default="", help="registry of scanners")
    parser.add_argument("--vocabulary", type=Path, required=True, help="words of the controlled label")
    parser.add_argument("--doubts", default="", help="table of doubts about people")
    parser.add_argument("--out", type=Path, required=True, help="table for the queue")
    parser.add_argument("--proposal", type=Path, required=True, help="file for the proposed registry")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write the queue, the proposal and, beside the queue, a line of rounds.tsv where something changed."""
    args = parser().parse_args(argv)
    attributes = read_json(args.index / "attributes.json")
    planned = read_tsv(args.plan / "images.tsv", ("series", "image"))
    doubts = read_tsv(args.doubts, ("series", "attribute", "values", "reason")) if args.doubts else []
    rules = policy.load(args.policy, args.level)
    registry = scanners.read(args.scanners) if args.scanners else scanners.Registry()
    found = rows(attributes, planned, rules, registry, examination.load(args.vocabulary), doubts)
    write_tsv(args.out, found, COLUMNS)

    entries = proposal(attributes, planned, rules, registry)
    with replacing(args.proposal) as beside:
        listed = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=110)
        beside.write_text(_HEAD + listed, encoding="utf-8")

    log = args.out.with_name("rounds.tsv")
    rounds = read_tsv(log, ROUNDS) if log.exists() else []
    files = {"policy": args.policy, "scanners": args.scanners, "vocabulary": args.vocabulary}
    digests = {name: sha256(path)[:12] if path else "" for name, path in files.items()}
    if now := next_round(rounds, found, digests):
        write_tsv(log, [*rounds, now], ROUNDS)


if __name__ == "__main__":
    leave(guarded(main))
