"""What a mosaic says of its tiles, read for the judge: how many, where each lies, which pixels are its own.

It shares no code with the maker's reader of mosaics, and goes another way where there is one.
"""

import math
import re
from functools import lru_cache

import numpy as np
import pydicom
from pydicom.values import convert_SQ

_PROTOCOLS = (0x00291020, 0x00291120, 0x00211019)  # CSA series header, in either block; syngo MR XA
TAGS = (
    *("ImageType", "Manufacturer", "Rows", "Columns", "PerFrameFunctionalGroupsSequence"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SpacingBetweenSlices"),
    *(0x00291010, 0x00651050, 0x00651051),
)
"""What a file must be read with; the long protocols are read only where they are needed."""
# An entry of the CSA image header: its name in 64 bytes, 20 bytes that describe it, and items, each 16 bytes
# of lengths and its text (nibabel's notes on the CSA header).
_ITEM = rb"[\s\S]{16} *([-+]?\d+\.?\d*(?:[eE][-+]?\d+)?) *\0+"
_COUNT = re.compile(rb"NumberOfImagesInMosaic\0[\s\S]{61}" + _ITEM)
_NORMAL = re.compile(rb"SliceNormalVector\0[\s\S]{66}" + 3 * _ITEM)


def is_tiled(file: pydicom.Dataset) -> bool:
    """Say whether the file's picture is a mosaic; an enhanced object never is, whatever ImageType says."""
    kind = file.get("ImageType") or ()
    return ("MOSAIC" in kind or "VFRAME" in kind) and "PerFrameFunctionalGroupsSequence" not in file


def tile_shape(file: pydicom.Dataset) -> tuple[int, int, int]:
    """Return how many tiles there are, and the rows and columns of each.

    Raises
    ------
    ValueError
        When the header does not tell.
    """
    if _united(file):
        count = len(_items(file))
        across = math.ceil(count**0.5)
        down = -(-count // across)  # MRNumberOfSliceInVolume (0065,1050), as the vendor describes it
    else:
        stated = _stated(file)
        count = stated[0] if stated else len(_planned(file)[0])
        down = across = math.ceil(count**0.5)
    if file.Rows % down or file.Columns % across:
        raise ValueError("the picture does not divide into its tiles")
    return count, file.Rows // down, file.Columns // across


def corners(file: pydicom.Dataset) -> np.ndarray:
    """Return the centre of each tile's first pixel, (count, 3) in mm, LPS+.

    With Siemens' CSA image header: the picture's centre is that of the first tile, and the others follow
    SliceNormalVector. Without: as the protocol plans the slices; they are numbered towards the left, back and
    head, or the other way where ucImageNumbSag, Cor or Tra says so. United Imaging: as each tile's item says.

    Raises
    ------
    ValueError
        When the header does not tell, or contradicts itself.
    """
    if _united(file):
        return np.array([np.array(item.ImagePositionPatient, float).reshape(3) for item in _items(file)])
    count, rows, columns = tile_shape(file)
    row, column = np.array(file.ImageOrientationPatient, float).reshape(2, 3)
    across, down = row * float(file.PixelSpacing[1]), column * float(file.PixelSpacing[0])
    half = (across * columns + down * rows) / 2
    if stated := _stated(file):
        normal = np.cross(row, column)
        if not abs(abs(stated[1] @ normal) - 1) <= 1e-3:
            raise ValueError("SliceNormalVector is not across the planes")
        centre = np.array(file.ImagePositionPatient, float) + (across * file.Columns + down * file.Rows) / 2
        step = np.copysign(float(file.SpacingBetweenSlices), stated[1] @ normal) * normal
        return centre - half + np.outer(np.arange(count), step)
    centres, normal, fields = _planned(file)
    if not abs(abs(normal @ np.cross(row, column)) - 1) <= 1e-3:
        raise ValueError("the protocol's slices lie across the picture")
    sizes = sorted([np.linalg.norm(across) * columns, np.linalg.norm(down) * rows])
    if np.abs(np.array(sizes) - fields).max() > np.linalg.norm(across):
        raise ValueError("a tile is not as large as the protocol's field of view")
    return centres - half


def tile_pixels(file: pydicom.Dataset, picture: np.ndarray) -> np.ndarray:
    """Return the tiles of the file's picture: (Rows, Columns) to (tiles, tile rows, tile columns)."""
    count, rows, columns = tile_shape(file)
    across = picture.shape[1] // columns
    tiles = np.empty((count, rows, columns), picture.dtype)
    for number in range(count):
        top, left = number // across * rows, number % across * columns
        tiles[number] = picture[top : top + rows, left : left + columns]
    return tiles


def _stated(file: pydicom.Dataset) -> tuple[int, np.ndarray] | None:
    """Return the number of tiles and the direction in which they follow, None without a CSA image header."""
    header = file[0x00291010].value if 0x00291010 in file else None
    if not isinstance(header, bytes) or not float(file.get("SpacingBetweenSlices") or 0) > 0:
        return None
    count, normal = _COUNT.search(header), _NORMAL.search(header)
    if count is None or normal is None or int(count[1]) < 1:
        return None
    return int(count[1]), np.array(normal.groups(), float)


def _planned(file: pydicom.Dataset) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Return the protocol's slices in the order of the tiles: centres, normal, and field of view in mm."""
    header = pydicom.dcmread(file.filename, force=True, specific_tags=list(_PROTOCOLS))
    for tag in _PROTOCOLS:
        if tag in header and b"### ASCCONV BEGIN" in header[tag].value:
            text = header[tag].value
            start = text.index(b"### ASCCONV BEGIN")
            return _parsed(text[start : text.index(b"### ASCCONV END", start)])
    raise ValueError("neither a CSA image header nor a protocol tells where the tiles lie")


@lru_cache(maxsize=4)
def _parsed(protocol: bytes) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Read a protocol of lines `name = value` that leaves out what is 0; a series' files have the same."""
    lines = (line.partition("=") for line in protocol.decode("latin-1").splitlines())
    said = {name.strip(): value.strip() for name, _, value in lines if name.startswith("sSliceArray.")}
    named = (re.match(r"sSliceArray\.asSlice\[(\d+)\]", name) for name in said)
    numbers = sorted({int(match[1]) for match in named if match})
    axes = ("Sag", "Cor", "Tra")

    def vector(number: int, what: str) -> list[float]:
        return [float(said.get(f"sSliceArray.asSlice[{number}].{what}.d{axis}", 0)) for axis in axes]

    if len(numbers) < 2 or numbers[-1] != len(numbers) - 1:
        raise ValueError("the protocol does not have all slices")
    centres, normal = np.array([vector(n, "sPosition") for n in numbers]), np.array(vector(0, "sNormal"))
    main = int(np.abs(normal).argmax())
    if int(said.get(f"sSliceArray.ucImageNumb{axes[main]}", "0"), 0):
        order = np.argsort(-centres[:, main])
    else:
        order = np.argsort(centres[:, main])
    fields = [float(said[f"sSliceArray.asSlice[0].d{way}FOV"]) for way in ("Phase", "Readout")]
    return centres[order], normal, sorted(fields)


def _united(file: pydicom.Dataset) -> bool:
    return bool(re.match(r"UIH|.*United Imaging", str(file.get("Manufacturer") or ""), re.IGNORECASE))


def _items(file: pydicom.Dataset) -> list[pydicom.Dataset]:
    """Return the items of MRVFrameSequence (0065,1051), of which each describes one tile."""
    count, items = (file[tag].value for tag in (0x00651050, 0x00651051))
    items = list(convert_SQ(items, True, True) if isinstance(items, bytes) else items)
    if not items or len(items) != int(float(count)):
        raise ValueError("MRVFrameSequence does not describe all tiles")
    return items
