"""The converters: how each is called, and what it made."""

import importlib.util
import shutil
import sys
from pathlib import Path

import nibabel as nib

from defacing.peers import program
from efface.tables import read_json, read_tsv

STEP = Path(__file__).resolve().parents[2] / "scripts" / "convert_series.py"
MINIMAL = STEP.parents[1] / "workflow" / "policies" / "minimal.yaml"
OURS = ("efface, the step", "efface convert")
PEER, FLOOR = "dcm2niix", "bytes in, gzip out"
START = "efface, its start"
TOOLS = (*OURS, START, PEER, "dcm2niix, level 1", "dicom2nifti", FLOOR)
LEVEL = 1  # of compression: that of the step, whose images live until they are defaced
_DICOM2NIFTI = "import sys, dicom2nifti; dicom2nifti.convert_directory(sys.argv[1], sys.argv[2])"
_FLOOR = """
import sys
from pathlib import Path
from zlib_ng import zlib_ng
for path in Path(sys.argv[1]).iterdir():
    path.read_bytes()
deflate = zlib_ng.compressobj(int(sys.argv[4]), zlib_ng.DEFLATED, 16 + zlib_ng.MAX_WBITS)
with open(sys.argv[2], "rb") as image, open(sys.argv[3] + "/image.nii.gz", "wb") as out:
    while block := image.read(1 << 22):
        out.write(deflate.compress(block))
    out.write(deflate.flush())
"""


def planned(converted: Path) -> dict | None:
    """Return the plan of the only image that `efface convert` made of a series; None when it made several.

    Parameters
    ----------
    converted : folder that `efface convert` wrote

    Raises
    ------
    SystemExit
        When the folder's layout is no longer what this bench knows.
    """
    rows = [row for row in read_tsv(converted / "images.tsv") if row["image"]]
    if len(rows) != 1:
        return None
    plan = converted / "plan" / "images" / f"{rows[0]['image']}.json"
    files = converted / "index" / "files" / f"{rows[0]['series']}.txt"
    if not plan.is_file() or not files.is_file():
        sys.exit("efface convert keeps plan or files elsewhere now: see bench/converting/tools.py")
    return {"plan": plan, "files": files}


def command(tool: str, folder: Path, out: Path, plan: dict | None, image: Path | None) -> list | str:
    """Return the command of a tool; in words why there is none.

    Parameters
    ----------
    folder : of the series' files
    out : an empty folder
    plan : what `planned` found
    image : an uncompressed image of the series, for the floor
    """
    if tool == "efface convert":
        return [program("efface"), "convert", folder, out / "converted"]
    if tool == "efface, the step":
        if plan is None:
            return "not one image"
        made = {"out": "image.nii.gz", "sidecar": "image.json", "proof": "proof.json"}
        made |= {"bval": "image.bval", "bvec": "image.bvec"}
        words = {**plan, "input": folder, "policy": MINIMAL} | {key: out / made[key] for key in made}
        return [sys.executable, STEP, "--unchecked", *(f"--{key}={value}" for key, value in words.items())]
    if tool == START:
        return [sys.executable, STEP, "--help"]
    if tool.startswith("dcm2niix"):
        binary = dcm2niix()
        level = ["-1"] if tool != PEER else []
        return [binary, *level, "-z", "y", "-f", "image", "-o", out, folder] if binary else "not installed"
    if tool == "dicom2nifti":
        return [sys.executable, "-c", _DICOM2NIFTI, folder, out]
    return [sys.executable, "-c", _FLOOR, folder, image, out, LEVEL] if image else "no image"


def dcm2niix() -> Path | str | None:
    """Return the program itself: the package's script would add the start of a Python."""
    found = importlib.util.find_spec("dcm2niix")
    packaged = Path(found.submodule_search_locations[0]) / "dcm2niix" if found else None
    return packaged if packaged and packaged.is_file() else shutil.which("dcm2niix")


def images(out: Path) -> list[Path]:
    """Return the images in a folder that a tool wrote; files of a held image are empty."""
    return sorted(path for path in out.rglob("*.nii.gz") if path.stat().st_size)


def result(tool: str, out: Path, code: int) -> str:
    """Return what a tool made: the decision if it gives one, the shapes, or the exit code."""
    if tool in (START, FLOOR):
        return "-"
    shapes = ", ".join("x".join(map(str, nib.load(path).shape)) for path in images(out))
    decision = []
    if tool == "efface, the step":
        verdict = read_json(out / "proof.json")
        decision = [verdict["decision"], *verdict["reasons"]]
    elif tool == "efface convert":
        decision = list(dict.fromkeys(row["decision"] for row in read_tsv(out / "converted" / "images.tsv")))
    return "; ".join([*decision, shapes or f"no file, exit {code}"])
