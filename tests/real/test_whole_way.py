"""The whole way on real scans of several vendors: a row for every series, and nothing wrong in a release."""

import gzip
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import yaml

from efface import nifti
from efface.index import index, looked_for
from efface.tables import read_json, read_tsv, write_tsv
from study import Workflow, tree

BIN = Path(sys.executable).parent

RELEASED, HELD, NOTHING = 0, 3, 1
SCANS = {
    # folder: exit code, and decision and reason (its start) of every series, sorted
    "philips_ingenia_T1_classic": (RELEASED, [("release", "proved, defaced")]),
    "siemens_trio_T1_T2_ASLmosaic": (
        HELD,
        [
            ("held", "1 of 176 slice positions is missing (after position 114)"),
            ("held", "1 of 56 slice positions is missing (after position 34)"),
            ("held", "perfusion"),
            ("held", "perfusion"),
        ],
    ),
    "siemens_xa30_enhanced": (
        HELD,
        [
            ("dropped", "report or document"),
            ("held", "arterial spin labelling"),
            ("held", "the magnitude of a field map without its phase"),
            ("held", "the magnitude of a field map without its phase"),
            ("release", "proved, defaced"),
        ],
    ),
    "philips_ingenia_enhanced": (
        HELD,
        [
            ("dropped", "report or document"),
            ("held", "perfusion"),
            ("held", "the magnitude image that shows the same head is held"),
            ("held", "the mask would reach into the brain"),
            ("release", "proved, defaced"),
            ("release", "proved, defaced"),
        ],
    ),
    "ge_ct_human": (RELEASED, [("release", "proved, defaced")]),
    "philips_ct_secondary_capture": (NOTHING, [("dropped", "secondary capture (K01)")]),
    "pet_qin_headneck": (HELD, [("dropped", "report or document"), ("held", "BIDS requires TracerName")]),
}


class Study:
    """One folder of real scans after `efface run`."""

    def __init__(self, source, folder, config=None):
        self.source, self.release, self.work = source, folder / "release", folder / "work"
        self.workflow = Workflow.copied(folder)
        given = ()
        if config:
            (folder / "study.yaml").write_text(yaml.safe_dump(config))
            given = ("--config", folder / "study.yaml")
        self.result = self.workflow.efface(
            "run", source, self.release, "--work", self.work, "--cores", "2", *given, cwd=folder
        )
        self.rows = read_tsv(self.work / "outcome.tsv")


@pytest.fixture(scope="module", params=SCANS)
def study(request, real_scans, tmp_path_factory):
    return request.param, Study(real_scans / request.param, tmp_path_factory.mktemp(request.param))


def test_every_series_has_a_row_with_the_expected_decision_and_reason(study):
    name, done = study
    code, expected = SCANS[name]
    assert done.result.code == code, done.result.said
    found = sorted((row["decision"], row["reason"]) for row in done.rows)
    indexed = {row["series"].split(".")[0] for row in read_tsv(done.work / "index" / "series.tsv")}
    assert len(found) == len(expected)
    assert indexed == {row["series"].split(".")[0] for row in done.rows}
    for (decision, reason), (wanted, start) in zip(found, expected, strict=True):
        assert decision == wanted
        assert reason.startswith(start)
    for row in done.rows:
        assert row["series"] in done.result.said


def test_what_is_released_is_valid_bids_or_nothing_is(study):
    _, done = study
    if not any(row["decision"] == "release" for row in done.rows):
        assert not done.release.exists()
        return
    validator = [BIN / "bids-validator-deno", done.release, "--format", "json"]
    assert subprocess.run(validator, capture_output=True).returncode == 0


def test_the_release_holds_no_value_that_identifies(study):
    """A plain search, other than the audit's: every identifier of five characters, in bytes."""
    _, done = study
    series, _ = index(done.source)
    values = {one.value for found in looked_for(series).values() for one in found if one.kind != "private"}
    values = {value for value in values if len(value) >= 5}
    assert values
    public = b"".join(name.encode() + data for name, data in tree(done.release).items())
    public += b"".join(
        gzip.decompress(data)[:352] for name, data in tree(done.release).items() if name.endswith(".gz")
    )
    assert sorted(value for value in values if value.encode() in public) == []


def test_only_the_face_changed_and_it_is_gone(study):
    _, done = study
    for row in done.rows:
        if row["decision"] != "release":
            continue
        check = read_json(done.work / "check" / f"{row['image']}.json")
        assert check["brain_voxels_changed"] == 0
        assert check["face_surface_surviving"] <= 0.05
        (released,) = done.release.rglob(f"{row['image']}.nii.gz")
        image = nifti.read(released)
        mask = nifti.stored(nifti.read(done.work / "mask" / f"{row['image']}.nii.gz")) > 0
        assert 0.02 < mask.mean() < 0.6
        slope, intercept = nifti.scaling(image)
        air = -1024 if row["image"].endswith("_ct") else 0
        assert (abs(nifti.stored(image)[mask] * slope + intercept - air) <= abs(slope) / 2).all()
        assert nifti.stored(image).dtype == np.int16


def test_a_person_can_accept_a_missing_slice(real_scans, tmp_path):
    source = real_scans / "siemens_trio_T1_T2_ASLmosaic"
    first = Study(source, tmp_path)
    rows = [
        {"series": row["series"], "decision": "keep", "reason": "seen"}
        for row in first.rows
        if "missing" in row["reason"]
    ]
    write_tsv(tmp_path / "overrides.tsv", rows, ("series", "decision", "name", "reason"))
    again = Study(source, tmp_path, {"dataset": {"name": "Heads"}, "overrides": "overrides.tsv"})
    rows = {row["image"].rpartition("_")[2]: row for row in again.rows if row["image"]}
    assert rows["T1w"]["decision"] == "release", again.result.said
    assert "missing" not in rows["T2w"]["reason"]
    assert again.result.code == HELD  # the perfusion maps still wait
    proofs = [read_json(path) for path in (again.work / "proof").glob("*.json")]
    assert {proof["decision"] for proof in proofs} == {"proved"}
    # Of the image: the planes of the T1w run the other way, and 114 of 175 come before the gap.
    assert sorted(proof["filled"] for proof in proofs) == [[34], [61]]


def test_a_truncated_file_is_held_and_the_input_stays(real_scans, tmp_path):
    source = tmp_path / "input"
    shutil.copytree(real_scans / "siemens_xa30_enhanced" / "5_anat-T1w_acq-tfl", source)
    (path,) = source.iterdir()
    path.write_bytes(path.read_bytes()[:-100_000])
    before = path.read_bytes()
    done = Study(source, tmp_path)
    assert done.result.code == HELD
    assert [row["decision"] for row in done.rows] == ["held"]
    assert not done.release.exists()
    assert path.read_bytes() == before


def test_a_patient_id_that_is_a_path_stays_where_it_belongs(real_scans, tmp_path):
    source = tmp_path / "input"
    source.mkdir()
    (path,) = (real_scans / "siemens_xa30_enhanced" / "5_anat-T1w_acq-tfl").iterdir()
    header = pydicom.dcmread(path)
    header.PatientID = "../../etc"
    header.save_as(source / "x")
    outside = set(tmp_path.iterdir())
    done = Study(source, tmp_path)
    assert done.result.code == RELEASED, done.result.said
    assert {one.name for one in tmp_path.iterdir()} - {one.name for one in outside} >= {"release", "work"}
    assert all("etc" not in name for name in tree(done.release))
