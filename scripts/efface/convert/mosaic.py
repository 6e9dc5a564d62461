"""Mosaics: one picture that holds all planes of a volume as tiles, row by row (Siemens, United Imaging)."""

import math
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pydicom
from pydicom.values import convert_SQ

from efface.convert.frames import Frame, frames_of
from efface.convert.private import csa_values
from efface.dicom import numbers, read
from efface.errors import Held

_AGREE_MM = 0.1  # how far a tile may lie from where the protocol has its slice
_SIEMENS_COUNTS = ((0x0019100A, "SIEMENS MR HEADER"), (0x00211101, "SIEMENS MR SDI 02"))
_UNITED_COUNT, _UNITED_TILES = ((tag, "Image Private Header") for tag in (0x00651050, 0x00651051))
_PROTOCOLS = (0x00291020, 0x00291120, 0x00211019)  # CSA series header, in either block; syngo MR XA
_SLICE = re.compile(rb"^sSliceArray\.asSlice\[(\d+)\]\.(?:sPosition\.d(Sag|Cor|Tra)\s*=\s*(\S+))?", re.M)
_SLICE_COUNT = re.compile(rb"^sSliceArray\.lSize\s*=\s*(\d+|0x[\da-f]+)\s", re.M)
KEYWORDS = (
    *("SpacingBetweenSlices", "Manufacturer", 0x00190010, 0x00210011, 0x00650010),
    *(tag for tag, _ in (*_SIEMENS_COUNTS, _UNITED_COUNT, _UNITED_TILES)),
)
"""What a file must be read with besides; the long protocols are read only where they are needed."""


def is_mosaic(dataset: pydicom.Dataset) -> bool:
    """Say whether the file's picture is a mosaic.

    An enhanced object never is: syngo MR XA takes mosaics apart into frames but leaves the word there.
    """
    tiled = {"MOSAIC", "VFRAME"} & set(dataset.get("ImageType") or ())
    return bool(tiled) and "PerFrameFunctionalGroupsSequence" not in dataset


def tiles_of(dataset: pydicom.Dataset, source: int = 0) -> list[Frame]:
    """Return the tiles of one file as frames: `tiles` of its whole picture.

    Raises
    ------
    Held
        As `frames_of` and `tiles` do.
    """
    if _is_united(dataset) and "ImagePositionPatient" not in dataset:
        # Only the tiles need to have a place; the picture's is not used.
        dataset.ImagePositionPatient = [float(value) for value in _united(dataset)[0]]
    return tiles(dataset, frames_of(dataset, source)[0])


def tiles(dataset: pydicom.Dataset, whole: Frame) -> list[Frame]:
    """Return the tiles of a mosaic as frames; a tile's `number` is its place in the picture.

    Raises
    ------
    Held
        When the header does not say how many tiles there are and where each lies, or contradicts itself.
    """
    if _is_united(dataset):
        positions = _united(dataset)
        side = math.ceil(math.sqrt(len(positions)))
        shape = _tile_shape(whole.shape, math.ceil(len(positions) / side), side)
        if whole.shape[0] == whole.shape[1] and len(positions) <= side * (side - 1):
            raise Held("a mosaic may have one more row of tiles than it needs", todo="export slice by slice")
    else:
        positions, shape = _siemens(dataset, whole)
    return [
        replace(whole, number=number, position=position, shape=shape)
        for number, position in enumerate(positions)
    ]


def cut(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the tiles of a picture: (rows, columns) to (tiles, tile rows, tile columns).

    >>> cut(np.arange(4).reshape(2, 2), (1, 1)).ravel().tolist()
    [0, 1, 2, 3]
    """
    down, across = picture.shape[0] // shape[0], picture.shape[1] // shape[1]
    return picture.reshape(down, shape[0], across, shape[1]).swapaxes(1, 2).reshape(-1, *shape)


def _tile_shape(whole: tuple[int, int], down: int, across: int) -> tuple[int, int]:
    if whole[0] % down or whole[1] % across:
        raise Held("a mosaic's picture does not divide into its tiles")
    return whole[0] // down, whole[1] // across


def _siemens(dataset: pydicom.Dataset, whole: Frame) -> tuple[np.ndarray, tuple[int, int]]:
    """Return the tiles' positions (count, 3) in mm, LPS+, and their rows and columns.

    ImagePositionPatient is where the corner would be if the whole picture were one slice around the true
    centre; hence the shift (nibabel's notes on DICOM mosaics). The tiles follow the CSA header's
    SliceNormalVector, which is not always the cross product of row and column. Where that header is gone,
    the protocol's slices tell; of them the first or the last is the first tile.
    """
    count = int((csa_values(dataset, "NumberOfImagesInMosaic") or [0])[0])
    towards = np.array(csa_values(dataset, "SliceNormalVector"))
    distance = (numbers(dataset.get("SpacingBetweenSlices")) or [0])[0]
    described = count > 0 and towards.shape == (3,) and distance > 0
    slices = np.empty((0, 3)) if described else _protocol_slices(dataset)
    count = count if described else len(slices)
    side = math.ceil(math.sqrt(count))
    shape = _tile_shape(whole.shape, side, side)
    column_mm, row_mm = whole.row * whole.spacing[1], whole.column * whole.spacing[0]
    shift = column_mm * (whole.shape[1] - shape[1]) / 2 + row_mm * (whole.shape[0] - shape[0]) / 2
    if not described:
        centre = whole.position + shift + column_mm * shape[1] / 2 + row_mm * shape[0] / 2
        if np.linalg.norm(slices[0] - centre) > np.linalg.norm(slices[-1] - centre):
            slices = slices[::-1]
        length = np.linalg.norm(slices[-1] - slices[0])
        towards = (slices[-1] - slices[0]) / (length or 1)
        distance = distance if distance > 0 else length / (count - 1)
    if abs(abs(towards @ whole.normal) - 1) > 1e-3:
        raise Held("a mosaic's tiles", expected="to follow one another across the plane", found="otherwise")
    # The sign counts; the direction is that of the planes.
    along = whole.normal * np.sign(towards @ whole.normal) * distance
    steps = np.arange(count)[:, None] * along
    if not described and np.linalg.norm(centre + steps - slices, axis=1).max() > _AGREE_MM:
        raise Held(
            "a mosaic's tiles do not lie where the protocol has its slices",
            todo="without the CSA image header (0029,1010) nobody knows which is true: export it again",
        )
    return whole.position + shift + steps, shape


def _protocol_slices(dataset: pydicom.Dataset) -> np.ndarray:
    """Return the centres of the protocol's slices, (count, 3) in mm, LPS+, along a line.

    Raises
    ------
    Held
        When there is no protocol, or it has another number of slices than the header.
    """
    text = b""
    if path := getattr(dataset, "filename", None):
        header = read(Path(path), _PROTOCOLS)
        found = (header[tag].value for tag in _PROTOCOLS if tag in header)
        begun = (text.partition(b"### ASCCONV BEGIN")[2] for text in found if isinstance(text, bytes))
        text = next((each.partition(b"### ASCCONV END")[0] for each in begun if each), b"")
    slices = _slices(text)
    counts = [private for place in _SIEMENS_COUNTS if (private := _private(dataset, *place)) is not None]
    if len(slices) < 2 or any(_number(each) != len(slices) for each in counts):
        raise Held(
            "a mosaic without a usable description",
            expected="the CSA image header (0029,1010), or a protocol with a slice for each tile",
            todo="export the series with its private elements",
        )
    return slices


@lru_cache(maxsize=4)
def _slices(protocol: bytes) -> np.ndarray:
    """Return the slices' centres (count, 3), none when they are not as many as the protocol says.

    The protocol leaves out what is 0. The files of a series have the same.
    """
    count = _SLICE_COUNT.search(protocol)
    known: dict[int, dict[bytes, float]] = {}
    try:
        for number, axis, value in _SLICE.findall(protocol):
            known.setdefault(int(number), {})[axis] = float(value or 0)
        if count is None or sorted(known) != list(range(int(count[1], 0))):
            return np.empty((0, 3))
    except ValueError:
        return np.empty((0, 3))
    return np.array([[known[n].get(axis, 0) for axis in (b"Sag", b"Cor", b"Tra")] for n in sorted(known)])


def _is_united(dataset: pydicom.Dataset) -> bool:
    maker = str(dataset.get("Manufacturer") or "").upper()
    return maker.startswith("UIH") or "UNITED IMAGING" in maker


def _united(dataset: pydicom.Dataset) -> np.ndarray:
    """Return the tiles' positions (count, 3) in mm, LPS+: MRVFrameSequence has an item for each."""
    items, count = _private(dataset, *_UNITED_TILES), _number(_private(dataset, *_UNITED_COUNT))
    try:
        # A sequence of an unknown kind may come as its bytes, in implicit VR little endian (PS3.5 6.2.2).
        items = convert_SQ(items, True, True) if isinstance(items, bytes) else items
        positions = [numbers(item.get("ImagePositionPatient")) for item in items or ()]
    except Exception:  # damaged
        positions = []
    if not positions or len(positions) != count or any(len(position) != 3 for position in positions):
        raise Held(
            "a mosaic without a usable description",
            expected="MRVFrameSequence (0065,1051) with ImagePositionPatient for each tile",
            todo="export the series with its private elements, or slice by slice",
        )
    return np.array(positions)


def _private(dataset: pydicom.Dataset, tag: int, creator: str) -> object:
    """Return a private element's value, None when its block is another creator's; some files lost them."""
    owner = dataset.get((tag >> 16, (tag >> 8) & 0xFF))
    if tag not in dataset or (owner is not None and str(owner.value).strip() != creator):
        return None
    return dataset[tag].value


def _number(value: object) -> float | None:
    """Return a private number, which may come as the bytes of its text or of two-byte integers."""
    if isinstance(value, bytes) and len(value) == 2 and not value.strip().isdigit():
        value = int.from_bytes(value, "little")
    return (numbers(value.decode("latin-1") if isinstance(value, bytes) else value) or [None])[0]
