"""What files may lie in a dataset, and how they may be called (BIDS 1.11, "Filesystem structure")."""

import re
from pathlib import Path, PurePosixPath

from efface.audit.content import png_chunks

# The specification's entities, in its order ("Appendices: Entities").
ENTITIES = (
    *("sub", "tpl", "ses", "cohort", "sample", "task", "tracksys", "acq", "nuc", "voi", "ce", "trc", "stain"),
    *("rec", "dir", "run", "mod", "echo", "flip", "inv", "mt", "part", "proc", "hemi", "space", "split"),
    *("recording", "chunk", "seg", "res", "den", "label", "desc"),
)
DATATYPES = frozenset("anat func dwi fmap perf pet ct meg eeg ieeg beh micr motion nirs mrs".split())
IMAGES = (".nii", ".nii.gz")
# Everything else in a released dataset is a stray file.
_KINDS = re.compile(r"\.(nii|nii\.gz|json|tsv|tsv\.gz|bval|bvec)$")
_TOP = re.compile(
    r"(README|CHANGES|LICENSE)(\.md|\.txt|\.rst)?|CITATION\.cff|\.bidsignore|dataset_description\.json"
    r"|(participants|samples)\.(tsv|json)|(sessions|scans)\.json|MANIFEST\.tsv|release_record\.json"
    rf"|(?:(?:{'|'.join(ENTITIES[5:])})-[A-Za-z0-9]+_)*[A-Za-z0-9]+\.json"  # inherited sidecars
)
_LABEL = r"[A-Za-z0-9]+"
_STEM = re.compile(
    rf"sub-({_LABEL})(?:_ses-({_LABEL}))?((?:_(?:{'|'.join(ENTITIES[3:])})-{_LABEL})*)_({_LABEL})"
)
_PNG_CHUNKS = frozenset({"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "sRGB", "pHYs", "sBIT", "bKGD"})
# Kinds that are no dataset's, and why.
FOREIGN = {
    ".mat .xfm .lta .h5 .gii .obj .stl .ply .vtk .mgz .mgh .fcsv": "a transform, surface or landmarks, which "
    "hold the head's shape",
    ".tar .tgz .zip .gz .bz2 .xz .zst .7z .rar": "an archive or packed file",
    ".png .jpg .jpeg .gif .tif .tiff .html .svg .pdf": "a picture or page: it may show a face or a path",
    ".log .err .out .dag": "a program's log",
    ".dcm .ima": "DICOM",
}
FOREIGN = {one: why for kinds, why in FOREIGN.items() for one in kinds.split()}
# Of a session or run: years and months, or six digits as in 190414.
_DATED = re.compile(
    r"_?(?:ses|run)-[a-zA-Z]*(?:(?:19|20)\d\d(?:0[1-9]|1[0-2])|\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?!\d)"
)
STRAY_FOLDERS = frozenset({"sourcedata", "rawdata", "logs", "work", "tmp"})


def suffix(path: str) -> str:
    """Return the extension of a file, `.nii.gz` as one, in lower case."""
    match = re.search(r"\.(?:nii|tsv)\.gz$|\.[^./]+$", path.lower())
    return match[0] if match else ""


def faults(root: Path, path: str) -> list[str]:
    """Return what is wrong with a file's place, name and kind, each in words.

    Parameters
    ----------
    root : Path
        The dataset.
    path : str
        Of the file, relative to the dataset.
    """
    whole, parts = root / path, PurePosixPath(path).parts
    found = []
    if any(part.startswith(".") and part != ".bidsignore" for part in parts):
        found.append("a hidden file or folder")
    if STRAY_FOLDERS & set(parts[:-1]):
        found.append("a folder for files that are not released (sourcedata, logs and the like)")
    if suffix(path) == ".png":
        kinds = [kind for kind, _ in png_chunks(whole.read_bytes())]
        if not kinds:
            found.append("named as a PNG picture, but not one")
        if set(kinds) - _PNG_CHUNKS:
            found.append("text, EXIF or trailing bytes in a PNG picture")
    if not found and not _placed(parts):
        unknown = "a file that BIDS does not know, or whose name is not built as BIDS says"
        found.append(FOREIGN.get(suffix(path), unknown))
    return found


def doubts(path: str) -> list[str]:
    """Return what a person should look at in a file's name, each in words."""
    return ["a label that may be a date"] * bool(_DATED.search(PurePosixPath(path).name))


def _placed(parts: tuple[str, ...]) -> bool:
    if len(parts) == 1:
        return bool(_TOP.fullmatch(parts[0]))
    if parts[0] == "phenotype" and len(parts) == 2:
        return bool(re.fullmatch(r"\w+\.(tsv|json)", parts[1]))
    name = _KINDS.sub("", parts[-1])
    match = _STEM.fullmatch(name)
    if name == parts[-1] or not match:
        return False
    subject, session, entities, kind = match.groups()
    folders = [f"sub-{subject}"] + [f"ses-{session}"] * (session is not None)
    if kind == "sessions":
        return list(parts[:-1]) == folders[:1] and session is None
    if kind == "scans":
        return list(parts[:-1]) == folders
    keys = re.findall(rf"_([a-z]+)-{_LABEL}", entities)
    ordered = sorted(set(keys), key=ENTITIES.index) == keys
    return ordered and list(parts[:-2]) == folders and parts[-2] in DATATYPES
