"""The staged dataset: what is proved and defaced under its BIDS names, and the files that a dataset needs."""

import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from efface.dates import OLDEST_AGE
from efface.description import describe
from efface.errors import UsageError
from efface.files import private_folder
from efface.tables import write_json, write_tsv

OUTCOME = ("series", "modality", "files", "image", "decision", "reason")

_SEX = {"Description": "Sex as recorded", "Levels": {"F": "female", "M": "male", "O": "other"}}
_DAY = "Day of the session, not the true one: shifted for each person"
_STRETCHED = (
    "Day of the session, not the true one: shifted, and intervals changed by a factor, for each person"
)


@dataclass
class Table:
    """Rows of a table of the dataset, and what its JSON file says of the columns besides participant_id."""

    rows: list[dict]
    columns: dict[str, dict]


@dataclass
class Outcome:
    """What became of a series or of one image of it: released, held or dropped, and why."""

    series: str
    modality: str
    files: str
    image: str
    decision: str
    reason: str


def outcome(row: dict[str, str], proof: dict | None, check: dict | None, rejected: str = "") -> Outcome:
    """Return what became of a row of the plan, from what the proof and the check of its image say.

    Parameters
    ----------
    rejected : str
        Why a person rejected the image, if one did.
    """
    decision, reasons = row["decision"], [row["reason"]]
    if decision == "convert":
        decision = "held"
        if proof is None or proof["decision"] != "proved":
            reasons = proof["reasons"] if proof else ["conversion gave no proof"]
        elif check is None or check["decision"] not in ("defaced", "no_face"):
            reasons = check["reasons"] if check else ["defacing gave no measures"]
        elif rejected:
            reasons = [rejected]
        else:
            decision = "release"
            reasons = ["proved, no face in view" if check["decision"] == "no_face" else "proved, defaced"]
    reason = "; ".join(reasons)
    return Outcome(row["series"], row["modality"], row["files"], row["image"], decision, reason)


def participants(people: list[dict], chosen: dict, imported: Table | None) -> Table:
    """Return participants.tsv: what is released of the headers, and the columns of a clinical table.

    Parameters
    ----------
    people : list of dict
        Rows of the plan with participant_id, age, sex, weight and size.
    chosen : dict
        The configuration's `participants`.

    Raises
    ------
    UsageError
        When a column of the clinical table is released from the headers too.
    """
    columns = _columns(chosen)
    twice = sorted(set(columns) & set(imported.columns if imported else ()))
    if twice:
        raise UsageError(
            f"participants.table, column {twice[0]}",
            expected="a column that the headers do not give",
            found="both",
            todo=f"set participants.{twice[0]} to false or rename the column",
        )
    beside = {row["participant_id"]: row for row in imported.rows} if imported else {}
    rows = []
    for person in people:
        label = person["participant_id"]
        row = {name: person[name] for name in columns} | beside.get(label, {})
        rows.append({"participant_id": label} | row)
    columns |= imported.columns if imported else {}
    rows = [{name: row.get(name) or "n/a" for name in ("participant_id", *columns)} for row in rows]
    return Table(rows, columns)


def _columns(chosen: dict) -> dict[str, dict]:
    width = chosen["age_bin"]
    binned = f", as the youngest year of a bin of {width} years" * (width > 1)
    age = f"Age at the first session{binned}; {OLDEST_AGE} stands for {OLDEST_AGE} and older"
    known = {
        "age": {"Description": age, "Units": "year"},
        "sex": _SEX,
        "weight": {"Description": f"Weight, rounded to {chosen['weight']} kg", "Units": "kg"},
        "size": {"Description": f"Height, rounded to {chosen['size']} cm", "Units": "cm"},
    }
    return {name: described for name, described in known.items() if chosen[name]}


def stage(bids: Path, images: list[dict], people: Table, phenotype: dict[str, Table], config: dict) -> None:
    """Write the dataset.

    Parameters
    ----------
    bids : Path
        The folder; it is replaced as a whole, so that nothing stale stays.
    images : list of dict
        Records of the plan with the path of `volume`, the `sidecar` (a dict) and the paths of `gradients`
        (.bval and .bvec, or none).
    people : Table
        From `participants`; only those with an image are written.
    phenotype : dict of str to Table
        By name; rows of people without an image are left out too.
    config : dict
        The configuration.
    """
    beside = bids.with_name(f".{bids.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    private_folder(beside)
    _write_images(beside, images)
    _write_sessions(beside, images, config["dates"]["mode"])
    shown = {f"sub-{image['subject']}" for image in images}
    _write_table(beside / "participants.tsv", people, shown)
    for name, table in phenotype.items():
        _write_table(beside / "phenotype" / f"{name}.tsv", table, shown)
    describe(beside, config)
    shutil.rmtree(bids, ignore_errors=True)
    beside.rename(bids)


def _write_images(bids: Path, images: list[dict]) -> None:
    for image in images:
        folder = bids / f"sub-{image['subject']}" / f"ses-{image['session']}" / image["datatype"]
        private_folder(folder)
        shutil.copyfile(image["volume"], folder / f"{image['image']}.nii.gz")
        write_json(folder / f"{image['image']}.json", image["sidecar"])
        for gradients in image["gradients"]:
            shutil.copyfile(gradients, folder / f"{image['image']}{gradients.suffix}")


def _write_sessions(bids: Path, images: list[dict], mode: str) -> None:
    """Write scans.tsv and sessions.tsv; BIDS marks shifted days by years before 1925 ("Scans file")."""
    of_subject = defaultdict(lambda: defaultdict(list))
    for image in images:
        of_subject[image["subject"]][image["session"]].append(image)
    dated = ["acq_time"] * any(image["day"] for image in images)
    described = {
        "acq_time": {"Description": _STRETCHED if mode == "proportional" else _DAY},
        "period": {"Description": "Span of years that the session lies in"},
    }
    period = ["period"] * any(image["period"] for image in images)
    for subject, sessions in of_subject.items():
        folder, rows = bids / f"sub-{subject}", []
        for label, scans in sorted(sessions.items(), key=lambda item: (len(item[0]), item[0])):
            # Several studies of one day are one session: they share the day.
            row = {"session_id": f"ses-{label}", "period": scans[0]["period"] or "n/a"}
            rows.append(row | {"acq_time": _time(scans[0]["day"])})
            path = folder / f"ses-{label}" / f"sub-{subject}_ses-{label}_scans.tsv"
            names = [
                {"filename": f"{one['datatype']}/{one['image']}.nii.gz", "acq_time": _time(one["day"])}
                for one in sorted(scans, key=lambda one: (one["datatype"], one["image"]))
            ]
            _write_columns(path, names, ["filename", *dated], described)
        _write_columns(
            folder / f"sub-{subject}_sessions.tsv", rows, ["session_id", *dated, *period], described
        )


def _time(day: str) -> str:
    return f"{day}T00:00:00" if day else "n/a"


def _write_columns(path: Path, rows: list[dict], columns: list[str], described: dict) -> None:
    write_tsv(path, [{column: row[column] for column in columns} for row in rows], columns)
    if shown := {column: described[column] for column in columns if column in described}:
        write_json(path.with_suffix(".json"), shown)


def _write_table(path: Path, table: Table, shown: set[str]) -> None:
    rows = [row for row in table.rows if row["participant_id"] in shown]
    write_tsv(path, rows, ["participant_id", *table.columns])
    write_json(path.with_suffix(".json"), table.columns)
