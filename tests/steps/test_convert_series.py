"""The step: three files whatever happens, empty ones where there is nothing to release."""

import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pydicom
import pytest

import convert_series
from conftest import REPOSITORY
from efface.settings import WORKFLOW
from phantom import centred, make_series, on_grid

SHAPE = (32, 36, 20)
GRID = centred(SHAPE, (7, 7, 12))


@pytest.fixture
def study(tmp_path):
    """Return a function that runs the step on some of a series' files."""
    files = make_series(tmp_path / "input" / "Åsa" / "s 1", shape=SHAPE, world_from_voxel=GRID)

    def run(chosen=range(SHAPE[2]), name="a", **plan):
        listed = [str(path.relative_to(tmp_path / "input")) for path in map(files.__getitem__, chosen)]
        (tmp_path / "files.txt").write_text("\n".join(listed) + "\n")
        (tmp_path / "plan.json").write_text(
            json.dumps({"image": "sub-x_T1w", "datatype": "anat", "suffix": "T1w", "metadata": {}, **plan})
        )
        out, sidecar, proof = (
            tmp_path / name / f"sub-x_T1w{end}" for end in (".nii.gz", ".json", "_proof.json")
        )
        words = {
            "plan": tmp_path / "plan.json",
            "files": tmp_path / "files.txt",
            "input": tmp_path / "input",
            "policy": WORKFLOW / "policies" / "minimal.yaml",
            "out": out,
            "sidecar": sidecar,
            "bval": out.with_name("sub-x_T1w.bval"),
            "bvec": out.with_name("sub-x_T1w.bvec"),
            "proof": proof,
        }
        line = [word for key, value in words.items() for word in (f"--{key}", str(value))]
        return line, out, sidecar, proof

    return run


def test_an_image_with_its_sidecar_and_its_proof(study):
    line, out, sidecar, proof = study()
    assert convert_series.main(line) == 0
    image = nib.as_closest_canonical(nib.load(out))
    np.testing.assert_array_equal(image.get_fdata(), on_grid(SHAPE, GRID))
    np.testing.assert_allclose(image.affine, GRID, atol=1e-4)
    assert json.loads(sidecar.read_text())["Modality"] == "MR"
    assert json.loads(proof.read_text()) == {
        "decision": "proved",
        "reasons": [],
        "shape": list(SHAPE),
        "dtype": "int16",
        "frames": SHAPE[2],
        "filled": [],
        "engine": "dicom2nifti",
    }


def test_the_same_input_gives_the_same_bytes(study):
    (line, *first), (again, *second) = study(name="a"), study(name="b")
    convert_series.main(line)
    convert_series.main(again)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_held_leaves_empty_files_and_a_reason(study):
    line, out, sidecar, proof = study([0, *range(2, SHAPE[2])])
    assert convert_series.main(line) == 0
    assert out.read_bytes() == sidecar.read_bytes() == b""
    verdict = json.loads(proof.read_text())
    assert verdict["decision"] == "held" and "1 of 20 slice positions is missing" in verdict["reasons"][0]


def test_an_accepted_gap_is_filled_and_said(study):
    line, out, _, proof = study([0, *range(2, SHAPE[2])], accept=["missing_slices"])
    convert_series.main(line)
    verdict = json.loads(proof.read_text())
    assert verdict["decision"] == "proved" and len(verdict["filled"]) == 1 and out.stat().st_size


def test_what_the_judge_does_not_believe_is_held(study, monkeypatch):
    make = convert_series.convert_series

    def wrong(*args):
        conversion = make(*args)
        conversion.voxels[:] = conversion.voxels[::-1].copy()
        conversion.voxels[3, 4, 5] += 1
        return conversion

    monkeypatch.setattr(convert_series, "convert_series", wrong)
    line, out, sidecar, proof = study()
    assert convert_series.main(line) == 0
    assert out.read_bytes() == sidecar.read_bytes() == b""
    assert json.loads(proof.read_text())["decision"] == "held"


def test_the_step_is_a_quiet_program(study):
    line, out, *_ = study()
    script = REPOSITORY / "scripts" / "convert_series.py"
    done = subprocess.run([sys.executable, script, *line], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "") and out.stat().st_size
    missing = [word.replace("minimal.yaml", "none.yaml") for word in line]
    done = subprocess.run([sys.executable, script, *missing[:-2]], capture_output=True, text=True)
    assert done.returncode == 2 and "--proof" in done.stderr


REGISTRY = """
- manufacturer: SIEMENS
  model: TrioTim
  software: syngo
  private:
    - key: CoilString
      creator: PLANTED MAKER 1
      element: "0051,xx0F"
      type: text
      values: ["C:HE1-4"]
      reason: The coil decides about the signal.
"""


@pytest.mark.parametrize(
    ("shown", "profile", "value"),
    [("C:HE1-4", 0, "C:HE1-4"), ("C:HE1-4", None, None), ("Åsa Planted", 0, None)],
)
def test_r35_a_private_element_comes_through_where_the_scanners_profile_allows_its_value(
    study, tmp_path, shown, profile, value
):
    for path in (tmp_path / "input").rglob("*.dcm"):
        header = pydicom.dcmread(path)
        header.private_block(0x0051, "PLANTED MAKER 1", create=True).add_new(0x0F, "LO", shown)
        header.private_block(0x0051, "PLANTED MAKER 1").add_new(0x10, "LO", "Åsa Planted")
        header.save_as(path)
    line, _, sidecar, proof = study(profile=profile)
    (tmp_path / "scanners.yaml").write_text(REGISTRY)
    assert convert_series.main([*line, "--scanners", str(tmp_path / "scanners.yaml")]) == 0
    assert json.loads(proof.read_text())["decision"] == "proved"
    said = json.loads(sidecar.read_text())
    assert said.get("CoilString") == value
    assert "Planted" not in sidecar.read_text()


def test_a_copy_of_a_file_does_not_shift_whose_private_element_is_read(study, tmp_path):
    """The element differs in the last file alone, which a copy of the first one must not hide."""
    paths = sorted((tmp_path / "input").rglob("*.dcm"))
    for path in paths:
        header = pydicom.dcmread(path)
        shown = "C:HE1-4" if path != paths[-1] else "other"
        header.private_block(0x0051, "PLANTED MAKER 1", create=True).add_new(0x0F, "LO", shown)
        header.save_as(path)
    (tmp_path / "scanners.yaml").write_text(REGISTRY)
    line, _, sidecar, proof = study(chosen=[0, *range(SHAPE[2])], profile=0)
    assert convert_series.main([*line, "--scanners", str(tmp_path / "scanners.yaml")]) == 0
    assert json.loads(proof.read_text())["decision"] == "proved"
    assert "CoilString" not in json.loads(sidecar.read_text())


def test_r02_keys_above_the_level_are_left_out(study):
    line, _, sidecar, _ = study()
    assert convert_series.main([*line, "--level", "1"]) == 0
    assert not {"Manufacturer", "ManufacturersModelName"} & set(json.loads(sidecar.read_text()))
    assert convert_series.main([*line, "--level", "2"]) == 0
    assert "Manufacturer" in json.loads(sidecar.read_text())
