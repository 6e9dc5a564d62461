from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine

from conftest import REPOSITORY
from defacing.case import undisturbed
from defacing.disturb import cases
from defacing.found import judge
from defacing.skin import LANDMARKS, REGIONS_MM
from efface.deface import deface_file
from heads import ATLAS_FOLDER

MUST = """
    axes_true_SPR scan_pitch+30 offset_y nocodes_RAS size_0.75 size_1.3 slices_axial_5 noise_10 cut_front_15
    dtype_slope
""".split()
MAY_BE_HELD = """
    axes_lying_RAI axes_lying_PIR epi_like
    wrap_mouth_above wrap_nose_behind wrap_sideways wrap_top_below
""".split()


@pytest.fixture(scope="module")
def head(real_scans):
    return nib.load(real_scans / "nifti_heads" / "T1_head_ext2.nii.gz")


def _case(head, name):
    (case,) = cases(head, None, LANDMARKS["ext2"], (name,))
    return case


@pytest.mark.parametrize("name", MUST + MAY_BE_HELD)
def test_a_disturbed_head_loses_its_face_or_is_held(head, tmp_path, name):
    case = _case(head, name)
    source, out, mask = (tmp_path / f"{part}.nii.gz" for part in ("in", "out", "mask"))
    nib.save(case.image, source)
    check = deface_file(source, out, atlas_folder=ATLAS_FOLDER, modality="MR", mask_path=mask)
    if check["decision"] == "held":
        assert name in MAY_BE_HELD, check["reasons"]
        assert check["reasons"] and not out.exists()
        return
    assert check["decision"] == "defaced"
    assert check["brain_voxels_changed"] == 0 and check["face_surface_surviving"] <= 0.05
    found = judge(case, out, mask)
    assert found.surviving and not found.wrong, found


def _judged(case, folder, defaced, mask):
    nib.save(replace(case, voxels=defaced).image, folder / "out.nii.gz")
    nib.save(nib.Nifti1Image(mask.astype(np.uint8), case.world_from_voxel), folder / "mask.nii.gz")
    return judge(case, folder / "out.nii.gz", folder / "mask.nii.gz")


def test_the_judge_of_disturbed_heads_sees_what_was_left_and_harmed(head, tmp_path):
    case = _case(head, "axes_true_SPR")
    everything = np.ones(case.voxels.shape, bool)
    gone = _judged(case, tmp_path, np.zeros_like(case.voxels), everything)
    assert set(gone.surviving) == {"eye-", "eye+", "nose", "mouth", "ear-", "ear+"}
    assert gone.worst()[1] == 0 and gone.stray == 0 and gone.form_kept and not gone.wrong

    without_nose = everything & (case.regions != 1 + list(REGIONS_MM).index("nose"))
    left = _judged(case, tmp_path, np.where(without_nose, 0, case.voxels), without_nose)
    assert left.worst() == left.worst("nose", "eye") == ("nose", 1.0) and left.wrong
    assert left.worst("ear")[1] == 0

    whole = _judged(case, tmp_path, case.voxels, ~everything)
    assert set(whole.surviving.values()) == {1.0}

    # Another face in place of the face is a face.
    other = _judged(case, tmp_path, np.where(case.tissue, case.voxels // 2 + 60, 0), everything)
    assert min(other.surviving.values()) > 0.9

    point = tuple(np.argwhere(case.regions == 1)[0])
    harmed, brain = case.voxels.copy(), np.zeros(case.voxels.shape, bool)
    harmed[point], brain[point] = 255 - harmed[point], True
    one = _judged(replace(case, brain=brain), tmp_path, harmed, ~everything)
    assert one.brain_changed == one.stray == 1 and one.wrong

    # In another data type the values, and so the anatomy, are the same.
    floats = _judged(replace(case, brain=brain), tmp_path, case.voxels.astype(np.float32), ~everything)
    assert not floats.form_kept and floats.wrong
    assert floats.brain_changed == floats.stray == 0 and floats.surviving == whole.surviving


def test_skin_behind_an_ear_is_not_the_ear(head):
    case = undisturbed(head, None, LANDMARKS["ext2"])
    for name, side in (("ear-", slice(None)), ("ear+", slice(None, None, -1))):
        ear = (case.regions == 1 + list(REGIONS_MM).index(name))[side]
        before = np.logical_or.accumulate(case.tissue[side], 0)[:-1]
        assert ear.any() and not (ear[1:] & before).any()


def test_every_disturbance_is_made_and_knows_where_the_anatomy_went(head):
    landmarks = LANDMARKS["ext2"]
    names = []
    for case in cases(head, None, landmarks):
        names.append(case.name)
        if case.name.startswith(("cut", "wrap")):
            continue
        # The echo-planar head's face is distorted too.
        slack_mm = 4 + 6 * (case.name == "epi_like")
        original_from_voxel = np.linalg.inv(case.world_from_original) @ case.told
        places = np.argwhere(case.regions)
        numbers = case.regions[tuple(places.T)]
        for number, name in enumerate(REGIONS_MM, 1):
            if name in landmarks:
                original = apply_affine(original_from_voxel, places[numbers == number])
                away = np.linalg.norm(original - landmarks[name], axis=1)
                assert away.max() <= REGIONS_MM[name] + slack_mm, (case.name, name)
    assert len(names) == len(set(names)) > 190
    assert sum(name.startswith("axes_true") for name in names) == 47


def test_only_programs_lie_in_the_bench():
    # `make bench` runs each file there; what they share is the package beside them.
    for path in (REPOSITORY / "bench").glob("*.py"):
        assert '__name__ == "__main__"' in path.read_text(encoding="utf-8"), path.name
