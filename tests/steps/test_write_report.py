import staged
import write_report
from efface.audit import COLUMNS
from efface.tables import write_json, write_tsv


def run(work, *findings):
    write_tsv(work / "findings.tsv", findings, COLUMNS)
    arguments = {"outcome": work / "outcome.tsv", "findings": work / "findings.tsv", "checks": work / "check"}
    write_json(work / "bids" / "release_record.json", staged.record())
    arguments |= {"proofs": work / "proof", "bids": work / "bids", "release": work / "release"}
    arguments |= {"out": work / "report/index.html", "public": work / "report/release_report.html"}
    write_report.main([text for name, value in arguments.items() for text in (f"--{name}", str(value))])
    return [(work / "report" / name).read_text() for name in ("index.html", "release_report.html")]


def test_writes_both_pages_for_their_owner_only(tmp_path):
    staged.dataset(tmp_path)
    private, public = run(tmp_path)
    assert "Private report" in private
    assert "Demo heads" in public
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "report").iterdir()} == {0o600}


def test_refused_dataset_says_so(tmp_path):
    staged.dataset(tmp_path)
    private, public = run(tmp_path, {"check": "rule", "severity": "block", "file": "x", "what": "a date"})
    assert "Nothing is published" in private
    assert "not released" in public
