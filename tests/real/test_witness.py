import pytest

from efface import witness
from efface.deface import deface_file
from heads import ATLAS_FOLDER

HEADS = ("nifti_heads/T1_head_ext2.nii.gz", "siemens_xa30_enhanced/Ref/5_anat-T1w_acq-tfl.nii")


@pytest.mark.parametrize("name", HEADS)
def test_a_detector_sees_the_face_of_a_real_head_and_none_after(real_scans, tmp_path, name):
    if not witness.available():
        pytest.skip("dlib and its models are not installed (efface[witness])")
    check = deface_file(
        real_scans / name, tmp_path / "out.nii.gz", atlas_folder=ATLAS_FOLDER, modality="MR", witness=True
    )
    assert check["decision"] == "defaced", check["reasons"]
    assert check["face_detector_before"] > 0.8
    assert check["face_detector_after"] == witness.FIRES
