"""What is left of people in a release: of the demo, and of one person in the anonymous mode."""

import datetime
import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import nibabel as nib
import pydicom
import pytest
import yaml

from aryanto import ARYANTO
from efface.policy import load
from efface.settings import WORKFLOW
from efface.tables import read_json, read_tsv
from study import OFFLINE, traces, tree


@pytest.fixture(scope="module")
def sidecars(demo):
    return [read_json(path) for path in sorted(demo.release.glob("sub-*/ses-*/*/*.json"))]


KINDS = {
    "R05": r"ReferringPhysician|OperatorsName|SeriesDescription|ImageComments|personal number",
    "R11": r"ContributionDateTime|\(0099,100[789]\)|ImageComments|study date in texts",
    "R20": r"PatientName|PatientID|PatientTelephoneNumbers|a name's word",
    "R21": r"AccessionNumber|StudyID|RequestedProcedureID|ScheduledProcedureStepID",
    "R34": r"StudyDescription|\(0099,10|preamble|trailing|DataSetTrailingPadding",
    "R36": r"SeriesDescription",
    "R46": r"DeviceSerialNumber|StationName",
    "R52": r"OtherPatientIDs|OtherPatientIDsSequence",
    "R70": r"clinical table, date",
    "R75": r"clinical table, postcode",
}


@pytest.mark.parametrize("requirement", KINDS)
def test_r05_r11_r20_r21_r34_r36_r46_r52_r70_r75_nothing_of_a_kind_is_left(demo, requirement):
    planted = json.loads((demo.release.parent / "planted.json").read_text())
    of_kind = [one for one in planted if re.search(KINDS[requirement], one["where"])]
    assert of_kind
    names = "\n".join(tree(demo.release)).encode()
    assert traces(of_kind, names + b"\n".join(tree(demo.release).values())) == []


def test_r42_r53_r28_sidecars_hold_what_the_policy_lists_and_what_an_analysis_needs(sidecars):
    allowed = {key.name for key in load(WORKFLOW / "policies" / "minimal.yaml").keys}
    allowed |= {"TaskName", "DeidentificationMethod", "DeidentificationMethodCodeSequence"}
    assert len(sidecars) == 12
    for sidecar in sidecars:
        assert set(sidecar) <= allowed
        needed = {"Modality", "Manufacturer", "ManufacturersModelName", "EchoTime", "SliceThickness"}
        assert needed | {"BodyPart"} <= set(sidecar)


def test_r38_sidecars_name_the_methods_that_hold(sidecars):
    for sidecar in sidecars:
        codes = [code["CodeValue"] for code in sidecar["DeidentificationMethodCodeSequence"]]
        assert codes == ["113100", "113102", "113105", "113108"]
        assert len(sidecar["DeidentificationMethod"]) == len(codes)


def test_r50_r54_headers_of_images_hold_no_text(demo):
    for path in demo.release.rglob("*.nii.gz"):
        header = nib.load(path).header
        for field in ("descrip", "aux_file", "intent_name", "db_name", "data_type"):
            assert not any(bytes(header[field])), field
        assert len(header.extensions) == 0


def test_r57_no_dicom_is_in_the_release(demo):
    for name, data in tree(demo.release).items():
        assert data[128:132] != b"DICM", name


def test_r59_r69_neither_key_nor_crosswalk_nor_true_date_is_in_the_release(demo):
    everything = b"\n".join(tree(demo.release).values())
    key = (demo.work / "key" / "secret").read_text().strip()
    assert key.encode() not in everything and bytes.fromhex(key) not in everything
    rows = read_tsv(demo.work / "key" / "crosswalk.tsv")
    assert len(rows) == 2
    for row in rows:
        assert row["participant_id"].encode() in everything
        for column in ("source_id", "birth_date", "first_session"):
            assert row[column] and row[column].encode() not in everything


def test_r27_r70_the_clinical_row_has_the_label_of_the_scans(demo):
    people = {row["participant_id"]: row for row in read_tsv(demo.release / "participants.tsv")}
    by_onset = {row["age_at_onset"]: name for name, row in people.items()}
    crosswalk = {
        row["source_id"]: row["participant_id"] for row in read_tsv(demo.work / "key" / "crosswalk.tsv")
    }
    # Ages at onset of the people whose IDs the clinic spells in its own way.
    assert by_onset == {"37": crosswalk["197711072391"], "73": crosswalk["MRN7734421W"]}
    assert {row["group"] for row in people.values()} == {"control", "patient"}
    tests = {row["participant_id"]: row for row in read_tsv(demo.release / "phenotype" / "attention.tsv")}
    person = tests[crosswalk["197711072391"]]
    assert (person["days"], person["score"]) == ("434", "26")


def test_r40_r58_words_promise_no_more_than_holds(demo):
    report = (demo.work / "report" / "release_report.html").read_text()
    readme = (demo.release / "README.md").read_text()
    for text in (report, readme, demo.result.said):
        assert not re.search(r"anonymi[sz]ed|anonymous", text, re.IGNORECASE)
    assert "cannot exclude" in readme
    assert re.search(r"remain|risk", report, re.IGNORECASE)


SCANNERS = """
- manufacturer: SIEMENS
  model: Prisma_fit
  software: syngo MR E11 UAS-site7
  owner: A. Physicist
  since: 2026-03
  private:
    - key: CoilString
      creator: SIEMENS MR HEADER
      element: "0051,xx0F"
      type: text
      values: ["C:HE1-4"]
      reason: The coil decides about the signal.
"""


class Anonymous:
    """One person's scans in the anonymous mode: random labels, shifted dates, no columns of people."""

    def __init__(self, demo, folder):
        self.workflow, self.dicom = demo.workflow, demo.dicom / "CD_77231"
        self.release, self.work, self.config = folder / "release", folder / "work", folder / "study.yaml"
        config = {
            "dataset": {"name": "One head", "license": "CC0", "terms": "Do not share it further."},
            "task": "rest",
            "mode": "anonymous",
            "identity": {"scheme": "random", "prefix": "dk"},
            "dates": {"mode": "shift", "sessions": "day"},
            "level": 1,
            "scanners": "scanners.yaml",
            "participants": {"age": False, "sex": False},
        }
        self.config.write_text(yaml.safe_dump(config))
        (folder / "scanners.yaml").write_text(SCANNERS)
        self.result = self.run()

    def run(self):
        folders = (self.dicom, self.release, "--work", self.work)
        return self.workflow.efface("run", *folders, "--config", self.config, "--cores", "2", offline=True)


@pytest.fixture(scope="module")
def anonymous(demo, tmp_path_factory):
    return Anonymous(demo, tmp_path_factory.mktemp("anonymous"))


def test_r26_r61_nothing_that_leads_back_is_kept_in_the_anonymous_mode(demo, anonymous):
    assert anonymous.result.code == 0, anonymous.result.said
    assert list((anonymous.work / "key").glob("*")) == []
    planted = json.loads((demo.release.parent / "planted.json").read_text())
    left = {}
    for path in anonymous.work.rglob("*"):
        if path.is_file() and path.suffix != ".png":
            data = re.sub(rb"base64,[A-Za-z0-9+/=]+", b"", path.read_bytes())
            if found := traces(planted, data):
                left[str(path.relative_to(anonymous.work))] = found
    # The configuration says where the input lies.
    assert {name: found for name, found in left.items() if name != "study.yaml"} == {}
    readme = (anonymous.release / "README.md").read_text()
    assert "neither a key nor a table of labels was kept" in readme


def test_r19_r32_the_whole_run_needs_no_network(anonymous):
    assert anonymous.result.code == 0
    # Where it ran nothing can be reached, not even this machine.
    reach = "import socket; socket.create_connection(('127.0.0.1', 9))"
    done = subprocess.run([*OFFLINE, sys.executable, "-c", reach], capture_output=True, text=True)
    assert "unreachable" in done.stderr


def test_a_second_anonymous_run_has_nothing_to_do(anonymous):
    before = tree(anonymous.release)
    again = anonymous.run()
    assert again.code == 0, again.said
    assert tree(anonymous.release) == before
    assert list((anonymous.work / "key").glob("*")) == []


def test_r09_r12_r69_shifted_days_keep_their_distance_and_no_time_of_day(anonymous):
    (table,) = anonymous.release.glob("sub-dk*/*_sessions.tsv")
    days = [row["acq_time"] for row in read_tsv(table)]
    assert all(day.endswith("T00:00:00") for day in days)
    first, second = (datetime.date.fromisoformat(day[:10]) for day in days)
    assert (second - first).days == 434
    assert 1901 <= first.year <= 1914
    for path in anonymous.release.rglob("*_scans.tsv"):
        assert {row["acq_time"] for row in read_tsv(path)} <= set(days)


def test_r74_fifty_of_fifty_attributes_are_gone(anonymous):
    """None of their values is in any file, and no sidecar has one of them as a key."""
    values, everything = defaultdict(set), b"\n".join(tree(anonymous.release).values())
    for path in sorted(anonymous.dicom.rglob("PA*/**/IM000001")):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        for keyword in ARYANTO:
            element = header[keyword]
            texts = [element.value] if element.VM == 1 and element.VR != "SQ" else []
            values[keyword] |= {str(text) for text in texts if len(str(text)) >= 5}
    assert set(values) == set(ARYANTO)
    left = [
        keyword
        for keyword in ARYANTO
        if f'"{keyword}"'.encode() in everything or any(one.encode() in everything for one in values[keyword])
    ]
    assert left == []
    assert (anonymous.release / "participants.tsv").read_text().splitlines()[0] == "participant_id"


def test_r02_r35_the_level_and_the_scanners_profile_reach_the_sidecars(anonymous):
    sidecars = [read_json(path) for path in anonymous.release.glob("sub-*/ses-*/*/*.json")]
    assert len(sidecars) == 6
    for sidecar in sidecars:
        assert not {"Manufacturer", "ManufacturersModelName", "BodyPart"} & set(sidecar)
        assert sidecar["CoilString"] == "C:HE1-4"
        codes = [code["CodeValue"] for code in sidecar["DeidentificationMethodCodeSequence"]]
        assert codes == ["113100", "113102", "113107", "113111"]
    assert "A. Physicist 2026-03" in (anonymous.work / "report" / "index.html").read_text()


def test_r79_terms_of_use_and_licence_are_given(anonymous):
    assert "Do not share it further." in (anonymous.release / "README.md").read_text()
    assert read_json(anonymous.release / "dataset_description.json")["License"] == "CC0"


def test_the_anonymous_release_is_valid_bids(anonymous):
    validator = [Path(sys.executable).parent / "bids-validator-deno", anonymous.release, "--format", "json"]
    done = subprocess.run(validator, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
