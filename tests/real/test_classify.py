"""What real series are called, part by part: scans of seven makers, classic and enhanced."""

import pytest

from efface.classify import Modalities
from efface.index import index
from efface.settings import WORKFLOW

FIELDMAP = ["fmap/magnitude", "fmap/magnitude", "fmap/phase", "fmap/phase"]
KINDS = {
    # folder: what its parts are called; of those without a name the decision and the first word of the reason
    "dicom2nifti_small/ge": ["anat/T1w"],
    "dicom2nifti_small/hitachi": ["anat/PDw"],
    "dicom2nifti_small/hyperfine": ["anat/FLAIR"],
    "ge_ct_human": ["ct/ct"],
    "ge_epi": ["func/bold"],
    "pet_qin_headneck": ["dropped report", "pet/pet"],
    "philips_ct_localizer": ["dropped localizer"],
    "philips_ct_secondary_capture": ["dropped secondary"] * 4,
    "philips_ingenia_T1_classic": ["anat/T1w"],
    "philips_ingenia_enhanced": ["dropped report", *FIELDMAP, "held perfusion,"],
    "siemens_mosaic": ["func/bold"],
    "siemens_trio_T1_T2_ASLmosaic": ["anat/T1w", "anat/T2w", "held perfusion,", "held perfusion,"],
    "siemens_xa30_enhanced/25_asl_2d_tra": ["held arterial"],
    "siemens_xa30_enhanced/5_anat-T1w_acq-tfl": ["anat/T1w"],
    "siemens_xa30_enhanced/8_gre_field_mapping": ["fmap/magnitude", "fmap/magnitude"],
    "siemens_xa30_enhanced/99_Phoenix_Document": ["dropped report"],
    "conversion_cases/canon_dwi": ["dwi/dwi"],
    "conversion_cases/ct_gantry_tilt_4_slices": ["ct/ct"],
    "conversion_cases/enhanced_agfa_4_files": ["held perfusion,"],
    "conversion_cases/enhanced_philips_magnitude_and_fieldmap": ["fmap/fieldmap", "fmap/magnitude"],
    "conversion_cases/enhanced_siemens_bold_20_files": ["func/bold"],
    "conversion_cases/enhanced_siemens_one_volume_per_file": ["func/bold"],
    "conversion_cases/enhanced_siemens_phase_negative_intercept": ["fmap/phase"],
    "conversion_cases/ge_b0map_real_and_magnitude": ["fmap/fieldmap", "fmap/magnitude"],
    "conversion_cases/ge_dwi_classic": ["dwi/dwi"],
    "conversion_cases/jpeg": ["anat/FLAIR"],
    "conversion_cases/mosaic_coronal_reversed": ["func/bold"],
    "conversion_cases/mosaic_sagittal_mirrored": ["func/bold"],
    "conversion_cases/multi_echo_bold": ["func/bold", "func/bold"],
    "conversion_cases/philips_dwi_classic": ["dwi/dwi"],
    "conversion_cases/philips_dwi_enhanced": ["dwi/dwi"],
    "conversion_cases/philips_fieldmap_four_image_types": FIELDMAP,
    "conversion_cases/rgb": ["dropped secondary"],
    "conversion_cases/siemens_dwi_classic": ["dwi/dwi"],
    "conversion_cases/siemens_dwi_mosaic": ["dwi/dwi"],
    "conversion_cases/two_echo_pd_t2": ["anat/PDw", "anat/T2w"],
}


@pytest.mark.parametrize("folder", KINDS)
def test_what_the_parts_of_a_series_are_called(real_scans, folder):
    modalities = Modalities(WORKFLOW / "modalities.yaml", WORKFLOW / "schemas" / "modalities.schema.yaml")
    series, _ = index(real_scans / folder)
    parts = [(one, part) for one in series.values() for part in one.ordered()]
    kinds = [modalities.classify(one.described(part)) for one, part in parts]
    called = [
        f"{kind.datatype}/{kind.suffix}"
        if kind.decision == "convert"
        else f"{kind.decision} {kind.reason.split()[0]}"
        for kind in kinds
    ]
    assert sorted(called) == sorted(KINDS[folder])
