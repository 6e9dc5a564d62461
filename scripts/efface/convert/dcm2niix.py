"""The volume of a series by dcm2niix, an engine that can be chosen; what it warns of is held.

dcm2niix ends with 0 whatever it thinks of a series, so its words are read. Only the voxels and the affine are
taken from it: no sidecar, no header field, and what it returns is proved as any other engine's is.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

from efface.errors import Held, UsageError

NAME = "dcm2niix"
# Warnings about what is not taken from it: names, timing, what to do with the image later.
_ELSEWHERE = re.compile(
    r"protocol name|Patient Position|determine manufacturer|dwidenoise|slice timing|SliceTiming"
    r"|order is not spatial|distinguish Philips fieldmaps|phase encoding|readout|echo spacing"
    r"|diffusion gradient|bvec|bval",
    re.IGNORECASE,
)
_TOLD = {
    "the distances between slices": re.compile("Interslice|slice distance|spacing", re.IGNORECASE),
    "missing slices": re.compile("missing", re.IGNORECASE),
    "a tilted gantry": re.compile("tilt", re.IGNORECASE),
    "duplicates": re.compile("duplicate|same position", re.IGNORECASE),
}


def program() -> str:
    """Return the path of dcm2niix: beside this Python, or on the path.

    Raises
    ------
    UsageError
        When there is none.
    """
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which("dcm2niix", path=places)
    if not found:
        raise UsageError(
            "convert.engine",
            expected="dcm2niix on the path",
            found="none",
            todo="pip install efface[dcm2niix]",
        )
    return found


def assemble(files: list[Path]) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return what dcm2niix makes of the files of one image.

    Returns
    -------
    voxels : (I, J, K[, T]) array, as stored
    world_from_voxel : (4, 4) array
        To world coordinates (RAS+, mm).
    slope, intercept : float
        Value = stored * slope + intercept.

    Raises
    ------
    Held
        When it warns of the geometry, or gives no image or several.
    """
    with tempfile.TemporaryDirectory() as made:
        source, out = Path(made, "in"), Path(made, "out")
        source.mkdir()
        out.mkdir()
        for number, path in enumerate(files):
            (source / f"{number:06d}").symlink_to(path.resolve())
        # Scaled as the standard says (-p n), not by Philips' private elements.
        command = [program(), "-b", "n", "-z", "n", "-p", "n", "-f", "image", "-o", out, source]
        said = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        _check_words(said.stdout + said.stderr)
        images = sorted(out.glob("*.nii"))
        if said.returncode or len(images) != 1:
            raise Held(
                "dcm2niix", expected="one image", found=f"{len(images)}", todo="use the default engine"
            )
        image = nib.load(images[0])
        voxels = np.array(image.dataobj.get_unscaled(), order="F")
        return voxels, image.affine, float(image.dataobj.slope), float(image.dataobj.inter)


def _check_words(said: str) -> None:
    """Refuse what dcm2niix doubts; its lines quote headers and paths, so only their subject is passed on."""
    for line in said.splitlines():
        if not re.match(r"(Warning|Error)\b|Slices not stacked", line) or _ELSEWHERE.search(line):
            continue
        told = next((what for what, words in _TOLD.items() if words.search(line)), "something else")
        raise Held(
            f"dcm2niix warns of {told}", todo="run it on the series to read it, or use the default engine"
        )
