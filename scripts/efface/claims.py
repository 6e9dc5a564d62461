"""What each DICOM frame says of itself, read for the judge: where it lies, how it scales, when it was taken.

It shares no code with the makers' reader, so that a mistake there cannot hide here.
"""

import logging
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels import pixel_array

from efface import gradients, share, tiles
from efface.headers import Reader
from efface.share import leaf

pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")

TAGS = (
    *("SOPClassUID", "SOPInstanceUID", "Modality", "Manufacturer", "ImageType", "NumberOfFrames"),
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "PixelData"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SpacingBetweenSlices", "EchoTime"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "NumberOfTemporalPositions"),
    *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "AcquisitionNumber", "InstanceNumber"),
    *("TemporalPositionIdentifier", "TriggerTime", "FrameReferenceTime", "SliceThickness"),
    *share.TAGS,
    *tiles.TAGS,
    *gradients.TAGS,
)
CLOCKS = {  # where a frame's turn in time is written: inside its functional groups, and at the top
    "temporal position": ("FrameContentSequence", "TemporalPositionIndex", "TemporalPositionIdentifier"),
    "acquisition time": ("FrameContentSequence", "FrameAcquisitionDateTime", "AcquisitionDateTime"),
    "trigger time": ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime", "TriggerTime"),
    "reference time": (None, None, "FrameReferenceTime"),
    "acquisition number": (None, None, "AcquisitionNumber"),
}


class Unproved(Exception):
    """A fault that leaves nothing more to compare; its text holds no header's value."""


@dataclass(eq=False)
class Claim:
    """What one frame says of itself: where it lies (LPS+, mm), how it scales, when it was taken.

    Parameters
    ----------
    corner : (3,) array
        Centre of the first pixel.
    along_row, along_column : (3,) arrays
        From one column to the next, from one row to the next.
    clocks : dict
        Each of `CLOCKS` that the frame has; they only order, their units differ.
    """

    file: pydicom.Dataset
    number: int
    corner: np.ndarray
    along_row: np.ndarray
    along_column: np.ndarray
    shape: tuple[int, int]
    slope: float
    intercept: float
    echo: object
    clocks: dict[str, float]


def distinct(files: list[Path]) -> list[pydicom.Dataset]:
    """Return the files' datasets; of copies of one object only the first."""
    found: dict[object, pydicom.Dataset] = {}
    reader = Reader(TAGS)
    try:
        for path in files:
            file = reader(path)
            known = found.setdefault(file.get("SOPInstanceUID") or path, file)
            if known is not file and known != file:
                raise Unproved("two different files have one SOPInstanceUID")
    except Unproved:
        raise
    except Exception as error:  # whatever it is, its text may quote the file
        raise Unproved(f"a file cannot be read again ({type(error).__name__})") from None
    for file in found.values():
        if "PerFrameFunctionalGroupsSequence" not in file:  # which takes too long to be read twice
            file.pop("PixelData", None)  # read again when they are compared: thousands of files take room
    return list(found.values())


def claims_of(file: pydicom.Dataset) -> list[Claim]:
    """Return what each frame, or each tile of a mosaic, says of itself, in stored order."""
    try:
        if tiles.is_tiled(file):
            return _tile_claims(file)
        return [_claim(file, number) for number in range(int(file.get("NumberOfFrames") or 1))]
    except Exception as error:
        raise Unproved(f"a frame's geometry cannot be read ({type(error).__name__})") from None


def _claim(file: pydicom.Dataset, number: int, corner: np.ndarray | None = None) -> Claim:
    def own(group: str, keyword: str):
        return leaf(file, number, group, keyword, keyword)

    cosines = _finite(own("PlaneOrientationSequence", "ImageOrientationPatient"), 6)
    rows_mm, columns_mm = _finite(own("PixelMeasuresSequence", "PixelSpacing"), 2)
    slope = own("PixelValueTransformationSequence", "RescaleSlope")
    intercept = own("PixelValueTransformationSequence", "RescaleIntercept")
    return Claim(
        file,
        number,
        _finite(own("PlanePositionSequence", "ImagePositionPatient") if corner is None else corner, 3),
        cosines[:3] * columns_mm,
        cosines[3:] * rows_mm,
        (int(file.Rows), int(file.Columns)),
        1.0 if slope is None else float(slope),
        0.0 if intercept is None else float(intercept),
        leaf(file, number, "MREchoSequence", "EffectiveEchoTime", "EchoTime"),
        _clocks(file, number),
    )


def _finite(value: object, length: int) -> np.ndarray:
    vector = np.array(value, float)
    if vector.shape != (length,) or not np.isfinite(vector).all():
        raise ValueError
    return vector


def _clocks(file: pydicom.Dataset, number: int) -> dict[str, float]:
    clocks = {}
    for name, place in CLOCKS.items():
        value = leaf(file, number, *place)
        if name == "acquisition time" and value is None and file.get("AcquisitionTime"):
            value = f"{file.get('AcquisitionDate') or ''}{file.AcquisitionTime}"
        if value not in (None, ""):
            clocks[name] = float(re.match(r"[\d.]+", str(value))[0])
    return clocks


def _tile_claims(file: pydicom.Dataset) -> list[Claim]:
    _, rows, columns = tiles.tile_shape(file)
    corners = tiles.corners(file)
    return [
        replace(_claim(file, number, corner), shape=(rows, columns)) for number, corner in enumerate(corners)
    ]


def _pixels(file: pydicom.Dataset) -> np.ndarray:
    """Return stored values (frames, rows, columns) with the sign that BitsStored gives them."""
    array = pixel_array(file, correct_unused_bits=False).reshape(-1, file.Rows, file.Columns)
    limit = 1 << int(file.BitsStored)
    if file.PixelRepresentation == 1 and array.min() >= 0 and limit // 2 <= array.max() < limit:
        wide = array.astype(np.int64)  # negative numbers in two's complement of BitsStored bits
        array = np.where(wide >= limit // 2, wide - limit, wide)
    lowest, beyond = (-limit // 2, limit // 2) if file.PixelRepresentation == 1 else (0, limit)
    if array.min() < lowest or array.max() >= beyond:
        raise ValueError
    return tiles.tile_pixels(file, array[0]) if tiles.is_tiled(file) else array


def readable(file: pydicom.Dataset, reader: Reader) -> np.ndarray:
    """Return a file's stored values, read again.

    Raises
    ------
    Unproved
        When they cannot be read.
    """
    try:
        array = _pixels(file if "PixelData" in file else reader(Path(file.filename)))
    except Exception as error:
        raise Unproved(f"a file's pixels cannot be read again ({type(error).__name__})") from None
    return array
