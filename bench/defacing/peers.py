"""Ours and other defacing tools: how each is run, in a process of its own with two threads, and timed."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

TOOLS = ("efface", "niimath", "quickshear", "read and write")
ROUNDS = 2
THREADS = {"OMP_NUM_THREADS": "2", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "2"}
# In between, for a child's peak of memory counts that of its parent until it starts.
_TIMED = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
wall, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, code]))
"""
_FLOOR = """
import sys, nibabel
image = nibabel.load(sys.argv[1])
nibabel.save(nibabel.Nifti1Image(image.dataobj.get_unscaled(), image.affine, image.header), sys.argv[2])
"""


@dataclass(frozen=True)
class Figures:
    """What a run took: the least of some rounds, for the machine's noise only ever adds."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    code: int


def program(name: str) -> str:
    """Return the path of a program beside this Python, or on the path.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    found = shutil.which(name, path=places)
    if not found:
        raise FileNotFoundError(f"{name} is not installed")
    return found


def command(tool: str, image: Path, out: Path, modality: str, brain: Path | None) -> list | str:
    """Return the command of a tool; in words why there is none.

    Parameters
    ----------
    image, out : NIfTI files
    modality : "MR", "CT" or "PT"
    brain : the mask that quickshear starts from
    """
    if tool == "efface":
        report = out.with_suffix("").with_suffix(".json")
        return [program("efface"), "deface", image, out, "--modality", modality, "--report", report]
    if tool == "niimath":
        binary = _packaged("niimath", "bin", "niimath")
        template = _packaged("pydeface", "data", "mean_reg2mean.nii.gz")
        if not binary:
            return "niimath is not installed"
        if not template:
            return "pydeface, which has the template, is not installed"
        mask = template.with_name("facemask.nii.gz")
        return [binary, image, "-deface", template, mask, out, "-odt", "input"]
    if tool == "quickshear":
        if not find_spec("quickshear"):
            return "quickshear is not installed"
        if brain is None:
            return "no brain mask to start from"
        return [sys.executable, "-c", "import quickshear; quickshear.main()", image, brain, out]
    return [sys.executable, "-c", _FLOOR, image, out]


def timed(arguments: list) -> Figures:
    """Return what a command takes."""
    rounds = []
    for _ in range(ROUNDS):
        timer = [sys.executable, "-I", "-S", "-c", _TIMED, *map(str, arguments)]
        done = subprocess.run(timer, env=os.environ | THREADS, stdout=subprocess.PIPE, check=True)
        rounds.append(json.loads(done.stdout))
    *least, codes = zip(*rounds, strict=True)
    return Figures(*map(min, least), max(codes))


def _packaged(package: str, *parts: str) -> Path | None:
    """Return the path of a file in an installed package; None without it."""
    found = find_spec(package)
    path = Path(found.submodule_search_locations[0]).joinpath(*parts) if found else None
    return path if path and path.is_file() else None
