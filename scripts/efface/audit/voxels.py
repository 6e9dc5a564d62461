"""Search of voxel data for identifiers in any alignment, at the speed of decompression.

Voxels take every value, so short text occurs in them by chance. Only what is too long for that is looked for.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import numpy as np

from efface.audit.spelling import forms
from efface.audit.words import Row

# Chance: 8 given bytes in 10 GB of 16-bit voxels are expected 1e-9 times. In 8-bit voxels, and for UTF-16 in
# 16-bit ones, noise around 32-122 is letters and digits: twice the length.
SHORTEST = 8
SHORTEST_NOISY = 16
SHORTEST_WIDE = 2 * SHORTEST_NOISY
_LONGEST = 256
# Small enough for the processor's cache.
_TABLE_BITS = 20
_CASE = np.uint64(0x2020202020202020)  # the bit that tells small letters from capital ones
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: Knuth's multiplicative hash


class VoxelBytes:
    """Identifiers as bytes.

    In noise of 8 bits any four bytes are in some identifier. So there, and for UTF-16 everywhere, the groups
    that are looked up are longer: as long as the shortest pattern lets them be.
    """

    def __init__(self, identifiers: Iterable[Mapping[str, str]]):
        self._patterns: dict[bytes, Row] = {}
        wide = set()
        for number, identifier in enumerate(identifiers, 1):
            row = Row(number, identifier["kind"], identifier["attribute"])
            narrow_forms, wide_forms = _encodings(row, identifier["value"])
            for pattern in (*narrow_forms, *wide_forms):
                self._patterns.setdefault(pattern, row)
            wide |= wide_forms
        narrow = self._patterns.keys() - wide
        self._narrow = _Groups(narrow, 4)
        self._noisy = _Groups([pattern for pattern in narrow if len(pattern) >= SHORTEST_NOISY], 8)
        self._wide = _Groups(wide, 16)

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
            data = tail + block
            for groups in (self._noisy if noisy() else self._narrow, self._wide):
                for row in {self._patterns[pattern] for pattern in groups.found(data)} - seen:
                    seen.add(row)
                    yield row
            tail = data[-_LONGEST:]


class _Groups:
    """Patterns found by groups of `width` bytes that lie on multiples of `width` in the data.

    Where a pattern of at least twice `width` bytes less one stands, such a group begins at one of its first
    `width` bytes. So one look-up for each group of the data is enough. Sieves follow one another: no byte of
    the group is too small for a pattern, a table of hashes that is mostly empty, the groups themselves.
    """

    def __init__(self, patterns: Collection[bytes], width: int):
        self._width = width
        self._starting: dict[bytes, list[bytes]] = {}
        for pattern in patterns:
            self._starting.setdefault(pattern[:SHORTEST], []).append(pattern)
        first = np.frombuffer(b"".join({pattern[: 2 * width - 1] for pattern in patterns}), np.uint8)
        groups = np.lib.stride_tricks.sliding_window_view(first.reshape(-1, 2 * width - 1), width, axis=1)
        keys = np.sort(self._key(self._words(groups.tobytes())))
        self._keys = keys[np.diff(keys, prepend=~keys[:1]) != 0]  # np.unique takes ten times as long
        self._heads = np.sort(np.frombuffer(b"".join(self._starting), "<u8"))
        self._bits = max(_TABLE_BITS, (16 * len(self._keys)).bit_length())
        self._table = np.zeros(1 << self._bits, bool)
        self._table[self._hashed(self._keys)] = True
        used = set(b"".join(patterns).upper())
        self._least, self._zero = min(used - {0}, default=1), 0 in used

    def found(self, data: bytes) -> Iterator[bytes]:
        """Yield the pattern of each place where one stands, its ASCII letters in whatever case."""
        starts = self._starts(data)
        if not starts.size:
            return
        data = data.lower()
        heads = np.ndarray(len(data) - SHORTEST + 1, "<u8", data, strides=(1,))
        starts = starts[(starts >= 0) & (starts < len(heads))]
        for start in starts[_among(self._heads, heads[starts])].tolist():
            for pattern in self._starting[data[start : start + SHORTEST]]:
                if data.startswith(pattern, start):
                    yield pattern

    def _starts(self, data: bytes) -> np.ndarray:
        """Return where patterns could start, (N,) int64, and now and then before the data."""
        words = self._words(data)
        if not len(words) or not self._starting:
            return np.empty(0, np.int64)
        large = np.frombuffer(data, np.uint8, len(words) * self._width)
        large = large - np.uint8(1) >= self._least - 1 if self._zero else large >= self._least
        large = large.view(words.dtype)[:: words.shape[1]]  # a truth value is a byte of 0 or 1
        places = np.flatnonzero(large == int.from_bytes(b"\1" * words.itemsize))
        keys = self._key(words[places])
        maybe = np.flatnonzero(self._table[self._hashed(keys)])
        places = places[maybe[_among(self._keys, keys[maybe])]]
        return (places[:, None] * self._width - np.arange(self._width)).ravel()

    def _words(self, data: bytes) -> np.ndarray:
        """Return the groups, (N, 1) uint32 or (N, 1 or 2) uint64; bytes after the last whole one are left."""
        size = min(self._width, 8)
        count = len(data) // self._width
        return np.frombuffer(data, f"<u{size}", count * self._width // size).reshape(-1, self._width // size)

    @staticmethod
    def _key(words: np.ndarray) -> np.ndarray:
        """Return a number for each group, (N,) uint64, for small and capital letters the same."""
        key = words[:, 0] | _CASE
        for column in range(1, words.shape[1]):
            key = key * _MIX ^ (words[:, column] | _CASE)
        return key

    def _hashed(self, keys: np.ndarray) -> np.ndarray:
        return (keys * _MIX >> np.uint64(64 - self._bits)).view(np.int64)


def _among(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return which values are known, (N,) bool; what is known is sorted and not empty."""
    place = np.searchsorted(known, values)
    return known[np.minimum(place, len(known) - 1)] == values


def _encodings(row: Row, value: str) -> tuple[set[bytes], set[bytes]]:
    """Return the spellings of a value, those in a byte a letter or UTF-8, and those in UTF-16."""
    written = {form.text for form in forms(row.kind, row.attribute, value) if form.strong}
    if not written:
        return set(), set()
    composed = unicodedata.normalize("NFC", value)
    written |= {composed, composed.replace("^", " "), *re.split(r"[\^=]+", composed)}
    # As in the stream, letters beyond ASCII keep their case: so all cases are spelt.
    cases = (str, str.lower, str.upper, str.title)
    spelt = {case(text) for text in written for case in (cases if not text.isascii() else (str.lower,))}
    narrow = {_raw(text, encoding) for encoding in ("utf-8", "latin-1") for text in spelt}
    wide = {_raw(text, encoding) for encoding in ("utf-16-le", "utf-16-be") for text in spelt}
    return (
        {raw for raw in narrow if len(raw) >= SHORTEST},
        {raw for raw in wide if len(raw) >= SHORTEST_WIDE},
    )


def _raw(text: str, encoding: str) -> bytes:
    return text.encode(encoding, "ignore").lower()[:_LONGEST]
