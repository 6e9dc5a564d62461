"""Which frames of a series are one image's share: the judge reads again what sets them apart."""

import numpy as np
import pydicom

TAGS = (
    *("Modality", "Rows", "Columns", "ImageOrientationPatient", "PixelSpacing", "ImageType", "EchoTime"),
    *("EchoNumbers", "DiffusionBValue", 0x0043102F, 0x0019109E, 0x00431030, 0x20011004, 0x20011020),
)
_SLACK = {"ImageOrientationPatient": 0.011, "PixelSpacing": 0.011, "EchoTime": 0.021}  # cosines, mm, ms


def leaf(file: pydicom.Dataset, number: int, group: str | None, keyword: str | None, top: str | None):
    """Return a frame's own value, else the shared one, else the one at the top of the file."""
    for name, index in (("PerFrameFunctionalGroupsSequence", number), ("SharedFunctionalGroupsSequence", 0)):
        if group and file.get(name) and file[name].value[index].get(group):
            value = file[name].value[index][group].value[0].get(keyword)
            if value is not None:
                return value
    return file.get(top) if top else None


def belongs(file: pydicom.Dataset, number: int, part: dict[str, object]) -> bool:
    """Say whether a frame is of the part of its series that the plan describes.

    Parameters
    ----------
    part : dict
        What the frames of one image have in common, as the plan has it: by DICOM's keyword, or GEComponent,
        GEMap (component of a B0 mapping sequence of GE) and Trace (computed from several directions).
    """
    return all(_agrees(_found(file, number, name), wanted, _SLACK.get(name)) for name, wanted in part.items())


def _found(file: pydicom.Dataset, number: int, name: str) -> object:
    in_groups = {
        "ImageOrientationPatient": ("PlaneOrientationSequence", "ImageOrientationPatient"),
        "PixelSpacing": ("PixelMeasuresSequence", "PixelSpacing"),
        "ComplexImageComponent": ("MRImageFrameTypeSequence", "ComplexImageComponent"),
        "StackID": ("FrameContentSequence", "StackID"),
    }
    if name == "ImageType":
        return _kind_of_image(file, number)
    if name == "EchoTime":
        return leaf(file, number, "MREchoSequence", "EffectiveEchoTime", "EchoTime")
    if name == "GEComponent":
        return _plain(file, 0x0043102F)
    if name == "GEMap":
        flag = _plain(file, 0x00431030)
        mapping = "b0map" in str(_plain(file, 0x0019109E) or "").lower() and flag is not None
        return ("FIELDMAP" if int(flag) == 0 else "MAGNITUDE") if mapping else None
    if name == "PhilipsSequence":
        return _word(_plain(file, 0x20011020))
    if name == "Trace":
        return _computed(file, number) or None
    group, keyword = in_groups.get(name, (None, None))
    top = None if name in ("ComplexImageComponent", "StackID") else name
    return leaf(file, number, group, keyword, top)


def _kind_of_image(file: pydicom.Dataset, number: int) -> str:
    for group in ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence"):
        if value := leaf(file, number, group, "FrameType", None):
            break
    else:
        value = file.get("ImageType") or ()
    words = [value] if isinstance(value, str) else list(value)
    return "\\".join(
        str(word).strip().upper() for word in words[: None if file.get("Modality") == "MR" else 3]
    )


def _computed(file: pydicom.Dataset, number: int) -> bool:
    if not float(leaf(file, number, "MRDiffusionSequence", "DiffusionBValue", "DiffusionBValue") or 0) > 0:
        return False
    return (
        _word(_plain(file, 0x20011004)) == "I"
        or leaf(file, number, "MRDiffusionSequence", "DiffusionDirectionality", None) == "ISOTROPIC"
    )


def _word(value: object) -> object:
    return value.decode("latin-1").strip("\0 ") if isinstance(value, bytes) else value


def _plain(file: pydicom.Dataset, tag: int) -> object:
    return file[tag].value if tag in file else None


def _agrees(found: object, wanted: object, slack: float | None) -> bool:
    if found in (None, "") or wanted in (None, ""):
        return found in (None, "") and wanted in (None, "")
    if isinstance(wanted, (int, float, list)) and not isinstance(wanted, bool):
        numbers = np.atleast_1d(np.asarray(found, float))
        targets = np.atleast_1d(np.asarray(wanted, float))
        return numbers.shape == targets.shape and bool((np.abs(numbers - targets) <= (slack or 1e-9)).all())
    return found == wanted
