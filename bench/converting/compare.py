"""The comparison: what each converter takes for one series, and how that compares."""

import gzip
import math
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import nibabel as nib

from converting.series import Series
from converting.taken import Taken, taken, together_mb
from converting.tools import FLOOR, OURS, PEER, TOOLS, command, images, planned, result
from efface.errors import HELD

ROUNDS = 2
COLUMNS = ("tool", "result", "seconds", f"x {PEER}", "x floor", "CPU s", "peak MB", "x volume")
AIM = (1.5, 150)  # peak memory: volumes, and MB more


def compare(one: Series, made: Path) -> None:
    """Print the table of one series.

    Parameters
    ----------
    one : the series
    made : a folder for what is made
    """
    converted = made / "first"
    _checked(OURS[1], command(OURS[1], one.folder, converted, None, None), made)
    plan = planned(converted / "converted")
    image, volume_mb = _image(one, converted, made)
    takes, results = {}, {}
    for turn in range(ROUNDS):
        for tool in TOOLS:
            with tempfile.TemporaryDirectory(dir=made) as folder:
                wanted = command(tool, one.folder, Path(folder), plan, image)
                if isinstance(wanted, str):
                    results[tool] = wanted
                    continue
                took = _checked(tool, wanted, made) if tool in OURS else taken(wanted, made / "said")
                takes[tool] = took.least(takes[tool]) if turn else took
                results[tool] = result(tool, Path(folder), took.code)
    for tool, took in takes.items():
        with tempfile.TemporaryDirectory(dir=made) as folder:
            most = together_mb(command(tool, one.folder, Path(folder), plan, image))
        takes[tool] = replace(took, peak_mb=max(most, took.peak_mb))
    _print_table(one, volume_mb, takes, results)


def _image(one: Series, converted: Path, made: Path) -> tuple[Path | None, float]:
    """Return an uncompressed image of the series and its voxels' MB: ours, or that of the peer."""
    found = images(converted)
    if not found:
        (made / "peer").mkdir()
        wanted = command(PEER, one.folder, made / "peer", None, None)
        if not isinstance(wanted, str):
            taken(wanted, made / "said")
        found = images(made / "peer")
    if not found:
        return None, 0.0
    path = made / "image.nii"
    with path.open("wb") as whole:
        for image in found:
            with gzip.open(image) as stream:
                shutil.copyfileobj(stream, whole)
    sizes = (nib.load(image).header for image in found)
    return path, sum(
        head.get_data_dtype().itemsize * math.prod(head.get_data_shape()) for head in sizes
    ) / 2**20


def _checked(tool: str, wanted: list, made: Path) -> Taken:
    """Return what our own command takes.

    Raises
    ------
    SystemExit
        When it fails: no figure is better than a wrong one.
    """
    took = taken(wanted, made / "said")
    if took.code not in (0, HELD):
        said = (made / "said").read_text(errors="replace").strip().splitlines() or ["nothing said"]
        sys.exit(f"{tool}: exit {took.code}: {said[-1]}")
    return took


def _print_table(one: Series, volume_mb: float, takes: dict[str, Taken], results: dict[str, str]) -> None:
    """Print what the tools took, as Markdown."""
    kind = ", lengthened" if one.lengthened else ""
    sizes = f"voxels {volume_mb:.1f} MB, memory aimed at {AIM[0] * volume_mb + AIM[1]:.0f} MB"
    print(f"\n**{one.name}**: {one.files} files{kind}, {sizes}\n")
    _print_line(COLUMNS)
    _print_line(["---"] * len(COLUMNS))
    for tool in TOOLS:
        if tool not in takes:
            _print_line([tool, results[tool], *["-"] * (len(COLUMNS) - 2)])
            continue
        took = takes[tool]
        ratios = [
            f"{took.wall_s / takes[other].wall_s:.2f}" if other in takes else "-" for other in (PEER, FLOOR)
        ]
        volumes = f"{took.peak_mb / volume_mb:.1f}" if volume_mb else "-"
        taking = [f"{took.cpu_s:.2f}", f"{took.peak_mb:.0f}", volumes]
        _print_line([tool, results[tool], f"{took.wall_s:.2f}", *ratios, *taking])


def _print_line(cells: Iterable[str]) -> None:
    """Print a line of a Markdown table."""
    print("| " + " | ".join(cells) + " |", flush=True)
