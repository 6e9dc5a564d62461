"""The heads of the bench: public scans by name, or NIfTI files, as copies that every tool can read."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from defacing.peers import program
from defacing.skin import LANDMARKS

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
HEADS = {
    "ext2": "nifti_heads/T1_head_ext2.nii.gz",
    "t2w": "nifti_heads/T2w.nii.gz",
    "ds031": "nifti_heads/ds000031_sub-01_ses-006_run-001_T1w.nii.gz",
    "sub01": "nifti_heads/sub-01_ses-baseline_T1w.nii.gz",
    "xa30": "siemens_xa30_enhanced/Ref/5_anat-T1w_acq-tfl.nii",
    "philips": "philips_ingenia_T1_classic",
    "trio": "siemens_trio_T1_T2_ASLmosaic",
    "ct": "ge_ct_human",
    "pet": "pet_qin_headneck",
}
MODALITIES = {"T1w": "MR", "T2w": "MR", "ct": "CT", "pet": "PT"}  # of the images that show a head well


@dataclass(frozen=True)
class Head:
    """A head, as every tool gets it.

    Attributes
    ----------
    name : unique in a run
    path : its file
    person : whose it is; two heads of one person are no strangers
    modality : "MR", "CT" or "PT"
    drawn : whether LANDMARKS has the points on its skin
    """

    name: str
    path: Path
    person: str
    modality: str
    drawn: bool


def heads(names: list[str], data: Path, folder: Path) -> Iterator[Head]:
    """Yield the heads, each copied in RAS order; series are converted, and what is missing is told.

    Parameters
    ----------
    names : keys of HEADS, or paths of NIfTI files
    data : folder of the public scans
    folder : where the copies go
    """
    for name in names:
        source = data / HEADS[name] if name in HEADS else Path(name)
        if source.is_dir():
            yield from _converted(name, source, folder)
        elif source.is_file():
            own = name if name in HEADS else source.name.split(".")[0]
            modality = MODALITIES.get(own.rsplit("_", 1)[-1])  # of files named as BIDS has it
            yield _prepared(own, source, own, folder, modality, drawn=name in LANDMARKS)
        else:
            print(f"{name}: not at hand", file=sys.stderr)


def _converted(name: str, source: Path, folder: Path) -> Iterator[Head]:
    """Yield the heads among a folder's DICOM series."""
    converted = folder / f"converted_{name}"
    subprocess.run([program("efface"), "convert", source, converted], stdout=subprocess.DEVNULL, check=False)
    with (converted / "images.tsv").open() as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if row["image"]]
    shown = [row for row in rows if row["image"].endswith(tuple(MODALITIES))]
    for row in shown:
        suffix = row["image"].rsplit("_", 1)[1]
        own = name if len(shown) == 1 else f"{name}_{suffix}"
        if row["decision"] == "proved":
            image = converted / f"{row['image']}.nii.gz"
            yield _prepared(own, image, name, folder, MODALITIES[suffix], drawn=own in LANDMARKS)
        else:
            print(f"{own}: {row['decision']} by the conversion: {row['reason']}", file=sys.stderr)


def _prepared(
    name: str, source: Path, person: str, folder: Path, modality: str | None = None, *, drawn: bool
) -> Head:
    """Return a head as a file in RAS order without slope, so that every tool gets what it can read."""
    image = nib.as_closest_canonical(nib.load(source))
    values = np.asanyarray(image.dataobj)
    if np.issubdtype(values.dtype, np.floating):
        whole = np.abs(values).max() < 32768 and np.array_equal(values, np.round(values))
        values = values.astype(np.int16 if whole else np.float32)
    path = folder / f"{name}.nii.gz"
    nib.save(nib.Nifti1Image(values, image.affine), path)
    return Head(name, path, person, modality or ("CT" if values.min() < -500 else "MR"), drawn)
