"""The demo, run once for all files of this folder; whoever changes it works on a copy or comes last."""

import subprocess
import sys

import pytest
import yaml

from study import Workflow


class Demo:
    """The demo after a run: folders, the result, and the workflow that ran."""

    def __init__(self, folder):
        (folder / "workflow").mkdir()
        self.workflow = Workflow.copied(folder / "workflow")
        self.dicom, self.release, self.work = folder / "dicom", folder / "release", folder / "work"
        self.config = folder / "config.yaml"
        subprocess.run(
            [sys.executable, self.workflow.folder / "scripts" / "make_demo.py", folder], check=True
        )
        self.before = {path: path.stat().st_mtime_ns for path in self.dicom.rglob("*")}
        self.result = self.run()

    def run(self, *arguments):
        arguments = ("--work", self.work, "--config", self.config, "--cores", "2", *arguments)
        return self.workflow.efface("run", self.dicom, self.release, *arguments)

    def elsewhere(self, **changes):
        """Return the configuration for another folder: without the tables, whose paths are relative."""
        config = yaml.safe_load(self.config.read_text())
        without = {key: value for key, value in config.items() if key not in ("participants", "phenotype")}
        return without | {"key": str(self.work / "key" / "secret")} | changes

    def plain(self, *arguments):
        """Run Snakemake itself on the same study."""
        arguments = (
            "--cores",
            "2",
            "--configfile",
            self.work / "study.yaml",
            "--directory",
            self.work,
            *arguments,
        )
        return self.workflow.snakemake(*arguments)


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    return Demo(tmp_path_factory.mktemp("demo"))
