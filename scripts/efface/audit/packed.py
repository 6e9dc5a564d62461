"""Files inside files: what is compressed or archived is unpacked for the search, also several times over."""

import bz2
import functools
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator

from zlib_ng import zlib_ng

DEEPEST = 4
CHUNK = 1 << 18  # what is read, inflated and searched stays in the processor's cache
_SHORTEST = 18  # bytes of a gzip member
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
        read = functools.partial(io.BytesIO(raw).read, CHUNK)
        yield b"".join(_limited(block for _, block in gunzipped(read, [])))
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


def gunzipped(read: Callable[[], bytes], faults: list[str]) -> Iterator[tuple[bool, bytes]]:
    """Yield what is in a gzip file (RFC 1952), block by block, and append what is wrong with it.

    A file of efface's has one member, and neither name, comment, extra field nor time.

    Parameters
    ----------
    read : callable
        Gives the file's next bytes, none at its end.
    faults : list of str
        Is added to.

    Yields
    ------
    inside : bool
        False of what is not content: fields of the header, and bytes after the last member.
    block : bytes
    """
    raw, members = read(), 0
    while raw:
        if len(raw) < _SHORTEST and (more := read()):
            raw += more
        if raw[:2] != _GZIP:
            faults.append("bytes after the gzip trailer" if members else "not a gzip file")
            while raw:
                yield False, raw
                raw = read()
            return
        members += 1
        if members == 2:
            faults.append("more than one gzip member")
        if any(raw[3:4]):
            faults.append("a name, comment or extra field in the gzip header")
            yield False, raw[10:1024] + b"\n"
        if any(raw[4:8]):
            faults.append("a time stamp in the gzip header")
        inflate = zlib_ng.decompressobj(zlib_ng.MAX_WBITS | 16)
        try:
            while not inflate.eof:
                if not raw:
                    faults.append("the gzip stream is cut off")
                    return
                if block := inflate.decompress(raw, CHUNK):
                    yield True, block
                raw = inflate.unconsumed_tail
                if not raw and not inflate.eof:
                    raw = read()
        except zlib_ng.error:
            faults.append("the gzip stream is damaged")
            return
        raw = inflate.unused_data or read()


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
