"""Text burned into copies of images: which of it the judge finds, what it finds in clean ones, and the time.

OMP_NUM_THREADS=1 python bench/text.py [IMAGE.nii.gz ...]

Without an image the public T2w is taken. Slices lie along the third axis; one whose name ends in ct is a CT.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from defacing.heads import DATA
from efface import burned

LINES = ("ANDERSSON EVA", "19510203-1234", "ID 884213")  # of nobody
AXES = {
    "as it was": lambda slices: slices,
    "first axis reversed": lambda slices: slices[::-1],
    "second axis reversed": lambda slices: slices[:, ::-1],
    "both reversed": lambda slices: slices[::-1, ::-1],
    "axes exchanged": lambda slices: slices.swapaxes(0, 1),
    "exchanged, first reversed": lambda slices: slices.swapaxes(0, 1)[::-1],
    "exchanged, second reversed": lambda slices: slices.swapaxes(0, 1)[:, ::-1],
    "exchanged, both reversed": lambda slices: slices.swapaxes(0, 1)[::-1, ::-1],
}


def planted(
    volume: np.ndarray, size: int, *, brain: bool = False, bright: float = 1.0, slices: slice = slice(None)
) -> np.ndarray:
    """Return a copy, (I, J, K) float32, with three lines of text in a corner or over the brain.

    Parameters
    ----------
    size : of the letters, in pixels
    bright : of the range from the lowest to the highest value (99.9 %)
    slices : along the third axis
    """
    page = Image.new("L", volume.shape[:2])
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    left, top = (volume.shape[0] // 4, volume.shape[1] // 2) if brain else (4, 4)
    for number, line in enumerate(LINES):
        draw.text((left, top + number * int(1.3 * size)), line, fill=255, font=font)
    ink = np.asarray(page, np.float32).T[..., None] / 255
    low, high = float(volume.min()), float(np.percentile(volume, 99.9))
    copy = volume.astype(np.float32)
    copy[:, :, slices] += ink * (low + bright * (high - low) - copy[:, :, slices])
    return copy


def cases(volume: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name and the voxels of each case."""
    third = volume.shape[2] // 3 + 1
    one = slice(third, third + 1)
    yield "clean", volume
    for size in (8, 12, 16, 24):
        yield f"corner, {size} px, all slices", planted(volume, size)
    yield "corner, 8 px, one slice", planted(volume, 8, slices=one)
    yield "corner, 14 px, one slice", planted(volume, 14, slices=one)
    yield "corner, 14 px, faint (10 %), all slices", planted(volume, 14, bright=0.1)
    yield "corner, 14 px, faint (10 %), one slice", planted(volume, 14, bright=0.1, slices=one)
    yield "over the brain, 14 px, all slices", planted(volume, 14, brain=True)
    yield "over the brain, 14 px, one slice", planted(volume, 14, brain=True, slices=one)
    yield "over the brain, 14 px, grey (50 %), all slices", planted(volume, 14, brain=True, bright=0.5)
    yield (
        "over the brain, 14 px, grey (50 %), one slice",
        planted(volume, 14, brain=True, bright=0.5, slices=one),
    )
    for name, turned in AXES.items():
        yield f"corner, 14 px, 8 slices; {name}", turned(planted(volume, 14, slices=slice(third, third + 8)))


def main() -> None:
    """Print the table: strings read, and whether the image is held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = [DATA / "nifti_heads" / "T2w.nii.gz"]
    parser.add_argument("images", nargs="*", default=default, type=Path, metavar="IMAGE")
    paths = parser.parse_args().images
    rows, seconds = {}, []
    for path in paths:
        image = nib.load(path)
        modality = "CT" if path.name.split(".")[0].endswith("ct") else "MR"
        for name, voxels in cases(np.asanyarray(image.dataobj)):
            start = time.perf_counter()
            found = burned.words(voxels, modality)
            seconds.append(time.perf_counter() - start)
            rows.setdefault(name, []).append(f"{'held' if found.reason else '-'} ({found.strings})")
    print(f"| case | {' | '.join(path.name.split('.')[0] for path in paths)} |")
    print("|---" * (len(paths) + 1) + "|")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(row)} |")
    print(f"\nmedian {np.median(seconds):.1f} s, longest {max(seconds):.1f} s")


if __name__ == "__main__":
    main()
