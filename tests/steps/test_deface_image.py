import nibabel as nib
import numpy as np
import pytest

from deface_image import main
from efface.tables import read_json, write_json
from heads import ATLAS_FOLDER, head_image

OUTPUTS = {
    "--out": "defaced.nii.gz",
    "--mask": "mask.nii.gz",
    "--check": "check.json",
    "--picture": "check.png",
    "--release-picture": "check_release.png",
}


@pytest.fixture
def step(tmp_path):
    """Run the step on what lies in tmp_path and return its check."""

    def run(proof):
        write_json(tmp_path / "proof.json", proof)
        arguments = [
            *("--image", tmp_path / "image.nii.gz", "--proof", tmp_path / "proof.json"),
            *("--sidecar", tmp_path / "image.json", "--atlas", ATLAS_FOLDER),
        ]
        for option, name in OUTPUTS.items():
            arguments += [option, tmp_path / name]
        assert main([str(argument) for argument in arguments]) == 0
        return read_json(tmp_path / "check.json")

    return run


def test_a_proved_image_is_defaced_measured_and_pictured(tmp_path, step):
    voxels, world_from_voxel = head_image(spacing=(3, 3, 3))
    nib.save(nib.Nifti1Image(voxels, world_from_voxel), tmp_path / "image.nii.gz")
    write_json(tmp_path / "image.json", {"Modality": "MR"})
    check = step({"decision": "proved", "reasons": []})
    assert check["decision"] == "defaced" and "seconds" not in check
    assert all((tmp_path / name).stat().st_size for name in OUTPUTS.values())
    first = {name: (tmp_path / name).read_bytes() for name in OUTPUTS.values()}
    step({"decision": "proved", "reasons": []})
    assert first == {name: (tmp_path / name).read_bytes() for name in OUTPUTS.values()}


def test_a_held_conversion_stays_held_with_its_reasons(tmp_path, step):
    (tmp_path / "image.nii.gz").touch()
    (tmp_path / "image.json").touch()
    check = step({"decision": "held", "reasons": ["one slice is missing"]})
    assert check["decision"] == "held" and check["reasons"] == ["one slice is missing"]
    assert all((tmp_path / name).stat().st_size == 0 for name in OUTPUTS.values() if name != "check.json")


def test_a_doubtful_head_gives_empty_files_that_no_one_takes_for_a_scan(tmp_path, step):
    noise = np.random.default_rng(3).rayleigh(100, (60, 60, 60)).astype(np.int16)
    nib.save(nib.Nifti1Image(noise, np.diag([3.0, 3, 3, 1])), tmp_path / "image.nii.gz")
    write_json(tmp_path / "image.json", {"Modality": "MR"})
    (tmp_path / "defaced.nii.gz").write_bytes(b"from an earlier run")
    check = step({"decision": "proved", "reasons": []})
    assert check["decision"] == "held" and check["reasons"]
    for name in ("defaced.nii.gz", "mask.nii.gz", "check_release.png"):
        assert (tmp_path / name).stat().st_size == 0
