"""The staged dataset: what is proved and defaced under its BIDS names, and the files that a dataset needs."""

import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from efface import __version__
from efface.dates import OLDEST_AGE
from efface.files import private_folder
from efface.tables import read_json, write_json, write_tsv

BIDS_VERSION = "1.10.1"
OUTCOME = ("series", "modality", "files", "image", "decision", "reason")

# CT and SWI have no place in BIDS yet; MANIFEST.tsv is efface's own. The patterns are the validator's.
_IGNORED = ("MANIFEST.tsv", "**/ct", "*_ct.*", "**/swi", "*_swi.*", "*_GRE.*", "*_minIP.*")

_README = """# {name}

Head scans in BIDS, de-identified with efface {version}.

- Volumes were converted from DICOM and compared with it, frame by frame and value by value.
- Faces were removed with a mask that was registered to each scan; voxels outside the mask are as scanned.
- Sidecars hold an allow-list of acquisition parameters. Dates, times of day, identifiers, institutions,
  serial numbers and free text were left behind. Sessions are numbered in the order of their studies.
- Subject labels are keyed pseudonyms. Ages are in whole years; {oldest} stands for {oldest} and older.

De-identification lowers the risk that somebody is recognised; it cannot exclude it. Do not try to identify
anybody in this dataset, and do not link it with other data for that purpose.
"""

_CHANGES = """1.0.0
  - First release.
"""

_COLUMNS = {
    "age": {
        "Description": f"Age at the first session; {OLDEST_AGE} stands for {OLDEST_AGE} and older",
        "Units": "year",
    },
    "sex": {"Description": "Sex as recorded", "Levels": {"F": "female", "M": "male", "O": "other"}},
}


@dataclass
class Outcome:
    """What became of a series or of one image of it: released, held or dropped, and why."""

    series: str
    modality: str
    files: str
    image: str
    decision: str
    reason: str


def outcome(row: dict[str, str], proof: dict | None, check: dict | None) -> Outcome:
    """Return what became of a row of the plan, from what the proof and the check of its image say."""
    decision, reasons = row["decision"], [row["reason"]]
    if decision == "convert":
        decision = "held"
        if proof is None or proof["decision"] != "proved":
            reasons = proof["reasons"] if proof else ["conversion gave no proof"]
        elif check is None or check["decision"] not in ("defaced", "no_face"):
            reasons = check["reasons"] if check else ["defacing gave no measures"]
        else:
            decision = "release"
            reasons = ["proved, no face in view" if check["decision"] == "no_face" else "proved, defaced"]
    reason = "; ".join(reasons)
    return Outcome(row["series"], row["modality"], row["files"], row["image"], decision, reason)


def stage(
    bids: Path, images: list[dict], participants: list[dict], columns: list[str], dataset: dict
) -> None:
    """Write the dataset.

    Parameters
    ----------
    bids : Path
        The folder; it is replaced as a whole, so that nothing stale stays.
    images : list of dict
        Records of the plan with the paths of `volume`, `sidecar` and `gradients` (.bval and .bvec, or none).
    participants : list of dict
        Rows with participant_id, age and sex.
    columns : list of str
        Which of age and sex to give.
    dataset : dict
        The configuration's `dataset`.
    """
    beside = bids.with_name(f".{bids.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    _write(private_folder(beside), images, participants, columns, dataset)
    shutil.rmtree(bids, ignore_errors=True)
    beside.rename(bids)


def _write(
    bids: Path, images: list[dict], participants: list[dict], columns: list[str], dataset: dict
) -> None:
    for image in images:
        folder = bids / f"sub-{image['subject']}" / f"ses-{image['session']}" / image["datatype"]
        private_folder(folder)
        shutil.copyfile(image["volume"], folder / f"{image['image']}.nii.gz")
        write_json(folder / f"{image['image']}.json", read_json(image["sidecar"]))
        for gradients in image["gradients"]:
            shutil.copyfile(gradients, folder / f"{image['image']}{gradients.suffix}")
    _write_tables(bids, images, participants, columns)
    _write_description(bids, dataset)


def _write_tables(bids: Path, images: list[dict], participants: list[dict], columns: list[str]) -> None:
    scans = defaultdict(lambda: defaultdict(list))
    for image in images:
        scans[image["subject"]][image["session"]].append(f"{image['datatype']}/{image['image']}.nii.gz")
    for subject, sessions in scans.items():
        rows = [{"session_id": f"ses-{session}"} for session in sorted(sessions, key=int)]
        write_tsv(bids / f"sub-{subject}" / f"sub-{subject}_sessions.tsv", rows, ["session_id"])
        for session, names in sessions.items():
            path = bids / f"sub-{subject}" / f"ses-{session}" / f"sub-{subject}_ses-{session}_scans.tsv"
            write_tsv(path, [{"filename": name} for name in sorted(names)], ["filename"])
    shown = ["participant_id", *(column for column in _COLUMNS if column in columns)]
    rows = [
        {column: row[column] or "n/a" for column in shown}
        for row in participants
        if row["participant_id"].removeprefix("sub-") in scans
    ]
    write_tsv(bids / "participants.tsv", rows, shown)
    write_json(bids / "participants.json", {column: _COLUMNS[column] for column in shown[1:]})


def _write_description(bids: Path, dataset: dict) -> None:
    description = {
        "Name": dataset["name"],
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "License": dataset["license"],
        "Authors": dataset["authors"],
        "Acknowledgements": dataset["acknowledgements"],
        "EthicsApprovals": [dataset["ethics"]] if dataset["ethics"] else [],
        "GeneratedBy": [{"Name": "efface", "Version": __version__}],
    }
    write_json(bids / "dataset_description.json", {key: value for key, value in description.items() if value})
    texts = {
        "README.md": _README.format(name=dataset["name"], version=__version__, oldest=OLDEST_AGE),
        "CHANGES": _CHANGES,
        ".bidsignore": "".join(f"{pattern}\n" for pattern in _IGNORED),
    }
    for name, text in texts.items():
        (bids / name).write_text(text, encoding="utf-8")
