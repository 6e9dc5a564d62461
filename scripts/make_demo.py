"""Write DICOM of two invented people and clinical tables, with identifiers planted in every kind of place."""

import argparse
import shutil
from pathlib import Path

from demo_dicom import clinic, head, planted, study
from demo_dicom.people import PEOPLE, UID_ROOT
from efface import tables
from efface.errors import UsageError, guarded, leave
from efface.files import replacing

ATLAS = Path(__file__).resolve().parents[1] / "workflow" / "atlas"
CONFIG = """\
# The demo's configuration; input, release and work folder are given on the command line.
dataset:
  name: Demo heads
  authors: [The efface developers]
  license: CC0
  ethics: none is needed, nobody is real
task: rest
level: 6
participants:
  table: clinic/people.csv
  dictionary: clinic/people.yaml
phenotype:
  - {name: attention, table: clinic/attention.csv, dictionary: clinic/attention.yaml}
"""


def parser() -> argparse.ArgumentParser:
    """Return the command line of this step."""
    line = argparse.ArgumentParser(prog="make_demo", description=__doc__)
    line.add_argument("folder", type=Path, help="gets dicom/, clinic/, planted.json and config.yaml")
    return line


def main(argv: list[str] | None = None) -> int:
    """Make the demo's input; an earlier one is replaced, anything else in the folder stays."""
    folder = parser().parse_args(argv).folder
    dicom, mark = folder / "dicom", folder / "planted.json"
    if dicom.exists() and not mark.exists():
        raise UsageError(
            "the demo folder holds a folder dicom that this program did not make", todo="choose another"
        )
    shutil.rmtree(dicom, ignore_errors=True)
    tables.write_json(mark, [])  # marks the folder as ours, should the program be stopped in the middle
    atlas = head.load(ATLAS)
    found = [{"value": UID_ROOT, "where": "root of all UIDs"}]
    for person in PEOPLE:
        found += study.write(dicom, person, head.make(atlas, person.face))
    found += clinic.write(folder / "clinic")
    tables.write_json(mark, planted.unique(found))
    with replacing(folder / "config.yaml") as beside:
        beside.write_text(CONFIG, encoding="utf-8")
    return 0


if __name__ == "__main__":
    leave(guarded(main))
