"""The frames of DICOM files: where each lies in space and time, of what kind it is, how its values scale."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pydicom
from pydicom.pixels import pixel_array

from efface import parts
from efface.convert import diffusion
from efface.convert.private import SIEMENS_CSA
from efface.dicom import PIXELS, frame_value, numbers, seconds
from efface.errors import Held

_CREATORS = (0x00190010, 0x00290010, 0x20010010, 0x00430010, 0x00650010)
PIXEL_MODULE = (
    *("SOPInstanceUID", "ImageType", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", *PIXELS),
    *("PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "ModalityLUTSequence"),
)
"""What a file's pixels need to be decoded."""
WANTED = (
    *PIXEL_MODULE,
    *("Modality", "RepetitionTime", "SliceThickness", "RescaleSlope", "RescaleIntercept"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("TemporalPositionIdentifier", "NumberOfTemporalPositions"),
    *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "AcquisitionNumber", "ContentDate"),
    *("FrameReferenceTime", "TriggerTime", "InstanceNumber"),
    *(*_CREATORS, SIEMENS_CSA, *parts.WANTED),
)
"""What a file must be read with for its frames to be understood."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One plane of pixels.

    Parameters
    ----------
    source, number : int
        The file (in the order given) and the frame in it, both from 0.
    position : (3,) array
        Centre of the first pixel in patient coordinates (LPS+, mm).
    row, column : (3,) arrays
        Unit vectors along which the column index and the row index grow (PS3.3 C.7.6.2.1.1).
    spacing : (float, float)
        Distance between rows and between columns, mm.
    shape : (int, int)
        Rows and columns.
    slope, intercept : float
        Value = stored * slope + intercept (PS3.3 C.11.1).
    traits : dict
        What must be alike in all frames of one image (parts.py).
    when : dict
        What orders frames at one position, the most telling first; seconds or counts.
    modality : str
    thickness : float
        Of the slice, mm; NaN when the header does not say.
    temporal_positions : float or None
        How many volumes the header says there are.
    weighting : Weighting or None
        Of a diffusion image.
    """

    source: int
    number: int
    position: np.ndarray
    row: np.ndarray
    column: np.ndarray
    spacing: tuple[float, float]
    shape: tuple[int, int]
    slope: float = 1.0
    intercept: float = 0.0
    traits: parts.Traits = field(default_factory=dict)
    when: dict[str, float] = field(default_factory=dict)
    modality: str = ""
    thickness: float = float("nan")
    temporal_positions: float | None = None
    weighting: diffusion.Weighting | None = None

    @property
    def normal(self) -> np.ndarray:
        """The unit vector across the plane."""
        return np.cross(self.row, self.column)


def frames_of(
    dataset: pydicom.Dataset,
    source: int = 0,
    traits: Callable[[pydicom.Dataset, int], parts.Traits] = parts.traits,
) -> list[Frame]:
    """Return the frames of one file, in stored order.

    Parameters
    ----------
    source : int
        The number of the file.
    traits : function of the file and a frame's number
        `parts.traits`, or what remembers its answers.

    Raises
    ------
    Held
        When a frame has no place in space, or its header cannot be understood.
    """
    try:
        count = int(_number(dataset.get("NumberOfFrames")) or 1)
        many = dataset.get("PerFrameFunctionalGroupsSequence") or ()
        if count > 1 and len(many) != count:
            raise Held(
                "a multi-frame file has no geometry for each frame",
                expected=f"{count} items in PerFrameFunctionalGroupsSequence",
                found=str(len(many)),
            )
        return [_frame(dataset, source, number, traits(dataset, number)) for number in range(count)]
    except Held:
        raise
    except Exception as error:  # pydicom quotes the value that it could not parse
        raise Held(f"a frame's header cannot be read ({type(error).__name__})") from None


def _frame(dataset: pydicom.Dataset, source: int, number: int, traits: parts.Traits) -> Frame:
    def value(*paths: str) -> object:
        found = (frame_value(dataset, path, number) for path in paths)
        return next((each for each in found if each is not None), None)

    def vector(group: str, keyword: str, length: int) -> np.ndarray:
        parsed = np.array(numbers(value(f"{group}.{keyword}", keyword)))
        if len(parsed) != length:
            raise Held(f"a frame has no {keyword}", todo="without it nobody knows where it lies")
        return parsed

    position = vector("PlanePositionSequence", "ImagePositionPatient", 3)
    row, column = np.split(vector("PlaneOrientationSequence", "ImageOrientationPatient", 6), 2)
    spacing = vector("PixelMeasuresSequence", "PixelSpacing", 2)
    if abs(row @ column) > 1e-3 or not np.allclose([row @ row, column @ column], 1, atol=2e-3):
        raise Held("ImageOrientationPatient", expected="two unit vectors at a right angle", found="others")
    if spacing.min() <= 0:
        raise Held("PixelSpacing", expected="positive distances", found="others")
    slope = _number(value("PixelValueTransformationSequence.RescaleSlope", "RescaleSlope"))
    intercept = _number(value("PixelValueTransformationSequence.RescaleIntercept", "RescaleIntercept"))
    thickness = _number(value("PixelMeasuresSequence.SliceThickness", "SliceThickness"))
    return Frame(
        source,
        number,
        position,
        row / np.linalg.norm(row),
        column / np.linalg.norm(column),
        (float(spacing[0]), float(spacing[1])),
        (int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)),
        1.0 if slope is None else slope,
        0.0 if intercept is None else intercept,
        traits,
        _when(dataset, value),
        str(dataset.get("Modality") or ""),
        math.nan if thickness is None else thickness,
        _number(dataset.get("NumberOfTemporalPositions")),
    )


def _number(value: object) -> float | None:
    return (numbers(value) or [None])[0]


def _when(dataset: pydicom.Dataset, value: Callable[..., object]) -> dict[str, float]:
    acquired = value("FrameContentSequence.FrameAcquisitionDateTime", "AcquisitionDateTime")
    day = dataset.get("AcquisitionDate") or dataset.get("ContentDate") or "20000101"
    trigger = value("CardiacSynchronizationSequence.NominalCardiacTriggerDelayTime", "TriggerTime")
    turns = {
        "TemporalPosition": value("FrameContentSequence.TemporalPositionIndex", "TemporalPositionIdentifier"),
        "AcquisitionTime": seconds(acquired) or seconds(day, dataset.get("AcquisitionTime")),
        "FrameReferenceTime": value("FrameReferenceTime"),
        "TriggerTime": trigger,
        "AcquisitionNumber": value("AcquisitionNumber"),
        "InstanceNumber": value("InstanceNumber"),
    }
    return {key: turn for key, said in turns.items() if (turn := _number(said)) is not None}


def stored_pixels(dataset: pydicom.Dataset) -> np.ndarray:
    """Return the stored values of a file: (frames, rows, columns), signed or not as the header says.

    Raises
    ------
    Held
        When they are colour, not integers, damaged, or in an encoding that cannot be read here.
    """
    if "PixelData" not in dataset:
        what = "floating-point numbers" if any(keyword in dataset for keyword in PIXELS) else "none"
        raise Held("a file's pixels", expected="integers in PixelData", found=what)
    grey = dataset.get("PhotometricInterpretation") in ("MONOCHROME1", "MONOCHROME2")
    if not grey or dataset.get("SamplesPerPixel", 1) != 1:
        raise Held("a file's pixels", expected="one grey value a pixel", found="colour")
    if dataset.get("ModalityLUTSequence"):
        raise Held("the values scale by a table (ModalityLUTSequence)", expected="a slope and an intercept")
    try:
        array = pixel_array(dataset, correct_unused_bits=False)
    except Exception as error:  # pydicom and its plugins raise whatever they like, and quote the file
        raise Held(
            f"a file's pixels cannot be read ({type(error).__name__})",
            todo="check that the file is whole and that its transfer syntax is supported",
        ) from None
    array = _signed(array, int(dataset.BitsStored)) if dataset.PixelRepresentation == 1 else array
    low, high = _range(int(dataset.BitsStored), dataset.PixelRepresentation == 1)
    if array.size and not low <= array.min() <= array.max() <= high:
        raise Held("a file's pixels", expected="values within BitsStored", found="bits set above them")
    return array if array.ndim == 3 else array[np.newaxis]


def _range(bits: int, signed: bool) -> tuple[int, int]:
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def _signed(array: np.ndarray, bits: int) -> np.ndarray:
    """Return values with their sign where it was not carried into the bits above the stored ones."""
    if bits < array.dtype.itemsize * 8 and array.size and array.min() >= 0 and array.max() < 1 << bits:
        unused = array.dtype.itemsize * 8 - bits
        return np.left_shift(array, unused) >> unused
    return array
