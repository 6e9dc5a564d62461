"""A small clean BIDS dataset as it stands before the audit, and the tables and records that belong to it."""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np

from efface import deidentification, nifti, policy
from efface import record as release_record
from efface.audit import audit
from efface.files import sha256
from efface.schema import defaults
from efface.settings import CONFIG_SCHEMA, WORKFLOW
from efface.tables import write_json, write_tsv

IMAGE = "sub-4f2a9c_ses-1_T1w"
MASK = "sub-4f2a9c_ses-1_mod-T1w_defacemask"
FOLDER = "sub-4f2a9c/ses-1/anat"
ANAT = f"{FOLDER}/{IMAGE}"
ALLOWED = ("Modality", "Manufacturer", "MagneticFieldStrength", "EchoTime", "ScanOptions", "TaskName")
POLICY = {key: {} for key in ALLOWED} | {
    "Manufacturer": {"values": ["Siemens"]},
    "EchoTime": {"range": [0, 2]},
}
# What the scanner knew: one value of each kind, and some that are also ordinary words of a dataset.
IDENTIFIERS = [
    {"kind": "name", "attribute": "PatientName", "value": "Åkerström^Tova Linnea"},
    {"kind": "name", "attribute": "OperatorsName", "value": "FIELD^MAY"},
    {"kind": "name", "attribute": "ReferringPhysicianName", "value": "Li^Bo"},
    {"kind": "id", "attribute": "PatientID", "value": "QX-770412"},
    {"kind": "id", "attribute": "StudyID", "value": "1"},
    {"kind": "id", "attribute": "AccessionNumber", "value": "00812345"},
    {"kind": "date", "attribute": "StudyDate", "value": "20190414"},
    {"kind": "time", "attribute": "AcquisitionTime", "value": "101530.250000"},
    {"kind": "time", "attribute": "ContentTime", "value": "000000"},
    {"kind": "uid", "attribute": "SeriesInstanceUID", "value": "1.3.46.670589.11.8407.5.0.20190414101530123"},
    {"kind": "place", "attribute": "InstitutionName", "value": "Norrvik Lasarett"},
    {"kind": "device", "attribute": "DeviceSerialNumber", "value": "48817"},
    {"kind": "device", "attribute": "StationName", "value": "PRISMA"},
    {"kind": "text", "attribute": "StudyDescription", "value": "Tova-CT/Head w/o Contrast"},
    {"kind": "text", "attribute": "ProtocolName", "value": "rest"},
    {"kind": "text", "attribute": "ImageComments", "value": "call the ward, tel 0705-551234"},
    {"kind": "private", "attribute": "(0029,1020)", "value": "gantry7 belongs to Norrvik"},
]

README = """# Demo heads

Head scans in BIDS, de-identified. The field of view may be cut off; no face can be seen. Subject labels are
keyed pseudonyms. De-identification lowers the risk that somebody is recognised; it cannot exclude it.
"""


def dataset(work: Path) -> Path:
    """Make work/bids with one image, and work/check, outcome.tsv, identifiers.tsv, policy.yaml beside it."""
    bids, anat = work / "bids", work / "bids" / FOLDER
    voxels = np.random.default_rng(5).normal(300, 120, (20, 24, 16)).clip(0).astype(np.int16)
    affine = np.diag([4.0, 4.0, 5.0, 1.0])
    image = anat / f"{IMAGE}.nii.gz"
    nifti.write(image, voxels, nifti.header(voxels.shape, voxels.dtype, affine))
    mask = np.zeros(voxels.shape, np.uint8)
    nifti.write(anat / f"{MASK}.nii.gz", mask, nifti.header(mask.shape, mask.dtype, affine))
    sidecar = {"Modality": "MR", "Manufacturer": "Siemens", "MagneticFieldStrength": 3, "EchoTime": 0.00298}
    write_json(anat / f"{IMAGE}.json", sidecar | {"DeidentificationMethod": ["Allow-list of attributes"]})
    write_tsv(
        bids / "participants.tsv", [{"participant_id": "sub-4f2a9c", "age": "41"}], ["participant_id", "age"]
    )
    write_json(
        bids / "participants.json", {"age": {"Description": "Age at the first session", "Units": "year"}}
    )
    write_tsv(bids / "sub-4f2a9c/sub-4f2a9c_sessions.tsv", [{"session_id": "ses-1"}], ["session_id"])
    write_tsv(
        bids / "sub-4f2a9c/ses-1/sub-4f2a9c_ses-1_scans.tsv",
        [{"filename": f"anat/{IMAGE}.nii.gz"}],
        ["filename"],
    )
    description = {"Name": "Demo heads", "BIDSVersion": "1.10.1", "DatasetType": "raw", "License": "CC0"}
    description |= {"EthicsApprovals": ["Example board, 17-204"]}
    write_json(bids / "dataset_description.json", description | {"Authors": ["The developers"]})
    (bids / "README.md").write_text(README)
    (bids / "CHANGES").write_text("1.0.0\n  - First release.\n")
    (bids / ".bidsignore").write_text("MANIFEST.tsv\n**/ct\n*_ct.*\n")
    check = {"decision": "defaced", "reasons": [], "brain_voxels_changed": 0, "face_surface_surviving": 0.01}
    check |= {"registration_score": 0.8, "tissue_in_front": 3, "image_sha256": sha256(image)}
    write_json(work / "check" / f"{IMAGE}.json", check)
    outcome = [
        _row("q3xk7mzd", "MR", "176", IMAGE, "release", "proved, defaced"),
        _row("b2wv5tne", "MR", "20", "sub-4f2a9c_ses-1_T2w", "held", "1 of 20 slice positions is missing"),
        _row("m7yc4hsa", "SR", "1", "", "dropped", "a dose report"),
    ]
    write_tsv(work / "outcome.tsv", outcome, list(outcome[0]))
    write_tsv(work / "identifiers.tsv", ({"series": "q3xk7mzd"} | row for row in IDENTIFIERS), _COLUMNS)
    (work / "policy.yaml").write_text("keys:\n" + "".join(f"  {key}: {{reason: x}}\n" for key in ALLOWED))
    return bids


_COLUMNS = ("kind", "attribute", "series", "value")


def _row(series: str, modality: str, files: str, image: str, decision: str, reason: str) -> dict[str, str]:
    columns = ("series", "modality", "files", "image", "decision", "reason")
    return dict(zip(columns, (series, modality, files, image, decision, reason), strict=True))


def record() -> dict:
    """Return the release record of a dataset with one image, as staging writes it."""
    config = {"input": "in", "release": "out", "dataset": {"name": "Demo heads"}}
    sidecar = {"Modality": "MR", "EchoTime": 0.00298} | deidentification.sidecar_fields(("113100",))
    image = {"subject": "4f2a9c", "session": "1", "image": IMAGE, "metadata": {}, "sidecar": sidecar}
    check = {
        "decision": "defaced",
        "method": "atlas",
        "brain_voxels_changed": 0,
        "face_surface_surviving": 0.01,
    }
    rules = policy.load(WORKFLOW / "policies" / "minimal.yaml", 4)
    return release_record.record(rules, defaults(config, CONFIG_SCHEMA), [image], {IMAGE: check}, ["release"])


def found(bids: Path, identifiers=IDENTIFIERS, **options) -> list:
    """Audit without the BIDS validator, which has tests of its own."""
    return audit(bids, identifiers, **({"policy": POLICY, "validate": False} | options))


def edit_sidecar(bids: Path, **changes) -> None:
    """Set keys of the image's sidecar."""
    path = bids / f"{ANAT}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes, ensure_ascii=False))


def rebuilt(bids: Path, change) -> None:
    """Write the image again with its uncompressed bytes changed."""
    path = bids / f"{ANAT}.nii.gz"
    path.write_bytes(gzip.compress(bytes(change(bytearray(gzip.decompress(path.read_bytes())))), mtime=0))


def add_people(bids: Path, labels: list[str]) -> None:
    """Give each of these people the same image and sidecar, and a row in participants.tsv in their order."""
    for label in labels:
        shutil.copytree(bids / FOLDER, bids / f"sub-{label}/ses-1/anat")
        for path in sorted((bids / f"sub-{label}/ses-1/anat").iterdir()):
            path.rename(path.with_name(path.name.replace("4f2a9c", label)))
    with (bids / "participants.tsv").open("a") as table:
        table.writelines(f"sub-{label}\t41\n" for label in labels)
