"""Another program as a method: it defaces a copy of the image, and what it changed is the mask."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from efface import nifti
from efface.errors import EffaceError

TIMEOUT_S = 1500  # a scheduler that gives the step an hour is left time to try the next method
SAME = 1e-4  # of a value: another float format or scaling rounds by less


def changed_by(command: Sequence[str], image_path: Path, timeout_s: float = TIMEOUT_S) -> np.ndarray:
    """Return the voxels that a program changes: (I, J, K) bool array, of 4D images those of any volume.

    The program works in a private temporary folder on a copy, because some write into their input. What it
    prints is thrown away: it may quote the header.

    Parameters
    ----------
    command : sequence of str
        With {input} and {output} in it, which become paths of .nii or .nii.gz files.
    image_path : Path
    timeout_s : float

    Raises
    ------
    EffaceError
        When the program is missing, fails or takes too long, or when its output is no image, lies on another
        grid or is the image as it was.
    """
    suffix = ".nii.gz" if image_path.name.endswith(".gz") else ".nii"
    with tempfile.TemporaryDirectory(prefix="efface-") as folder:
        given, made = Path(folder, f"image{suffix}"), Path(folder, f"defaced{suffix}")
        shutil.copyfile(image_path, given)
        paths = {"{input}": str(given), "{output}": str(made)}
        _run([_filled(part, paths) for part in command], folder, timeout_s)
        if not made.is_file():
            raise EffaceError("the program", expected="an image as its output", found="none")
        return _changed(image_path, made)


def _filled(part: str, paths: dict[str, str]) -> str:
    for name, path in paths.items():
        part = part.replace(name, path)
    return part


def _run(command: list[str], folder: str, timeout_s: float) -> None:
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = os.environ | {"TMPDIR": folder}
    try:
        process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **quiet)
    except OSError:
        raise EffaceError("the program cannot be started", todo="install it or give its whole path") from None
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise EffaceError("the program takes too long", expected=f"{timeout_s:g} s at most") from None
    finally:
        if process.poll() is None:  # with whatever it has started: nothing may write on into the folder
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code:
        raise EffaceError("the program failed", expected="exit code 0", found=str(code))


def _changed(before_path: Path, after_path: Path) -> np.ndarray:
    before, after = nifti.read(before_path), nifti.read(after_path)
    if before.shape != after.shape or not np.allclose(before.affine, after.affine, atol=1e-3):
        raise EffaceError("the program's output", expected="the grid of the image", found="another grid")
    old, new = (_values(image) for image in (before, after))
    mask = ~np.isclose(new, old, rtol=SAME, atol=SAME * SAME * float(np.abs(old).max()), equal_nan=True)
    mask = mask.any(axis=-1) if mask.ndim == 4 else mask
    if not mask.any():
        raise EffaceError("the program's output", expected="changed voxels", found="none")
    return mask


def _values(image) -> np.ndarray:
    slope, intercept = nifti.scaling(image)
    return nifti.stored(image) * np.float32(slope) + np.float32(intercept)
