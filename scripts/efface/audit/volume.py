"""A NIfTI file read to its last byte: what its container and header say beyond the image, and its voxels."""

import hashlib
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from efface.audit import packed

_HEADER = 348
_DATA = 352
_LONGEST_EXTENSION = 1 << 24
_STRAY = 1 << 20  # of trailing bytes, for the search: a limit for memory, not for the check
# Name, first byte, last byte: fields without meaning for the image (nifti1.h), where tools have left text.
_EMPTY_FIELDS = (
    *(("data_type", 4, 14), ("db_name", 14, 32), ("extents", 32, 36), ("session_error", 36, 38)),
    *(("glmax", 140, 144), ("glmin", 144, 148), ("descrip", 148, 228), ("aux_file", 228, 252)),
    *(("intent_name", 328, 344), ("extender", 348, 352)),
)
# nifti1.h, NIFTI_TYPE_*: those with one number in a voxel.
_TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
_READABLE = re.compile(rb"[\x20-\x7e\x80-\xff]{3,}")


@dataclass
class Volume:
    """What stands around the voxels of an image.

    Attributes
    ----------
    faults : list of str
        What a rebuilt file would not have.
    strays : list of bytes
        Every byte that is not a voxel: container fields, header, extensions, trailing bytes.
    bits : int
        Of a voxel; 0 until the header has been read.
    dtype : numpy.dtype or None
        Of the voxels as stored; None where a voxel is not one number.
    whole : bool
        All voxels that the header tells of were there, and there is one at least.
    sha256 : str
        Of the file, in hexadecimal; empty until all blocks have been taken.
    """

    faults: list[str] = field(default_factory=list)
    strays: list[bytes] = field(default_factory=list)
    bits: int = 0
    dtype: np.dtype | None = None
    whole: bool = False
    sha256: str = ""
    _past_header: bool = False

    def blocks(self, path: Path) -> Iterator[bytes]:
        """Yield the voxel data of the file at `path`, block by block, and fill in the rest on the way."""
        head, start, left, trailing = bytearray(), None, 0, bytearray()
        for block in self._inflated(path):
            if not self._past_header:
                head += block
                if start is None and len(head) >= _DATA:
                    start, left = self._header(head)
                if start is None or len(head) < min(start, _LONGEST_EXTENSION):
                    continue
                self._past_header = True
                self.strays.append(bytes(head[:start]))
                block = bytes(head[start:])
            voxels, rest = block[:left], block[left:]
            left -= len(voxels)
            if voxels:
                self.whole = not left
                yield voxels
            trailing += rest[: _STRAY - len(trailing)]
        if not self._past_header:
            self.faults.append("the file ends inside its header")
            self.strays.append(bytes(head))
        elif left:
            self.faults.append("the file is shorter than its header says")
        if trailing:
            self.faults.append("bytes after the last voxel")
            self._stray(bytes(trailing))

    def texts(self) -> Iterator[str]:
        """Yield the readable text in all bytes that are not voxels."""
        for stray in self.strays:
            for run in _READABLE.findall(stray):
                try:
                    yield run.decode("utf-8")
                except UnicodeDecodeError:
                    yield run.decode("latin-1")
            if b"\0" in stray and stray.strip(b"\0"):
                for start in (0, 1):
                    for encoding in ("utf-16-le", "utf-16-be"):
                        text = stray[start:].decode(encoding, "ignore")
                        yield from re.findall(r"[ -~\xa0-\u024f]{3,}", text)

    def _stray(self, raw: bytes) -> None:
        if sum(map(len, self.strays)) < _STRAY:
            self.strays.append(raw[:_STRAY])

    def _inflated(self, path: Path) -> Iterator[bytes]:
        digest = hashlib.sha256()
        with path.open("rb") as stream:

            def read() -> bytes:
                raw = stream.read(packed.CHUNK)
                digest.update(raw)
                return raw

            yield from self._content(read) if path.name.endswith(".gz") else iter(read, b"")
            while read():
                pass  # what follows damage is not searched, but it is part of the file
        self.sha256 = digest.hexdigest()

    def _content(self, read: Callable[[], bytes]) -> Iterator[bytes]:
        around = bytearray()
        for inside, block in packed.gunzipped(read, self.faults):
            if inside:
                yield block
            else:
                around += block[: _STRAY - len(around)]
        self._stray(bytes(around))

    def _header(self, head: bytearray) -> tuple[int, int]:
        """Return the voxels' first byte and length, both by the header."""
        order = "<" if head[:4] == struct.pack("<i", _HEADER) else ">"
        if struct.unpack_from(order + "i", head)[0] != _HEADER or head[344:348] != b"n+1\0":
            self.faults.append("not a NIfTI-1 image in one file")
            return 0, 0
        for name, first, last in _EMPTY_FIELDS:
            if head[first:last].strip(b"\0"):
                self.faults.append(f"header field {name} is not empty")
        if head[38:39] not in (b"\0", b"r"):
            self.faults.append("header field regular is not empty")
        dim = struct.unpack_from(order + "8h", head, 40)
        datatype, self.bits = struct.unpack_from(order + "2h", head, 70)
        self.dtype = np.dtype(order + _TYPES[datatype]) if datatype in _TYPES else None
        offset = struct.unpack_from(order + "f", head, 108)[0]
        if (
            not 1 <= dim[0] <= 7
            or any(n < 1 for n in dim[1 : dim[0] + 1])
            or self.bits not in (8, 16, 24, 32, 64, 128)
        ):
            self.faults.append("header fields dim or bitpix make no image")
            return _DATA, 0
        if any(n not in (0, 1) for n in dim[dim[0] + 1 :]):
            self.faults.append("header field dim has values beyond its dimensions")
        if not struct.unpack_from(order + "h", head, 68)[0] and head[56:68].strip(b"\0"):
            self.faults.append("header fields intent_p1 to intent_p3 are not empty")
        if offset != _DATA:
            self.faults.append("vox_offset is not 352: there is an extension or a gap")
        voxels = 1
        for n in dim[1 : dim[0] + 1]:
            voxels *= n
        start = int(offset) if _DATA <= offset < 1 << 30 else _DATA
        return start, voxels * self.bits // 8
