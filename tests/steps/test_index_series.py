"""The step: scans of whoever was erased are counted, and nothing of them is written down."""

import shutil

import pydicom
import pytest

import index_series
from efface import tombstones
from efface.errors import EffaceError, UsageError
from efface.identity import load_or_make_key
from efface.tables import read_json, read_tsv
from phantom import centred, make_series

SHAPE = (8, 8, 10)


@pytest.fixture
def study(tmp_path):
    """Return a function that indexes scans of two people, one of whom was erased."""
    for folder, identifier in (("Whitlock_Harold", "MRN 7734421"), ("b", "KX-55102")):
        uids = {"StudyInstanceUID": f"1.2.{len(folder)}", "SeriesInstanceUID": f"1.2.{len(folder)}.1"}
        place = {"shape": SHAPE, "world_from_voxel": centred(SHAPE, (8, 8, 8))}
        make_series(tmp_path / "input" / folder, **place, **uids, PatientID=identifier, PatientName="A^B")
    tombstones.add(tmp_path / "erased.tsv", load_or_make_key(tmp_path / "key"), "MRN7734421", "ab")

    def run(workers=1):
        given = [f"--input={tmp_path / 'input'}", f"--key={tmp_path / 'key'}", f"--out={tmp_path / 'index'}"]
        index_series.main([*given, f"--erased={tmp_path / 'erased.tsv'}", f"--workers={workers}"])
        return tmp_path / "index"

    run.folder = tmp_path
    return run


def left(index):
    return "".join(path.name + path.read_text() for path in index.rglob("*") if path.is_file())


@pytest.mark.parametrize("workers", [1, 2])
def test_r76_an_erased_person_is_counted_and_not_indexed(study, workers, monkeypatch):
    monkeypatch.setattr("efface.index._CHUNK", 3)
    index = study(workers)
    assert len(read_tsv(index / "series.tsv")) == len(read_json(index / "attributes.json")) == 1
    assert read_tsv(index / "skipped.tsv") == [
        {"path": "10 files", "reason": "of a person who was erased", "held": ""}
    ]
    assert not any(text in left(index) for text in ("7734421", "Whitlock"))


@pytest.mark.parametrize("spelt", ["mrn-7734421", " MRN7734421", "MRN 7734421\\OTHER"])
def test_r76_an_erased_person_is_known_in_any_spelling_and_beside_another_id(study, spelt):
    for path in (study.folder / "input" / "Whitlock_Harold").iterdir():
        header = pydicom.dcmread(path)
        header.PatientID = spelt
        header.save_as(path)
    assert "7734421" not in left(study())


def test_one_file_of_an_erased_person_in_anothers_series_is_left_out_alone(study):
    path = sorted((study.folder / "input" / "b").iterdir())[0]
    header = pydicom.dcmread(path)
    header.PatientID = "MRN 7734421"
    header.save_as(path)
    index = study()
    (row,) = read_tsv(index / "series.tsv")
    assert row["files"] == "9"
    assert read_tsv(index / "skipped.tsv")[0]["path"] == "11 files"


def test_with_nobody_else_in_the_input_the_reason_is_said(study):
    shutil.rmtree(study.folder / "input" / "b")
    with pytest.raises(EffaceError, match="found none but those of people who were erased"):
        study()


def test_r76_another_key_is_refused_for_it_knows_nobody_again(study):
    (study.folder / "key").write_text("ab" * 32)
    with pytest.raises(UsageError, match=r"erased\.tsv, row 2"):
        study()


def test_a_damaged_tombstone_is_refused(study):
    table = study.folder / "erased.tsv"
    head, row = table.read_text().splitlines()
    table.write_text(f"{head}\n{row[1:]}\n")
    with pytest.raises(UsageError, match="a damaged row"):
        study()
