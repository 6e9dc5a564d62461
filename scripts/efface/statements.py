"""What headers state of diffusion gradients, read for the judge, in patient coordinates (LPS+).

It shares no code with the makers' reader, so that a mistake there cannot hide here.
"""

import re
import warnings

import numpy as np
import pydicom

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nibabel calls its DICOM readers experimental; this is a second opinion
    from nibabel.nicom import csareader

TAGS = (
    *("Manufacturer", "ImageType", "SequenceName", "ImageOrientationPatient", "ImageComments"),
    *("InPlanePhaseEncodingDirection", "AcquisitionMatrix", "MRDiffusionSequence", "DiffusionBValue"),
    *("DiffusionDirectionality", "DiffusionGradientDirectionSequence", "DiffusionGradientOrientation"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *(0x00190010, 0x00290010, 0x00430010, 0x20010010, 0x20050010, 0x00650010),  # private creators
    *(0x0019100C, 0x0019100D, 0x0019100E, 0x00191027, 0x00291010),  # Siemens
    *(0x00431039, 0x00431030, 0x001910BB, 0x001910BC, 0x001910BD),  # GE
    *(0x20011003, 0x20011004, 0x200510B0, 0x200510B1, 0x200510B2),  # Philips
    *(0x00651009, 0x00651037),  # United Imaging
)
"""What a file must be read with to be judged."""

LENGTH = 0.01  # a direction's rounding in headers
_LETTERS = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
# Where frequency, phase and slice of GE point in slices that lie upright, by the plane's normal (x, y, z).
_GE = {"COL": ("PIL", "RIP", "RAS"), "ROW": ("SPL", "ILP", "PRS")}
_NUMBER = r"(-?\d+(?:\.\d+)?)"


class Unclear(Exception):
    """What a header says of a gradient cannot be relied on; the text holds no header's value."""


Statement = tuple[float, np.ndarray | None, bool]
"""b-value (s/mm2), gradient vector (LPS+; None for none or zeros), whether it is isotropic."""


def stated(file: pydicom.Dataset, number: int) -> Statement | None:
    """Return what the header states of a frame, None where it says nothing of diffusion.

    Raises
    ------
    Unclear
        When it contradicts itself or cannot be read.
    """
    try:
        said = _macro(file, number)
        multi = "PerFrameFunctionalGroupsSequence" in file
        return _classic(file) if said is None and not multi else said
    except Unclear:
        raise
    except Exception as error:  # whatever it is, its text may quote the file
        raise Unclear(f"a frame's gradient cannot be read ({type(error).__name__})") from None


def _macro(file: pydicom.Dataset, number: int) -> Statement | None:
    """Return what a multi-frame object says of a frame (PS3.3 C.8.13.5.9)."""
    for name, index in (("PerFrameFunctionalGroupsSequence", number), ("SharedFunctionalGroupsSequence", 0)):
        groups = file.get(name)
        if groups and groups[index].get("MRDiffusionSequence"):
            macro = groups[index].MRDiffusionSequence[0]
            if macro.get("DiffusionBValue") is not None:
                types = groups[index].get("MRImageFrameTypeSequence") or [file]
                words = (*(types[0].get("FrameType") or ()), *(file.get("ImageType") or ()))
                return _open(macro, words)
    return None


def _open(item: pydicom.Dataset, words: tuple[str, ...]) -> Statement:
    holder = item
    if item.get("DiffusionGradientDirectionSequence"):
        holder = item.DiffusionGradientDirectionSequence[0]
    vector = _three(holder.get("DiffusionGradientOrientation"))
    kind = item.get("DiffusionDirectionality")
    if vector is None and kind == "BMATRIX" and item.get("DiffusionBMatrixSequence"):
        matrix = item.DiffusionBMatrixSequence[0]
        keys = ("XX", "XY", "XZ", "YY", "YZ", "ZZ")
        vector = _main_axis([matrix[f"DiffusionBValue{key}"].value for key in keys])
    return float(item.DiffusionBValue), vector, kind == "ISOTROPIC" or "TRACEW" in words


def _classic(file: pydicom.Dataset) -> Statement | None:
    """Return what a classic object says: at its top, or in its maker's own elements."""
    words = tuple(file.get("ImageType") or ())
    item = (file.get("MRDiffusionSequence") or [file])[0]
    top = _open(item, words) if item.get("DiffusionBValue") is not None else None
    vendor = re.match("SIEMENS|GE|PHILIPS|U|CANON|TOSHIBA", str(file.get("Manufacturer")).strip().upper())
    reader = {
        "SIEMENS": _siemens, "GE": _ge, "PHILIPS": _philips, "U": _united, "CANON": _canon, "TOSHIBA": _canon,
    }.get(vendor[0] if vendor else "")  # fmt: skip
    own = reader(file) if reader else None
    if own is None:
        return top
    b_value, vector, isotropic = own
    if top is None:
        return b_value, vector, isotropic or "TRACEW" in words
    # The standard's vector is in patient coordinates whoever writes it: it must not contradict the maker's.
    if reader in (_ge, _united, _canon) and top[0] > 0 and top[1] is not None and vector is not None:
        cosine = abs(top[1] @ vector) / np.linalg.norm(top[1]) / np.linalg.norm(vector)
        if cosine < np.cos(np.radians(1)):
            raise Unclear("two attributes disagree about a gradient direction")
    return (
        b_value if reader in (_ge, _united) else top[0],
        vector if top[1] is None else top[1],
        isotropic or top[2],
    )


def _siemens(file: pydicom.Dataset) -> Statement | None:
    told = re.search(r"(ep|re)_b(?P<b>\d+)(?P<trace>t?)", str(file.get("SequenceName") or ""))
    b_value, vector = _floats(file, 0x0019100C, None), _floats(file, 0x0019100E, "<d")
    matrix = _floats(file, 0x00191027, "<d")
    if 0x00291010 in file and (told or "DIFFUSION" in (file.get("ImageType") or ())):
        header = csareader.get_csa_header(file, "image") or {"tags": {}}
        found = {name: entry["items"] for name, entry in header["tags"].items()}
        b_value = b_value or [float(item) for item in found.get("B_value", [])]
        vector = vector or [float(item) for item in found.get("DiffusionGradientDirection", [])]
        matrix = matrix or [float(item) for item in found.get("B_matrix", [])]
    if not b_value and told:
        b_value = [float(told["b"])]
    if not b_value:
        return None
    direction = _three(vector)
    kind = "".join(chr(one) for one in file[0x0019100D].value) if _is_raw(file, 0x0019100D) else None
    kind = kind or (str(file[0x0019100D].value) if 0x0019100D in file else "")
    isotropic = kind.strip("\0 ") == "ISOTROPIC" or bool(told and told["trace"])
    return b_value[0], _main_axis(matrix) if direction is None else direction, isotropic


def _ge(file: pydicom.Dataset) -> Statement | None:
    b_value = _floats(file, 0x00431039, None)
    if not b_value:
        return None
    nominal = b_value[0] - 1e9 * (b_value[0] // 1e9)
    parts = [_floats(file, tag, None) for tag in (0x001910BB, 0x001910BC, 0x001910BD)]
    vector = np.array([part[0] for part in parts]) if all(parts) else None
    if nominal == 0 or vector is None or np.linalg.norm(vector) < LENGTH:
        zeros = vector is not None and _three(file.get("DiffusionGradientOrientation")) is None
        tensor = _floats(file, 0x00431030, "<h")[:1] in ([14], [16])
        return (0.0 if zeros and tensor else nominal), None, False
    norm = float(np.linalg.norm(vector))
    if norm < 1 - LENGTH:  # shells by shorter gradients: b grows with the square
        actual = nominal * norm * norm
        top = file.get("DiffusionBValue")
        if top is not None and not any(abs(top - one) <= max(1, one / 100) for one in (nominal, actual)):
            raise Unclear("two attributes disagree about a b-value")
        nominal, vector = actual, vector / norm
    row, column, normal = _sides(file)
    upright = _GE[_encoding(file)][_largest(normal)]
    # Each letter stands for the side of the slice, or its normal, that is nearest to it.
    lps = np.zeros(3)
    for amount, letter in zip(vector, upright, strict=True):
        side = max((row, column, normal), key=lambda one, letter=letter: abs(one @ _LETTERS[letter]))
        lps += amount * np.sign(side @ _LETTERS[letter]) * side
    return nominal, lps, False


def _philips(file: pydicom.Dataset) -> Statement | None:
    b_value = _floats(file, 0x20011003, "<f")
    if not b_value:
        return None
    vector = _three(
        [part for tag in (0x200510B0, 0x200510B1, 0x200510B2) for part in _floats(file, tag, "<f")]
    )
    letter = file[0x20011004].value if 0x20011004 in file else ""
    letter = letter.decode("latin-1") if isinstance(letter, bytes) else str(letter)
    somewhere = vector is not None or _three(file.get("DiffusionGradientOrientation")) is not None
    return b_value[0], vector, letter.strip("\0 ") == "I" and not somewhere


def _united(file: pydicom.Dataset) -> Statement | None:
    b_value, vector = _floats(file, 0x00651009, "<d"), _three(_floats(file, 0x00651037, "<d"))
    if not b_value:
        return None
    return b_value[0], None if vector is None else np.stack(_sides(file), axis=1) @ vector, False


def _canon(file: pydicom.Dataset) -> Statement | None:
    comment = str(file.get("ImageComments") or "").strip()
    match = re.fullmatch(rf"b={_NUMBER}\({_NUMBER},{_NUMBER},{_NUMBER}\)", comment)
    if match is None:
        return None
    b_value, along_phase, along_frequency, along_slice = map(float, match.groups())
    row, column, normal = _sides(file)
    if _largest(normal) != 2 or _encoding(file) != "COL":
        if _three(file.get("DiffusionGradientOrientation")) is None:
            raise Unclear("the frame of Canon's gradient directions is known in axial slices only")
        return b_value, None, False
    return b_value, along_slice * normal - along_phase * column - along_frequency * row, False


def _sides(file: pydicom.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cosines = np.array(file.ImageOrientationPatient, float)
    row, column = (part / np.linalg.norm(part) for part in (cosines[:3], cosines[3:]))
    return row, column, np.cross(row, column)


def _largest(normal: np.ndarray) -> int:
    order = np.abs(normal).argsort()
    if 1 in order[1:] and np.diff(np.abs(normal)[order])[1] < 0.05:
        raise Unclear("the slices are half-way to coronal: nobody knows the frame of their directions")
    return int(order[2])


def _encoding(file: pydicom.Dataset) -> str:
    said = str(file.get("InPlanePhaseEncodingDirection") or "").strip()
    if said in ("ROW", "COL"):
        return said
    matrix = list(file.get("AcquisitionMatrix") or [1, 0, 0, 1])
    return "COL" if matrix[0] or not matrix[1] else "ROW"


def _is_raw(file: pydicom.Dataset, tag: int) -> bool:
    return tag in file and isinstance(file[tag].value, bytes)


def _floats(file: pydicom.Dataset, tag: int, packed: str | None) -> list[float]:
    """Return the numbers of an element; bytes are `packed` numbers, or text where they do not fit."""
    if tag not in file or file[tag].value in (None, "", b""):
        return []
    value = file[tag].value
    if isinstance(value, bytes):
        size = np.dtype(packed).itemsize if packed else 0
        if size and len(value) % size == 0:
            return np.frombuffer(value, packed).astype(float).tolist()
        value = value.decode("latin-1").strip("\0 ").split("\\")
    return np.atleast_1d(np.array(value, dtype=float)).tolist()


def _three(value: object) -> np.ndarray | None:
    """Return three numbers as a vector, None for anything else and for zeros."""
    vector = np.array([] if value is None else value, float)
    return vector if vector.shape == (3,) and np.linalg.norm(vector) > LENGTH else None


def _main_axis(six: list[float]) -> np.ndarray | None:
    """Return the direction in which a b-matrix weights, if it is one; its largest part is positive."""
    if len(six) != 6:
        return None
    xx, xy, xz, yy, yz, zz = map(float, six)
    left, sizes, _ = np.linalg.svd([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    if not sizes[0] > 10 * sizes[1]:
        return None
    return left[:, 0] if left[np.abs(left[:, 0]).argmax(), 0] > 0 else -left[:, 0]
