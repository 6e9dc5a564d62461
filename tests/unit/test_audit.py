import base64
import gzip
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import staged
from efface import nifti
from efface.audit import ALLOWED, BLOCK, WARN, Finding, allow, audit, rules
from efface.audit.spelling import fold
from efface.audit.words import Piece
from efface.errors import UsageError
from efface.publish import publish
from efface.tables import write_json
from staged import ANAT, POLICY, edit_sidecar, found, rebuilt


@pytest.fixture
def bids(tmp_path):
    return staged.dataset(tmp_path)


def test_clean_dataset_has_no_finding(bids, tmp_path):
    checks = {"checks": tmp_path / "check", "released": {staged.IMAGE}}
    assert found(bids, **checks, validate=True) == []


@pytest.mark.parametrize("key", ["ConvolutionKernel", "ScanOptions"])
def test_r49_a_persons_name_under_an_allowed_key_is_found(bids, key):
    edit_sidecar(bids, **{key: "Br40 FS"})
    assert found(bids, policy=POLICY | {key: {}}) == []
    edit_sidecar(bids, **{key: ["Br40", "TOVA"]})
    (finding,) = found(bids, policy=POLICY | {key: {}})
    assert (finding.check, finding.severity, finding.where) == ("identifier", "block", f"key {key}")


def test_two_audits_are_equal(bids):
    edit_sidecar(bids, ScanOptions="Åkerström", Manufacturer="20190414 48817")
    assert found(bids) == found(bids) != []


@pytest.mark.parametrize(
    "text",
    [
        *("AKERSTROM", "Åkerström", "akerstroem", "Tova_Linnea", "xAkerstromT1", "TovaAkerstrom"),
        *("QX-770412", "qx770412", "00812345", "ses 812345"),
        *(
            "2019-04-14",
            "14.04.2019",
            "04/14/2019",
            "14-Apr-2019",
            "14 April 2019",
            "April 14, 2019",
            "190414",
        ),
        *("20190414", "20190414T101530", "14 april 2019", "14.4.2019", "14/04/19"),
        *("10:15:30", "101530.25", "101530"),
        *("1.3.46.670589.11.8407.5.0.20190414101530123.7", "20190414101530123"),
        *(
            "Norrvik Lasarett",
            "NorrvikLasarett",
            "serial 48817",
            "Tova-CT/Head w/o Contrast",
            "TovaCTHeadwoContrast",
        ),
        *("0705-551234", "gantry7 belongs to Norrvik"),
        *("%C3%85kerstr%C3%B6m", "&Aring;kerstr&ouml;m", r"\u00c5kerstr\u00f6m"),
        *("Åkerström Tova".encode().hex(), base64.b64encode("Åkerström Tova".encode()).decode()),
        *("Åkerström Tova".encode("utf-16-le").hex(), base64.b64encode(b"x Akerstrom, Tova").decode()),
    ],
)
def test_planted_value_blocks(bids, text):
    edit_sidecar(bids, ScanOptions=text)
    findings = [f for f in found(bids) if f.check == "identifier" and f.severity == "block"]
    assert findings
    for finding in findings:
        assert finding.where == "key ScanOptions"
        assert "identifiers row" in finding.what
        assert text.casefold() not in " ".join(finding).casefold()


def test_value_is_found_in_every_kind_of_text_file(bids):
    subject = bids / "sub-4f2a9c"
    for path in (bids / "README.md", bids / "CHANGES", bids / "participants.tsv", bids / ".bidsignore"):
        path.write_text(path.read_text() + "Åkerström\n")
    for path in (f"{ANAT}.bval", f"{ANAT}.png", f"{ANAT}.html", f"{ANAT}.txt"):
        (bids / path).write_text("Åkerström\n")
    (subject / "ses-1" / "akerstrom.json").write_text('{"a": {"b": ["Åkerström"]}, "a": 1}')
    (bids / "stray.pdf.gz").write_bytes(gzip.compress(b"Akerstrom"))
    named = {f.file for f in found(bids) if f.check == "identifier" and f.severity == "block"}
    assert named == {
        *("README.md", "CHANGES", "participants.tsv", ".bidsignore", "stray.pdf.gz"),
        *(f"{ANAT}.bval", f"{ANAT}.png", f"{ANAT}.html", f"{ANAT}.txt", "sub-4f2a9c/ses-1/akerstrom.json"),
    }


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "latin-1"])
def test_value_is_found_in_other_encodings(bids, encoding):
    (bids / "README.md").write_bytes(f"{staged.README}\nÅkerström\n".encode(encoding))
    findings = found(bids)
    assert any(f.check == "identifier" and f.severity == "block" for f in findings)
    assert any(f.what == "not UTF-8" for f in findings)


def test_value_in_a_key_or_a_repeated_key_is_found_and_not_spelt_out(bids):
    path = bids / f"{ANAT}.json"
    path.write_text('{"Modality": "Tova", "Modality": "MR", "Akerstrom": 1}')
    findings = found(bids)
    assert {f.where for f in findings if f.check == "identifier"} == {
        "key Modality",
        "key number 3 (its name)",
    }
    assert not any("kerstr" in " ".join(f) for f in findings)


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        *(("Akerstrom", np.int16), ("ÅKERSTRÖM", np.int16), ("00812345", np.float32)),
        *(("1.3.46.670589.11.8407.5.0.20190414101530123", np.uint8),),
    ],
)
@pytest.mark.parametrize("shift", range(4))
def test_value_in_voxels_is_found_at_any_alignment(bids, text, dtype, shift):
    voxels = np.random.default_rng(1).normal(70, 20, (40, 40, 40)).clip(0, 255).astype(dtype)
    raw = bytearray(voxels.tobytes(order="F"))
    raw[10_001 + shift : 10_001 + shift + len(text.encode())] = text.encode()
    path = bids / f"{ANAT}.nii.gz"
    head = nifti.header(voxels.shape, voxels.dtype, np.eye(4))
    nifti.write(path, voxels, head)
    assert found(bids) == []
    nifti.write(path, np.frombuffer(bytes(raw), dtype).reshape(voxels.shape, order="F"), head)
    assert {(f.check, f.where) for f in found(bids)} == {("identifier", "voxel data")}


def test_noise_that_looks_like_text_is_no_finding(bids):
    # 16-bit voxels of 48 to 57 are the digits of a date in UTF-16.
    voxels = np.random.default_rng(2).integers(48, 58, (128, 128, 64)).astype(np.int16)
    head = nifti.header(voxels.shape, voxels.dtype, np.eye(4))
    nifti.write(bids / f"{ANAT}.nii.gz", voxels, head)
    assert found(bids) == []


def test_uncompressed_image_is_read_too(bids):
    packed = bids / f"{ANAT}.nii.gz"
    raw = gzip.decompress(packed.read_bytes())
    packed.unlink()
    (bids / f"{ANAT}.nii").write_bytes(raw)
    assert found(bids) == []
    (bids / f"{ANAT}.nii").write_bytes(raw[:4000] + b"Akerstrom" + raw[4009:])
    assert [f.where for f in found(bids)] == ["voxel data"]


def header_text(first, text):
    return lambda raw: raw[:first] + text + raw[first + len(text) :]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (header_text(4, b"x"), "data_type"),
        (header_text(14, b"x"), "db_name"),
        (header_text(32, b"\1"), "extents"),
        (header_text(36, b"\1"), "session_error"),
        (header_text(38, b"x"), "regular"),
        (header_text(56, b"\1"), "intent_p1"),
        (header_text(140, b"\1"), "glmax"),
        (header_text(144, b"\1"), "glmin"),
        (header_text(148, b"x"), "descrip"),
        (header_text(228, b"x"), "aux_file"),
        (header_text(328, b"x"), "intent_name"),
        (header_text(348, b"\1"), "extender"),
        (header_text(52, b"\7"), "beyond its dimensions"),
        (header_text(40, b"\x09"), "no image"),
        (header_text(344, b"ni1"), "not a NIfTI-1 image"),
        (header_text(108, struct.pack("<f", 400)), "vox_offset"),
        (lambda raw: raw + b"x", "after the last voxel"),
        (lambda raw: raw[:-1], "shorter than its header says"),
        (lambda raw: raw[:100], "ends inside its header"),
    ],
)
def test_header_of_an_image_holds_nothing_else(bids, change, fault):
    rebuilt(bids, change)
    assert any(fault in f.what for f in found(bids) if f.check == "structure")


def test_identifier_in_an_extension_is_found(bids):
    extension = struct.pack("<2i", 48, 6) + b"from Akerstrom".ljust(40, b"\0")

    def extended(raw):
        raw[108:112] = struct.pack("<f", 352 + 48)
        return raw[:348] + b"\1\0\0\0" + extension + raw[352:]

    rebuilt(bids, extended)
    findings = found(bids)
    assert any("vox_offset" in f.what for f in findings)
    assert any(f.check == "identifier" and f.where == "around the voxels" for f in findings)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda raw: raw[:3] + b"\x08" + raw[4:10] + b"Akerstrom.nii\0" + raw[10:], "a name, comment"),
        (lambda raw: raw[:4] + b"\1\2\3\4" + raw[8:], "time stamp"),
        (lambda raw: raw + gzip.compress(b"Akerstrom", mtime=0), "more than one gzip member"),
        (lambda raw: raw + b"Akerstrom", "after the gzip trailer"),
        (lambda raw: raw[:-20], "cut off"),
        (lambda raw: raw[:2000] + bytes(100) + raw[2100:], "damaged"),
        (lambda raw: b"Akerstrom" + raw, "not a gzip file"),
    ],
)
def test_gzip_container_holds_nothing_else(bids, change, fault):
    path = bids / f"{ANAT}.nii.gz"
    plain = gzip.decompress(path.read_bytes())
    path.write_bytes(change(path.read_bytes()))
    findings = found(bids)
    assert any(fault in f.what for f in findings if f.check == "structure")
    if b"Akerstrom" in path.read_bytes() or len(path.read_bytes()) > len(plain):
        assert any(f.check == "identifier" for f in findings)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("2021-03-09", "a date after 1925"),
        ("20210309", "a date after 1925"),
        ("9 March 2021", "a date after 1925"),
        ("Mar 9, 2021", "a date after 1925"),
        ("09.03.2021", "a date after 1925"),
        ("scanned 11:32:05", "a time of day"),
        ("mail jo.doe@clinic.example", "an e-mail address"),
        ("+46 18 611 00 00", "a phone number"),
        ("tel 070-555 12 34", "a phone number"),
        ("(555) 867-5309", "a phone number"),
        ("811218-9876", "a Swedish personal identity number"),
        ("198112189876", "a Swedish personal identity number"),
        ("123-45-6789", "a US social security number"),
        ("SE2321000016-1A2B", "a Swedish HSA-id"),
        ("1.2.752.24.7.1.2.3", "a DICOM unique identifier (UID)"),
        ("2.25.329800735698586629295641978511506172918", "a DICOM unique identifier (UID)"),
        ("/home/jo/scan", "an absolute path"),
        (r"C:\scans\jo", "an absolute path"),
        ("file://x", "an absolute path"),
    ],
)
def test_general_rule_finds(bids, text, what):
    edit_sidecar(bids, ScanOptions=text)
    assert what in {f.what for f in found(bids, []) if f.check == "rule"}


@pytest.mark.parametrize(
    "text",
    [
        *("1925-03-09T11:32:05", "1911-01-01", "00:00:00", "MP_GEMS", "10.18112/openneuro.ds004199.v1.0.5"),
        *(
            "https://example.org/a/b/c",
            "1.2.840.10008.5.1.4.1.1.4",
            "M/NORM/DIS3D",
            "bids::sub-01/anat/x.nii.gz",
        ),
        *(
            "811218-9875",
            "1.10.1",
            "0.0 1000 1000 2000",
            "F18",
            "n/a",
            "113100",
            "GR\\IR",
            "3.0.2",
            "12 34 56 78 90",
        ),
    ],
)
def test_general_rule_lets_pass(text):
    assert list(rules.breaches(Piece("here", "data", text))) == []


def test_name_of_the_machine_is_found(monkeypatch):
    monkeypatch.setattr(rules.socket, "gethostname", lambda: "ward7-console.example")
    monkeypatch.setattr(rules.getpass, "getuser", lambda: "jnilsson")
    monkeypatch.setattr(rules, "_OWN", rules._own_patterns())
    for text in ("on ward7-console", "by jnilsson"):
        assert list(rules.breaches(Piece("here", "data", text))) == [
            "the name of this machine or of its user"
        ]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        (f"{staged.FOLDER}/.DS_Store", "hidden"),
        (".heudiconv/info.json", "hidden"),
        ("sourcedata/sub-4f2a9c/x.json", "not released"),
        ("code/run.py", "does not know"),
        (f"{staged.FOLDER}/{staged.IMAGE}.bak", "does not know"),
        (f"{staged.FOLDER}/T1w.nii.gz", "does not know"),
        (f"{staged.FOLDER}/sub-4f2a9c_ses-2_T1w.json", "does not know"),
        (f"{staged.FOLDER}/sub-4f2a9c_ses-1_run-1_acq-x_T1w.json", "does not know"),
        (f"{staged.FOLDER}/sub-4f2a9c_ses-1_who-x_T1w.json", "does not know"),
        ("sub-4f2a9c/ses-1/other/sub-4f2a9c_ses-1_T1w.json", "does not know"),
        ("MANIFEST.txt", "does not know"),
    ],
)
def test_stray_file_blocks(bids, path, what):
    (bids / path).parent.mkdir(parents=True, exist_ok=True)
    (bids / path).write_text("{}")
    assert [f.severity for f in found(bids) if f.file == path and what in f.what] == ["block"]


def test_links_empty_files_and_empty_folders_block(bids):
    (bids / "linked").symlink_to("/tmp")
    (bids / f"{staged.FOLDER}/sub-4f2a9c_ses-1_T2w.json").touch()
    (bids / "sub-4f2a9c" / "ses-2").mkdir()
    assert {f.what for f in found(bids) if f.check == "files"} == {
        "a link",
        "an empty file",
        "an empty folder",
    }


def test_identifier_in_a_path_blocks(bids):
    path = bids / "sub-4f2a9c" / "ses-1" / "anat" / "sub-4f2a9c_ses-1_acq-AkerstromT1_T1w.json"
    path.write_text("{}")
    assert [f.where for f in found(bids)] == ["file name"]


def test_png_holds_a_picture_only(bids):
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "Åkerström", zip=True)
    Image.new("L", (8, 8)).save(bids / "plain.png")
    Image.new("L", (8, 8)).save(bids / "told.png", pnginfo=text)
    (bids / "tail.png").write_bytes((bids / "plain.png").read_bytes() + b"Akerstrom")
    by_file = {
        name: [f for f in found(bids) if f.file == name] for name in ("plain.png", "told.png", "tail.png")
    }
    assert not any("PNG" in f.what for f in by_file["plain.png"])
    for name in ("told.png", "tail.png"):
        assert any("trailing bytes in a PNG" in f.what for f in by_file[name])
        assert any(f.check == "identifier" for f in by_file[name])


def test_sidecar_keys_and_values_stay_within_the_policy(bids):
    edit_sidecar(bids, Nested={"DeviceSerialNumber": "7"}, EchoTime=17.5, Manufacturer="Other")
    codes = [{"CodeValue": "113100", "Who": "x"}]
    edit_sidecar(bids, DeidentificationMethodCodeSequence=codes, Modality={"Smith": 1})
    places = {f.where for f in found(bids) if f.check == "metadata"}
    assert places == {"key number 6", "key EchoTime", "key Manufacturer", "key number 2", "key number 1"} | {
        "key Modality"
    }


def test_without_a_policy_known_leaks_are_found(bids):
    assert found(bids, policy=None) == []
    edit_sidecar(bids, Global={"const": {"InstitutionName": "x"}}, AcquisitionTime=1)
    assert {f.where for f in found(bids, policy=None)} == {"key InstitutionName", "key AcquisitionTime"}


def test_tables_of_people(bids):
    (bids / "participants.tsv").write_text(
        "participant_id\tage\tweight\toperator\nsub-4f2a9c\t91\t70\tx\nsub-x\t4.5\t9\tx\n"
    )
    by_what = {f.what: f.severity for f in found(bids) if f.check == "metadata"}
    assert by_what == {
        "an age over 89": "block",
        "an age with a fraction of a year": "warn",
        "a column that may identify together with others": "warn",
        "a column that identifies people or staff": "block",
    }


def test_gradient_files_hold_numbers_only(bids):
    (bids / f"{ANAT}.bval").write_text("0 1000 1000\n")
    assert found(bids) == []
    (bids / f"{ANAT}.bval").write_text("0 1000 b1000\n")
    assert [f.what for f in found(bids)] == ["more than numbers"]


def test_broken_json_blocks_and_is_searched(bids):
    (bids / f"{ANAT}.json").write_text('{"a": "Akerstrom"')
    assert {f.check for f in found(bids)} == {"structure", "identifier"}


def test_staff_named_on_purpose_only_warns(bids):
    description = json.loads((bids / "dataset_description.json").read_text())
    rows = [{"kind": "name", "attribute": "OperatorsName", "value": "Kvist^Ebba"}]
    (bids / "dataset_description.json").write_text(json.dumps(description | {"Authors": ["Ebba Kvist"]}))
    assert {f.severity for f in found(bids, rows)} == {"warn"}
    rows[0]["attribute"] = "PatientName"
    assert {f.severity for f in found(bids, rows)} == {"block"}


def test_task_that_is_also_a_protocol_only_warns(bids):
    rows = [{"kind": "text", "attribute": "ProtocolName", "value": "fingertapping_left_hand"}]
    edit_sidecar(bids, TaskName="finger tapping left hand")
    assert found(bids, rows) == []
    edit_sidecar(bids, TaskName="fingertapping left hand")
    assert {f.severity for f in found(bids, rows)} == {"warn"}
    edit_sidecar(bids, ScanOptions="fingertapping left hand")
    assert "block" in {f.severity for f in found(bids, rows)}


def test_lone_word_of_a_place_warns_in_prose(bids):
    (bids / "README.md").write_text(staged.README + "Scanned in Norrvik.\n")
    assert {(f.severity, f.where) for f in found(bids)} == {("warn", "line 5")}


def test_lone_word_of_free_text_warns(bids):
    rows = [{"kind": "text", "attribute": "StudyDescription", "value": "Brannstrom head"}]
    edit_sidecar(bids, ScanOptions="BRANNSTROM")
    assert {f.severity for f in found(bids, rows)} == {"warn"}


def test_name_that_is_a_word_counts_in_prose_with_a_capital(bids):
    rows = [{"kind": "name", "attribute": "PatientName", "value": "LONG^WILL"}]
    (bids / "README.md").write_text("A long text that nobody will read.\n" + staged.README)
    assert found(bids, rows) == []
    (bids / "README.md").write_text("Scans of Mr Long.\n" + staged.README)
    assert {f.severity for f in found(bids, rows)} == {"block"}


def test_faces_are_judged_by_their_records(bids, tmp_path):
    record = tmp_path / "check" / f"{staged.IMAGE}.json"
    good = json.loads(record.read_text())
    broken = [
        ({"decision": "held"}, "did not pass"),
        ({"reasons": ["doubt"]}, "gives reasons"),
        ({"brain_voxels_changed": 1}, "outside its bounds"),
        ({"face_surface_surviving": 0.2}, "outside its bounds"),
        ({"tissue_in_front": 1000}, "outside its bounds"),
        ({"registration_score": 0.1}, "outside its bounds"),
        ({"registration_score": float("nan")}, "outside its bounds"),
        ({"brain_voxels_changed": None}, "was not taken"),
        ({"image_sha256": "0" * 64}, "not the one that was checked"),
        ({"image_sha256": None}, "not the one that was checked"),
    ]
    for change, what in broken:
        record.write_text(json.dumps(good | change))
        assert [what in f.what for f in found(bids, checks=tmp_path / "check")] == [True]
    record.write_text("")
    assert ["not readable" in f.what for f in found(bids, checks=tmp_path / "check")] == [True]
    record.unlink()
    assert ["no record" in f.what for f in found(bids, checks=tmp_path / "check")] == [True]


def test_a_mask_cannot_hide_an_image(bids, tmp_path):
    voxels = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    head = nifti.header(voxels.shape, voxels.dtype, np.eye(4))
    nifti.write(bids / staged.FOLDER / f"{staged.MASK}.nii.gz", voxels, head)
    assert [f.what for f in found(bids, checks=tmp_path / "check")] == [
        "a mask with other values than 0 and 1"
    ]


def test_images_are_those_that_were_decided(bids):
    absent = "sub-4f2a9c_ses-1_T2w"
    whats = {f.what for f in found(bids, released={absent})}
    assert whats == {
        "an image that was not decided to be released",
        f"image {absent} is decided to be released but absent",
    }


def test_release_is_what_its_manifest_says(bids, tmp_path):
    release = tmp_path / "release"
    publish(bids, release)
    assert found(release) == []
    (release / "README.md").write_text(staged.README + "more\n")
    (release / "CHANGES").unlink()
    (release / "LICENSE").write_text("CC0\n")
    assert {(f.file, f.what) for f in found(release) if f.check == "files"} == {
        ("README.md", "changed since it was published"),
        ("CHANGES", "in the manifest, but absent"),
        ("LICENSE", "not in the manifest"),
    }
    (release / "MANIFEST.tsv").write_text("a\tb\n")
    assert "not a manifest of efface" in {f.what for f in found(release)}


def test_subject_is_not_called_by_its_short_number(bids):
    rows = [{"kind": "id", "attribute": "PatientID", "value": "4F2A9C"}]
    assert {f.where for f in found(bids, rows) if f.file.startswith("sub-")} == {
        "subject label",
        "file name",
        "line 2",
    }
    (bids / "sub-07").mkdir()
    (bids / "sub-07" / "sub-07_sessions.tsv").write_text("session_id\nses-1\n")
    rows[0]["value"] = "07"
    assert {(f.file, f.where) for f in found(bids, rows)} == {("sub-07/sub-07_sessions.tsv", "subject label")}


def test_date_in_a_label_is_found(bids):
    (bids / "sub-4f2a9c" / "ses-20210309").mkdir()
    path = "sub-4f2a9c/ses-20210309/sub-4f2a9c_ses-20210309_scans.tsv"
    (bids / path).write_text("filename\nanat/x\n")
    assert {(f.file, f.what) for f in found(bids)} == {(path, "a date after 1925")}


def test_empty_tree_has_nothing_to_release(tmp_path):
    assert [(f.severity, f.what) for f in audit(tmp_path)] == [("warn", "nothing to release")]


def test_error_of_the_bids_validator_blocks(bids):
    (bids / "dataset_description.json").write_text('{"Name": "Demo"}')
    assert ("bids", "block") in {(f.check, f.severity) for f in found(bids, validate=True)}


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 3\n", None])
def test_validator_that_does_not_run_blocks(bids, tmp_path, script, monkeypatch):
    from efface.audit import validator

    program = tmp_path / "validator"
    if script:
        program.write_text(script)
        program.chmod(0o755)
    monkeypatch.setattr(validator, "_found", lambda: str(program) if script else None)
    assert [(f.check, f.severity) for f in found(bids, validate=True)] == [("bids", "block")]


def test_fold_keeps_numbers_together():
    assert fold("1.2.840/5 10:15:30,5 a.b") == "1.2.840 5 10:15:30 5 a b"


def test_large_image_is_read_in_blocks(bids):
    voxels = np.zeros((256, 256, 80), np.int16)
    voxels[:, :, 70] = 7
    raw = bytearray(voxels.tobytes(order="F"))
    border = (1 << 22) - 352
    raw[border - 4 : border + 5] = b"Akerstrom"
    planted = np.frombuffer(bytes(raw), np.int16).reshape(voxels.shape, order="F")
    nifti.write(bids / f"{ANAT}.nii.gz", planted, nifti.header(voxels.shape, voxels.dtype, np.eye(4)))
    assert [f.where for f in found(bids)] == ["voxel data"]


def test_compressed_png_text_is_inflated():
    from efface.audit.content import png_chunks

    raw = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 3) + b"zTXt" + b"a\0\0" + bytes(4) + zlib.compress(b"x")
    assert [kind for kind, _ in png_chunks(raw)] == ["zTXt", ""]


def table(folder, *rows, columns=allow.COLUMNS):
    path = folder / "allow.tsv"
    path.write_text("".join("\t".join(cells) + "\n" for cells in (columns, *rows)), encoding="utf-8")
    return path


NAMED = (
    "identifier",
    "README.md",
    "line 6",
    "place of InstitutionName (identifiers row 11)",
    "the owner agreed",
)


def test_a_false_alarm_is_allowed_for_a_reason_and_still_listed(bids, tmp_path):
    (bids / "README.md").write_text(f"{staged.README}\nNorrvik Lasarett, Norrvik Lasarett 20190414\n")
    findings = found(bids)
    told = allow.apply(findings, allow.read(table(tmp_path, NAMED)))
    assert [f.severity for f in told] == [BLOCK] * (len(told) - 1) + [ALLOWED]
    assert told[-1].advice == "the owner agreed"
    assert {(f.check, f.file, f.where, f.what) for f in told} == {
        (f.check, f.file, f.where, f.what) for f in findings
    }


FOUND = Finding(
    "identifier", BLOCK, "a/b.json", "key X", "name of OperatorsName (identifiers row 3)", "remove"
)


@pytest.mark.parametrize(
    ("row", "covers"),
    [
        (("identifier", "a/b.json", "key X", FOUND.what), True),
        (("identifier", "a/*.json", "", FOUND.what), True),
        (("identifier", "*", "", "name of OperatorsName"), True),
        (("identifier", "*", "", "name of OperatorsName (identifiers row 4)"), False),
        (("identifier", "*", "", "name"), False),
        (("identifier", "*", "", "name*"), False),
        (("identifier", "*", "key Y", FOUND.what), False),
        (("identifier", "b.json", "", FOUND.what), False),
        (("rule", "*", "", FOUND.what), False),
    ],
)
def test_a_row_covers_its_own_finding_only_and_one_that_covers_nothing_is_told_of(tmp_path, row, covers):
    told = allow.apply([FOUND], allow.read(table(tmp_path, (*row, "looked at"))))
    if covers:
        assert told == [FOUND._replace(severity=ALLOWED, advice="looked at")]
    else:
        assert [(f.check, f.severity) for f in told] == [("identifier", BLOCK), ("allow", WARN)]
        assert "row 1 " in told[1].what


@pytest.mark.parametrize("check", ["faces", "files", "structure", "secret", "allow", "", "Identifier", "*"])
def test_a_face_a_stray_file_and_a_key_are_never_allowed(tmp_path, check):
    with pytest.raises(UsageError, match="line 2, check: expected one of bids, "):
        allow.read(table(tmp_path, (check, "*", "", "its check did not pass", "looked at")))


def test_a_validator_that_did_not_run_is_never_allowed(tmp_path):
    broken = Finding("bids", BLOCK, "", "", "the BIDS validator is not installed", "install it")
    rows = allow.read(table(tmp_path, ("bids", "", "", broken.what, "no network")))
    assert broken in allow.apply([broken], rows)


@pytest.mark.parametrize(
    ("rows", "columns", "said"),
    [
        ([(*NAMED[:4], " ")], allow.COLUMNS, "line 2, reason"),
        ([(*NAMED[:3], "", "why")], allow.COLUMNS, "line 2, what"),
        ([NAMED[:4]], allow.COLUMNS, "line 2: expected the columns"),
        ([(*NAMED, "more")], allow.COLUMNS, "line 2: expected the columns"),
        ([(*NAMED, "high")], (*allow.COLUMNS, "severity"), "and no other"),
        ([NAMED[:4]], allow.COLUMNS[:4], "TSV in UTF-8 with check"),
    ],
)
def test_a_table_of_what_is_allowed_is_whole_and_closed(tmp_path, rows, columns, said):
    with pytest.raises(UsageError, match=said) as error:
        allow.read(table(tmp_path, *rows, columns=columns))
    assert "Institution" not in str(error.value)


def test_a_table_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        allow.read(tmp_path / "allow.tsv")
    (tmp_path / "allow.tsv").write_bytes("Åsa".encode("utf-16"))
    with pytest.raises(UsageError, match="TSV in UTF-8"):
        allow.read(tmp_path / "allow.tsv")


def test_the_record_of_a_release_is_as_its_schema_says_and_searched(bids):
    record = staged.record()
    write_json(bids / "release_record.json", record)
    assert found(bids) == [] and found(bids, policy=None) == []
    write_json(bids / "release_record.json", record | {"input": "x"})
    assert [(f.check, f.what) for f in found(bids)] == [("metadata", "not as its schema says")]
    write_json(bids / "release_record.json", record | {"residual_risks": ["Tova Åkerström was here"]})
    assert {(f.check, f.severity) for f in found(bids)} == {("identifier", "block")}


@pytest.mark.parametrize(
    ("kind", "attribute", "value"),
    [
        ("text", "CodeMeaning", "Slice Thickness"),
        ("text", "DeidentificationMethod", "DCM:113100/113105/113111"),
        ("text", "SoftwareVersions", "Software release:X"),
        ("private", "(0021,111A)", "measured"),
        ("private", "(2005,1419)", "FIRST_LEVEL"),
    ],
)
def test_terms_that_a_dataset_shares_with_headers_are_no_finding(bids, kind, attribute, value):
    write_json(bids / "release_record.json", staged.record())
    (bids / "README.md").write_text(
        f"{staged.README}\nIt was measured on every level; slice thickness varies.\n"
    )
    assert found(bids, [{"kind": kind, "attribute": attribute, "value": value}]) == []
    typed = [{"kind": kind, "attribute": attribute, "value": f"{value} Brannstrom"}]
    edit_sidecar(bids, ScanOptions=f"{value} Brannstrom")
    assert {f.severity for f in found(bids, typed)} >= {"block"}
