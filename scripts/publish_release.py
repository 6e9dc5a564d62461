"""Copy the audited dataset to its public place, or refuse in one line."""

import argparse
from collections import Counter
from pathlib import Path

from efface import __version__, review
from efface.errors import UsageError, guarded, leave
from efface.files import sha256
from efface.publish import MANIFEST, publish, refuse, settle
from efface.tables import read_tsv, write_json


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bids", type=Path, required=True, help="the staged dataset")
    parser.add_argument("--staged", type=Path, help="table of the staged files with their digests")
    parser.add_argument("--findings", type=Path, required=True, help="what the audit found in it")
    parser.add_argument("--outcome", type=Path, required=True, help="table of what became of every series")
    parser.add_argument("--review", type=Path, help="table of the images with people's decisions")
    parser.add_argument("--release", type=Path, required=True, help="folder of the published dataset")
    parser.add_argument("--record", type=Path, required=True, help="private record of what was published")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Publish or refuse; an empty folder at the release's place does not outlive a refusal."""
    args = parser().parse_args(argv)
    findings = read_tsv(args.findings, ("severity", "file"))
    outcome = read_tsv(args.outcome, ("decision",))
    try:
        refuse(findings, outcome, str(args.findings))
        rows = read_tsv(args.staged, ("path", "sha256")) if args.staged else None
        digests = None if rows is None else {row["path"]: row["sha256"] for row in rows}
        decided = read_tsv(args.review, review.REQUIRED) if args.review else []
        if args.review:
            if digests is None:
                raise UsageError("--review", expected="--staged too: decisions are on bytes")
            review.refuse(decided, digests)
        files = publish(args.bids, args.release, digests)
    except BaseException:
        settle(args.release)
        raise
    record = {
        "efface": __version__,
        "decisions": dict(sorted(Counter(row["decision"] for row in outcome).items())),
        "findings": dict(sorted(Counter(row["severity"] for row in findings).items())),
        "files": len(files),
        "bytes": sum(row["size"] for row in files),
        "looked_at": sum(bool(row["decision"]) for row in decided if row["item"] not in review.SIGN_OFFS),
        "signed_by": {row["item"]: row["by"] for row in decided if row["item"] in review.SIGN_OFFS},
        "manifest_sha256": sha256(args.release / MANIFEST),
    }
    write_json(args.record, record)


if __name__ == "__main__":
    leave(guarded(main))
