"""The step: a private table, a registry to put in place, and a log of rounds."""

import stat

import pytest

import queue_review
from efface.errors import guarded
from efface.settings import WORKFLOW
from efface.tables import read_tsv, write_json, write_tsv

SERIES = {
    "Modality": ["MR"],
    "Manufacturer": ["GE MEDICAL SYSTEMS"],
    "ManufacturerModelName": ["Signa HDxt"],
    "SoftwareVersions": ["24\\LX\\MR"],
    "ScanOptions": ["FAST_GEMS"],
    "SeriesDescription": ["Head Åkerström"],
}


@pytest.fixture
def run(tmp_path):
    """Return a function that runs the step and gives its exit code and the queue."""
    write_json(tmp_path / "index" / "attributes.json", {"a": SERIES, "b": {"Modality": ["SR"]}})
    planned = [{"series": "a", "image": "sub-x_T1w"}, {"series": "b", "image": ""}]
    write_tsv(tmp_path / "plan" / "images.tsv", planned, ("series", "image"))
    doubt = {"series": "b", "attribute": "PatientAge", "values": "041Y | 1942", "reason": "they disagree"}
    write_tsv(tmp_path / "plan" / "doubts.tsv", [doubt], tuple(doubt))

    def run(*more):
        arguments = {name: tmp_path / name for name in ("index", "plan")}
        arguments |= {
            "policy": WORKFLOW / "policies" / "minimal.yaml",
            "vocabulary": WORKFLOW / "vocabulary.yaml",
            "doubts": tmp_path / "plan" / "doubts.tsv",
            "out": tmp_path / "review" / "queue.tsv",
            "proposal": tmp_path / "review" / "scanners.yaml",
        }
        argv = [text for name, value in arguments.items() for text in (f"--{name}", str(value))]
        code = guarded(lambda: queue_review.main([*argv, *more]))
        return code, read_tsv(arguments["out"])

    return run


def kinds(rows):
    return {row["kind"] for row in rows}


def test_r04_the_proposal_put_in_place_leaves_no_scanner_and_no_value(run, tmp_path):
    code, rows = run()
    assert code == 0
    assert kinds(rows) == {"scanner", "value", "text", "age"}
    registry = tmp_path / "scanners.yaml"
    (tmp_path / "review" / "scanners.yaml").rename(registry)
    code, rows = run("--scanners", str(registry))
    assert (code, kinds(rows)) == (0, {"text", "age"})
    assert (tmp_path / "review" / "scanners.yaml").read_text() == registry.read_text()
    rounds = read_tsv(tmp_path / "review" / "rounds.tsv")
    assert [(row["round"], row["scanner"], row["text"]) for row in rounds] == [
        ("1", "1", "1"),
        ("2", "0", "1"),
    ]


def test_the_same_again_gives_the_same_bytes_and_no_round(run, tmp_path):
    run()
    before = {path.name: path.read_bytes() for path in (tmp_path / "review").iterdir()}
    run()
    assert {path.name: path.read_bytes() for path in (tmp_path / "review").iterdir()} == before


def test_all_is_private(run, tmp_path):
    run()
    for path in (tmp_path / "review").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "review").stat().st_mode) == 0o700


def test_r36_what_was_typed_is_in_the_queue_and_in_no_message(run, capfd):
    _, rows = run()
    (row,) = (row for row in rows if row["kind"] == "text")
    assert (row["value"], row["suggestion"]) == ("Head Åkerström", "BodyPart head")
    assert "kerstr" not in "".join(capfd.readouterr())


def test_below_level_4_no_value_serves_the_label(run, tmp_path):
    write_json(tmp_path / "index" / "attributes.json", {"a": SERIES | {"BodyPartExamined": ["SMITH"]}})
    assert "BodyPartExamined" in {row["attribute"] for row in run()[1]}
    assert "BodyPartExamined" not in {row["attribute"] for row in run("--level", "3")[1]}


def test_a_wrong_registry_is_refused_without_a_value_of_it(run, tmp_path, capsys):
    run()
    registry = tmp_path / "scanners.yaml"
    registry.write_text("- {manufacturer: Norrvik, model: a, sofware: b}\n")
    assert run("--scanners", str(registry))[0] == 2
    said = capsys.readouterr().err
    assert "did you mean 'software'" in said and "Norrvik" not in said
