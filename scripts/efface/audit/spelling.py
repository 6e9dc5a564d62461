"""How a value of a header may be written in a release: folded text, and every form that is searched for."""

import base64
import hashlib
import itertools
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from efface.audit.vocabulary import ORDINARY, PUBLIC, TERMS

# What is left of letters after folding: neighbours of a match that would make it part of another word.
_LETTERS = {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ß": "ss"}
_LETTERS = str.maketrans(
    _LETTERS | {letter.upper(): text.upper() for letter, text in _LETTERS.items() if letter not in "ıß"}
)
_TWO_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "æ": "ae"})
# A point or a colon between digits belongs to a UID, a decimal or a time; other signs only part words.
_GAP = re.compile(r"(?<=\d)([.:])(?=\d)|[\W_]+")
_MONTHS = """
    jan january januari januar, feb february februari februar, mar march mars marz maerz, apr april,
    may maj mai, jun june juni, jul july juli, aug august augusti, sep sept september,
    oct october okt oktober, nov november, dec december dez dezember
""".split(",")
# BIDS: a date of 1925 or earlier says that it was shifted; placeholders of de-identifiers lie there too.
FIRST_REAL_YEAR = 1926
_BORDER = re.compile(r"(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])")
_LAST_FOUR = re.compile(r"^(\d{6}|\d{8})(\d{4})$")
_FACTOR = len("1.2345678")  # of fewer digits a voxel size may be one by chance


class Form(NamedTuple):
    """A folded spelling to look for.

    Attributes
    ----------
    text : str
    whole : bool
        Letters or digits on either side make it another word.
    strong : bool
        It identifies by itself; a weak form is a lone word of free text and only asks a person to look.
    where : frozenset of str
        The roles of text in which it is looked for: path, label, task, data, number, prose.
    """

    text: str
    whole: bool
    strong: bool
    where: frozenset[str]


ANYWHERE = frozenset({"path", "task", "data", "number", "prose"})
_WORDS = frozenset({"path", "task", "data", "prose"})
_VALUES = frozenset({"path", "task", "data"})


def fold(text: str) -> str:
    """Return text without case, accents and punctuation, words parted by one blank.

    >>> fold("Müller-Åkesson, O'Brien: 2019-04-14 10:15")
    'muller akesson o brien 2019 04 14 10:15'
    """
    return plain(text).casefold()


def plain(text: str) -> str:
    """Return text without accents and punctuation, its case kept."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in text if not unicodedata.combining(c)).translate(_LETTERS)
    return _GAP.sub(lambda gap: gap[1] or " ", text).strip()


def forms(kind: str, attribute: str, value: str) -> Iterator[Form]:
    """Yield the spellings in which a value of this kind is looked for; none when it says nothing."""
    if kind == "name":
        yield from _name(value)
    elif kind == "date":
        yield from _date(value)
    elif kind == "time":
        yield from _time(value)
    elif kind == "uid":
        yield from _uid(value)
    elif kind == "key":
        yield from _key(value)
    elif kind == "factor":
        yield Form(value[:_FACTOR], False, True, ANYWHERE)
    elif kind in ("id", "device"):
        yield from _label(value)
        if "Patient" in attribute:
            yield from _digests(value)
            # Too short to be looked for elsewhere, but no subject may be called by it.
            yield from (
                Form(text, True, True, frozenset({"label"})) for text in spellings(value) if len(text) > 1
            )
    elif kind == "place":
        # A README hardly has a word of a protocol, but a place may be named in it.
        yield from _free_text(value, _WORDS, PUBLIC | ORDINARY)
    else:
        known = PUBLIC | ORDINARY | TERMS
        yield from _free_text(value, _VALUES, known, shortest_number=8 if kind == "private" else 5)


def spellings(value: str) -> set[str]:
    """Return the foldings of a value: accents dropped or written as two letters, words apart or joined."""
    two_letters = unicodedata.normalize("NFC", value).casefold().translate(_TWO_LETTERS)
    folded = {fold(text) for text in (value, two_letters, two_letters.replace("å", "aa"))}
    return (folded | {text.replace(" ", "") for text in folded}) - {""}


def _name(value: str) -> Iterator[Form]:
    parts = [part for part in re.split(r"[\^=\s,.]+", value) if part]
    for part in parts:
        for text in sorted(spellings(part) | {t for s in spellings(part) for t in s.split()}):
            if text in PUBLIC or (text.isascii() and len(text) < 3) or len(text) < 2 or text.isdigit():
                continue
            yield Form(text, True, True, _WORDS)
            # In a BIDS label or a value of the allow-list words may be joined: acq-HeadSmithsonT1.
            if len(text) >= 6 and text not in ORDINARY:
                yield Form(text, False, True, _VALUES)
    family_first = parts[:3]
    for pair in itertools.permutations(family_first, 2):
        if sum(len(part) >= 2 for part in pair) == 2 and not {fold(part) for part in pair} <= PUBLIC:
            for text in sorted(spellings(" ".join(pair))):
                if len(text) >= 5:
                    yield Form(text, True, True, _WORDS)


def _date(value: str) -> Iterator[Form]:
    match = re.match(r"(\d{4})[-.]?(\d\d)[-.]?(\d\d)", value)
    if not match or int(match[1]) < FIRST_REAL_YEAR or not 1 <= int(match[2]) <= 12:
        return
    year, month, day = match.groups()
    short_month, short_day, short_year = str(int(month)), str(int(day)), year[2:]
    orders = {(year, month, day), (day, month, year), (month, day, year)}
    orders |= {(short_day, short_month, year), (short_month, short_day, year), (year, short_month, short_day)}
    written = {sign.join(order) for order in orders for sign in " ."}
    written |= {
        sign.join(order) for order in ((day, month, short_year), (month, day, short_year)) for sign in " ."
    }
    for name in _MONTHS[int(month) - 1].split():
        for d in {day, short_day}:
            written |= {f"{d} {name} {year}", f"{name} {d} {year}", f"{year} {name} {d}"}
            written |= {f"{d}{name}{year}", f"{d}th {name} {year}", f"{name} {d}th {year}"}
    for text in sorted(written):
        yield Form(text, True, True, _WORDS)
    yield Form(year + month + day, True, True, ANYWHERE)
    for text in sorted({day + month + year, month + day + year, short_year + month + day}):
        yield Form(text, True, True, _WORDS)


def _time(value: str) -> Iterator[Form]:
    match = re.match(r"(\d\d):?(\d\d):?(\d\d)(\.\d*[1-9])?", value)
    if not match or match[0].strip("0:.") == "":
        return  # midnight is what BIDS writes for times that are relative (TimeZero of PET)
    clock, fraction = "".join(match.groups()[:3]), match[4] or ""
    yield Form(":".join(match.groups()[:3]), True, True, _WORDS)
    yield Form(clock, True, True, _WORDS)
    if len(fraction) >= 4:
        yield Form(clock + fraction, True, True, ANYWHERE)


def _uid(value: str) -> Iterator[Form]:
    if value.count(".") >= 3 or value.startswith("2.25."):
        yield Form(value, False, True, ANYWHERE)
    # The roots: whose scanner it was. Fewer than five components are a vendor's, or a version number.
    if value.startswith(("1.2.", "1.3.", "2.16.")):
        parts = value.split(".")
        for count in range(5, len(parts)):
            yield Form(".".join(parts[:count]), True, True, _WORDS)
    # The long components of vendors' UIDs hold serial numbers, dates and times.
    for part in sorted({part for part in value.split(".") if len(part) >= 10}):
        yield Form(part, True, True, ANYWHERE)


def _label(value: str) -> Iterator[Form]:
    # Of an ID that was written without signs: apart where letters meet digits, and as a personnummer is.
    apart = {_BORDER.sub(" ", text) for text in spellings(value)}
    apart |= {_LAST_FOUR.sub(r"\1 \2", text) for text in spellings(value)}
    for text in sorted(spellings(value) | apart):
        compact = text.replace(" ", "")
        digits = sum(c.isdigit() for c in compact)
        if compact in PUBLIC or set(text.split()) <= PUBLIC | {""} or len(compact) < 3:
            continue
        if digits == len(compact):
            if digits >= 5:
                yield Form(text, True, True, ANYWHERE if digits >= 6 else _WORDS)
            if digits >= 7 and compact.startswith("0"):
                yield Form(compact.lstrip("0"), True, True, _WORDS)
        elif digits or len(compact) >= 5:
            yield Form(text, not (digits >= 3 and len(compact) >= 7), True, _WORDS)


def _key(value: str) -> Iterator[Form]:
    yield Form(value, False, True, _WORDS)
    for raw in (bytes.fromhex(value), value.encode()):
        for encode in (base64.b64encode, base64.urlsafe_b64encode, base64.b32encode):
            yield Form(fold(encode(raw).decode().rstrip("=")), False, True, _WORDS)


def _digests(value: str) -> Iterator[Form]:
    # Without a key anybody can compute it for all identity numbers of a country within minutes.
    for method in (hashlib.md5, hashlib.sha1, hashlib.sha256):
        yield Form(method(value.encode("utf-8", "surrogateescape")).hexdigest(), False, True, _WORDS)


def _free_text(
    value: str, lone: frozenset[str], known: frozenset[str], shortest_number: int = 5
) -> Iterator[Form]:
    if re.fullmatch(r"[\d\s()+/-]+", value) and sum(c.isdigit() for c in value) >= max(7, shortest_number):
        for text in sorted(spellings(value)):
            yield Form(text, True, True, _WORDS)
    words = fold(value[:400]).split()
    telling = [word for word in words if word not in known]
    for word in sorted(set(telling)):
        digits = sum(c.isdigit() for c in word)
        if digits == len(word.replace(".", "").replace(":", "")):
            if digits >= shortest_number and "." not in word and ":" not in word:
                yield Form(word, True, True, ANYWHERE if digits >= 6 else _WORDS)
        elif digits >= 4 and len(word) >= 7:
            yield Form(word, True, True, _WORDS)
        elif not digits and len(word) >= 5:
            yield Form(word, True, False, lone)
    if not any(len(word) >= 3 and not word.replace(".", "").isdigit() for word in telling):
        return
    for text in sorted(spellings(value[:400])):
        if len(text.replace(" ", "")) >= 6:
            yield Form(text, len(text) < 10, True, _WORDS)
