"""Build the head atlas of workflow/atlas from pydeface's mean head.

    pip download pydeface==2.1.0 --no-deps --dest PACKAGES
    pip install torch==2.13.0 deepbet==1.0.2
    python scripts/build_atlas.py --wheel PACKAGES/pydeface-2.1.0-py3-none-any.whl --out workflow/atlas

The mean head is MIT-licensed (c) 2015 of the authors of pydeface; its brain is found by deepbet. All else is
drawn, in atlas coordinates: world mm, RAS+, the mean head turned upright so that its plane of symmetry is
x = 0. Landmarks were read from slices and renders of it: nose tip (0, 111, -62), globes (+-31, 72, -30) with
a radius of 12, brow ridge z = -10, mouth z = -85, chin z = -112, ramus y = 10 to 40, ear canals
(+-62, -12, -42), frontal lobes' floor z = -20, straight gyri y = 78, z = -24, temporal poles y = 45, z = -30.
"""

import argparse
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nib
import numpy as np
from scipy import ndimage

from efface import nifti
from efface.errors import EffaceError, guarded, leave
from efface.files import sha256

WHEEL_SHA256 = "957aac1daaedd437a4191d450c4b2829e052351e33272b79ae978c9703edc99e"
MEAN_HEAD = "pydeface/data/mean_reg2mean.nii.gz"
SHAPE = (101, 146, 136)
WORLD_FROM_VOXEL = np.array([[2.0, 0, 0, -100], [0, 2, 0, -140], [0, 0, 2, -170], [0, 0, 0, 1]])
# The mean head's plane of symmetry: its normal and a point on it, found by registering it to its mirror.
NORMAL, ON_PLANE = (0.997836, -0.063465, -0.017191), (-5.964, 0.063, -29.977)
BRIGHTNESS_OF_SKIN = 0.12  # of the 99th percentile; ghosts and padding are darker, scalp is brighter
# Behind which y the face is cut, by height z. It passes 8 mm before the frontal lobes, behind the globes'
# middle, before the temporal poles, through the ramus, and comes forward again at the neck.
CUT_Z = (-170, -150, -125, -80, -70, -60, -50, -40, -30, -22, -14, -8, 4)
CUT_Y = (55, 42, 14, 16, 22, 30, 42, 51, 61, 76, 89, 93, 94)
# Between the eyes the brain hangs lower in some heads than in the mean: there the cut stays in front of it.
MIDDLE, MIDDLE_Z, MIDDLE_Y = 18, (-40, -34, -28, -22, -14), (0, 66, 76, 86, 90)
FACE_TOP = 4.0  # above the brows
BEHIND_MM, CHIN = 12.0, -120.0  # behind the head all goes as well, down to the chin
# Regions of skin that are measured: number -> box of |x|, y, z in mm.
REGIONS = {
    1: ((12, 50), (55, 999), (-44, -16)),  # eyes
    2: ((0, 17), (70, 999), (-74, -20)),  # nose
    3: ((0, 32), (60, 999), (-124, -74)),  # mouth and chin
    4: ((74, 999), (-32, 14), (-68, -18)),  # ears
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


def head_of(head: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the mean head with its cavities: a mask on the atlas grid."""
    tissue = head > BRIGHTNESS_OF_SKIN * np.percentile(head[seen], 99)
    tissue = largest(ndimage.binary_opening(tissue, iterations=2))
    # Closed slice by slice: sinuses and airways belong to the head although they are dark.
    tissue = ndimage.binary_closing(np.pad(tissue, 8), iterations=7)[8:-8, 8:-8, 8:-8]
    for level in range(SHAPE[2]):
        tissue[:, :, level] = ndimage.binary_fill_holes(tissue[:, :, level])
    return tissue


def brain_of(head: np.ndarray) -> np.ndarray:
    """Return the mean head's brain with its fluid, symmetric and without clefts: a mask on the atlas grid."""
    # Only whoever builds the atlas needs the network and its libraries.
    from deepbet.bet import BrainExtraction

    _, mask, _ = BrainExtraction(no_gpu=True).run(nib.Nifti1Image(head, WORLD_FROM_VOXEL))
    found = np.asanyarray(mask.dataobj) > 0
    return ndimage.binary_closing(np.pad(found | found[::-1], 6), iterations=3)[6:-6, 6:-6, 6:-6]


def masks(outline: np.ndarray, seen: np.ndarray, brain: np.ndarray) -> dict[str, np.ndarray]:
    """Return head, brain, face, ears and regions on the atlas grid."""
    x, y, z = (WORLD_FROM_VOXEL[i, 3] + 2.0 * index for i, index in enumerate(np.indices(SHAPE, np.float32)))
    x = np.abs(x)
    cut = np.interp(z, CUT_Z, CUT_Y) - 0.004 * np.minimum(x, 35) ** 2 * (z > -16)
    # Towards the temples the face turns away, and beside the eyes more than the brain does.
    cut -= 0.6 * np.maximum(x - 35, 0) + 0.6 * np.maximum(x - 43, 0)
    cut = np.maximum(cut, np.interp(z, MIDDLE_Z, MIDDLE_Y) * (x < MIDDLE))
    guard = ndimage.binary_dilation(brain, iterations=2)
    face = (y > cut) & (z < FACE_TOP) & ~guard
    # A nose that does not fit into the field of view comes in again behind the head.
    face |= (y < y[outline].min() - BEHIND_MM) & (z > CHIN)
    # The ear stands out of the skull more and more from the lobe upwards; the skull itself widens.
    side = x > np.interp(z, (-94, -48, -38, -18, -8), (54, 55, 63, 66, 71))
    # From the face to behind the ear, so that no strip of cheek stays between the two.
    ears = side & (y > -46) & (y < np.interp(z, (-28, -20), (60, 20))) & (z > -94) & (z < -8)
    # Above the ear canal heads differ more in width than elsewhere.
    ears &= ~guard & ~(ndimage.binary_dilation(brain, iterations=3) & (z > -44))
    ears &= ~(ndimage.binary_dilation(brain, iterations=4) & (z > -32) & (x < 69))
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
        "head": np.where(seen, 2 - outline, 0),
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
    # Eight bits are enough to register by, and keep the file small; the air is emptied of ghosts.
    outline = head_of(head, seen)
    near = ndimage.binary_dilation(outline, iterations=2) & seen
    template = np.clip(np.round(head * (200 / np.percentile(head[seen], 99))), 0, 255) * near
    images = masks(outline, seen, brain_of(template.astype(np.float32))) | {"template": template}
    for name, voxels in images.items():
        header = nifti.header(SHAPE, np.dtype(np.uint8), WORLD_FROM_VOXEL)
        nifti.write(options.out / f"{name}.nii.gz", voxels.astype(np.uint8), header, mode=0o644, level=9)
    return 0


if __name__ == "__main__":
    leave(guarded(main))
