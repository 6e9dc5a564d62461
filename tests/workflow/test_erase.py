"""A person erased after a run: nothing is left; the next run brings nobody back and redoes nobody else."""

import re
import shutil
import subprocess
import sys

import pydicom
import pytest
import yaml

from efface.tables import read_tsv
from study import Workflow, tree


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Return a function that runs the workflow on one series of each of the demo's two people."""
    folder = tmp_path_factory.mktemp("erase")
    (folder / "workflow").mkdir()
    workflow = Workflow.copied(folder / "workflow")
    subprocess.run(
        [sys.executable, workflow.folder / "scripts" / "make_demo.py", folder / "demo"], check=True
    )
    for number, path in enumerate(("CD_*/DICOM/PA000001/ST000001", "WHIT*/export*/Study 20180918")):
        (visit,) = (folder / "demo" / "dicom").glob(path)
        (series,) = (one for one in visit.iterdir() if len(list(one.iterdir())) == 32)
        shutil.copytree(series, folder / "input" / str(number))
    (folder / "config.yaml").write_text(yaml.safe_dump({"dataset": {"name": "Heads"}}))

    def efface(*arguments):
        return workflow.efface(*arguments, "--work", folder / "work")

    def run(*arguments):
        given = ("--config", folder / "config.yaml", "--work", folder / "work", "--cores", "1", *arguments)
        result = workflow.efface("run", folder / "input", folder / "release", *given)
        log = (folder / "work" / "logs" / "snakemake.log").read_text()
        return result, set(re.findall(r"^(?:local)?(?:rule|checkpoint) (\w+):", log, re.MULTILINE))

    return folder, efface, run


def test_r29_r37_r76_a_person_is_looked_up_erased_and_stays_away(study):
    folder, efface, run = study
    result, _ = run()
    assert result.code == 0, result.said
    header = pydicom.dcmread(next((folder / "input" / "0").iterdir()), stop_before_pixels=True)
    people = [row["participant_id"] for row in read_tsv(folder / "release" / "participants.tsv")]
    told = {one: efface("lookup", one).said.strip() for one in people}
    (gone,) = (
        one for one, source in told.items() if source in header.PatientID.replace("-", "").replace(" ", "")
    )
    (other,) = set(people) - {gone}
    before = tree(folder / "release")

    result = efface("erase", header.PatientID)
    assert result.code == 0, result.said
    assert "Erased: 1 published images" in result.said
    after = tree(folder / "release")
    assert not [name for name in after if gone in name]
    assert {name: data for name, data in after.items() if other in name} == {
        name: data for name, data in before.items() if other in name
    }
    result = efface("lookup", gone)
    assert (result.code, result.said.count("\n")) == (1, 1), result.said
    assert "was erased" in result.said

    # The scans are still in the input; what was made of the other's is not made again.
    result, ran = run("--", "--dry-run")
    assert result.code == 0, result.said
    assert "stage_bids" in ran
    assert not {"make_key", "index_series", "plan_images", "convert_series", "deface_image"} & ran
    result, ran = run("--", "--forcerun", "index_series")
    assert result.code == 0, result.said
    assert {"index_series", "plan_images"} <= ran
    assert not {"make_key", "convert_series", "deface_image"} & ran
    # The record counts anew; no image and no table of the release changes, and nobody is brought back.
    again = tree(folder / "release")
    assert again.keys() == after.keys()
    assert {name for name in again if again[name] != after[name]} <= {"MANIFEST.tsv", "release_record.json"}
    for top in ("work", "release"):
        said = b"\n".join([*map(str.encode, tree(folder / top)), *tree(folder / top).values()])
        assert gone.encode() not in said
    _, ran = run()
    assert ran <= {"all"}, ran
