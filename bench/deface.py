"""Defacing, ours and others, on the same heads: time, memory, brain changed, skin surviving, faces detected.

python bench/deface.py [--data FOLDER] [--heads NAME_OR_PATH ...] [--sweep [CASE ...]]

Other tools and witnesses are optional: bench/requirements.txt. The judges belong to none of the tools: the
brain is deepbet's (or ROBEX'), the skin is looked for around landmarks, the faces are dlib's. Only where the
landmarks of a new head lie is read from our registration; three heads have theirs drawn by hand.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from defacing.compare import compare
from defacing.heads import DATA, HEADS, heads
from defacing.skin import LANDMARKS
from defacing.sweep import sweep


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the public scans")
    parser.add_argument(
        "--heads", nargs="+", default=list(HEADS), metavar="NAME", help=f"NIfTI files, or {', '.join(HEADS)}"
    )
    parser.add_argument(
        "--sweep",
        nargs="*",
        metavar="CASE",
        help="disturbed copies of the first head, all or those whose name starts with a CASE",
    )
    return parser


def main() -> int:
    """Print the tables; 1 when the sweep finds a face, a changed brain or a crash."""
    args = parser().parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        names = args.heads if args.sweep is None else args.heads[:1]
        found_heads = list(heads(names, args.data, folder))
        if not found_heads:
            print("no head is at hand: name NIfTI files with --heads", file=sys.stderr)
            return 0
        if len({head.name for head in found_heads}) < len(found_heads):
            sys.exit("two heads have the same name: rename one file")
        if args.sweep is None:
            compare(found_heads, folder)
            return 0
        if not found_heads[0].drawn:
            sys.exit(f"the sweep needs one of {', '.join(LANDMARKS)}")
        return int(sweep(found_heads[0], folder, tuple(args.sweep) or ("",)) > 0)


if __name__ == "__main__":
    sys.exit(main())
