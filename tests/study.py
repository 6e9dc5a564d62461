"""A copy of the workflow that tests may edit, and how they start it."""

import os
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from conftest import REPOSITORY

PARTS = ("Snakefile", "config.yaml", "workflow", "scripts", "envs", "profiles")

OFFLINE = ["unshare", "--net", "--map-root-user"]  # a network namespace without interfaces
_START = "import sys; from efface.cli import main; sys.exit(main())"


@dataclass
class Result:
    """Exit code and everything that was said."""

    code: int
    said: str

    @property
    def rules(self) -> list[str]:
        """The rules that Snakemake ran, or would run, a line for each job."""
        return re.findall(r"^\s*(?:local)?(?:rule|checkpoint) (\w+):", self.said, re.MULTILINE)


@dataclass
class Workflow:
    """A copy of the repository's workflow below `folder`."""

    folder: Path

    @classmethod
    def copied(cls, folder: Path) -> "Workflow":
        """Return a fresh copy."""
        for part in PARTS:
            source = REPOSITORY / part
            ignored = shutil.ignore_patterns("__pycache__")
            copy = shutil.copytree if source.is_dir() else shutil.copyfile
            copy(
                source,
                folder / part,
                **({"ignore": ignored, "dirs_exist_ok": True} if source.is_dir() else {}),
            )
        return cls(folder)

    def efface(self, *arguments: object, **options: object) -> Result:
        """Run the command `efface`."""
        return self._run([sys.executable, "-c", _START, *arguments], **options)

    def started(self, *arguments: object) -> subprocess.Popen:
        """Start the command `efface` in a process group of its own."""
        command = [sys.executable, "-c", _START, *(str(part) for part in arguments)]
        environment = os.environ | {"PYTHONPATH": str(self.folder / "scripts")}
        return subprocess.Popen(
            command,
            env=environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def snakemake(self, *arguments: object, **options: object) -> Result:
        """Run Snakemake on the copy's Snakefile."""
        snakefile = self.folder / "Snakefile"
        return self._run([sys.executable, "-m", "snakemake", "-s", snakefile, *arguments], **options)

    def _run(
        self,
        command: list,
        cwd: Path | None = None,
        largest_file: int | None = None,
        offline: bool = False,
        **environment: str,
    ) -> Result:
        # Root may write anywhere: without these capabilities it meets permissions as everybody does.
        if os.geteuid() == 0:
            command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]
        command = OFFLINE + command if offline else command
        paths = {"PYTHONPATH": str(self.folder / "scripts")}

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd or self.folder,
            env=os.environ | paths | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            preexec_fn=limit if largest_file else None,
        )
        return Result(done.returncode, done.stdout)


def tree(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def traces(planted, data):
    """Return the planted values that stand in some bytes in any common spelling."""
    folded = data.lower()
    found = []
    for one in planted:
        value = one["value"]
        forms = {value.encode(code, "ignore") for code in ("utf-8", "latin-1", "utf-16-le", "utf-16-be")}
        if any(len(form) >= 5 and form.lower() in folded for form in forms):
            found.append(one["where"])
    return found
