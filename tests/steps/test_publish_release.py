import errno
import json

import pytest

import publish_release
import staged
from efface import publish
from efface.audit import COLUMNS
from efface.errors import guarded
from efface.tables import write_tsv


@pytest.fixture
def run(tmp_path):
    bids = staged.dataset(tmp_path)

    def run(*findings, release=tmp_path / "release", more=()):
        write_tsv(tmp_path / "findings.tsv", findings, COLUMNS)
        arguments = {"bids": bids, "findings": tmp_path / "findings.tsv", "outcome": tmp_path / "outcome.tsv"}
        arguments |= {"release": release, "record": tmp_path / "publish/record.json"}
        argv = [text for name, value in arguments.items() for text in (f"--{name}", str(value))]
        return guarded(lambda: publish_release.main([*argv, *more]))

    return run


def test_publishes_and_records(run, tmp_path):
    assert run({"severity": "warn", "file": "README.md"}) == 0
    record = json.loads((tmp_path / "publish/record.json").read_text())
    assert record["decisions"] == {"dropped": 1, "held": 1, "release": 1}
    assert record["findings"] == {"warn": 1}
    assert record["files"] == len((tmp_path / "release/MANIFEST.tsv").read_text().splitlines()) - 1


@pytest.mark.parametrize("empty_folder", [False, True])
def test_refuses_in_one_line(run, tmp_path, capsys, empty_folder):
    if empty_folder:
        (tmp_path / "release").mkdir()
    assert run({"severity": "block", "file": "x"}, {"severity": "block", "file": "x"}) == 1
    said = capsys.readouterr().err
    assert said.startswith("efface: nothing is published: ")
    assert "found 2 in 1 file; see " in said
    assert said.count("\n") == 1
    assert not (tmp_path / "release").exists()
    assert not (tmp_path / "publish").exists()


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "is read-only"), (errno.EACCES, "permission")],
)
def test_disk_that_takes_nothing_is_one_line(run, tmp_path, capsys, monkeypatch, number, advice):
    def closed(*_):
        raise OSError(number, "")

    monkeypatch.setattr(publish, "_copy", closed)
    (tmp_path / "release").mkdir()
    assert run() == 1
    said = capsys.readouterr().err
    assert advice in said
    assert said.count("\n") == 1
    assert not (tmp_path / "release").exists()


def test_place_without_a_folder_above_is_made(run, tmp_path):
    assert run(release=tmp_path / "a" / "b") == 0
    assert (tmp_path / "a" / "b" / "README.md").is_file()


def test_changed_dataset_is_refused(run, tmp_path, capsys):
    write_tsv(tmp_path / "staged.tsv", [{"path": "README.md", "sha256": "0"}], ("path", "sha256"))
    assert run(more=["--staged", str(tmp_path / "staged.tsv")]) == 1
    assert "expected the dataset as it was staged" in capsys.readouterr().err
    assert not (tmp_path / "release").exists()
