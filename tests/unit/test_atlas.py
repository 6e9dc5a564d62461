"""The atlas: the files that its README names, on one grid, with masks where the face is, not in the brain."""

import re

import nibabel as nib
import numpy as np
from scipy import ndimage

from efface.files import sha256
from heads import ATLAS, ATLAS_FOLDER


def test_the_files_are_those_that_the_readme_names():
    named = re.findall(
        r"^\| `(\w+\.nii\.gz)` .*`([0-9a-f]{64})` \|$", (ATLAS_FOLDER / "README.md").read_text(), re.M
    )
    assert dict(named) == {path.name: sha256(path) for path in ATLAS_FOLDER.glob("*.nii.gz")}
    assert sum(path.stat().st_size for path in ATLAS_FOLDER.glob("*.nii.gz")) < 1 << 20


def test_all_volumes_share_one_grid():
    images = [nib.load(path) for path in sorted(ATLAS_FOLDER.glob("*.nii.gz"))]
    assert len({image.shape for image in images}) == 1
    assert all(np.array_equal(image.affine, images[0].affine) for image in images)


def test_the_masks_leave_the_brain_and_hold_every_measured_region():
    masked = (ATLAS.face > 0) | (ATLAS.ears > 0)
    assert not (masked & (ATLAS.brain > 0)).any()
    head = ATLAS.head == 1
    skin = head & ~ndimage.binary_erosion(head, iterations=2)
    for region in range(1, 5):
        assert masked[skin & (ATLAS.regions == region)].mean() > 0.97, region
