"""The audit of a dataset, as a ratio to `gzip -dc | wc -c` over its images: time, memory, and what it finds.

python bench/audit.py [GIB]

The dataset is made: heads of noise that compress as real ones do, GIB of voxels (1 by default), 40 % of them
in one 4D image, with sidecars, tables, records of defacing and 15,000 identifiers. The audit is the step
itself, all of its parts, with the BIDS validator. It must be silent; then an identifier is planted into the
last voxels of the last image, and it must be found. The floor is taken before and after.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from zlib_ng import gzip_ng

from converting.taken import Taken, taken, together_mb
from efface import nifti
from efface.files import sha256
from efface.tables import read_tsv, write_json, write_tsv

ROOT = Path(__file__).resolve().parents[1]
IDENTIFIERS = 15_000
PLANTED = "Vessarnoquist"  # of nobody; no part of an invented name below
AIM = (3, 500)  # times the floor, MB


class Kind(NamedTuple):
    """An image of each subject; `noise` is that of the background, of a head whose brain is about 400."""

    folder: str
    name: str
    shape: tuple[int, int, int]
    dtype: str
    noise: float


# Background of 40 is what is hardest for a search: in 16 bits its values are digits and letters of UTF-16.
KINDS = (
    Kind("anat", "T1w", (176, 256, 256), "<i2", 8),
    Kind("anat", "FLAIR", (256, 256, 144), "<i2", 40),
    Kind("anat", "T2starw", (192, 224, 64), "<f4", 15),
    Kind("anat", "PDw", (192, 192, 96), "<u2", 3000),  # all 16 bits are used
)
BOLD = Kind("func", "task-rest_bold", (80, 80, 48), "<i2", 20)
SIDECAR = {"Modality": "MR", "Manufacturer": "Siemens", "MagneticFieldStrength": 3, "EchoTime": 0.00298}
SIDECAR |= {"FlipAngle": 9, "RepetitionTime": 2.0}
CHECK = {"decision": "defaced", "reasons": [], "brain_voxels_changed": 0, "face_surface_surviving": 0.01}
CHECK |= {"registration_score": 0.8, "tissue_in_front": 3}


def head(kind: Kind, seed: int) -> np.ndarray:
    """Return a head's voxels, (I, J, K): three ellipsoids in each other, and Rician noise."""
    axes = (np.linspace(-1.2, 1.2, n, dtype=np.float32) for n in kind.shape)
    radius = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True)))
    level = 15 * kind.noise if kind.noise > 100 else 400
    signal = level * (0.6 * (radius < 1) - 0.5 * (radius < 0.9) + (radius < 0.82) + 0.4 * (radius < 0.5))
    random_state = np.random.default_rng(seed)
    parts = (random_state.standard_normal(kind.shape, np.float32) * kind.noise for _ in range(2))
    return np.hypot(signal + next(parts), next(parts)).astype(kind.dtype)


def write_image(
    path: Path, volumes: Iterable[np.ndarray], shape: tuple[int, ...], seconds: float = 0
) -> None:
    """Write volumes one after another, so that a large image needs no memory."""
    volumes = iter(volumes)
    first = next(volumes)
    head = nifti.header(shape, first.dtype, np.diag([1, 1, 1, 1.0]), repetition_time_s=seconds)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw, gzip_ng.GzipNGFile("", "wb", 5, raw, 0) as stream:
        stream.write(head.binaryblock + bytes(4) + first.tobytes(order="F"))
        for volume in volumes:
            stream.write(volume.tobytes(order="F"))


def dataset(work: Path, voxels: float) -> None:
    """Make work/bids, work/check and the tables beside them, with so many bytes of voxels."""
    bids, protos = work / "bids", work / "protos"
    volume = np.dtype(BOLD.dtype).itemsize * int(np.prod(BOLD.shape))
    count = max(int(0.4 * voxels / volume), 2)
    heads = [head(BOLD, seed) for seed in range(8)]
    for subject_name, volumes in (("sub-q000", count), ("sub-q001", 2)):  # nobody is the only one
        long = bids / subject_name / "func" / f"{subject_name}_{BOLD.name}.nii.gz"
        write_image(long, (heads[at % 8] for at in range(volumes)), (*BOLD.shape, volumes), 2.0)
        write_json(long.with_name(long.name.replace(".nii.gz", ".json")), SIDECAR | {"TaskName": "rest"})
        _record(work, long)
    for kind in KINDS:
        write_image(protos / kind.name, [head(kind, 99)], kind.shape)
        write_image(protos / f"{kind.name}_mask", [(head(kind, 99) > 200).astype(np.uint8)], kind.shape)
    left, subject = voxels - count * volume, 0
    while left > 0:
        for kind in KINDS:
            subject_name = f"sub-q{subject:03}"
            image = bids / subject_name / kind.folder / f"{subject_name}_{kind.name}.nii.gz"
            mask = image.with_name(f"{subject_name}_mod-{kind.name}_defacemask.nii.gz")
            image.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(protos / kind.name, image)
            shutil.copyfile(protos / f"{kind.name}_mask", mask)
            write_json(image.with_name(image.name.replace(".nii.gz", ".json")), SIDECAR)
            _record(work, image)
            left -= np.prod(kind.shape) * (np.dtype(kind.dtype).itemsize + 1)
        subject += 1
    people = [{"participant_id": folder.name, "age": "41"} for folder in sorted(bids.glob("sub-*"))]
    write_tsv(bids / "participants.tsv", people, ["participant_id", "age"])
    description = {"Name": "Heads", "BIDSVersion": "1.10.1", "DatasetType": "raw", "License": "CC0"}
    description |= {"Authors": ["The developers"], "EthicsApprovals": ["Not needed: nobody was scanned."]}
    write_json(bids / "dataset_description.json", description)
    (bids / "README.md").write_text("# Heads\n\nMade of ellipsoids and of noise; they belong to nobody.\n")
    (bids / "CHANGES").write_text("1.0.0\n  - First release.\n")
    outcome = [{"image": path.stem, "decision": "release"} for path in sorted((work / "check").iterdir())]
    write_tsv(work / "outcome.tsv", outcome, ["image", "decision"])
    write_tsv(work / "identifiers.tsv", identifiers(), ["kind", "attribute", "value"])


def _record(work: Path, image: Path) -> None:
    name = image.name.removesuffix(".nii.gz")
    write_json(work / "check" / f"{name}.json", CHECK | {"image_sha256": sha256(image)})


def identifiers() -> Iterator[dict[str, str]]:
    """Yield as many values as the index of some hundred examinations collects, in its proportions."""
    dice = random.Random(6)

    def digits(n: int) -> str:
        return "".join(dice.choices("0123456789", k=n))

    def word() -> str:
        return "".join(dice.choice("bdfgklmprtvz") + dice.choice("aeiouy") for _ in range(4))

    yield {"kind": "name", "attribute": "PatientName", "value": PLANTED}
    for number in range(1, IDENTIFIERS):
        day = f"{dice.randint(1930, 2024)}{dice.randint(1, 12):02}{dice.randint(1, 28):02}"
        clock = f"{dice.randint(1, 23):02}{dice.randint(0, 59):02}{dice.randint(0, 59):02}.{digits(5)}1"
        kind, attribute, value = (
            ("uid", "SOPInstanceUID", f"1.3.12.2.1107.5.2.43.{digits(5)}.{day}{digits(9)}"),
            ("uid", "SeriesInstanceUID", f"1.3.46.670589.11.{digits(4)}.5.0.{digits(4)}.{day}{digits(9)}"),
            ("text", "SeriesDescription", f"{word()} {word()} {digits(4)}"),
            ("text", "ProtocolName", f"{word()}-{word()}"),
            ("name", "PatientName", f"{word().title()}^{word().title()}"),
            ("time", "AcquisitionTime", clock),
            ("date", "StudyDate", day),
            ("place", "InstitutionName", f"{word()} {word()} {word()}"),
            ("private", "(0029,1020)", f"{word()} {digits(8)} {word()}"),
            ("id", "PatientID", f"{word()[:2].upper()}{digits(8)}"),
        )[number % 10]
        yield {"kind": kind, "attribute": attribute, "value": value}


def plant(image: Path) -> None:
    """Write the planted value into the last voxels of an image; its size stays."""
    with gzip_ng.open(image) as stream:
        raw = bytearray(stream.read())
    raw[-len(PLANTED) - 2 : -2] = PLANTED.encode()
    with image.open("wb") as stream, gzip_ng.GzipNGFile("", "wb", 5, stream, 0) as packed:
        packed.write(raw)


def main() -> int:
    """Print the table; 1 when a finding is not what it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gib", type=float, nargs="?", default=1, metavar="GIB", help="of voxels (1)")
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        dataset(work, parser.parse_args().gib * 2**30)
        return _measured(work)


def _measured(work: Path) -> int:
    images = sorted((work / "bids").rglob("*.nii.gz"))
    said, findings = work / "said", work / "findings.tsv"
    floor = ["bash", "-c", f"find {work}/bids -name '*.nii.gz' -print0 | xargs -0 gzip -dc | wc -c"]
    audit = [sys.executable, ROOT / "scripts/audit_release.py", "--findings", findings]
    audit += ["--policy", ROOT / "workflow/policies/minimal.yaml", "--bids", work / "bids"]
    audit += ["--identifiers", work / "identifiers.tsv", "--checks", work / "check"]
    audit += ["--outcome", work / "outcome.tsv"]
    before, ours, after = taken(floor, said), taken(audit, said), taken(floor, said)
    if ours.code:
        sys.exit(said.read_text())
    clean = read_tsv(findings)
    plant([path for path in images if "_mod-" not in path.name][-1])
    together = together_mb(audit)
    found = [row for row in read_tsv(findings) if row["where"] == "voxel data"]
    heads = [nifti.read(path).header for path in images]
    voxels = sum(int(np.prod(one["dim"][1:], dtype=int)) * int(one["bitpix"]) // 8 for one in heads)
    _print_table(images, voxels, before, ours, after, together)
    for row in clean:
        print(f"A false alarm: {row}")
    print(f"\nPlanted in the last image: {'found' if found else 'NOT FOUND'}.")
    return int(bool(clean) or not found)


def _print_table(images, voxels, before: Taken, ours: Taken, after: Taken, together: float) -> None:
    floor = before.least(after)
    packed = sum(path.stat().st_size for path in images)
    print(
        f"\n{len(images)} images, {voxels / 2**30:.2f} GiB, {packed / voxels:.0%} of it when packed;", end=" "
    )
    print(f"{IDENTIFIERS} identifiers. Aim: {AIM[0]} times the floor, {AIM[1]} MB\n")
    print("| | seconds | x floor | CPU s | MB/s | peak MB, largest process | peak MB, all |")
    print("|---|---|---|---|---|---|---|")
    rows = (("`gzip -dc | wc -c`, before", before, ""), ("the audit", ours, f"{together:.0f}"))
    for name, took, most in (*rows, ("`gzip -dc | wc -c`, after", after, "")):
        ratio, speed = took.wall_s / floor.wall_s, voxels / took.wall_s / 1e6
        print(f"| {name} | {took.wall_s:.1f} | {ratio:.2f} | {took.cpu_s:.1f} | {speed:.0f} |", end=" ")
        print(f"{took.peak_mb:.0f} | {most} |")


if __name__ == "__main__":
    sys.exit(main())
