"""Vendors' private elements: read by number, guarded by their creators, and Siemens' CSA image header."""

import re
import struct
import warnings

import pydicom

from efface.dicom import numbers

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nibabel calls its DICOM readers experimental; the result is proved
    from nibabel.nicom import csareader

SIEMENS_CSA = 0x00291010
_CREATORS = {
    0x0019: ("SIEMENS MR HEADER", "GEMS_ACQU"),
    0x0021: ("SIEMENS MR SD", "GEMS_RELA"),
    0x0043: ("GEMS_PARM",),
    0x0065: ("Image Private Header",),
}
_MAKERS = {"siemens": r"siemens", "ge": r"^ge\b|general electric", "uih": r"^uih|united imaging"}


def csa_values(dataset: pydicom.Dataset, name: str) -> list[float]:
    """Return the numbers of one entry in Siemens' CSA image header, an empty list when it is not there."""
    if SIEMENS_CSA not in dataset:
        return []
    try:
        header = dataset[SIEMENS_CSA].value
        if header.startswith(b"SV10"):
            return numbers(_csa_entry(header, name.encode()))
        return numbers(csareader.read(header)["tags"][name]["items"])
    except Exception:  # a damaged header makes any reader raise anything
        return []


def _csa_entry(header: bytes, name: bytes) -> list[bytes]:
    """Return the texts of one entry without reading the others, which takes ten times as long.

    An entry is its name in 64 bytes, how many values and items it has, and a mark; an item is four numbers,
    the second of them its length, and its text, padded to four bytes (nibabel's notes on the CSA header).
    """
    start = -1
    while (start := header.find(name + b"\0", start + 1)) >= 0:
        values, _, _, items, mark = struct.unpack_from("<i4siii", header, start + 64)
        if mark not in (77, 205):
            continue  # the name is part of a text
        texts, place = [], start + 84
        for _ in range(min(items, values or items)):
            length = struct.unpack_from("<4i", header, place)[1]
            texts.append(header[place + 16 : place + 16 + length].split(b"\0")[0].strip())
            place += 16 + -(-length // 4) * 4
        return [text for text in texts if text]
    return []


def private_numbers(item: pydicom.Dataset, tag: int, packed: str = "") -> list[float]:
    """Return the numbers of a private element, an empty list when it is not there or is something else.

    Parameters
    ----------
    packed : str
        The `struct` code of one number where the element is binary; empty where it is text. It counts where
        the type was lost (VR UN), with files in implicit transfer syntax or without private creators.
    """
    value = _private(item, tag)
    if isinstance(value, bytes):
        if not packed:
            value = value.decode("ascii", "replace").strip(" \0").split("\\")
        elif value and len(value) % struct.calcsize(packed) == 0:
            value = [part for (part,) in struct.iter_unpack("<" + packed, value)]
        else:
            return []
    return numbers(value)


def _private(item: pydicom.Dataset, tag: int) -> object:
    """Return a private value, None when its block is another creator's; some files lost their creators."""
    owner = item.get((tag >> 16, (tag >> 8) & 0xFF))
    if tag not in item or (owner is not None and not str(owner.value).startswith(_CREATORS[tag >> 16])):
        return None
    return item[tag].value


def private_text(item: pydicom.Dataset, tag: int) -> str:
    value = _private(item, tag)
    return (value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")).strip(" \0")


def made_by(header: pydicom.Dataset, maker: str) -> bool:
    """Say whether a file is of a maker ("siemens", "ge", "uih"): private numbers mean nothing elsewhere."""
    return bool(re.search(_MAKERS[maker], str(header.get("Manufacturer") or ""), re.IGNORECASE))
