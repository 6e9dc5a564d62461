"""Real scans show no page and no text; real pages do."""

import nibabel as nib
import numpy as np
import pydicom
import pytest

from efface import burned
from efface.cli import main

HEADS = (
    "T1_head_ext2",
    "T2w",
    "ds000031_sub-01_ses-006_run-001_T1w",
    "sub-01_ses-baseline_T1w",
)
SERIES = (
    *("ge_ct_human", "ge_epi", "pet_qin_headneck", "philips_ingenia_T1_classic", "philips_ingenia_enhanced"),
    *("siemens_mosaic", "conversion_cases/canon_dwi", "conversion_cases/ge_b0map_real_and_magnitude"),
    *("conversion_cases/enhanced_siemens_phase_negative_intercept", "conversion_cases/rle"),
)
PAGES = {"I40": "patient", "I50": "dose", "I60": "results"}


@pytest.mark.parametrize("name", HEADS)
def test_r08_a_real_head_shows_no_page_and_no_text(real_scans, name):
    voxels = np.asanyarray(nib.load(real_scans / "nifti_heads" / f"{name}.nii.gz").dataobj)
    assert not burned.flat(voxels) and not burned.words(voxels, "MR").reason


@pytest.mark.parametrize("folder", SERIES)
def test_r08_a_converted_scan_shows_no_page(real_scans, tmp_path, folder):
    main(["convert", str(real_scans / folder), str(tmp_path)])
    images = sorted(tmp_path.glob("*.nii.gz"))
    assert images
    for path in images:
        assert not burned.flat(np.asanyarray(nib.load(path).dataobj)), path.name


@pytest.mark.parametrize("page", PAGES)
def test_r08_r14_a_real_page_is_known_as_one_and_read(real_scans, page):
    """As if it had come as a grey image of several slices, past the rules for secondary captures."""
    header = pydicom.dcmread(real_scans / "philips_ct_secondary_capture" / "S4010" / page)
    grey = header.pixel_array[..., :3].mean(axis=-1).T
    voxels = np.stack([grey] * 2, axis=-1)
    assert "(K12)" in burned.flat(voxels)
    assert "(K13)" in burned.words(voxels, "MR").reason
