"""Search of text for all identifiers at once (Aho and Corasick 1975)."""

import base64
import binascii
import html
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import ahocorasick

from efface.audit import packed
from efface.audit.spelling import Form, forms, plain
from efface.audit.vocabulary import ORDINARY, TERMS

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}[ :-]?){6,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{10,}={0,2}")
_IN_SENTENCES = ORDINARY | TERMS
_NAMING = frozenset({"name", "text", "private"})
_DEEPEST = 3  # encodings, one in the other
_CLOCK_AFTER = re.compile(r"([01]\d|2[0-3])[0-5]\d")


class Row(NamedTuple):
    """A value that must not be found; `number` is its row in the table of identifiers, from 1."""

    number: int
    kind: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.attribute} (identifiers row {self.number})"


class Piece(NamedTuple):
    """Text from a file.

    Attributes
    ----------
    where : str
        The place in the file, in words.
    role : str
        path, label (of a subject), task (a label that the user chose), data, number, or prose (README and
        the like).
    text : str
    """

    where: str
    role: str
    text: str


class Hit(NamedTuple):
    """An identifier in a piece of text; not `strong` when it is but a lone word of free text."""

    row: Row
    strong: bool
    hidden: str


class Words:
    """All spellings of all identifiers.

    Parameters
    ----------
    identifiers : iterable of mapping
        With the keys kind, attribute and value.
    """

    def __init__(self, identifiers: Iterable[Mapping[str, str]]):
        uses: dict[str, dict[tuple[Form, str], Row]] = {}
        for number, identifier in enumerate(identifiers, 1):
            kind, attribute = identifier["kind"], identifier["attribute"]
            for form in forms(kind, attribute, identifier["value"]):
                uses.setdefault(form.text, {}).setdefault((form, kind), Row(number, kind, attribute))
        self._automaton = ahocorasick.Automaton()
        for text, rows in uses.items():
            self._automaton.add_word(text, (text, [(form, row) for (form, _), row in rows.items()]))
        if uses:
            self._automaton.make_automaton()
        self._empty = not uses

    def hits(self, role: str, texts: Iterable[tuple[str, str]]) -> Iterator[Hit]:
        """Yield each identifier in a piece of text once.

        Parameters
        ----------
        role : str
            Of the piece.
        texts : iterable of (str, str)
            How it can be read, from `readings`.
        """
        best: dict[Row, Hit] = {}
        for hidden, text in texts:
            for hit in self._in(role, text, hidden):
                if hit.row not in best or (hit.strong and not best[hit.row].strong):
                    best[hit.row] = hit
        yield from best.values()

    def _in(self, role: str, text: str, hidden: str) -> Iterator[Hit]:
        spelt = plain(text)
        folded = spelt.casefold()
        if self._empty or not folded:
            return
        for end, (found, uses) in self._automaton.iter(folded):
            start = end - len(found) + 1
            for form, row in uses:
                if role not in form.where:
                    continue
                if form.whole and not _whole(folded, start, end + 1, row.kind):
                    continue
                # In a sentence a name has a capital; without one it is more likely a word.
                word = role == "prose" and row.kind in _NAMING and spelt[start : end + 1].islower()
                word = word and (row.kind == "name" or found.isalpha())
                if word and found in _IN_SENTENCES:
                    continue
                yield Hit(row, form.strong and not word, hidden)


def _whole(text: str, start: int, end: int, kind: str) -> bool:
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    if text[start].isdigit() and (before.isdigit() or (before in (".", ":") and before)):
        return False
    if text[start].isalpha() and before.isalpha() and before.isascii():
        return False
    if text[end - 1].isdigit():
        if kind == "time":
            return not after.isdigit()
        if kind == "date" and after.isdigit():
            return bool(_CLOCK_AFTER.match(text, end))
        return not (after.isdigit() or (after in (".", ":") and after))
    return not (after.isalpha() and after.isascii())


def readings(piece: Piece) -> Iterator[tuple[str, str]]:
    """Yield encodings in which a piece of text can be read, in words, and how it then reads; first none."""
    yield "", piece.text
    if piece.role != "number":
        yield from _encoded(piece.text, _DEEPEST)


def _encoded(text: str, depth: int) -> Iterator[tuple[str, str]]:
    for hidden, meant in _once(text):
        yield hidden, meant
        if depth > 1:
            yield from ((f"{hidden}, {inner}", last) for inner, last in _encoded(meant, depth - 1))


def _once(text: str) -> Iterator[tuple[str, str]]:
    if "%" in text and (plain := urllib.parse.unquote(text)) != text:
        yield "percent-encoded", plain
    if "&" in text and (plain := html.unescape(text)) != text:
        yield "as HTML entities", plain
    if "\\u" in text or "\\x" in text:
        yield (
            "escaped",
            re.sub(
                r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))",
                lambda code: chr(int(code[1] or code[2], 16)),
                text,
            ),
        )
    for run in _HEX.findall(text):
        if run != (joined := re.sub("[ :-]", "", run)):
            yield "in groups", joined
        yield from (("in hexadecimal", plain) for plain in _decoded(bytes.fromhex(joined)))
    for run in _BASE64.findall(text):
        body = run.rstrip("=").translate(str.maketrans("-_", "+/"))
        body = body[: len(body) - (len(body) % 4 == 1)]
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4))
        except binascii.Error:
            continue
        yield from (("in base64", plain) for plain in _decoded(raw))


def _decoded(raw: bytes) -> Iterator[str]:
    for layer in packed.layers(raw):
        yield from _as_text(layer)


def _as_text(raw: bytes) -> Iterator[str]:
    # Bytes that are not text all through were not text before they were encoded.
    for encoding in ("utf-8", "latin-1") if b"\0" not in raw else ("utf-16-le", "utf-16-be"):
        try:
            text = re.sub(r"[\r\n\t]+", " ", raw.decode(encoding))
        except UnicodeDecodeError:
            continue
        if text.isprintable() and sum(c.isascii() and (c.isalnum() or c == " ") for c in text) > 0.6 * len(
            text
        ):
            yield text
            return
