"""The series of the bench: public ones by name or folders, as copies that hold nothing but one series."""

import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
# Where each lies, and the volumes it is lengthened to: no long series is public at this size.
SERIES = {
    "mprage": ("philips_ingenia_T1_classic", None),
    "enhanced": ("siemens_xa30_enhanced/5_anat-T1w_acq-tfl", None),
    "enhanced_bold": ("conversion_cases/enhanced_siemens_bold_20_files", None),
    "mosaic": ("siemens_mosaic/ep2d_Asc_2", None),
    "mosaic300": ("siemens_mosaic/ep2d_Asc_2", 300),
    "epi1000": ("ge_epi/mr_0004", 67),
    "epi4000": ("ge_epi/mr_0004", 267),
}


@dataclass(frozen=True)
class Series:
    """A series, as every converter gets it.

    Attributes
    ----------
    name : unique in a run
    folder : of its files and no others
    files : how many
    lengthened : whether the volumes of a short series were repeated
    """

    name: str
    folder: Path
    files: int
    lengthened: bool = False


def series(names: list[str], data: Path, made: Path) -> Iterator[Series]:
    """Yield the series, each copied; what is missing is told.

    Parameters
    ----------
    names : keys of SERIES, or folders
    data : folder of the public scans
    made : where the copies go
    """
    for name in names:
        place, volumes = SERIES.get(name, (None, None))
        source = data / place if place else Path(name)
        found = _largest(source)
        if not found:
            print(f"{name}: not at hand", file=sys.stderr)
            continue
        folder = made / source.name if not place else made / name
        folder.mkdir()
        if volumes:
            count = _lengthen(found, volumes, folder)
        else:
            count = len(found)
            for number, path in enumerate(found):
                shutil.copyfile(path, folder / f"{number:05d}.dcm")
        yield Series(folder.name, folder, count, bool(volumes))


def _largest(source: Path) -> list[Path]:
    """Return the files of a folder's series that has most files."""
    found = defaultdict(list)
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        try:
            header = pydicom.dcmread(path, specific_tags=["SeriesInstanceUID"], stop_before_pixels=True)
        except InvalidDicomError:
            continue
        if "SeriesInstanceUID" in header:
            found[header.SeriesInstanceUID].append(path)
    return max(found.values(), key=len, default=[])


def _lengthen(paths: list[Path], volumes: int, folder: Path) -> int:
    """Write a series whose volumes are those of a short one, again and again; return the number of files.

    Clocks that tell the short series' volumes apart go on; those that stand still stay as they are. Values
    above zero grow by one in each repetition, for two equal volumes would hide that they were swapped.
    """
    short = sorted((pydicom.dcmread(path) for path in paths), key=lambda file: int(file.InstanceNumber))
    slices = len({tuple(file.ImagePositionPatient) for file in short})
    period = len(short) // slices
    first, last = short[0], short[(period - 1) * slices]
    moving = [
        word
        for word in ("AcquisitionNumber", "AcquisitionTime", "ContentTime")
        if word in first and first[word].value != last[word].value
    ]
    pixels = [np.frombuffer(file.PixelData, f"<u{file.BitsAllocated // 8}") for file in short]
    for number in range(volumes * slices):
        volume, place = divmod(number, slices)
        which = volume % period * slices + place
        file = short[which]
        file.InstanceNumber = number + 1
        file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = f"2.25.{10**9 + number}"
        if "NumberOfTemporalPositions" in file:
            file.NumberOfTemporalPositions = volumes
        for word in moving:
            if word == "AcquisitionNumber":
                file.AcquisitionNumber = volume + 1
            else:
                file[word].value = _time(volume * float(file.RepetitionTime) / 1000)
        grown = pixels[which] + (pixels[which] > 0).astype(pixels[which].dtype) * (volume // period)
        file.PixelData = grown.astype(pixels[which].dtype).tobytes()
        file.save_as(folder / f"{number:05d}.dcm")
    return volumes * slices


def _time(seconds: float) -> str:
    """Return a time of day, from nine o'clock, as DICOM has it (TM, PS3.5 6.2)."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{9 + hours:02d}{minutes:02d}{rest:09.6f}"
