"""Search of voxel data for identifiers in any alignment, at the speed of decompression.

Voxels take every value, so short text occurs in them by chance. Only what is too long for that is looked for.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from efface.audit.spelling import forms
from efface.audit.words import Row

# Chance: 8 given bytes in 10 GB of 16-bit voxels are expected 1e-9 times. In 8-bit voxels, and for UTF-16 in
# 16-bit ones, noise around 32-122 is letters and digits: twice the length.
SHORTEST = 8
SHORTEST_NOISY = 16
_SHORTEST_IN = {
    "utf-8": SHORTEST,
    "latin-1": SHORTEST,
    "utf-16-le": 2 * SHORTEST_NOISY,
    "utf-16-be": 2 * SHORTEST_NOISY,
}
_LONGEST = 256
_GRAM = 4
_HASH_BITS = 20
_HASH = np.uint32(2654435761)  # Knuth's multiplicative hash


class VoxelBytes:
    """Identifiers as bytes, found through a table of hashed groups of four bytes.

    Of the bytes of a pattern at least one group of four lies on a multiple of four in the file, and it begins
    at one of the pattern's first four bytes. So one look-up for four bytes of the file is enough.
    """

    def __init__(self, identifiers: Iterable[Mapping[str, str]]):
        self._patterns: dict[bytes, Row] = {}
        for number, identifier in enumerate(identifiers, 1):
            row = Row(number, identifier["kind"], identifier["attribute"])
            for pattern in _encodings(row, identifier["value"]):
                self._patterns.setdefault(pattern, row)
        self._starting: dict[bytes, list[bytes]] = {}
        grams = set()
        for pattern in self._patterns:
            self._starting.setdefault(pattern[:SHORTEST], []).append(pattern)
            grams |= {int.from_bytes(pattern[at : at + _GRAM], "little") for at in range(_GRAM)}
        self._grams = np.array(sorted(grams), dtype=np.uint32)
        self._table = np.zeros(1 << _HASH_BITS, bool)
        self._table[_hashed(self._grams)] = True

    def rows(self, blocks: Iterable[bytes], noisy: Callable[[], bool]) -> Iterator[Row]:
        """Yield each identifier found in a stream of blocks once.

        Parameters
        ----------
        blocks : iterable of bytes
        noisy : callable
            Whether the voxels have 8 bits, asked after the first block: then only patterns of 16 bytes
            or more count.
        """
        seen, tail = set(), b""
        for block in blocks:
            data = tail + block.lower()
            for row, pattern in self._in(data):
                if row not in seen and not (noisy() and len(pattern) < SHORTEST_NOISY):
                    seen.add(row)
                    yield row
            tail = data[-_LONGEST:]

    def _in(self, data: bytes) -> Iterator[tuple[Row, bytes]]:
        if not self._patterns:
            return
        words = np.frombuffer(data, "<u4", len(data) // _GRAM)
        maybe = np.flatnonzero(self._table[_hashed(words)])
        sure = maybe[np.isin(words[maybe], self._grams)]
        for place in sure.tolist():
            for start in range(max(place * _GRAM - _GRAM + 1, 0), place * _GRAM + 1):
                for pattern in self._starting.get(data[start : start + SHORTEST], ()):
                    if data.startswith(pattern, start):
                        yield self._patterns[pattern], pattern


def _hashed(words: np.ndarray) -> np.ndarray:
    return (words * _HASH) >> np.uint32(32 - _HASH_BITS)


def _encodings(row: Row, value: str) -> set[bytes]:
    written = {form.text for form in forms(row.kind, row.attribute, value) if form.strong}
    if not written:
        return set()
    composed = unicodedata.normalize("NFC", value)
    written |= {composed, composed.replace("^", " "), *re.split(r"[\^=]+", composed)}
    found = set()
    for text in {*map(str.lower, written), *map(str.upper, written)}:
        for encoding, shortest in _SHORTEST_IN.items():
            # As in the stream: letters beyond ASCII keep their case, so both were spelt.
            raw = text.encode(encoding, "ignore").lower()[:_LONGEST]
            if len(raw) >= shortest:
                found.add(raw)
    return found
