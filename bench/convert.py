"""Conversion, ours with its proof and others without, on the same series: time, memory, ratios.

python bench/convert.py [--data FOLDER] [--series NAME_OR_FOLDER ...]

Each converter is a process of its own; the rounds go round all of them, and the better counts. The floor
reads the files' bytes and compresses the finished image as our step does. dcm2niix is optional, as in
bench/requirements.txt.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from converting.compare import compare
from converting.series import DATA, SERIES, series


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the public scans")
    parser.add_argument(
        "--series",
        nargs="+",
        default=list(SERIES),
        metavar="NAME",
        help=f"folders of one series each, or {', '.join(SERIES)}",
    )
    return parser


def main() -> int:
    """Print a table for each series."""
    args = parser().parse_args()
    for name in args.series:
        with tempfile.TemporaryDirectory() as made:
            for one in series([name], args.data, Path(made)):
                results = Path(made) / "results"
                results.mkdir()
                compare(one, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
