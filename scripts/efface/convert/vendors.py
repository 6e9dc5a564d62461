"""What the standard and each vendor say of a frame's diffusion weighting, in patient coordinates (LPS+).

Vendors' own elements are read by number, and not where another creator holds the block: some tools that
de-identify drop the creators. Multi-frame objects say all of it in the standard's way.
"""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pydicom

from efface.convert.private import SIEMENS_CSA
from efface.dicom import frame_value, numbers
from efface.errors import Held

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nibabel calls its DICOM readers experimental; the result is proved
    from nibabel.nicom import csareader

_SIEMENS_B, _SIEMENS_KIND, _SIEMENS_VECTOR, _SIEMENS_MATRIX = 0x0019100C, 0x0019100D, 0x0019100E, 0x00191027
_GE_B, _GE_PURPOSE, _GE_VECTOR = 0x00431039, 0x00431030, (0x001910BB, 0x001910BC, 0x001910BD)
_PHILIPS_B, _PHILIPS_LETTER, _PHILIPS_VECTOR = 0x20011003, 0x20011004, (0x200510B0, 0x200510B1, 0x200510B2)
_UIH_B, _UIH_VECTOR = 0x00651009, 0x00651037
WANTED = (
    *("Manufacturer", "ImageType", "SequenceName", "ImageOrientationPatient", "ImageComments"),
    *("InPlanePhaseEncodingDirection", "AcquisitionMatrix", "MRDiffusionSequence", "DiffusionBValue"),
    *("DiffusionDirectionality", "DiffusionGradientDirectionSequence", "DiffusionGradientOrientation"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *(0x00190010, _SIEMENS_B, _SIEMENS_KIND, _SIEMENS_VECTOR, _SIEMENS_MATRIX, 0x00290010, SIEMENS_CSA),
    *(0x00430010, _GE_B, _GE_PURPOSE, *_GE_VECTOR, 0x00650010, _UIH_B, _UIH_VECTOR),
    *(0x20010010, _PHILIPS_B, _PHILIPS_LETTER, 0x20050010, *_PHILIPS_VECTOR),
)

ROUNDING = 0.01  # how far a direction's length may be from 1, or from 0, and still be rounding
_MATRIX = [f"DiffusionBMatrixSequence.DiffusionBValue{ij}" for ij in ("XX", "XY", "XZ", "YY", "YZ", "ZZ")]
_COMMENT = re.compile(r"b=(\d+(?:\.\d+)?)\((-?\d+\.\d+),(-?\d+\.\d+),(-?\d+\.\d+)\)")

# Where GE's frequency, phase and slice point (columns: along row, column and normal). GE does not publish it:
# this is what the public converters agree on, up to a sign over all, which no tensor depends on.
_GE_FRAMES = {
    ("axial", "COL"): [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
    ("axial", "ROW"): [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
    ("sagittal", "COL"): [[1, 0, 0], [0, 1, 0], [0, 0, -1]],
    ("sagittal", "ROW"): [[0, -1, 0], [1, 0, 0], [0, 0, -1]],
    ("coronal", "COL"): [[-1, 0, 0], [0, 1, 0], [0, 0, 1]],
    ("coronal", "ROW"): [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
}
_CANON_FRAME = [[0, -1, 0], [-1, 0, 0], [0, 0, 1]]  # where Canon's phase, frequency and slice point


@dataclass(frozen=True, eq=False)
class Said:
    """What one source says: b-value in s/mm2, vector (LPS+, None when zero or absent), whether isotropic.

    `leads`: its b-value comes before the standard's. `other_frame`: its vector was given in another frame.
    """

    b_value: float | None = None
    vector: np.ndarray | None = None
    isotropic: bool = False
    leads: bool = False
    other_frame: bool = False


def public(dataset: pydicom.Dataset, number: int) -> Said:
    """Return what the MR Diffusion macro says (PS3.3 C.8.13.5.9), or the same attributes at the top."""

    def value(keyword: str) -> object:
        found = frame_value(dataset, f"MRDiffusionSequence.{keyword}", number)
        return frame_value(dataset, keyword, number) if found is None else found

    b_value = _first(numbers(value("DiffusionBValue")))
    if b_value is None:
        return Said(isotropic="TRACEW" in (dataset.get("ImageType") or ()))
    inner = value("DiffusionGradientDirectionSequence.DiffusionGradientOrientation")
    vector = _vector(numbers(value("DiffusionGradientOrientation") if inner is None else inner))
    kind = str(value("DiffusionDirectionality") or "").strip().upper()
    if vector is None and kind == "BMATRIX":
        vector = _of_matrix(numbers([value(keyword) for keyword in _MATRIX]))
    types = frame_value(dataset, "MRImageFrameTypeSequence.FrameType", number) or dataset.get("ImageType")
    return Said(b_value, vector, kind == "ISOTROPIC" or "TRACEW" in (types or ()))


def private(dataset: pydicom.Dataset, number: int, open_said: Said) -> Said:
    """Return what the vendor's own elements of a classic object say.

    Raises
    ------
    Held
        When they contradict the standard's, or are in a frame that is not known.
    """
    maker = str(dataset.get("Manufacturer") or "").strip().upper()
    if "PerFrameFunctionalGroupsSequence" in dataset:
        return Said()
    if maker.startswith("SIEMENS"):
        return _siemens(dataset)
    if maker.startswith("GE"):
        return _ge(dataset, number, open_said)
    if maker.startswith("PHILIPS"):
        return _philips(dataset, open_said)
    if maker.startswith(("UIH", "UNITED IMAGING")):
        return _uih(dataset, number)
    if maker.startswith(("CANON", "TOSHIBA")):
        return _canon(dataset, number, open_said)
    return Said()


def _siemens(dataset: pydicom.Dataset) -> Said:
    """Return what Siemens says: its own elements, else the CSA header, else the sequence's name."""
    named = re.search(r"(?:ep|re)_b(\d+)(t?)", str(dataset.get("SequenceName") or ""))
    creator = "SIEMENS MR HEADER"
    b_value = _first(_numbers(dataset, _SIEMENS_B, creator))
    vector = _numbers(dataset, _SIEMENS_VECTOR, creator, "<f8")
    matrix = _numbers(dataset, _SIEMENS_MATRIX, creator, "<f8")
    weighted = bool(named) or "DIFFUSION" in (dataset.get("ImageType") or ())
    if weighted and SIEMENS_CSA in dataset and (b_value is None or (b_value > 0 and not vector)):
        csa = _csa(dataset)
        b_value = _first(csa.get("B_value", [])) if b_value is None else b_value
        vector = vector or csa.get("DiffusionGradientDirection", [])
        matrix = matrix or csa.get("B_matrix", [])
    if b_value is None and named:
        b_value = float(named[1])
    trace = bool(named and named[2]) or _value(dataset, _SIEMENS_KIND, creator) == "ISOTROPIC"
    direction = _vector(vector)
    return Said(b_value, _of_matrix(matrix) if direction is None else direction, trace)


def _csa(dataset: pydicom.Dataset) -> dict[str, list[float]]:
    try:
        tags = csareader.read(dataset[SIEMENS_CSA].value)["tags"]
    except Exception as error:  # a damaged header makes nibabel's reader raise anything
        raise Held(f"the CSA header of a diffusion image cannot be read ({type(error).__name__})") from None
    wanted = ("B_value", "DiffusionGradientDirection", "B_matrix")
    return {name: numbers(tags[name]["items"]) for name in wanted if name in tags}


def _ge(dataset: pydicom.Dataset, number: int, open_said: Said) -> Said:
    """Return what GE says, in the frame of frequency, phase and slice.

    GE adds 1e9 to the b-value of series with several. Older software makes shells by shorter vectors under
    one nominal b-value, which holds for length 1; in such a table a vector of zeros is b = 0.
    """
    b_value = _first(_numbers(dataset, _GE_B, "GEMS_PARM_01"))
    if b_value is None:
        return Said()
    b_value %= 1e9
    vector = np.array([x for tag in _GE_VECTOR for x in _numbers(dataset, tag, "GEMS_ACQU_01")])
    length = float(np.linalg.norm(vector))
    if b_value == 0 or len(vector) != 3 or length < ROUNDING:
        purpose = _first(_numbers(dataset, _GE_PURPOSE, "GEMS_PARM_01", "<i2"))
        of_table = purpose in (14, 16) and len(vector) == 3 and open_said.vector is None  # T2; of a tensor
        return Said(0.0 if of_table else b_value, leads=True)
    if length < 1 - ROUNDING:
        scaled = b_value * length**2
        if open_said.b_value is not None:
            _check_b_value(open_said.b_value, b_value, scaled)
        b_value, vector = float(round(scaled)), vector / length
    axes = _axes(dataset, number)
    frame = np.array(_GE_FRAMES[_plane(axes), _phase_axis(dataset)], float)
    return Said(b_value, vector @ frame @ axes, leads=True, other_frame=True)


def _philips(dataset: pydicom.Dataset, open_said: Said) -> Said:
    """Return what Philips says: vectors right to left, anterior to posterior, feet to head."""
    b_value = _first(_numbers(dataset, _PHILIPS_B, "PHILIPS", "<f4"))
    vector = _vector([x for tag in _PHILIPS_VECTOR for x in _numbers(dataset, tag, "PHILIPS", "<f4")])
    undirected = vector is None and open_said.vector is None
    return Said(b_value, vector, undirected and _value(dataset, _PHILIPS_LETTER, "PHILIPS") == "I")


def _uih(dataset: pydicom.Dataset, number: int) -> Said:
    """Return what United Imaging says: the actual b-value, vectors along row, column and normal."""
    b_value = _first(_numbers(dataset, _UIH_B, "IMAGE PRIVATE HEADER", "<f8"))
    vector = _vector(_numbers(dataset, _UIH_VECTOR, "IMAGE PRIVATE HEADER", "<f8"))
    along = None if vector is None else vector @ _axes(dataset, number)
    return Said(b_value, along, leads=True, other_frame=True)


def _canon(dataset: pydicom.Dataset, number: int, open_said: Said) -> Said:
    """Return what Canon writes into ImageComments, in the frame of phase, frequency and slice.

    The frame is known from axial series with phase encoding along columns only.
    """
    found = _COMMENT.fullmatch(str(dataset.get("ImageComments") or "").strip())
    if not found:
        return Said()
    b_value, *parts = (float(part) for part in found.groups())
    if open_said.b_value is not None:
        _check_b_value(open_said.b_value, b_value)
    axes, vector = _axes(dataset, number), _vector(parts)
    if _plane(axes) == "axial" and _phase_axis(dataset) == "COL":
        along = None if vector is None else vector @ np.array(_CANON_FRAME, float) @ axes
        return Said(b_value, along, other_frame=True)
    if open_said.vector is None:
        expected = "axial slices with phase encoding along columns"
        raise Held("the frame of Canon's gradient directions is not known", expected=expected, found="others")
    return Said(b_value)


def _check_b_value(one: float, *others: float) -> None:
    if all(abs(one - other) > max(1.0, 0.01 * other) for other in others):
        raise Held("two attributes disagree about a b-value", todo="check the series at the scanner")


def _axes(dataset: pydicom.Dataset, number: int) -> np.ndarray:
    """Return row, column and normal of the frame's plane, as rows of a (3, 3) array (LPS+)."""
    path = "PlaneOrientationSequence.ImageOrientationPatient"
    cosines = numbers(frame_value(dataset, path, number) or dataset.get("ImageOrientationPatient"))
    row, column = np.array(cosines).reshape(2, 3)
    axes = np.array([row, column, np.cross(row, column)])
    return axes / np.linalg.norm(axes, axis=1, keepdims=True)


def _plane(axes: np.ndarray) -> str:
    sizes = np.abs(axes[2])
    second, largest = np.argsort(sizes)[1:]
    # Sagittal and axial frames are alike but for the sign over all; coronal ones differ.
    if 1 in (largest, second) and sizes[largest] - sizes[second] < 0.05:
        raise Held("slices half-way to coronal", todo="the frame of their gradient directions is not known")
    return ("sagittal", "coronal", "axial")[int(largest)]


def _phase_axis(dataset: pydicom.Dataset) -> str:
    """Return COL or ROW: the axis along which phase is encoded (PS3.3 C.8.3.1.1)."""
    axis = str(dataset.get("InPlanePhaseEncodingDirection") or "").strip().upper()
    matrix = numbers(dataset.get("AcquisitionMatrix"))  # frequency rows, columns; phase rows, columns
    by_matrix = "ROW" if len(matrix) == 4 and matrix[0] == 0 < matrix[1] else "COL"  # EPI's usual way
    return axis if axis in ("COL", "ROW") else by_matrix


def _value(dataset: pydicom.Dataset, tag: int, creator: str) -> object:
    """Return a private element's value, unknown bytes as text; None where absent or another creator's."""
    block = pydicom.tag.Tag(tag >> 16, tag >> 8 & 0xFF)
    said = str(dataset[block].value or "").strip().upper() if block in dataset else ""
    if tag not in dataset or (said and not said.startswith(creator)):
        return None
    value = dataset[tag].value
    return value.decode("ascii", "replace").strip("\0 ") if isinstance(value, bytes) else value


def _numbers(dataset: pydicom.Dataset, tag: int, creator: str, binary: str = "") -> list[float]:
    """Return a private element's numbers; as unknown bytes (UN) they are `binary`, or text."""
    value = _value(dataset, tag, creator)
    if value is None or value == "":
        return []
    raw = dataset[tag].value
    if binary and isinstance(raw, bytes) and len(raw) % np.dtype(binary).itemsize == 0:
        value = np.frombuffer(raw, binary)
    found = numbers(value.split("\\") if isinstance(value, str) else value)
    if not found:  # taken for silence, it would become b = 0
        raise Held("an attribute of diffusion weighting", expected="numbers", found="something else")
    return found


def _first(values: Sequence[float]) -> float | None:
    return values[0] if values else None


def _vector(values: Sequence[float]) -> np.ndarray | None:
    """Return three numbers as an array; None where there are none, or zeros, which say that there is none."""
    vector = np.array(values)
    return vector if vector.shape == (3,) and np.linalg.norm(vector) > ROUNDING else None


def _of_matrix(values: Sequence[float]) -> np.ndarray | None:
    """Return the main axis of a b-matrix (XX, XY, XZ, YY, YZ, ZZ), its largest part positive.

    The matrix has no sign; it has a direction only if one eigenvalue stands out.
    """
    if len(values) != 6:
        return None
    matrix = np.zeros((3, 3))
    matrix[np.triu_indices(3)] = values
    sizes, axes = np.linalg.eigh(matrix, UPLO="U")
    axis = axes[:, 2]
    return axis * np.sign(axis[np.abs(axis).argmax()]) if sizes[2] > 10 * np.abs(sizes[:2]).max() else None
