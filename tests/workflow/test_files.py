"""The workflow's files: formatted, linted, and refused in one line when the configuration is wrong."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conftest import REPOSITORY
from phantom import centred, make_series
from study import Workflow

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    return Workflow.copied(tmp_path_factory.mktemp("workflow"))


@pytest.fixture(scope="module")
def dicom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("input")
    make_series(folder / "a", shape=(8, 8, 8), world_from_voxel=centred((8, 8, 8), (8, 8, 8)))
    return folder


def configured(folder, dicom, **changes):
    config = {"input": str(dicom), "release": str(folder / "release"), "work": str(folder / "work")}
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(config | {"dataset": {"name": "Heads"}} | changes))
    return path


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "format", "--check", "scripts", "tests", "bench"),
        ("ruff", "check", "scripts", "tests", "bench"),
        ("snakefmt", "--check", "Snakefile", "workflow"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_formatting_and_lint(command):
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_snakemake_lint_is_clean(workflow, dicom, tmp_path):
    result = workflow.snakemake("--lint", "--configfile", configured(tmp_path, dicom))
    assert result.code == 0, result.said


SITUATIONS = {
    "least": {},
    "all keys": {
        "task": "rest",
        "participants": {"age": False, "sex": True},
        "policy": "research",
        "metadata": {"pet": {"TracerName": "it's FDG; echo"}},
        "dataset": {
            "name": "It's 'quoted' $HOME",
            "authors": ["Ada Example"],
            "license": "CC0",
            "ethics": "1",
        },
    },
    "no participants' columns": {"participants": {"age": False, "sex": False}},
}


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("profile", ["default", "slurm"])
def test_dry_runs(workflow, dicom, tmp_path, situation, profile):
    config = configured(tmp_path, dicom, **SITUATIONS[situation])
    arguments = ("--workflow-profile", workflow.folder / "profiles" / profile, "--configfile", config, "-n")
    result = workflow.snakemake(*arguments, *(() if profile == "slurm" else ("--cores", "2")), cwd=tmp_path)
    assert result.code == 0, result.said
    assert {"make_key", "index_series", "plan_images"} <= set(result.rules)
    assert not (tmp_path / "release").exists()


def test_a_misspelt_key_is_refused_with_the_nearest_right_one(workflow, dicom, tmp_path):
    config = configured(tmp_path, dicom, polcy="minimal")
    said = workflow.snakemake("-n", "--configfile", config, cwd=tmp_path).said
    assert "unknown key 'polcy'; did you mean 'policy'?" in said
    result = workflow.efface("run", dicom, tmp_path / "release", "--config", config, cwd=tmp_path)
    assert (result.code, result.said.count("\n")) == (2, 1)
    assert "did you mean 'policy'?" in result.said


def unreadable_file(folder):
    fresh(folder)
    (folder / "input" / "00003.dcm").chmod(0)
    return ()


def unreadable_folder(folder):
    fresh(folder)
    (folder / "input" / "Smithson").mkdir(mode=0)
    return ()


def broken_link(folder):
    fresh(folder)
    (folder / "input" / "Smithson^Ada.dcm").symlink_to("nowhere")
    return ()


def read_only_release(folder):
    fresh(folder)
    (folder / "release").mkdir()
    (folder / "release").chmod(0o500)
    return ()


def release_is_a_file(folder):
    fresh(folder)
    (folder / "release").write_text("mine")
    return ()


def zip_only(folder):
    fresh(folder)
    shutil.make_archive(folder / "Smithson", "zip", folder / "input")
    shutil.rmtree(folder / "input")
    (folder / "input").mkdir()
    (folder / "Smithson.zip").rename(folder / "input" / "Smithson.zip")
    return ()


def fresh(folder):
    make_series(folder / "input", shape=(8, 8, 8), world_from_voxel=centred((8, 8, 8), (8, 8, 8)))


def no_folder(folder):
    return ()


def empty(folder):
    (folder / "input").mkdir()
    return ()


def no_dicom(folder):
    (folder / "input").mkdir()
    (folder / "input" / "Smithson.txt").write_text("no scan")
    return ()


def foreign_release(folder):
    fresh(folder)
    (folder / "release").mkdir()
    (folder / "release" / "thesis.tex").write_text("mine")
    return ()


def work_in_input(folder):
    fresh(folder)
    return ("--work", folder / "input" / "work")


def bad_cores(folder):
    fresh(folder)
    return ("--cores", "many")


def absent_config(folder):
    fresh(folder)
    return ("--config", folder / "absent.yaml")


@pytest.mark.parametrize(
    ("situation", "code", "said"),
    [
        (no_folder, 2, "the input: expected a folder of DICOM files"),
        (empty, 1, "the input folder is empty"),
        (no_dicom, 1, "the input: expected DICOM files"),
        (
            foreign_release,
            2,
            "the place of the release is taken: expected nothing, an empty folder or an earlier release",
        ),
        (work_in_input, 2, "the work folder lies in the input folder"),
        (bad_cores, 2, "--cores"),
        (absent_config, 2, "the configuration"),
        (unreadable_file, 1, "1 files in the input cannot be read"),
        (unreadable_folder, 1, "1 folders in the input cannot be read"),
        (broken_link, 1, "1 files in the input cannot be read"),
        (read_only_release, 1, "the release cannot be written"),
        (release_is_a_file, 2, "found a link or a file"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_bad_input_gives_one_clear_line(workflow, tmp_path, situation, code, said):
    arguments = situation(tmp_path)
    before = sorted(tmp_path.rglob("*"))  # root sees all of it; nobody else can look into a closed folder
    release = tmp_path / "release"
    result = workflow.efface("run", tmp_path / "input", release, *arguments, cwd=tmp_path)
    assert result.code == code, result.said
    assert result.said.startswith("efface: ")
    assert said in result.said
    assert result.said.count("\n") == 1, result.said
    assert "Smithson" not in result.said
    after = [path for path in sorted(tmp_path.rglob("*")) if "release-work" not in str(path)]
    assert after == before


def test_an_archive_is_held_with_a_row_of_its_own(workflow, tmp_path):
    zip_only(tmp_path)
    result = workflow.efface("run", tmp_path / "input", tmp_path / "release", cwd=tmp_path)
    assert result.code == 3, result.said
    assert "zip archive: unpack it or remove it" in result.said
    assert "Smithson" not in result.said
    assert not (tmp_path / "release").exists()


def test_no_room_for_a_file_gives_one_clear_line_and_no_half_written_release(workflow, tmp_path):
    shape, spacing = (64, 64, 40), (4, 4, 5)
    make_series(tmp_path / "input", shape=shape, world_from_voxel=centred(shape, spacing))
    arguments = ("run", tmp_path / "input", tmp_path / "release")
    result = workflow.efface(*arguments, cwd=tmp_path, largest_file=40_000)
    assert result.code == 1, result.said
    assert "efface: cannot read or write a file: the file would be larger than is allowed" in result.said
    assert result.said.count("\n") == 1, result.said
    assert not (tmp_path / "release").exists()
    assert list((tmp_path / "release-work").rglob("*.part")) == []
