"""List every image that may be released, who must look at it, and what was decided on it as it is now."""

import argparse
from pathlib import Path

from efface.bids import outcome
from efface.errors import guarded, leave
from efface.identity import keyed, load_or_make_key
from efface.review import REQUIRED, Candidate, policy_digest, read, standing
from efface.tables import read_json, read_tsv, write_tsv


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="folder that plan_images wrote")
    parser.add_argument("--proofs", type=Path, required=True, help="folder of the conversion's proofs")
    parser.add_argument("--checks", type=Path, required=True, help="folder of the measures")
    parser.add_argument("--policy", type=Path, required=True, help="sidecar policy, YAML")
    parser.add_argument("--level", type=int, required=True, help="level of release")
    parser.add_argument("--scanners", default="", help="registry of scanners, YAML")
    parser.add_argument("--key", default="", help="the study's secret; without it digests order the sample")
    parser.add_argument("--mode", choices=("none", "pilot", "scale"), required=True, help="who must look")
    parser.add_argument("--share", type=float, default=0.01, help="of the images, in the mode scale")
    parser.add_argument("--queue", default="", help="table that names the first series of new scanners")
    parser.add_argument("--decisions", default="", help="table of decisions, once there is one")
    parser.add_argument("--required", type=Path, required=True, help="the table to write")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write the table."""
    args = parser().parse_args(argv)
    candidates = []
    for row in read_tsv(args.plan / "images.tsv"):
        if name := row["image"]:
            proof, check = (read_json(folder / f"{name}.json") for folder in (args.proofs, args.checks))
            if outcome(row, proof, check).decision == "release":
                scanner = read_json(args.plan / "images" / f"{name}.json")["scanner"]
                # Of a series in parts, a decision on one part is a decision on all.
                series = row["series"].split(".")[0]
                candidates.append(Candidate(name, series, scanner, check["image_sha256"]))
    key = load_or_make_key(args.key) if args.key else b""
    queue = read_tsv(args.queue, ("kind", "series")) if args.queue else []
    rows = standing(
        candidates,
        read(args.decisions) if args.decisions else [],
        policy_digest(args.policy, args.level, args.scanners),
        mode=args.mode,
        share=args.share,
        new={row["series"].split(".")[0] for row in queue if row["kind"] == "scanner"},
        order=lambda one: keyed(key, "review sample", one.sha256),
    )
    write_tsv(args.required, rows, REQUIRED)


if __name__ == "__main__":
    leave(guarded(main))
