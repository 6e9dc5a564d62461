"""Write the private report, which shows faces, and the public one, which does not."""

import argparse
from pathlib import Path

from efface import evidence, report
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
    parser.add_argument("--out", type=Path, required=True, help="the private page")
    parser.add_argument("--public", type=Path, required=True, help="the page that may be published")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write both pages."""
    args = parser().parse_args(argv)
    outcome = read_tsv(args.outcome, ("series", "modality", "files", "image", "decision", "reason"))
    findings = read_tsv(args.findings, ("check", "severity", "file", "where", "what", "advice"))
    passed = report.verdict(outcome, findings)[0] == "released"
    shown = evidence.images(outcome, args.checks, args.proofs, args.bids, passed)
    description = read_json(args.bids / "dataset_description.json")
    pages = {
        args.out: report.private_page(outcome, findings, shown, str(args.release)),
        args.public: report.public_page(outcome, findings, shown, description),
    }
    for path, page in pages.items():
        with replacing(path) as beside:
            beside.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    leave(guarded(main))
