import pytest

import audit_release
import staged
from efface.errors import guarded
from efface.tables import read_json, read_tsv, write_json, write_tsv


@pytest.fixture
def run(tmp_path):
    staged.dataset(tmp_path)

    def run(*more):
        arguments = {name: tmp_path / f"{name}.tsv" for name in ("identifiers", "outcome", "findings")}
        arguments |= {
            "bids": tmp_path / "bids",
            "policy": tmp_path / "policy.yaml",
            "checks": tmp_path / "check",
        }
        argv = [text for name, value in arguments.items() for text in (f"--{name}", str(value))]
        code = guarded(lambda: audit_release.main([*argv, *more]))
        return code, read_tsv(tmp_path / "findings.tsv") if code == 0 else None

    return run


def sidecar(tmp_path):
    return tmp_path / "bids" / staged.FOLDER / f"{staged.IMAGE}.json"


def test_clean_dataset_gives_a_table_without_rows(run):
    assert run() == (0, [])


def test_r23_without_an_ethics_reference_there_is_a_warning(run, tmp_path):
    path = tmp_path / "bids" / "dataset_description.json"
    write_json(path, {name: value for name, value in read_json(path).items() if name != "EthicsApprovals"})
    (finding,) = run()[1]
    assert (finding["severity"], finding["where"]) == ("warn", "key EthicsApprovals")
    assert "dataset.ethics" in finding["advice"]


def test_the_key_and_the_crosswalk_are_looked_for(run, tmp_path):
    (tmp_path / "secret").write_text("5d" * 32)
    row = {
        "participant_id": "sub-4f2a9c",
        "source_id": "ZZ881",
        "birth_date": "",
        "first_session": "2011-02-03",
    }
    write_tsv(tmp_path / "crosswalk.tsv", [row], list(row))
    more = ("--keys", str(tmp_path / "secret"), f"--crosswalk={tmp_path / 'crosswalk.tsv'}")
    assert run(*more) == (0, [])
    (tmp_path / "bids" / "README.md").write_text(f"{staged.README}{'5D' * 32} of zz-881\n")
    assert {row["severity"] for row in run(*more)[1]} == {"block"}
    assert {row["what"].split(" of ")[0] for row in run(*more)[1]} >= {"id"}


def test_a_false_alarm_is_allowed_with_its_reason(run, tmp_path):
    (tmp_path / "bids" / "README.md").write_text(staged.README + "Åkerström\n")
    (found,) = run()[1]
    row = {name: found[name] for name in ("check", "file", "where", "what")}
    write_tsv(tmp_path / "allow.tsv", [row | {"reason": "the donor of the scanner"}], [*row, "reason"])
    (allowed,) = run(f"--allow={tmp_path / 'allow.tsv'}")[1]
    assert (allowed["severity"], allowed["advice"]) == ("allowed", "the donor of the scanner")


def test_finding_is_no_failure(run, tmp_path):
    (tmp_path / "bids" / "README.md").write_text(staged.README + "Åkerström\n")
    code, findings = run()
    assert code == 0
    assert [(row["severity"], row["file"], row["where"]) for row in findings] == [
        ("block", "README.md", "line 5")
    ]
    assert "kerstr" not in str(findings)


def test_keys_of_the_configuration_need_its_plan(run, tmp_path):
    write_json(sidecar(tmp_path), {"Modality": "MR", "TracerName": "FDG"})
    assert [row["where"] for row in run()[1]] == ["key number 2"]
    write_json(tmp_path / "plan" / f"{staged.IMAGE}.json", {"metadata": {"TracerName": "FDG"}})
    assert run("--plan", str(tmp_path / "plan")) == (0, [])


def test_policy_without_keys_is_refused(run, tmp_path, capsys):
    (tmp_path / "policy.yaml").write_text("keys: {}\n")
    assert run()[0] == 1
    assert "policy policy.yaml: expected keys" in capsys.readouterr().err
