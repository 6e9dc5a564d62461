"""The whole way on the demo: released, valid, without a trace of what was planted, and the same again."""

import base64
import gzip
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pydicom
import pytest
import yaml

from efface.tables import read_tsv
from study import traces, tree

BIN = Path(sys.executable).parent


def test_r06_r14_everything_is_released_or_dropped_with_a_row_and_a_reason(demo):
    assert demo.result.code == 0, demo.result.said
    rows = read_tsv(demo.work / "outcome.tsv")
    indexed = {row["series"].split(".")[0] for row in read_tsv(demo.work / "index" / "series.tsv")}
    assert len(rows) == len(indexed) == 24
    assert all(row["reason"] for row in rows)
    decisions = sorted((row["decision"], row["image"].rpartition("_")[2]) for row in rows)
    expected = [("dropped", "")] * 12 + [
        ("release", suffix) for suffix in ("T1w", "T2w", "bold") for _ in range(4)
    ]
    assert decisions == expected
    for row in rows:
        assert row["series"] in demo.result.said


def test_the_release_is_valid_bids(demo):
    validator = [BIN / "bids-validator-deno", demo.release, "--format", "json"]
    done = subprocess.run(validator, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_r39_the_manifest_lists_every_file_with_its_digest(demo):
    rows = read_tsv(demo.release / "MANIFEST.tsv")
    assert {row["path"] for row in rows} == set(tree(demo.release)) - {"MANIFEST.tsv"}
    sums = "".join(f"{row['sha256']}  {row['path']}\n" for row in rows)
    done = subprocess.run(["sha256sum", "--check", "--quiet"], cwd=demo.release, input=sums, text=True)
    assert done.returncode == 0


def test_r20_r48_r56_no_planted_value_is_in_the_release_the_public_report_or_what_was_said(demo):
    planted = json.loads((demo.release.parent / "planted.json").read_text())
    assert len(planted) >= 81
    places = {str(path): data for path, data in tree(demo.release).items()}
    places |= {
        f"{name}, unpacked": gzip.decompress(data) for name, data in places.items() if name.endswith(".gz")
    }
    places["names of files"] = "\n".join(places).encode()
    # Base64 holds any short word by chance, in one case or another: what it stands for is searched.
    report = (demo.work / "report" / "release_report.html").read_bytes()
    places["public report"] = re.sub(rb"base64,[A-Za-z0-9+/=]+", b"", report)
    pictures = re.findall(rb"base64,([A-Za-z0-9+/=]+)", report)
    places["pictures of the public report"] = b"".join(map(base64.b64decode, pictures))
    places["terminal"] = demo.result.said.encode()
    places["job names, params and messages of Snakemake"] = (
        demo.work / "logs" / "snakemake.log"
    ).read_bytes()
    assert {name: found for name, data in places.items() if (found := traces(planted, data))} == {}


def test_the_search_for_planted_values_finds_them(demo):
    planted = json.loads((demo.release.parent / "planted.json").read_text())
    source = b"".join(path.read_bytes() for path in demo.dicom.rglob("*") if path.is_file())
    assert len(traces(planted, source)) > 0.8 * len(planted)


def test_r56_private_is_private_and_the_release_is_not(demo):
    for path in [demo.work, *demo.work.rglob("*")]:
        if ".snakemake" not in path.parts and not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    for path in [demo.release, *demo.release.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path
    assert len({path.stat().st_mtime for path in demo.release.rglob("*")}) == 1


def test_the_input_is_as_it_was(demo):
    assert {path: path.stat().st_mtime_ns for path in demo.dicom.rglob("*")} == demo.before


def test_undefaced_images_are_gone(demo):
    assert list((demo.work / "nifti").glob("*.nii.gz")) == []


def test_r41_a_second_run_has_nothing_to_do_and_changes_nothing(demo):
    before = tree(demo.release)
    result = demo.run()
    assert result.code == 0
    assert "Nothing to be done" in (demo.work / "logs" / "snakemake.log").read_text()
    assert tree(demo.release) == before


def touched(demo):
    for path in demo.workflow.folder.rglob("*.py"):
        path.touch()
    for path in (demo.work / "index").rglob("*.t*"):
        path.touch()


def edited(*modules):
    def edit(demo):
        for name in modules:
            path = demo.workflow.folder / "scripts" / name
            path.write_text(path.read_text() + "\n# edited\n")

    edit.__name__ = " ".join(modules)
    return edit


IMAGE_RULES = {"convert_series", "deface_image"}
AFTER = {"stage_bids"}


@pytest.mark.parametrize(
    ("change", "runs", "does_not"),
    [
        (touched, set(), None),
        (edited("efface/identifiers.py"), {"index_series"}, {"make_key"}),
        (edited("efface/classify.py"), {"plan_images"}, {"index_series"}),
        (edited("efface/proof.py"), IMAGE_RULES, {"index_series", "plan_images"}),
        (edited("efface/measure.py"), IMAGE_RULES, {"index_series", "plan_images"}),
        (edited("efface/bids.py"), AFTER, {"index_series", "plan_images"} | IMAGE_RULES),
        (edited("efface/audit/words.py"), {"audit_release"}, {"stage_bids"} | IMAGE_RULES),
        (edited("efface/report.py"), {"write_report"}, {"audit_release", "publish_release"} | IMAGE_RULES),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_what_a_change_runs_again(demo, change, runs, does_not):
    saved = {path: path.read_bytes() for path in demo.workflow.folder.rglob("*.py")}
    try:
        change(demo)
        result = demo.plain("--dry-run")
    finally:
        for path, data in saved.items():
            path.write_bytes(data)
    assert result.code == 0, result.said
    if does_not is None:
        assert set(result.rules) == set(), result.said
    else:
        assert runs <= set(result.rules), result.said
        assert not does_not & set(result.rules), result.said


def test_snakemake_itself_gives_the_same_bytes(demo, tmp_path):
    """One person's first visit, by the plain command on one core, under the key of the whole study."""
    (visit,) = demo.dicom.glob("CD_*/DICOM/PA000001/ST000001")
    folders = {"input": visit, "release": tmp_path / "release", "work": tmp_path / "work"}
    config = demo.elsewhere(**{name: str(path) for name, path in folders.items()})
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(config))
    result = demo.workflow.snakemake("--cores", "1", "--configfile", tmp_path / "study.yaml", cwd=tmp_path)
    assert result.code == 0, result.said
    assert result.rules.count("convert_series") == result.rules.count("deface_image") == 3
    again = {name: data for name, data in tree(tmp_path / "release").items() if "ses-1/" in name}
    assert len(again) == 7
    assert {name: data for name, data in tree(demo.release).items() if name in again} == again


def test_a_killed_run_is_taken_up_again_and_gives_the_same_bytes(demo, tmp_path):
    (visit,) = demo.dicom.glob("CD_*/DICOM/PA000001/ST000001")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(demo.elsewhere()))
    release, work = tmp_path / "release", tmp_path / "work"
    arguments = ("run", visit, release, "--work", work, "--config", tmp_path / "study.yaml", "--cores", "1")
    running = demo.workflow.started(*arguments)
    while not list(work.glob("proof/*.json")):
        assert running.poll() is None
        time.sleep(0.05)
    meanwhile = demo.workflow.efface(*arguments)
    assert (meanwhile.code, meanwhile.said.count("\n")) == (1, 1), meanwhile.said
    assert "another run is at work" in meanwhile.said
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not release.exists()
    again = demo.workflow.efface(*arguments)
    assert again.code == 0, again.said
    made = {name: data for name, data in tree(release).items() if "ses-1/" in name}
    assert len(made) == 7
    assert {name: data for name, data in tree(demo.release).items() if name in made} == made


def test_r77_a_new_series_joins_its_subject_and_runs_only_itself(demo):
    """Last in this file: the demo grows."""
    (visit,) = demo.dicom.glob("CD_*/DICOM/PA000001/ST000002")
    (series,) = (folder for folder in visit.iterdir() if len(list(folder.iterdir())) == 32)
    for path in sorted(series.iterdir()):
        header = pydicom.dcmread(path)
        header.SeriesInstanceUID += ".7"
        header.SOPInstanceUID += ".7"
        header.SeriesTime = "235900"
        (demo.dicom / "later").mkdir(exist_ok=True)
        header.save_as(demo.dicom / "later" / path.name, enforce_file_format=True)
    before = tree(demo.release)
    result = demo.run("--", "--forcerun", "index_series")
    assert result.code == 0, result.said
    ran = re.findall(
        r"^(?:local)?rule (\w+):", (demo.work / "logs" / "snakemake.log").read_text(), re.MULTILINE
    )
    assert (ran.count("convert_series"), ran.count("deface_image")) == (1, 1)
    after = tree(demo.release)
    added = [name for name in after if name not in before]
    assert [re.sub("sub-[a-z2-7]{8}", "sub-x", name).rpartition("/")[2] for name in added] == [
        "sub-x_ses-2_run-2_T2w.json",
        "sub-x_ses-2_run-2_T2w.nii.gz",
    ]
    changed = {name for name in before if after[name] != before[name]}
    told = {"CHANGES", "MANIFEST.tsv", "record.json", "scans.tsv"}
    assert {name.rpartition("_")[2] for name in changed} == told
    assert after["CHANGES"].decode() == (
        "1.1.0\n  - Added: 1 image of 1 subject.\n\n1.0.0\n  - First release.\n"
    )
