"""The text in a file of any kind, as pieces with their place and role."""

import functools
import json
import re
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

from efface.audit import packed
from efface.audit.manifest import NAME
from efface.audit.words import Piece

_NUMBER = re.compile(r"[\s,+-]*(?:\d+(?:\.\d*)?|\.\d+|n/a|nan|inf)(?:[eE][+-]?\d+)?\s*", re.I)
_DIGEST = re.compile(r"[0-9a-f]{32,128}")
_READABLE = re.compile(rb"[\x20-\x7e\x80-\xff]{4,}")
_PROSE_KEYS = frozenset({"Description", "LongName", "TaskDescription", "Instructions"})
_PROSE_NAMES = re.compile(
    r"(README|CHANGES|LICENSE|CITATION)(\..*)?|(dataset_description|release_record)\.json", re.I
)
_LONGEST_LINE = 1 << 20
_PNG = b"\x89PNG\r\n\x1a\n"


class Unreadable(ValueError):
    """A file is not what its name says; the text says how."""


def path_pieces(path: str) -> Iterator[Piece]:
    """Yield the path of a file; apart its subject, and the label of its task, which the user chose."""
    for subject in sorted(set(re.findall(r"\bsub-([A-Za-z0-9]+)", path))):
        yield Piece("subject label", "label", subject)
    for task in re.findall(r"_task-([A-Za-z0-9]+)", path):
        yield Piece("file name", "task", task)
    yield Piece("file name", "path", re.sub(r"_task-[A-Za-z0-9]+", "", path))


def json_pieces(path: Path, shown: Collection[str]) -> Iterator[Piece]:
    """Yield each key, string and number of a JSON file; repeated keys too, and the file's text around them.

    Parameters
    ----------
    shown : collection of str
        The keys that may be named in a message; any other key may be a name itself.

    Raises
    ------
    Unreadable
        When the file is no JSON.
    """
    if path.stat().st_size > packed.LARGEST:
        raise Unreadable("too large for a JSON file of a dataset")
    prose = bool(_PROSE_NAMES.fullmatch(path.name))
    try:
        content = json.loads(path.read_bytes(), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise Unreadable("not JSON in UTF-8") from None
    yield from _walk(content, "", "prose" if prose else "data", shown)


class _Pairs(list):
    """The members of a JSON object, in order, with those that are repeated."""


def _walk(value: object, where: str, role: str, shown: Collection[str]) -> Iterator[Piece]:
    if isinstance(value, _Pairs):
        for number, (key, inner) in enumerate(value, 1):
            name = key if key in shown else f"number {number}"
            place = f"{where} > {name}" if where else f"key {name}"
            if key not in shown:
                yield Piece(f"{place} (its name)", "data", key)
            inner_role = "task" if key == "TaskName" else "prose" if key in _PROSE_KEYS else role
            yield from _walk(inner, place, inner_role, shown)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, where, role, shown)
    elif isinstance(value, str):
        yield Piece(where, role, value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield Piece(where, "number", repr(value))


def line_pieces(path: Path) -> Iterator[Piece]:
    """Yield the lines of a text file, numbers apart from words; of TSV files cell by cell.

    Raises
    ------
    Unreadable
        After the last line, when the file is not UTF-8.
    """
    prose, table = bool(_PROSE_NAMES.fullmatch(path.name)), path.name.endswith((".tsv", ".tsv.gz"))
    fault = ""
    # Those of the manifest are compared with the files.
    listed = path.name == NAME
    for number, raw in enumerate(_lines(path), 1):
        where = f"line {number}"
        if b"\0" in raw:
            fault = "not UTF-8"
            for start in (0, 1):
                for encoding in ("utf-16-le", "utf-16-be"):
                    yield Piece(f"{where} (UTF-16)", "data", raw[start:].decode(encoding, "ignore"))
        try:
            line = raw.decode("utf-8").removeprefix("\ufeff")
        except UnicodeDecodeError:
            fault, line = "not UTF-8", raw.decode("latin-1")
        if prose:
            yield Piece(where, "prose", line)
            continue
        cells = re.split(r"[\t ]+" if not table else r"\t", line.rstrip("\r\n"))
        numbers = [cell for cell in cells if _NUMBER.fullmatch(cell)]
        words = [cell for cell in cells if not _NUMBER.fullmatch(cell)]
        words = [cell for cell in words if not (listed and _DIGEST.fullmatch(cell))]
        if numbers:
            yield Piece(where, "number", " | ".join(numbers))
        for piece in words if table else [" ".join(words)] if words else []:
            yield Piece(where, "data", piece)
    if fault:
        raise Unreadable(fault)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        if not path.name.endswith(".gz"):
            yield from iter(lambda: stream.readline(_LONGEST_LINE), b"")
            return
        faults, rest = [], b""
        for _, block in packed.gunzipped(functools.partial(stream.read, packed.CHUNK), faults):
            *lines, rest = (rest + block).split(b"\n")
            yield from lines
            if len(rest) > _LONGEST_LINE:
                yield rest
                rest = b""
        yield rest
    if faults:
        raise Unreadable(faults[0])


def numbers_only(path: Path) -> bool:
    """Return whether a .bval, .bvec or .tsv.gz file holds nothing but numbers (BIDS: no header line)."""
    try:
        cells = (cell for line in _lines(path) for cell in line.decode("latin-1").split())
        return all(_NUMBER.fullmatch(cell) for cell in cells)
    except Unreadable:
        return True  # told of by `line_pieces`


def binary_pieces(path: Path) -> Iterator[Piece]:
    """Yield the readable text in a file of a kind that the audit does not know."""
    yield from byte_pieces(start(path), "its bytes")


def start(path: Path) -> bytes:
    """Return as much of a file as is unpacked and searched where its kind is unknown."""
    with path.open("rb") as stream:
        return stream.read(packed.LARGEST)


def byte_pieces(raw: bytes, where: str) -> Iterator[Piece]:
    """Yield the readable text in bytes, in whatever they are packed."""
    for layer in [*packed.layers(raw), *_inflated(raw)]:
        for run in _READABLE.findall(layer):
            try:
                text = run.decode("utf-8")
            except UnicodeDecodeError:
                text = run.decode("latin-1")
            yield Piece(where, "data", text)
        if b"\0" in layer:
            for start in (0, 1):
                for encoding in ("utf-16-le", "utf-16-be"):
                    for text in re.findall(r"[ -~\xa0-\u024f]{4,}", layer[start:].decode(encoding, "ignore")):
                        yield Piece(f"{where} (UTF-16)", "data", text)


def _inflated(raw: bytes) -> Iterator[bytes]:
    for kind, body in png_chunks(raw):
        keyword, _, rest = body.partition(b"\0")
        if kind in ("zTXt", "iTXt"):
            packed = rest[1:] if kind == "zTXt" else rest[2:].split(b"\0", 2)[-1]
            try:
                yield keyword + b" " + zlib.decompress(packed)
            except zlib.error:
                yield packed


def png_chunks(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield kind and body of each chunk of a PNG (ISO 15948, 5.3), last what follows its end as kind ''."""
    if not raw.startswith(_PNG):
        return
    place = len(_PNG)
    while place + 12 <= len(raw):
        size, kind = int.from_bytes(raw[place : place + 4], "big"), raw[place + 4 : place + 8]
        yield kind.decode("latin-1"), raw[place + 8 : place + 8 + size]
        place += 12 + size
        if kind == b"IEND":
            break
    if place < len(raw):
        yield "", raw[place:]
