"""Write the private report, which shows faces, and the public one, which does not."""

import argparse
from pathlib import Path

from efface import evidence, report, review, scanners
from efface.errors import guarded, leave
from efface.files import replacing
from efface.tables import read_json, read_tsv


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outcome", type=Path, required=True, help="table of what became of every series")
    parser.add_argument("--findings", type=Path, required=True, help="what the audit found")
    parser.add_argument("--checks", type=Path, required=True, help="folder of measures and pictures")
    parser.add_argument("--proofs", type=Path, required=True, help="folder of the conversion's proofs")
    parser.add_argument("--bids", type=Path, required=True, help="the staged dataset")
    parser.add_argument("--release", type=Path, required=True, help="folder of the published dataset")
    parser.add_argument("--review", type=Path, help="table of the images with people's decisions")
    parser.add_argument("--queue", type=Path, help="table of what a person should look at")
    parser.add_argument(
        "--k-anonymity", type=Path, help="table of how many people share what is told of them"
    )
    parser.add_argument("--scanners", default="", help="registry of scanners, YAML")
    parser.add_argument("--plan", type=Path, help="folder of the plan's records, IMAGE.json each")
    parser.add_argument("--out", type=Path, required=True, help="the private page")
    parser.add_argument("--public", type=Path, required=True, help="the page that may be published")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write both pages."""
    args = parser().parse_args(argv)
    outcome = read_tsv(args.outcome, ("series", "modality", "files", "image", "decision", "reason"))
    findings = read_tsv(args.findings, ("check", "severity", "file", "where", "what", "advice"))
    waiting = len(review.waiting(read_tsv(args.review, review.REQUIRED))) if args.review else 0
    passed = report.verdict(outcome, findings, waiting)[0] == "released"
    shown = evidence.images(outcome, args.checks, args.proofs, args.bids, passed)
    name = read_json(args.bids / "dataset_description.json")["Name"]
    record = read_json(args.bids / "release_record.json")
    queue, cells = (read_tsv(path) if path else [] for path in (args.queue, args.k_anonymity))
    profiles = _profiles(args.scanners, args.plan, outcome)
    private = report.private_page(
        outcome, findings, shown, str(args.release), waiting, queue, cells, profiles
    )
    pages = {
        args.out: private,
        args.public: report.public_page(outcome, findings, shown, name, record, waiting),
    }
    for path, page in pages.items():
        with replacing(path) as beside:
            beside.write_text(page, encoding="utf-8")


def _profiles(registry: str, plan: Path | None, outcome: list[dict[str, str]]) -> dict[str, str]:
    """Return by image who has looked at its scanner, and since when."""
    profiles = scanners.read(registry).profiles if registry else []
    seen = {}
    for name in (row["image"] for row in outcome if row["image"] and plan):
        place = read_json(plan / f"{name}.json")["profile"]
        profile = None if place is None else profiles[place]
        seen[name] = f"{profile.owner or 'nobody named'} {profile.since}".strip() if profile else "nobody"
    return seen


if __name__ == "__main__":
    leave(guarded(main))
