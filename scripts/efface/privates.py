"""Private elements that a scanner's profile allows; every other one is dropped, because nothing reads it."""

import struct
from collections.abc import Iterator

import pydicom
from pydicom.dataset import PrivateBlock
from pydicom.tag import BaseTag, Tag

from efface.scanners import Private

_NUMERIC = frozenset("DS IS FD FL US SS UL SL UV SV".split())
# Besides numbers short strings; no kind of name, date, identifier or longer text, and no bytes (PS3.5 6.2).
_SHOWN = _NUMERIC | {"CS", "SH", "LO"}
_CODES = {"FD": "d", "FL": "f", "SS": "h", "US": "H", "SL": "i", "UL": "I"}
_BLOCKS = range(0x10, 0x100)  # PS3.5 7.8.1
_GROUPS = ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence")


def value(header: pydicom.Dataset, rule: Private, number: int = 0) -> str | tuple[str, ...] | None:
    """Return what a private element holds, None when it is absent, empty or of a kind that is never shown.

    It is looked for by its creator, whichever block that has: in the frame's functional groups, in the shared
    ones, and in the dataset itself. The rule's key says what of the value may be published.

    Parameters
    ----------
    number : int
        Of the frame, from 0.
    """
    for item in _items(header, number):
        try:
            for step in rule.within:
                item = _inner(item, step, rule.creator)
            block, offset = _block(item, rule.element, rule.creator)
            found = _plain(block[offset], rule)
        except Exception:  # absent, or not what its kind promises; pydicom's text would quote it
            continue
        if found:
            return found
    return None


def wanted(rule: Private) -> list[BaseTag]:
    """Return the tags that a file must be read with: nobody knows beforehand which block is the creator's."""
    first = rule.within[0] if rule.within else rule.element
    if "," not in first:
        return [Tag(first), *map(Tag, _GROUPS)]
    group, offset = _numbers(first)
    creators = [Tag(group, block) for block in _BLOCKS]
    return creators + [Tag(group, block << 8 | offset) for block in _BLOCKS] + [*map(Tag, _GROUPS)]


def _items(header: pydicom.Dataset, number: int) -> Iterator[pydicom.Dataset]:
    for keyword, place in zip(_GROUPS, (number, 0), strict=True):
        try:
            yield header[keyword][place]
        except Exception:  # a file of one frame, or a damaged one
            continue
    yield header


def _inner(item: pydicom.Dataset, step: str, creator: str) -> pydicom.Dataset:
    if "," not in step:
        return item[step][0]
    block, offset = _block(item, step, creator)
    return block[offset][0]


def _block(item: pydicom.Dataset, element: str, creator: str) -> tuple[PrivateBlock, int]:
    group, offset = _numbers(element)
    return item.private_block(group, creator), offset


def _numbers(element: str) -> tuple[int, int]:
    group, offset = element.split(",xx")
    return int(group, 16), int(offset, 16)


def _plain(element: pydicom.DataElement, rule: Private) -> str | tuple[str, ...] | None:
    found = element.value
    if element.VR == "UN":
        if not rule.vr or len(found) % struct.calcsize(_CODES[rule.vr]):
            return None
        found = [part for (part,) in struct.iter_unpack("<" + _CODES[rule.vr], found)]
    elif element.VR not in _SHOWN:
        return None
    several = isinstance(found, (list, tuple, pydicom.multival.MultiValue))
    texts = tuple(str(part).strip() for part in (found if several else [found]) if part is not None)
    return texts[0] if len(texts) == 1 else texts
