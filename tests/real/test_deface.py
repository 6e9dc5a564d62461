import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from efface.deface import deface_file
from heads import ATLAS_FOLDER

HEADS = {
    "T1_head_ext2.nii.gz": "nifti_heads",
    "T2w.nii.gz": "nifti_heads",
    "ds000031_sub-01_ses-006_run-001_T1w.nii.gz": "nifti_heads",
    "sub-01_ses-baseline_T1w.nii.gz": "nifti_heads",
    "5_anat-T1w_acq-tfl.nii": "siemens_xa30_enhanced/Ref",
}


@pytest.mark.parametrize("name", HEADS)
def test_a_real_head_loses_its_face_and_keeps_its_brain(real_scans, tmp_path, name):
    path = real_scans / HEADS[name] / name
    check = deface_file(
        path,
        tmp_path / "out.nii.gz",
        atlas_folder=ATLAS_FOLDER,
        modality="MR",
        mask_path=tmp_path / "mask.nii.gz",
    )
    assert check["decision"] == "defaced", check["reasons"]
    assert check["brain_voxels_changed"] == 0
    assert check["face_surface_surviving"] <= 0.05
    before, after, mask = (
        np.asanyarray(nib.load(one).dataobj)
        for one in (path, tmp_path / "out.nii.gz", tmp_path / "mask.nii.gz")
    )
    assert after.dtype == before.dtype and np.array_equal(after[mask == 0], before[mask == 0])
    assert not after[mask == 1].any()


@pytest.mark.parametrize(
    "turn", [np.diag([1, -1, -1, 1.0]), np.diag([-1, -1, 1, 1.0])], ids=["upside", "backwards"]
)
def test_a_real_head_whose_header_lies_is_held(real_scans, tmp_path, turn):
    image = nib.load(real_scans / "nifti_heads" / "T1_head_ext2.nii.gz")
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), image.affine @ turn), tmp_path / "in.nii.gz")
    check = deface_file(tmp_path / "in.nii.gz", tmp_path / "out.nii.gz", atlas_folder=ATLAS_FOLDER)
    assert check["decision"] == "held"
    assert not (tmp_path / "out.nii.gz").exists()


def test_the_same_bytes_on_one_core_and_on_two(real_scans, tmp_path):
    outs = []
    for cores in (1, 2):
        out = tmp_path / f"{cores}.nii.gz"
        subprocess.run(
            [
                Path(sys.executable).with_name("efface"),
                "deface",
                real_scans / "nifti_heads" / "T1_head_ext2.nii.gz",
                out,
            ],
            env=os.environ | {"OMP_NUM_THREADS": str(cores)},
            preexec_fn=partial(_only, cores),
            check=True,
        )
        outs.append(out.read_bytes())
    assert outs[0] == outs[1]


def _only(cores):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
