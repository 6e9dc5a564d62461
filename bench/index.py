"""Indexing headers, as a ratio to reading the same headers with pydicom and to reading their bytes.

python bench/index.py [DICOM_FOLDER]; without a folder the demo's DICOM is made and used.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pydicom

from efface.index import index

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
ROUNDS = 3


def fastest(function, *arguments):
    """Return the least seconds of some rounds: the machine's noise only ever adds."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        function(*arguments)
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def read_bytes(paths):
    """Read every file: the I/O floor."""
    for path in paths:
        path.read_bytes()


def read_headers(paths):
    """Read every header and decode its elements: what any indexing must do."""
    for path in paths:
        if path.suffix not in (".TXT", ".INF", ".db") and path.name != "DICOMDIR":
            list(pydicom.dcmread(path, stop_before_pixels=True, force=True))


def main():
    """Print the table."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(sys.argv[1]) if sys.argv[1:] else Path(made)
        if not sys.argv[1:]:
            subprocess.run([sys.executable, SCRIPTS / "make_demo.py", folder], check=True)
        paths = [path for path in folder.rglob("*") if path.is_file()]
        read_bytes(paths)  # warm
        floor, headers = fastest(read_bytes, paths), fastest(read_headers, paths)
        print(f"| {len(paths)} files | seconds | ratio to headers | ratio to bytes |\n|---|---|---|---|")
        for name, seconds in (
            ("bytes", floor),
            ("headers with pydicom", headers),
            ("index, 1 process", fastest(index, folder, 1)),
            ("index, 2 processes", fastest(index, folder, 2)),
        ):
            print(f"| {name} | {seconds:.2f} | {seconds / headers:.2f} | {seconds / floor:.1f} |")
        print(f"\nPeak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
