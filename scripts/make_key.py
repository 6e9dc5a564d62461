"""Make the study's secret; one that stands is checked and left as it is."""

import argparse
from pathlib import Path

from efface.errors import guarded, leave
from efface.identity import load_or_make_key


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--key", type=Path, required=True, help="file of the secret")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Make or check the key."""
    load_or_make_key(parser().parse_args(argv).key)


if __name__ == "__main__":
    leave(guarded(main))
