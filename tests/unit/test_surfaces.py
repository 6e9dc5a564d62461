"""Each of 45 places where a dataset leaks: the planted leak is found, and its clean twin passes."""

import base64
import bz2
import datetime
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import shutil
import struct
import tarfile
import zipfile

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

import staged
from efface import burned, crosswalk, nifti
from efface.audit import order as order_check
from efface.audit import smallcells
from efface.audit.private import order, secrets
from efface.classify import Modalities
from efface.convert import convert_series
from efface.dates import released_days
from efface.identity import load_or_make_key
from efface.publish import publish
from efface.settings import WORKFLOW
from heads import head_image
from phantom import centred, make_series
from staged import ANAT, FOLDER, edit_sidecar, found, rebuilt

SUBJECT, SESSION = "sub-4f2a9c", "sub-4f2a9c/ses-1"
SCANS, SESSIONS = f"{SESSION}/sub-4f2a9c_ses-1_scans.tsv", f"{SUBJECT}/sub-4f2a9c_sessions.tsv"
SIDECAR, IMAGE = f"{ANAT}.json", f"{ANAT}.nii.gz"
UID = "1.2.752.24.7.1.2.3"


@pytest.fixture
def bids(tmp_path):
    return staged.dataset(tmp_path)


@pytest.fixture(scope="module")
def modalities():
    return Modalities(WORKFLOW / "modalities.yaml", WORKFLOW / "schemas" / "modalities.schema.yaml")


def told(findings, check, file, what, severity="block"):
    """Return whether there is a finding of this check and severity for the file, with these words."""
    return any((f.check, f.severity, f.file) == (check, severity, file) and what in f.what for f in findings)


def bytes_at(first, new):
    return lambda raw: raw[:first] + new + raw[first + len(new) :]


def extended(code):
    """Return a change that adds a header extension (nifti1.h) of this code."""

    def change(raw):
        raw[108:112] = struct.pack("<f", 352 + 48)
        return raw[:348] + b"\1\0\0\0" + struct.pack("<2i", 48, code) + bytes(40) + raw[352:]

    return change


HEADER = {
    "E01 descrip": (bytes_at(148, b"Time=90339.100"), "descrip"),
    "E02 aux_file": (bytes_at(228, b"comment"), "aux_file"),
    "E03 intent_name": (bytes_at(328, b"x"), "intent_name"),
    "E03 db_name": (bytes_at(14, b"x"), "db_name"),
    "E03 data_type": (bytes_at(4, b"x"), "data_type"),
    "E04 extents": (bytes_at(32, b"\1"), "extents"),
    "E04 session_error": (bytes_at(36, b"\1"), "session_error"),
    "E04 regular": (bytes_at(38, b"x"), "regular"),
    "E04 glmax": (bytes_at(140, b"\1"), "glmax"),
    "E04 glmin": (bytes_at(144, b"\1"), "glmin"),
    "E04 unused dimension": (bytes_at(54, b"\7"), "beyond its dimensions"),
    **{f"E05 extension {code}": (extended(code), "vox_offset") for code in (0, 2, 4, 6, 14, 16)},
    "E06 bytes after the image": (lambda raw: raw + b"x", "after the last voxel"),
}


@pytest.mark.parametrize("case", HEADER)
def test_e01_to_e06_r54_a_header_holds_the_image_and_nothing_else(bids, case):
    change, what = HEADER[case]
    rebuilt(bids, lambda raw: raw)
    assert found(bids) == []
    rebuilt(bids, change)
    assert told(found(bids), "structure", IMAGE, what)


CONTAINER = {
    "E07 name": (lambda raw: raw[:3] + b"\x08" + raw[4:10] + b"scan.nii\0" + raw[10:], "a name, comment"),
    "E08 time": (lambda raw: raw[:4] + b"\1\2\3\4" + raw[8:], "time stamp"),
    "E09 comment": (lambda raw: raw[:3] + b"\x10" + raw[4:10] + b"scan\0" + raw[10:], "a name, comment"),
    "E09 extra field": (lambda raw: raw[:3] + b"\x04" + raw[4:10] + b"\2\0ab" + raw[10:], "a name, comment"),
    "E09 two members": (lambda raw: raw + gzip.compress(b"", mtime=0), "more than one gzip member"),
    "E09 bytes after it": (lambda raw: raw + b"garbage", "after the gzip trailer"),
}


@pytest.mark.parametrize("case", CONTAINER)
@pytest.mark.parametrize("path", [IMAGE, f"{SESSION}/func/sub-4f2a9c_ses-1_task-rest_physio.tsv.gz"])
def test_e07_to_e09_a_gzip_file_holds_its_content_and_nothing_else(bids, case, path):
    change, what = CONTAINER[case]
    if path != IMAGE:
        (bids / path).parent.mkdir()
        (bids / path).write_bytes(gzip.compress(b"0.1\t512\n0.2\tn/a\n", mtime=0))
    assert found(bids) == []
    (bids / path).write_bytes(change((bids / path).read_bytes()))
    assert told(found(bids), "structure", path, what)


def test_e10_one_place_of_the_image_is_enough(bids):
    table = np.diag([4.0, 4.0, 5.0, 1.0])
    table[2, 3] = -1432.5
    for frame, findings in ((table, 1), (np.diag([4.0, 4.0, 5.0, 1.0]), 0)):
        head = nifti.read(bids / IMAGE).header
        head.set_qform(frame, 1)
        head["vox_offset"] = 352
        rebuilt(bids, lambda raw, head=head: head.binaryblock + raw[348:])
        assert told(found(bids), "structure", IMAGE, "qform and sform", "warn") == bool(findings)
        assert len(found(bids)) == findings


@pytest.mark.parametrize("key", ["ImagePositionPatient", "TablePosition", "FrameOfReferenceUID"])
@pytest.mark.parametrize("policy", [staged.POLICY, None])
def test_e10_the_scanners_frame_is_not_in_the_sidecar(bids, key, policy):
    edit_sidecar(bids, EchoTime=0.003)
    assert found(bids, policy=policy) == []
    edit_sidecar(bids, **{key: [0.5, 1, 2]})
    assert told(found(bids, policy=policy), "metadata", SIDECAR, "a key")


def test_e11_a_grid_that_one_person_alone_has_is_reported(bids):
    staged.add_people(bids, ["b", "c"])

    def alone():
        return [one.alone for one in smallcells.smallcells(bids) if one.columns == "grids and scanner"]

    assert alone() == [0]
    voxels = np.zeros((20, 24, 17), np.int16)
    nifti.write(
        bids / "sub-b/ses-1/anat/sub-b_ses-1_T1w.nii.gz",
        voxels,
        nifti.header(voxels.shape, voxels.dtype, np.diag([4.0, 4.0, 5.0, 1.0])),
    )
    assert alone() == [1]


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("place", ["sidecar", "README.md", "participants.tsv", "dataset_description.json"])
def test_e12_a_digest_is_that_of_a_released_file(bids, method, place):
    def write(digest):
        if place == "sidecar":
            edit_sidecar(bids, ScanOptions=digest)
        elif place == "README.md":
            (bids / place).write_text(f"{staged.README}\nof {digest.upper()}\n")
        elif place == "participants.tsv":
            (bids / place).write_text(f"participant_id\tsource\n{SUBJECT}\t{digest}\n")
        else:
            described = {"Name": "x", "SourceDatasets": [{"Version": digest}]}
            (bids / place).write_text(json.dumps(described))
        return SIDECAR if place == "sidecar" else place

    released = (bids / IMAGE).read_bytes()
    write(hashlib.new(method, released).hexdigest())
    assert found(bids) == []
    file = write(hashlib.new(method, released + b"the face").hexdigest())
    assert told(found(bids), "digest", file, "not of a file of this dataset")


def test_e12_versions_of_programs_may_be_digests(bids):
    commit = hashlib.sha1(b"a commit").hexdigest()
    made = {"Name": "efface", "Version": commit, "Container": {"Tag": f"sha256:{commit}"}}
    description = {"Name": "Demo heads", "GeneratedBy": [made]}
    (bids / "dataset_description.json").write_text(json.dumps(description))
    (bids / "README.md").write_text(f"{staged.README}\nSee https://example.org/code/tree/{commit}/docs.\n")
    assert found(bids) == []
    description["GeneratedBy"][0]["Description"] = f"from {commit}"
    (bids / "dataset_description.json").write_text(json.dumps(description))
    assert told(found(bids), "digest", "dataset_description.json", "a digest")


OTHER_COPIES = {
    "E13 native copy": f"derivatives/native/{IMAGE}",
    "E13 second image": f"{FOLDER}/sub-4f2a9c_ses-1_acq-native_T1w.nii.gz",
    "E13 uncompressed": f"{FOLDER}/sub-4f2a9c_ses-1_T1w.nii",
    "E13 mask that is an image": f"{FOLDER}/{staged.MASK}.nii.gz",
}


@pytest.mark.parametrize("case", OTHER_COPIES)
def test_e13_no_second_output_keeps_the_face(bids, tmp_path, case):
    path, checks = OTHER_COPIES[case], tmp_path / "check"
    assert found(bids, checks=checks) == []
    (bids / path).parent.mkdir(parents=True, exist_ok=True)
    native = gzip.decompress((bids / IMAGE).read_bytes())[:-1] + b"\7"
    (bids / path).write_bytes(native if path.endswith(".nii") else gzip.compress(native, mtime=0))
    assert any(
        f.check == "faces" and f.severity == "block" and f.file == path for f in found(bids, checks=checks)
    )


def test_e14_text_in_the_slices_is_found():
    voxels, _ = head_image(spacing=(1.2, 1.2, 9), front_mm=180)
    page = Image.new("L", voxels.shape[:2])
    for number, line in enumerate(("ANDERSSON EVA", "19510203-1234", "ID 884213")):
        ImageDraw.Draw(page).text((4, 4 + 18 * number), line, fill=255, font=ImageFont.load_default(14))
    ink = np.asarray(page, np.float32).T[..., None] / 255
    assert burned.words(voxels, "MR").reason == ""
    assert "(K13)" in burned.words(voxels + ink * voxels.max(), "MR").reason


MPRAGE = {
    **{"Modality": ["MR"], "Manufacturer": ["SIEMENS"], "ImageType": ["ORIGINAL\\PRIMARY\\M"]},
    **{"ScanningSequence": ["GR\\IR"], "SequenceVariant": ["SP\\MP"], "MRAcquisitionType": ["3D"]},
    **{"EchoTime": ["2.98"], "RepetitionTime": ["2300"], "InversionTime": ["900"]},
}
GATE = {
    "E15 secondary capture": ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7", "dropped"),
    "E15 dose report": ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.88.67", "dropped"),
    "E15 screen save": ("ImageType", "DERIVED\\SECONDARY\\SCREEN_SAVE", "dropped"),
    "E15 text is declared": ("BurnedInAnnotation", "YES", "dropped"),
    "E16 overlay among the pixels' bits": ("OverlayBitPosition", "12", "held"),
}


@pytest.mark.parametrize("case", GATE)
def test_e15_e16_the_gate_of_series_lets_no_page_of_text_through(modalities, case):
    keyword, value, decision = GATE[case]
    assert modalities.classify(MPRAGE).decision == "convert"
    assert modalities.classify(MPRAGE | {keyword: [value]}).decision == decision


def test_e16_an_overlay_is_in_no_voxel(tmp_path):
    grid = centred((24, 24, 8), (4, 4, 4))
    plain = make_series(tmp_path / "a", shape=(24, 24, 8), world_from_voxel=grid)
    files = make_series(tmp_path / "b", shape=(24, 24, 8), world_from_voxel=grid)
    for path in files:
        header = pydicom.dcmread(path)
        for element, (vr, value) in {
            **{0x60000010: ("US", 24), 0x60000011: ("US", 24), 0x60000040: ("CS", "G")},
            **{0x60000050: ("SS", [1, 1]), 0x60000100: ("US", 1), 0x60000102: ("US", 0)},
            0x60003000: ("OW", bytes([255] * 72)),
        }.items():
            header.add_new(element, vr, value)
        header.save_as(path)
    assert np.array_equal(convert_series(files, {}).voxels, convert_series(plain, {}).voxels)


@pytest.mark.parametrize("seen", ["E15 a page of text", "E17 jewellery"])
def test_e15_e17_what_a_person_or_a_rule_held_is_not_in_the_dataset(bids, tmp_path, seen):
    options = {"checks": tmp_path / "check"}
    assert found(bids, released={staged.IMAGE}, **options) == []
    assert told(found(bids, released=set(), **options), "files", IMAGE, "not decided to be released"), seen


LEAKY = (
    *("InstitutionName", "InstitutionAddress", "DeviceSerialNumber", "StationName", "ImageComments"),
    *("ProcedureStepDescription", "StudyDescription", "SeriesDescription", "ProtocolName", "AcquisitionTime"),
)


@pytest.mark.parametrize("policy", [staged.POLICY, None])
@pytest.mark.parametrize("key", LEAKY)
def test_e18_e20_a_key_outside_the_policy_is_found_at_any_depth(bids, key, policy):
    edit_sidecar(bids, ScanOptions="FS")
    assert found(bids, policy=policy) == []
    for value in ({key: "x"}, {"Modality": {"const": [{key: "x"}]}}):
        edit_sidecar(bids, **value)
        assert told(found(bids, policy=policy), "metadata", SIDECAR, "a key")
        edit_sidecar(bids, Modality="MR")
        (bids / SIDECAR).write_text((bids / SIDECAR).read_text().replace(f'"{key}": "x"', '"EchoTime": 1'))


VALUES = {
    "E19 outside the list": {"Manufacturer": "Siemens at the clinic"},
    "E19 outside the pattern": {"SoftwareVersions": "syngo MR E11 Norrby"},
    "E19 outside the range": {"EchoTime": 20190414},
    "E19 free text with a name": {"ScanOptions": "Tova-CT/Head w/o Contrast"},
}


@pytest.mark.parametrize("case", VALUES)
def test_e19_a_value_under_an_allowed_key_is_one_of_the_policys(bids, case):
    policy = staged.POLICY | {"SoftwareVersions": {"pattern": r"syngo MR \w+"}}
    edit_sidecar(bids, SoftwareVersions="syngo MR E11")
    assert found(bids, policy=policy) == []
    edit_sidecar(bids, **VALUES[case])
    check = "identifier" if "name" in case else "metadata"
    assert told(found(bids, policy=policy), check, SIDECAR, "")


# Path, leak, clean twin, check, words, severity.
TEXTS = {
    "E21 age of 91": (
        "participants.tsv",
        f"participant_id\tage\n{SUBJECT}\t91\n",
        f"participant_id\tage\n{SUBJECT}\t89\n",
        *("metadata", "an age over 89", "block"),
    ),
    "E21 age of 91 as DICOM has it": (
        "participants.tsv",
        f"participant_id\tage_at_scan\n{SUBJECT}\t091Y\n",
        f"participant_id\tage_at_scan\n{SUBJECT}\t90+\n",
        *("metadata", "an age over 89", "block"),
    ),
    "E21 fraction of a year": (
        "participants.tsv",
        f"participant_id\tage\n{SUBJECT}\t41.37\n",
        f"participant_id\tage\n{SUBJECT}\t41.0\n",
        *("metadata", "fraction of a year", "warn"),
    ),
    "E21 months": (
        "participants.tsv",
        f"participant_id\tage_months\n{SUBJECT}\t497\n",
        f"participant_id\tage\n{SUBJECT}\t41\n",
        *("metadata", "months or less", "warn"),
    ),
    "E22 postcode": (
        "participants.tsv",
        f"participant_id\tpostcode\n{SUBJECT}\t75185\n",
        f"participant_id\tgroup\n{SUBJECT}\tcontrol\n",
        *("metadata", "identifies people", "block"),
    ),
    "E22 ethnicity": (
        "participants.tsv",
        f"participant_id\tethnicity\n{SUBJECT}\tx\n",
        f"participant_id\tgroup\n{SUBJECT}\tx\n",
        *("metadata", "together with others", "warn"),
    ),
    "E25 day of the scan": (
        SCANS,
        f"filename\tacq_time\nanat/{staged.IMAGE}.nii.gz\t2021-03-09T00:00:00\n",
        f"filename\tacq_time\nanat/{staged.IMAGE}.nii.gz\t1911-03-09T00:00:00\n",
        *("rule", "a date after 1925", "block"),
    ),
    "E25 operator": (
        SCANS,
        f"filename\toperator\nanat/{staged.IMAGE}.nii.gz\tn/a\n",
        f"filename\tcoil\nanat/{staged.IMAGE}.nii.gz\tn/a\n",
        *("metadata", "people or staff", "block"),
    ),
    "E25 randstr": (
        SCANS,
        f"filename\trandstr\nanat/{staged.IMAGE}.nii.gz\tab12\n",
        f"filename\tcoil\nanat/{staged.IMAGE}.nii.gz\tab12\n",
        *("metadata", "people or staff", "block"),
    ),
    "E26 day of the session": (
        SESSIONS,
        "session_id\tacq_time\nses-1\t2021-03-09\n",
        "session_id\tacq_time\nses-1\t1911-03-09\n",
        *("rule", "a date after 1925", "block"),
    ),
    "E26 age in days": (
        SESSIONS,
        "session_id\tage_days\nses-1\t15123\n",
        "session_id\tdays_since_first\nses-1\t0\n",
        *("metadata", "months or less", "warn"),
    ),
    "E32 command line with a path": (
        "dataset_description.json",
        '{"Name": "x", "GeneratedBy": [{"Name": "x", "Description": "run /home/jo/in"}]}',
        '{"Name": "x", "GeneratedBy": [{"Name": "x", "Description": "run"}]}',
        *("rule", "an absolute path", "block"),
    ),
    "E32 mail": (
        "dataset_description.json",
        '{"Name": "x", "Authors": ["jo@clinic.example"]}',
        '{"Name": "x", "Authors": ["Jo Dove"]}',
        *("rule", "an e-mail address", "block"),
    ),
    "E32 archive of the clinic": (
        "dataset_description.json",
        '{"Name": "x", "SourceDatasets": [{"URL": "https://pacs01/studies/7"}]}',
        '{"Name": "x", "SourceDatasets": [{"URL": "https://example.org/studies/7"}]}',
        *("rule", "inside a clinic's network", "block"),
    ),
    "E32 command": (
        "dataset_description.json",
        '{"Name": "x", "GeneratedBy": [{"Name": "x", "CommandLine": "x"}]}',
        '{"Name": "x", "GeneratedBy": [{"Name": "x", "Version": "1"}]}',
        *("metadata", "outside the allow-list", "block"),
    ),
    "E33 dates of collection": (
        "README.md",
        f"{staged.README}\nScanned from 9 March 2021.\n",
        f"{staged.README}\nScanned in spring.\n",
        *("rule", "a date after 1925", "block"),
    ),
    "E33 hospital and staff": (
        "README.md",
        f"{staged.README}\nScanned at Norrvik Lasarett.\n",
        f"{staged.README}\nScanned at a hospital.\n",
        *("identifier", "place of InstitutionName", "warn"),
    ),
    "E33 date of a change": (
        "CHANGES",
        "1.0.0 2021-03-09\n  - First release.\n",
        "1.0.0\n  - First release.\n",
        *("rule", "a date after 1925", "warn"),
    ),
    "E36 gradients with a comment": (
        f"{ANAT}.bval",
        "0 1000 # at the ward\n",
        "0 1000 1000\n",
        *("structure", "more than numbers", "block"),
    ),
    "E36 events with a time of day": (
        f"{SESSION}/func/sub-4f2a9c_ses-1_task-rest_events.tsv",
        "onset\tduration\tstarted\n1\t2\t11:32:05\n",
        "onset\tduration\tstarted\n1\t2\t3\n",
        *("rule", "a time of day", "block"),
    ),
    "E36 physio with a comment": (
        f"{SESSION}/func/sub-4f2a9c_ses-1_task-rest_physio.tsv.gz",
        "# begun by the nurse\n0.1\t512\n",
        "0.1\t512\n0.2\tn/a\n",
        *("structure", "more than numbers", "block"),
    ),
    "E39 in a key that is allowed": (
        SIDECAR,
        f'{{"ScanOptions": "{UID}"}}',
        '{"ScanOptions": "1.2.840.10008.5.1.4.1.1.4"}',
        *("rule", "unique identifier", "block"),
    ),
    "E39 in a table": (
        "participants.tsv",
        f"participant_id\tsource\n{SUBJECT}\t2.25.329800735698586629295641978511506172918\n",
        f"participant_id\tsource\n{SUBJECT}\t2.25.3\n",
        *("rule", "unique identifier", "block"),
    ),
    "E41 column of days": (
        SESSIONS,
        "session_id\tdate_shift\nses-1\t-39210\n",
        "session_id\tday\nses-1\t0\n",
        *("metadata", "undo a shift", "block"),
    ),
    "E41 key of a sidecar": (
        SIDECAR,
        '{"IntervalFactor": 1.1}',
        '{"EchoTime": 1.1}',
        *("metadata", "outside the allow-list", "block"),
    ),
}


@pytest.mark.parametrize("case", TEXTS)
def test_e21_to_e41_tables_and_texts(bids, case):
    path, leak, clean, check, what, severity = TEXTS[case]
    (bids / path).parent.mkdir(exist_ok=True)
    for text in (clean, leak):
        raw = text.encode()
        (bids / path).write_bytes(gzip.compress(raw, mtime=0) if path.endswith(".gz") else raw)
        findings = found(bids)
        assert told(findings, check, path, what, severity) == (text == leak)
        assert bool(findings) == (text == leak)


def test_e22_e42_r03_who_shares_what_is_told_with_nobody_is_found(bids):
    staged.add_people(bids, ["b", "c"])
    rows = smallcells.smallcells(bids)
    assert smallcells.findings(rows, 3) == []
    (bids / "participants.tsv").write_text(f"participant_id\tage\n{SUBJECT}\t41\nsub-b\t41\nsub-c\t17\n")
    assert told(
        smallcells.findings(smallcells.smallcells(bids), 2), "small_cells", "participants.tsv", "k is 1"
    )


PEOPLE = ["b7", "x2", "a9", "m4", "k1", "d8", "z3"]
DAYS = {f"sub-{label}": f"201904{number:02}" for number, label in enumerate(PEOPLE, 10)}


def test_e23_rows_and_labels_do_not_tell_who_came_first(bids):
    staged.add_people(bids, PEOPLE)
    by_label = {label: DAYS[old] for label, old in zip(sorted(DAYS), DAYS, strict=True)}
    mixed = {label: DAYS[old] for label, old in zip(DAYS, sorted(DAYS), strict=True)}
    assert found(bids, days=mixed) == []
    assert told(found(bids, days=DAYS), "order", "participants.tsv", "order of the true days", "warn")
    assert told(found(bids, days=by_label), "order", "", "order of the true days", "warn")
    backwards = {label: str(-int(day)) for label, day in DAYS.items()}
    assert told(found(bids, days=backwards), "order", "participants.tsv", "order of the true days", "warn")


def test_e23_r24_chance_is_no_order_and_a_tendency_is_one_among_500_people(tmp_path):
    draw = np.random.default_rng(3)
    people = [f"sub-{number:03}x" for number in draw.permutation(500)]
    days = {person: f"{day:05}" for person, day in zip(people, draw.permutation(500), strict=True)}
    assert order_check.told(tmp_path, people, days) == []
    days = {one: f"{int(one[4:7]) + draw.integers(-300, 300) + 500:05}" for one in people}
    assert [(f.severity, f.where) for f in order_check.told(tmp_path, people, days)] == [
        ("warn", "the labels")
    ]


def test_e23_labels_that_count_people_are_told_of_where_the_days_are_not_known(bids):
    (bids / "participants.tsv").write_text("participant_id\tage\n")
    shutil.move(bids / SUBJECT, bids / "old")
    shutil.copytree(bids / "old", bids / SUBJECT)
    staged.add_people(bids, [f"{number:02}" for number in range(1, 9)])
    shutil.rmtree(bids / SUBJECT)
    shutil.rmtree(bids / "old")
    assert told(found(bids), "order", "", "labels number people", "warn")
    mixed = {
        f"sub-{n:02}": day
        for n, day in zip((1, 6, 2, 8, 5, 3, 7, 4), [*sorted(DAYS.values()), "20190430"], strict=True)
    }
    assert found(bids, days=mixed) == []
    (bids / "sub-03").rename(bids / "sub-21")
    for path in (bids / "sub-21").rglob("*.*"):
        path.rename(path.with_name(path.name.replace("sub-03", "sub-21")))
    assert not any(f.check == "order" for f in found(bids))


def relabelled(bids, old, new):
    """Give a session or run of the image another label, in the names of folders and files."""
    for path in sorted((bids / SUBJECT).rglob("*"), key=lambda path: -len(path.parts)):
        if old in path.name:
            path.rename(path.with_name(path.name.replace(old, new)))


LABELS = {
    "E24 day": ("ses-20210309", "rule", "a date after 1925", "block"),
    "E24 month": ("ses-202103", "names", "may be a date", "warn"),
    "E24 day of six digits": ("ses-210309", "names", "may be a date", "warn"),
    "E24 day after a word": ("ses-scan210309", "names", "may be a date", "warn"),
}


@pytest.mark.parametrize("case", LABELS)
def test_e24_a_session_is_not_called_by_its_day(bids, case):
    label, check, what, severity = LABELS[case]
    relabelled(bids, "ses-1", "ses-012")
    assert found(bids) == []
    relabelled(bids, "ses-012", label)
    path = IMAGE.replace("ses-1", label)
    assert told(found(bids), check, path, what, severity)


NAMES = {
    "E27 a name in a label": (f"{FOLDER}/sub-4f2a9c_ses-1_acq-AkerstromT1_T1w.json", "identifier"),
    "E27 a folder of a patient": ("AKERSTROM_TOVA/scan.json", "identifier"),
    "E27 the protocol": (f"{FOLDER}/Head_tova_2.nii.gz", "identifier"),
    "E27 not by the grammar": (f"{FOLDER}/T1w_2.json", "names"),
    "E27 another subject's folder": (f"{FOLDER}/sub-x_ses-1_T1w.json", "names"),
}


@pytest.mark.parametrize("case", NAMES)
def test_e27_a_path_is_built_as_bids_says_and_holds_no_name(bids, case):
    path, check = NAMES[case]
    (bids / f"{FOLDER}/sub-4f2a9c_ses-1_acq-headT1_T1w.json").write_text("{}")
    assert found(bids) == []
    (bids / path).parent.mkdir(exist_ok=True)
    (bids / path).write_text("{}")
    assert told(found(bids), check, path, "")


def set_access_list(path):
    # acl(5): version 2, then owner, one more user, group, mask, others, each a tag, permissions and a number.
    entries = [(1, 6, -1), (2, 4, 12345), (4, 4, -1), (16, 4, -1), (32, 4, -1)]
    raw = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    os.setxattr(path, "system.posix_acl_access", raw)


FILE_SYSTEM = {
    "E28 day of a scan": (lambda path: os.utime(path, (1, 1)), "time stamps differ", "warn"),
    "E28 permissions": (lambda path: path.chmod(0o664), "permissions differ", "warn"),
    "E28 attribute": (lambda path: os.setxattr(path, "user.comment", b"x"), "extended attributes", "block"),
    "E28 access list": (set_access_list, "access list", "warn"),
}


@pytest.mark.parametrize("case", FILE_SYSTEM)
def test_e28_the_file_system_tells_nothing(bids, tmp_path, case):
    change, what, severity = FILE_SYSTEM[case]
    release = tmp_path / "release"
    publish(bids, release)
    assert found(release) == []
    change(release / "README.md")
    findings = [f for f in found(release) if f.check == "filesystem" and what in f.what]
    assert [f.severity for f in findings] == [severity]


def test_e28_an_attribute_is_searched(bids):
    os.setxattr(bids / "README.md", "user.comment", "Åkerström".encode())
    assert told(found(bids), "identifier", "README.md", "name of PatientName")


def test_e28_files_of_two_users_are_told_of(bids, monkeypatch):
    from efface.audit import filesystem

    class Other:
        def __init__(self, one):
            self.one = one

        def __getattr__(self, name):
            return 4711 if name == "st_uid" else getattr(self.one, name)

    real = filesystem.Path.lstat
    assert found(bids) == []
    monkeypatch.setattr(
        filesystem.Path, "lstat", lambda path: Other(real(path)) if path.name == "README.md" else real(path)
    )
    assert told(found(bids), "filesystem", "", "several users", "warn")


def test_e28_of_a_dataset_that_is_not_published_only_days_count(bids, tmp_path):
    os.utime(bids / "README.md", (1, 1))
    assert told(found(bids), "filesystem", "", "time stamps differ", "warn")
    assert len(found(bids)) == 1
    assert found(bids, checks=tmp_path / "check") == [], "of the staged tree the release keeps no time"


def tar(packing="w", **owner):
    """Return an archive of one file, made without a trace of who made it but for `owner`."""
    member = tarfile.TarInfo("scan.txt")
    member.size = 9
    for name, value in owner.items():
        setattr(member, name, value)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=packing, format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member, io.BytesIO(b"Akerstrom"))
    return raw.getvalue()


def zipped(comment=b""):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scan.txt", "Akerstrom " * 9)
        archive.comment = comment
    return raw.getvalue()


ARCHIVES = {
    "E29 user of a tar": (".tar", tar(uname="jnilsson"), "its owner"),
    "E29 number of the user": (".tgz", tar("w:gz", uid=12345), "its owner"),
    "E29 absolute path": (".tar", tar(name="/srv/scan.txt"), "absolute paths"),
    "E29 comment of a zip": (".zip", zipped(b"by jnilsson"), "a comment"),
}


@pytest.mark.parametrize("case", ARCHIVES)
@pytest.mark.parametrize("folder", ["", f"{FOLDER}/"])
def test_e29_an_archive_is_no_file_of_a_dataset_and_tells_of_its_maker(bids, case, folder):
    suffix, raw, what = ARCHIVES[case]
    path = f"{folder}data{suffix}"
    assert found(bids) == []
    plain = zipped() if suffix == ".zip" else tar("w:gz" if suffix == ".tgz" else "w")
    for content in (plain, raw):
        (bids / path).write_bytes(content)
        findings = found(bids)
        assert told(findings, "names", path, "an archive")
        assert told(findings, "identifier", path, "name of PatientName"), "what is packed in it is searched"
        assert told(findings, "structure", path, what) == (content == raw)


def test_e30_a_link_is_no_file_and_where_it_leads_is_searched(bids, tmp_path):
    path = f"{FOLDER}/sub-4f2a9c_ses-1_T2w.json"
    (bids / path).write_text("{}")
    assert found(bids) == []
    (bids / path).unlink()
    (bids / path).symlink_to("../raw/akerstrom tova/x.json")
    assert told(found(bids), "files", path, "a link")
    assert told(found(bids), "identifier", path, "name of PatientName")


def test_e30_a_file_with_a_second_name_elsewhere_is_told_of(bids, tmp_path):
    os.link(bids / "README.md", bids / "CITATION.cff")
    assert found(bids) == [], "both names are of the dataset"
    os.link(bids / "README.md", tmp_path / "elsewhere")
    assert told(found(bids), "filesystem", "", "hard links", "warn")


STRAYS = {
    **{f"E31 {path}": path for path in (
        *(".heudiconv/4f2a9c/info.json", ".DS_Store", "Thumbs.db", ".snakemake/log/x.log", "core"),
        *("sourcedata/sub-4f2a9c/x.json", f"{ANAT}.json.bak", f"{FOLDER}/.x.swp", f"{FOLDER}/dicominfo.tsv"),
    )},
    **{f"E34 {path}": path for path in (
        *("logs/convert.log", "report.html", "benchmark.tsv", "rulegraph.svg", "logs/sub-4f2a9c/x.tsv"),
    )},
    **{f"E37 {path}": path for path in (
        *(f"{ANAT}{suffix}" for suffix in (".mat", ".xfm", ".lta", ".h5", ".gii", ".obj", ".stl", ".fcsv")),
        f"{FOLDER}/lh.pial",
    )},
    **{f"E38 {path}": path for path in (f"{ANAT}.html", f"{ANAT}.png", f"{ANAT}.jpg", "figures/face.svg")},
    **{f"E44 {path}": path for path in ("skipped.tsv", "held.txt", "errors.log", f"{SESSION}/held.tsv")},
}  # fmt: skip


@pytest.mark.parametrize("case", STRAYS)
def test_e31_to_e44_a_file_that_bids_does_not_know_blocks(bids, case):
    path = STRAYS[case]
    assert found(bids) == []
    (bids / path).parent.mkdir(parents=True, exist_ok=True)
    (bids / path).write_text("{}")
    hidden = any(part.startswith(".") for part in path.split("/"))
    unreleased = path.startswith(("sourcedata", "logs")) and "not released"
    assert told(found(bids), "names", path, "a hidden file" if hidden else unreleased or "")


def test_e31_r39_the_files_are_those_of_the_manifest(bids, tmp_path):
    release = tmp_path / "release"
    publish(bids, release)
    assert found(release) == []
    path = f"{FOLDER}/sub-4f2a9c_ses-1_T2w.json"
    (release / path).write_text("{}")
    assert told(found(release), "files", path, "not in the manifest")


@pytest.mark.parametrize("folder", [".git", ".datalad", "sub-4f2a9c/.git"])
def test_e35_no_history_of_earlier_versions_is_released(bids, folder):
    assert found(bids) == []
    for name in ("objects/4f/2a9c", "objects/4f/77", "HEAD"):
        (bids / folder / name).parent.mkdir(parents=True, exist_ok=True)
        (bids / folder / name).write_bytes(b"x")
    assert [(f.check, f.severity, f.file) for f in found(bids)] == [("files", "block", folder)]


def test_e35_a_key_of_git_annex_is_no_image(bids):
    image = (bids / IMAGE).read_bytes()
    (bids / IMAGE).write_text(f"/annex/objects/MD5E-s99--{hashlib.md5(b'the face').hexdigest()}.nii.gz\n")
    assert told(found(bids), "structure", IMAGE, "not a gzip file")
    assert told(found(bids), "digest", IMAGE, "a digest")
    (bids / IMAGE).write_bytes(image)
    assert found(bids) == []


def test_e37_a_sidecar_has_no_landmarks(bids):
    assert found(bids, policy=None) == []
    edit_sidecar(bids, AnatomicalLandmarkCoordinates={"NAS": [1, 2, 3]})
    assert told(found(bids, policy=None), "metadata", SIDECAR, "known to identify")


@pytest.mark.parametrize("path", [f"{FOLDER}/1.dcm", f"{FOLDER}/IM0001", f"{ANAT}.json", f"{ANAT}.nii"])
def test_r57_a_dicom_file_is_found_by_whatever_name(bids, path):
    (bids / path).unlink(missing_ok=True)
    assert found(bids) == []
    (bids / path).write_bytes(bytes(128) + b"DICM" + bytes(400))
    assert any(f.severity == "block" and f.file == path for f in found(bids))


def test_e38_a_picture_has_no_text(bids):
    text, place = PngImagePlugin.PngInfo(), "picture.png"
    text.add_text("Software", "x")
    exif = Image.Exif()
    exif[0x013B] = "Akerstrom"
    for more in ({}, {"pnginfo": text}, {"exif": exif}):
        Image.new("L", (8, 8)).save(bids / place, **more)
        assert told(found(bids), "names", place, "EXIF") == bool(more)
    assert told(found(bids), "identifier", place, "name of PatientName")


@pytest.fixture
def private(tmp_path):
    """Return where the key and the crosswalk are, and the key."""
    key = load_or_make_key(tmp_path / "key" / "secret")
    person = {"participant_id": SUBJECT, "source_id": "QX770412", "birth_date": "1942-01-31"}
    crosswalk.write(tmp_path / "key" / "crosswalk.tsv", {}, [person | {"first_session": "2019-04-14"}])
    return tmp_path / "key" / "crosswalk.tsv", tmp_path / "key" / "secret", key


KEYS = {
    "E40 key in hexadecimal": lambda key: key.hex().upper(),
    "E40 key in groups": lambda key: key.hex(":"),
    "E40 key in base64": lambda key: base64.b64encode(key).decode(),
    "E40 key for web addresses": lambda key: base64.urlsafe_b64encode(key).decode(),
    "E40 key packed": lambda key: base64.b64encode(gzip.compress(key.hex().encode())).decode(),
}


@pytest.mark.parametrize("case", KEYS)
def test_e40_the_key_is_nowhere_in_a_text(bids, private, case):
    table, path, key = private
    rows = [*staged.IDENTIFIERS, *secrets(table, [path])]
    edit_sidecar(bids, ScanOptions=KEYS[case](bytes(range(200, 232))))
    assert not any(f.check == "secret" for f in found(bids, rows))
    edit_sidecar(bids, ScanOptions=KEYS[case](key))
    assert told(found(bids, rows), "secret", SIDECAR, "")
    assert key.hex() not in str(found(bids, rows))


@pytest.mark.parametrize("place", ["voxels", "packed", "text"])
def test_e40_the_key_is_nowhere_as_bytes(bids, private, place):
    table, path, key = private
    rows = secrets(table, [path])
    assert found(bids, rows) == []
    file = {"voxels": IMAGE, "packed": f"{FOLDER}/x.bin", "text": "README.md"}[place]
    if place == "voxels":
        rebuilt(bids, bytes_at(4001, key))
    else:
        packed = gzip.compress(gzip.compress(b"x" + key)) if place == "packed" else b"x" + key
        (bids / file).write_bytes(packed)
    assert told(found(bids, rows), "secret", file, "")


@pytest.mark.parametrize(
    "text", ["QX-770412", "qx 770412", "1942-01-31", hashlib.md5(b"QX770412").hexdigest()]
)
def test_e40_what_the_crosswalk_knows_is_not_released(bids, private, text):
    rows = secrets(*private[:1])
    (bids / "README.md").write_text(f"{staged.README}\nOf 77-0413.\n")
    assert found(bids, rows) == []
    (bids / "README.md").write_text(f"{staged.README}\nOf {text}.\n")
    assert told(found(bids, rows), "identifier", "README.md", "crosswalk")


def test_e40_r59_neither_key_nor_crosswalk_lies_in_the_dataset(bids, private):
    rows = secrets(private[0], [private[1]])
    assert found(bids, rows) == []
    shutil.copy(private[0], bids / "crosswalk.tsv")
    shutil.copy(private[1], bids / "secret")
    assert told(found(bids, rows), "identifier", "crosswalk.tsv", "crosswalk")
    assert told(found(bids, rows), "secret", "secret", "key")
    assert order(private[0]) == {SUBJECT: "2019-04-14"}


@pytest.mark.parametrize(
    "key", ["DateShift", "date_shift_days", "IntervalFactor", "AnchorDate", "RandomSeed"]
)
def test_e41_no_key_of_a_sidecar_undoes_a_shift(bids, key):
    edit_sidecar(bids, ChemicalShift=1, TriggerTimeOffset=2, DecayFactor=3)
    assert found(bids, policy=None) == []
    edit_sidecar(bids, **{key: 3})
    assert told(found(bids, policy=None), "metadata", SIDECAR, "undo a shift")


def test_e41_the_factor_of_a_persons_intervals_is_in_no_file(bids, private):
    table, path, key = private
    first = datetime.date(2001, 1, 1)
    last = first + datetime.timedelta(days=1825)
    shifted = released_days([first, last], "proportional", key, SUBJECT.removeprefix("sub-"))
    (row,) = [row for row in secrets(table, [path]) if row["kind"] == "factor"]
    assert (shifted[last] - shifted[first]).days == pytest.approx(1825 * float(row["value"]), abs=0.5)
    edit_sidecar(bids, EchoTime=1.0)
    assert found(bids, [row]) == []
    edit_sidecar(bids, EchoTime=float(row["value"]))
    assert told(found(bids, [row]), "secret", SIDECAR, "factor of intervals")


def test_e43_images_that_one_person_alone_has_or_lacks_are_told_of(bids):
    people = ["b", "c", "d", "e", "f"]
    staged.add_people(bids, people)
    assert found(bids) == []
    anat = bids / "sub-c/ses-1/anat"
    second = "sub-c_ses-1_T2w.nii.gz"
    shutil.copy(anat / "sub-c_ses-1_T1w.nii.gz", anat / second)
    assert told(found(bids), "rare", "sub-c", "nobody else has", "warn")
    for label in [*people, "4f2a9c"]:
        anat = bids / f"sub-{label}/ses-1/anat"
        shutil.copy(anat / f"sub-{label}_ses-1_T1w.nii.gz", anat / f"sub-{label}_ses-1_T2w.nii.gz")
    assert found(bids) == []
    (bids / "sub-e/ses-1/anat/sub-e_ses-1_T2w.nii.gz").unlink()
    assert told(found(bids), "rare", "sub-e", "all others have", "warn")
    assert len(found(bids)) == 1


def test_e43_a_number_of_sessions_that_one_person_alone_has_is_told_of(bids):
    staged.add_people(bids, ["b", "c", "d", "e", "f"])
    shutil.copytree(bids / "sub-d/ses-1", bids / "sub-d/ses-2")
    for path in (bids / "sub-d/ses-2").rglob("*.*"):
        path.rename(path.with_name(path.name.replace("ses-1", "ses-2")))
    assert told(found(bids), "rare", "sub-d", "number of sessions", "warn")


TEXT = "x Åkerström, Tova"
ENCODINGS = {
    "E45 case folded": TEXT.upper(),
    "E45 without accents": "Akerstrom",
    "E45 accents apart": "A\u030akerstro\u0308m",
    "E45 reversed name": "Tova Linnea Åkerström",
    "E45 name of DICOM": "ÅKERSTRÖM^TOVA",
    "E45 percent": "%C3%85kerstr%C3%B6m",
    "E45 HTML": "&#197;kerstr&ouml;m",
    "E45 hexadecimal": TEXT.encode().hex(),
    "E45 hexadecimal of Latin-1": TEXT.encode("latin-1").hex(" "),
    "E45 hexadecimal of UTF-16": TEXT.encode("utf-16-be").hex(),
    "E45 base64": base64.b64encode(TEXT.encode()).decode(),
    "E45 base64 of UTF-16": base64.b64encode(TEXT.encode("utf-16-le")).decode(),
    "E45 base64 of base64": base64.b64encode(base64.b64encode(TEXT.encode())).decode(),
    "E45 base64 of gzip": base64.b64encode(gzip.compress(TEXT.encode())).decode(),
    "E45 base64 of gzip in gzip": base64.b64encode(gzip.compress(gzip.compress(TEXT.encode()))).decode(),
    "E45 base64 of lines": base64.b64encode(f"Note\n{TEXT}\n".encode()).decode(),
    "E45 percent of base64": base64.b64encode(TEXT.encode()).decode().replace("=", "%3D") + "%20",
}


@pytest.mark.parametrize("case", ENCODINGS)
@pytest.mark.parametrize("place", [SIDECAR, "README.md", "participants.tsv"])
def test_e45_a_value_is_found_in_any_encoding(bids, case, place):
    def write(text):
        if place == SIDECAR:
            edit_sidecar(bids, ScanOptions=text)
        elif place == "README.md":
            (bids / place).write_text(f"{staged.README}\n{text}\n")
        else:
            (bids / place).write_text(f"participant_id\tgroup\n{SUBJECT}\t{text}\n")

    write(base64.b64encode(b"a patient control").decode())
    assert found(bids) == []
    write(ENCODINGS[case])
    assert told(found(bids), "identifier", place, "name of PatientName")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, lambda raw: gzip.compress(gzip.compress(raw)), bz2.compress, lzma.compress],
    ids=["plain", "gzip", "gzip in gzip", "bzip2", "xz"],
)
def test_e45_a_value_is_found_in_any_character_set_and_packing(bids, encoding, pack):
    path = f"{FOLDER}/notes.bin"
    (bids / path).write_bytes(pack("a patient, control".encode(encoding)))
    assert not any(f.check == "identifier" for f in found(bids))
    (bids / path).write_bytes(pack(f"{TEXT}.".encode(encoding)))
    assert told(found(bids), "identifier", path, "name of PatientName")


@pytest.mark.parametrize("text", ["anna%40clinic.example", base64.b64encode(b"anna at 2021-03-09").decode()])
def test_e45_general_rules_read_encodings_too(bids, text):
    edit_sidecar(bids, ScanOptions=text)
    assert any(f.check == "rule" and f.severity == "block" for f in found(bids, []))


def test_every_surface_has_a_planted_leak_and_a_clean_twin():
    tables = (HEADER, CONTAINER, OTHER_COPIES, GATE, VALUES, TEXTS, LABELS, NAMES, FILE_SYSTEM, ARCHIVES)
    cases = {case[:3] for table in (*tables, STRAYS, KEYS, ENCODINGS) for case in table}
    names = {number.upper() for name in globals() for number in re.findall(r"(?<=_)e\d\d(?=_)", name)}
    assert cases | names >= {f"E{number:02}" for number in range(1, 46)}
