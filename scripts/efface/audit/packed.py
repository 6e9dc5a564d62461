"""Files inside files: what is compressed or archived is unpacked for the search, also several times over."""

import bz2
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

DEEPEST = 4
_CHUNK = 1 << 20
# Such files block by their kind; what else is in them is told as far as memory goes.
LARGEST = 1 << 26
_FAULTS = (zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, struct.error, EOFError, OSError)
_FAULTS += (ValueError, RuntimeError, NotImplementedError, IndexError, KeyError)
_GZIP = b"\x1f\x8b"


def layers(raw: bytes, depth: int = DEEPEST) -> Iterator[bytes]:
    """Yield bytes, then what is packed in them, and in that: gzip, zlib, bzip2, xz, zip, tar."""
    yield raw
    if depth:
        try:
            for inner in _inside(raw):
                yield from layers(inner, depth - 1)
        except _FAULTS:
            return


def _inside(raw: bytes) -> Iterator[bytes]:
    if raw.startswith(_GZIP):
        yield b"".join(_limited(gunzipped(io.BytesIO(raw), [])))
    elif raw[:1] == b"\x78" and len(raw) > 6 and int.from_bytes(raw[:2]) % 31 == 0:  # RFC 1950, 2.2
        yield zlib.decompressobj().decompress(raw, LARGEST)
    elif raw.startswith(b"BZh"):
        yield bz2.BZ2Decompressor().decompress(raw, LARGEST)
    elif raw.startswith(b"\xfd7zXZ\0"):
        yield lzma.LZMADecompressor().decompress(raw, LARGEST)
    elif zipfile.is_zipfile(io.BytesIO(raw)):
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for member in archive.infolist():
                with archive.open(member) as stream:
                    yield stream.read(LARGEST)
    elif raw[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            # Their bytes stand in the archive as they are: only what is packed in them is news.
            for member in filter(tarfile.TarInfo.isfile, archive):
                yield from _inside(archive.extractfile(member).read(LARGEST))


def _limited(blocks: Iterator[bytes]) -> Iterator[bytes]:
    left = LARGEST
    for block in blocks:
        yield block[:left]
        left -= len(block)
        if left <= 0:
            return


def gunzipped(stream: BinaryIO, faults: list[str]) -> Iterator[bytes]:
    """Yield the contents of a gzip file (RFC 1952), bytes after its end too, and append what is wrong.

    A file of efface's has one member, and neither name, comment, extra field nor time.
    """
    raw, members = stream.read(_CHUNK), 0
    while raw:
        if len(raw) < 10 and (more := stream.read(_CHUNK)):
            raw += more
        if raw[:2] != _GZIP:
            faults.append("bytes after the gzip trailer" if members else "not a gzip file")
            yield raw
            yield from iter(lambda: stream.read(_CHUNK), b"")
            return
        members += 1
        if members == 2:
            faults.append("more than one gzip member")
        if any(raw[3:4]):
            faults.append("a name, comment or extra field in the gzip header")
            yield raw[10:1024] + b"\n"
        if any(raw[4:8]):
            faults.append("a time stamp in the gzip header")
        inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            while not inflate.eof:
                yield inflate.decompress(raw, _CHUNK)
                raw = inflate.unconsumed_tail or (b"" if inflate.eof else stream.read(_CHUNK))
                if not raw and not inflate.eof:
                    faults.append("the gzip stream is cut off")
                    return
        except zlib.error:
            faults.append("the gzip stream is damaged")
            return
        raw = inflate.unused_data or stream.read(_CHUNK)


def owners(raw: bytes) -> Iterator[str]:
    """Yield what an archive, also a packed one, tells of whoever made it: each kind of it once."""
    found = set()
    for layer in layers(raw):
        try:
            found.update(_of_tar(layer) if layer[257:262] == b"ustar" else _of_zip(layer))
        except _FAULTS:
            continue
    yield from sorted(found)


def _of_tar(raw: bytes) -> Iterator[str]:
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        for member in archive:
            if member.uname or member.gname or member.uid or member.gid:
                yield "an archive that tells of its owner"
            if member.name.startswith("/") or member.linkname.startswith("/"):
                yield "an archive with absolute paths"


def _of_zip(raw: bytes) -> Iterator[str]:
    if not zipfile.is_zipfile(io.BytesIO(raw)):
        return
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        if archive.comment or any(member.comment for member in archive.infolist()):
            yield "an archive with a comment"
        if any(member.extra for member in archive.infolist()):
            yield "an archive that tells of its owner"
