"""The controlled label of real series: right or absent, and nothing that was typed."""

import pytest

from efface import examination
from efface.index import index
from efface.settings import WORKFLOW

BRAIN_AXIAL = {"BodyPart": "brain", "ImagePlane": "axial"}
LABELS = {
    # folder: the labels of its series, from headers of seven makers
    "dicom2nifti_small/hitachi": [{"ImagePlane": "oblique"}],
    "ge_ct_human": [{"BodyPart": "head", "ImagePlane": "axial", "KernelClass": "medium"}],
    "ge_epi": [BRAIN_AXIAL],
    "pet_qin_headneck": [
        {"BodyPart": "head and neck", "ImagePlane": "axial"},
        {"BodyPart": "whole body", "ImagePlane": "axial"},
    ],
    "philips_ingenia_T1_classic": [{"BodyPart": "brain", "ImagePlane": "sagittal"}],
    "siemens_mosaic": [{"BodyPart": "head", "ImagePlane": "axial"}],
    # Its description names a person and no body part.
    "siemens_trio_T1_T2_ASLmosaic": [{"ImagePlane": "axial"}, {"ImagePlane": "sagittal"}],
    "siemens_xa30_enhanced": [{}, BRAIN_AXIAL, {"BodyPart": "brain", "ImagePlane": "sagittal"}],
    "conversion_cases/canon_dwi": [{"BodyPart": "head", "ImagePlane": "axial"}],
    "conversion_cases/ct_gantry_tilt_4_slices": [{"ImagePlane": "axial"}],
    "conversion_cases/mosaic_coronal_reversed": [{"ImagePlane": "coronal"}],
    "conversion_cases/two_echo_pd_t2": [{"BodyPart": "brain", "ImagePlane": "sagittal"}],
}


@pytest.mark.parametrize("folder", LABELS)
def test_r28_the_labels_of_real_series(real_scans, folder):
    vocabulary = examination.load(WORKFLOW / "vocabulary.yaml")
    found, _ = index(real_scans / folder)
    described = [
        examination.describe(one.described(part), vocabulary)
        for one in found.values()
        for part in one.ordered()
    ]
    distinct = {tuple(label.items()): label for label in described}
    assert sorted(distinct.values(), key=str) == sorted(LABELS[folder], key=str)
