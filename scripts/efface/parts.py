"""What tells the images of one series apart: size, orientation, kind of image, component, echo.

A series is cut into parts by what each frame says of itself; each part is one image. What a part is called
and which rule it meets is decided later.
"""

from collections.abc import Callable

import pydicom

from efface.dicom import frame_value, numbers

GE_COMPONENT, GE_SEQUENCE, GE_COLLAPSED = 0x0043102F, 0x0019109E, 0x00431030  # 0-3 as in COMPONENTS; names
PHILIPS_DIRECTION, PHILIPS_SEQUENCE = 0x20011004, 0x20011020
_B_VALUES, GE_B_VALUE = (0x0019100C, 0x00651009), 0x00431039  # Siemens, United Imaging
WANTED = (
    *("Modality", "Manufacturer", "Rows", "Columns", "ImageOrientationPatient", "PixelSpacing", "ImageType"),
    *("EchoTime", "EchoNumbers", "DiffusionBValue", PHILIPS_DIRECTION, PHILIPS_SEQUENCE),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *(GE_COMPONENT, GE_SEQUENCE, GE_COLLAPSED),
)
"""What a file must be read with for its frames' traits."""

Traits = dict[str, object]

_TOLERANCE = {"ImageOrientationPatient": 1e-2, "PixelSpacing": 1e-2, "EchoTime": 0.02}  # cosines, mm, ms
COMPONENTS = ("MAGNITUDE", "PHASE", "REAL", "IMAGINARY", "FIELDMAP")
_BY_TYPE = {
    "B0": "FIELDMAP", "B0 MAP": "FIELDMAP", "FIELD_MAP": "FIELDMAP", "FIELD MAP": "FIELDMAP",
    "P": "PHASE", "PHASE": "PHASE", "PHASE MAP": "PHASE", "R": "REAL", "REAL": "REAL", "I": "IMAGINARY",
    "IMAGINARY": "IMAGINARY", "M": "MAGNITUDE", "MAGNITUDE": "MAGNITUDE",
}  # fmt: skip


def traits(dataset: pydicom.Dataset, number: int = 0) -> Traits:
    """Return what sets a frame apart from others of its series: what JSON can hold, None when absent."""

    def value(*paths: str) -> object:
        found = (frame_value(dataset, path, number) for path in paths)
        return next((each for each in found if each is not None), None)

    types = (
        value("MRImageFrameTypeSequence.FrameType", "CTImageFrameTypeSequence.FrameType", "ImageType") or ()
    )
    types = [str(one).strip().upper() for one in ([types] if isinstance(types, str) else types)]
    return {
        "Rows": value("Rows"),
        "Columns": value("Columns"),
        "ImageOrientationPatient": _rounded(
            value("PlaneOrientationSequence.ImageOrientationPatient", "ImageOrientationPatient"), 4
        ),
        "PixelSpacing": _rounded(value("PixelMeasuresSequence.PixelSpacing", "PixelSpacing"), 5),
        # Only in MR do the values after the third say what a pixel means (PS3.3 C.8.3.1.1.1, C.8.2.1.1.1).
        "ImageType": "\\".join(types if value("Modality") == "MR" else types[:3]),
        "ComplexImageComponent": value("MRImageFrameTypeSequence.ComplexImageComponent"),
        "EchoTime": _number(value("MREchoSequence.EffectiveEchoTime", "EchoTime")),
        "EchoNumbers": _number(value("EchoNumbers")),
        "StackID": value("FrameContentSequence.StackID"),
        "GEComponent": _number(private(dataset, GE_COMPONENT)),
        "GEMap": _ge_map(dataset),
        "PhilipsSequence": _text(private(dataset, PHILIPS_SEQUENCE)),
        "Trace": _is_trace(dataset, value) or None,
    }


def alike(one: Traits, other: Traits) -> bool:
    """Say whether two frames may be of one image."""
    return all(_near(value, other.get(name), _TOLERANCE.get(name, 0)) for name, value in one.items())


def component(found: Traits) -> str:
    """Return what the pixels are: MAGNITUDE, PHASE, REAL, IMAGINARY, FIELDMAP, or "" when nobody says so."""
    if found.get("GEMap"):
        return str(found["GEMap"])
    # Siemens and Philips: a value after the second; a field map's component is REAL besides.
    types = str(found.get("ImageType") or "").split("\\")[2:]
    named = [name for value, name in _BY_TYPE.items() if value in types]
    said = str(found.get("ComplexImageComponent") or "").upper()
    if said in COMPONENTS and "FIELDMAP" not in named:
        return said
    if named:
        return named[0]
    by_number = found.get("GEComponent")
    return COMPONENTS[int(by_number)] if by_number in (0, 1, 2, 3) else ""


def b_value(dataset: pydicom.Dataset, number: int = 0) -> float | None:
    """Return a frame's b-value, s/mm2, as the standard or a vendor gives it; None where nobody does.

    It serves to tell what a series is; the conversion reads it again, and its direction.
    """
    paths = ("MRDiffusionSequence.DiffusionBValue", "DiffusionBValue")
    said = [_number(frame_value(dataset, path, number)) for path in paths]
    said += [_number(private(dataset, tag)) for tag in _B_VALUES]
    several = numbers(private(dataset, GE_B_VALUE))
    if several and several[0] >= 0:
        said.append(several[0] % 1e9)  # GE adds 1e9 where a series has several b-values
    return max((value for value in said if value is not None), default=None)


def private(dataset: pydicom.Dataset, tag: int) -> object:
    """Return the value of a private element, None where it is absent or cannot be read."""
    try:
        return dataset[tag].value if tag in dataset else None
    except Exception:  # pydicom quotes what it could not parse
        return None


def _near(one: object, other: object, tolerance: float) -> bool:
    if one is None or other is None or not tolerance:
        return one == other
    if isinstance(one, list):
        return len(one) == len(other) and all(
            abs(a - b) <= tolerance for a, b in zip(one, other, strict=True)
        )
    return abs(one - other) <= tolerance


def _rounded(value: object, digits: int) -> list[float] | None:
    return [round(number, digits) for number in numbers(value)] or None


def _number(value: object) -> float | None:
    return (numbers(_text(value) if isinstance(value, bytes) else value) or [None])[0]


def _ge_map(dataset: pydicom.Dataset) -> str | None:
    """Return the component of a frame of GE's B0 mapping sequences, which give the map in Hz and a magnitude.

    Only the collapse flag tells them apart; in other sequences it says something else.
    """
    collapsed = _number(private(dataset, GE_COLLAPSED))
    if "b0map" not in str(private(dataset, GE_SEQUENCE)).lower() or collapsed is None:
        return None
    return "FIELDMAP" if collapsed == 0 else "MAGNITUDE"


def _text(value: object) -> str | None:
    """Return a private element's text, which is bytes where nobody knows its kind."""
    value = value.decode("ascii", "replace").strip("\0 ") if isinstance(value, bytes) else value
    return str(value) if value not in (None, "") else None


def _is_trace(dataset: pydicom.Dataset, value: Callable[..., object]) -> bool:
    """Say whether a diffusion-weighted frame was computed from those of several directions (Philips)."""
    b_value = _number(value("MRDiffusionSequence.DiffusionBValue", "DiffusionBValue")) or 0
    letter = _text(private(dataset, PHILIPS_DIRECTION))
    isotropic = value("MRDiffusionSequence.DiffusionDirectionality") == "ISOTROPIC" or letter == "I"
    return b_value > 0 and isotropic


def part_key(series: str, number: int, count: int) -> str:
    """Return the key of a series' part in tables and file names: that of the series where there is one part.

    >>> part_key("abc", 2, 3)
    'abc.2'
    """
    return series if count == 1 else f"{series}.{number}"
