"""Build the head atlas of workflow/atlas from pydeface's mean head.

    pip download pydeface==2.1.0 --no-deps --dest PACKAGES
    python scripts/build_atlas.py --wheel PACKAGES/pydeface-2.1.0-py3-none-any.whl --out workflow/atlas

The mean head is MIT-licensed (c) 2015 of the authors of pydeface. Everything drawn below is in atlas
coordinates: world mm, RAS+, the mean head turned upright so that its plane of symmetry is x = 0. Landmarks
were read from slices and renders of it: nose tip (0, 111, -62), globes (+-31, 72, -30) with a radius of 12,
brow ridge z = -10, mouth z = -85, chin z = -112, ramus y = 10 to 40, ear canals (+-62, -12, -42), frontal
lobes' floor z = -20, temporal poles y = 45, z = -30.
"""

import argparse
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nib
import numpy as np
from scipy import ndimage

from efface import nifti
from efface.errors import EffaceError, guarded
from efface.files import sha256

WHEEL_SHA256 = "957aac1daaedd437a4191d450c4b2829e052351e33272b79ae978c9703edc99e"
MEAN_HEAD = "pydeface/data/mean_reg2mean.nii.gz"
SHAPE = (101, 146, 136)
WORLD_FROM_VOXEL = np.array([[2.0, 0, 0, -100], [0, 2, 0, -140], [0, 0, 2, -170], [0, 0, 0, 1]])
# The mean head's plane of symmetry: its normal and a point on it, found by registering it to its mirror.
NORMAL, ON_PLANE = (0.997836, -0.063465, -0.017191), (-5.964, 0.063, -29.977)
BRIGHTNESS_OF_SKIN = 0.12  # of the 99th percentile; ghosts and padding are darker, scalp is brighter
# Behind which y the face is cut, by height z, on the midline. It passes 8 mm before the frontal lobes, behind
# the globes' middle, before the temporal poles, through the ramus, and comes forward again at the neck.
CUT_Z = (-170, -150, -125, -80, -70, -60, -50, -40, -30, -22, -14, -8, 4)
CUT_Y = (55, 42, 14, 16, 22, 30, 42, 51, 61, 76, 87, 90, 92)
FACE_TOP = 4.0  # above the brows
# Regions of skin that are measured: number -> box of |x|, y, z in mm.
REGIONS = {
    1: ((12, 50), (55, 999), (-44, -16)),  # eyes
    2: ((0, 17), (70, 999), (-74, -20)),  # nose
    3: ((0, 32), (60, 999), (-124, -74)),  # mouth and chin
    4: ((72, 999), (-32, 14), (-68, -18)),  # ears
}


def parser() -> argparse.ArgumentParser:
    program = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    program.add_argument("--wheel", type=Path, required=True, help="pydeface-2.1.0-py3-none-any.whl")
    program.add_argument("--out", type=Path, required=True, help="folder of the atlas")
    return program


def upright(mean: nib.Nifti1Image) -> tuple[np.ndarray, np.ndarray]:
    """Return the symmetric mean head on the atlas grid (float) and where it was seen (bool)."""
    right = np.array(NORMAL) / np.linalg.norm(NORMAL)
    front = np.array([0, 1, 0]) - right * right[1]
    front /= np.linalg.norm(front)
    turn = np.eye(4)
    turn[:3, :3] = np.c_[right, front, np.cross(right, front)]
    turn[:3, 3] = turn[:3, :3] @ [right @ ON_PLANE, 0, 0]
    mean_from_atlas = np.linalg.inv(mean.affine) @ turn @ WORLD_FROM_VOXEL
    head = ndimage.gaussian_filter(np.asanyarray(mean.dataobj).astype(np.float32), 0.6)
    one = [
        ndimage.affine_transform(volume, mean_from_atlas[:3, :3], mean_from_atlas[:3, 3], SHAPE, order=1)
        for volume in (head, np.ones_like(head))
    ]
    weight = (one[1] > 0.99).astype(np.float32)
    both = weight + weight[::-1]
    summed = one[0] * weight + (one[0] * weight)[::-1]
    return summed / np.maximum(both, 1), both > 0


def masks(head: np.ndarray, seen: np.ndarray) -> dict[str, np.ndarray]:
    """Return head, brain, face, ears and regions on the atlas grid."""
    x, y, z = (WORLD_FROM_VOXEL[i, 3] + 2.0 * index for i, index in enumerate(np.indices(SHAPE, np.float32)))
    x = np.abs(x)
    tissue = head > BRIGHTNESS_OF_SKIN * np.percentile(head[seen], 99)
    tissue = largest(ndimage.binary_opening(tissue, iterations=2))
    # Closed slice by slice: sinuses and airways belong to the head although they are dark.
    tissue = ndimage.binary_closing(np.pad(tissue, 8), iterations=7)[8:-8, 8:-8, 8:-8]
    for level in range(SHAPE[2]):
        tissue[:, :, level] = ndimage.binary_fill_holes(tissue[:, :, level])
    # Two bits of geometry that intensity alone does not give: the skull base and the brain's front.
    base = np.interp(y, (-80, -40, 0, 4, 44, 46, 80), (-60, -68, -68, -48, -44, -24, -18)).astype(np.float32)
    bright = ndimage.binary_erosion((head > 0.42 * np.percentile(head[seen], 99)) & (z > base), iterations=3)
    brain = ndimage.binary_dilation(largest(bright), iterations=4) & (z > base - 2)
    brain = ndimage.binary_fill_holes(ndimage.binary_closing(brain, iterations=5))
    cut = (
        np.interp(z, CUT_Z, CUT_Y) - 0.6 * np.maximum(x - 35, 0) - 0.004 * np.minimum(x, 35) ** 2 * (z > -16)
    )
    guard = ndimage.binary_dilation(brain, iterations=2)
    face = (y > cut) & (z < FACE_TOP) & ~guard
    # The ear stands out of the skull more and more from the lobe upwards; the skull itself widens.
    side = x > np.interp(z, (-76, -36, -12), (60, 62, 72))
    # From the face to behind the ear, so that no strip of cheek stays between the two.
    ears = side & (y > -40) & (y < np.interp(z, (-28, -20), (60, 20))) & (z > -76) & (z < -12) & ~guard
    # What lies below the grid repeats its lowest layer, so that layer ends the mask: the neck and body stay.
    face[:, :, 0] = False
    regions = np.zeros(SHAPE, np.uint8)
    for number, box in REGIONS.items():
        regions[
            np.all(
                [(low <= axis) & (axis <= high) for axis, (low, high) in zip((x, y, z), box, strict=True)], 0
            )
        ] = number
    return {
        "head": np.where(seen, 2 - tissue, 0),
        "brain": brain,
        "face": face,
        "ears": ears,
        "regions": regions,
    }


def largest(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected part of a mask."""
    parts, count = ndimage.label(mask)
    return parts == 1 + np.argmax(np.bincount(parts.ravel())[1:]) if count else mask


def main(argv: list[str] | None = None) -> int:
    options = parser().parse_args(argv)
    if sha256(options.wheel) != WHEEL_SHA256:
        raise EffaceError(
            "the wheel of pydeface", expected="version 2.1.0", found="another file", todo="download it again"
        )
    with TemporaryDirectory() as folder, zipfile.ZipFile(options.wheel) as wheel:
        head, seen = upright(nib.load(wheel.extract(MEAN_HEAD, folder)))
    images = masks(head, seen)
    # Eight bits are enough to register by, and keep the file small; the air is emptied of ghosts.
    near = ndimage.binary_dilation(images["head"] == 1, iterations=2)
    images["template"] = np.clip(np.round(head * (200 / np.percentile(head[seen], 99))), 0, 255) * (
        near & seen
    )
    for name, voxels in images.items():
        header = nifti.header(SHAPE, np.dtype(np.uint8), WORLD_FROM_VOXEL)
        nifti.write(options.out / f"{name}.nii.gz", voxels.astype(np.uint8), header, mode=0o644, level=9)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
