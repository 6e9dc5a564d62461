"""Whether anything of an erased person is left: every name and every byte searched.

A judge: it shares no code with what removes.
"""

import base64
import binascii
import contextlib
import gzip
import os
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

import ahocorasick

_CHUNK = 1 << 22
_LONGEST = 1 << 10  # bytes of a word in any form
_LEAST_IN_BYTES = 8  # shorter words come up in voxels by chance


def leftovers(folders: Collection[Path], words: Collection[str], leave: Collection[Path] = ()) -> list[Path]:
    """Return the files and folders whose name or content has one of the words, as a word of its own.

    Case does not count; streams of gzip are unpacked too.

    Parameters
    ----------
    folders : collection of Path
        Those that do not exist hold nothing.
    leave : collection of Path
        Files that are not searched.
    """
    wanted, found = _wanted(words), []
    for folder in folders:
        for place, inner, names in os.walk(folder):
            for path in sorted(Path(place, name) for name in [*inner, *names]):
                named = _in_name(path, wanted)
                if path not in leave and (named or _in_file(path, wanted)):
                    found.append(path)
    return found


def _wanted(words: Collection[str]) -> ahocorasick.Automaton:
    """Return all forms of all words, to be searched for at once (Aho and Corasick 1975)."""
    wanted = ahocorasick.Automaton()
    for form in {form.lower() for word in words for form in _forms(word)}:
        wanted.add_word(form.decode("latin-1"), len(form))
    wanted.make_automaton()
    return wanted


def _forms(word: str) -> Iterator[bytes]:
    for text in (word, word.lower(), word.upper()):
        for encoding in ("utf-8", "latin-1", "utf-16-le", "utf-16-be"):
            try:
                yield text.encode(encoding)
            except UnicodeEncodeError:
                continue


def _in_name(path: Path, wanted: ahocorasick.Automaton) -> bool:
    said, packed = [os.fsencode(path.name)], path.name.removeprefix("@")
    # Snakemake names what it notes of a file by the base64 of its path, cut into folders that begin with @.
    for folder in path.parents:
        if not folder.name.startswith("@"):
            break
        packed = folder.name[1:] + packed
    with contextlib.suppress(binascii.Error, ValueError):
        said.append(base64.urlsafe_b64decode(packed))
    return any(_in_bytes(text, wanted, least=0) for text in said)


def _in_file(path: Path, wanted: ahocorasick.Automaton) -> bool:
    if path.is_symlink():
        return _in_bytes(os.fsencode(path.readlink()), wanted, least=0)
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        if _in_stream(stream, wanted):
            return True
    if path.suffix != ".gz":
        return False
    try:
        with gzip.open(path) as stream:
            return _in_stream(stream, wanted)
    except (OSError, EOFError, zlib.error):
        return False  # no gzip, whatever its name: its bytes were searched


def _in_stream(stream: BinaryIO, wanted: ahocorasick.Automaton) -> bool:
    kept, least = b"", 0
    while chunk := stream.read(_CHUNK):
        least = least or (_LEAST_IN_BYTES if b"\0" in chunk else 0)
        if _in_bytes(kept + chunk, wanted, least, ends=False):
            return True
        kept = (kept + chunk)[-_LONGEST:]
    return _in_bytes(kept, wanted, least)


def _in_bytes(data: bytes, wanted: ahocorasick.Automaton, least: int, ends: bool = True) -> bool:
    """Return whether a word is in some bytes; at their end only if nothing follows."""
    if not len(wanted):
        return False
    for end, length in wanted.iter(data.lower().decode("latin-1")):
        before, after = data[max(0, end - length) : end - length + 1], data[end + 1 : end + 2]
        whole = not before.isalnum() and not after.isalnum() and (ends or after)
        if whole and length >= least:
            return True
    return False
