"""DICOM headers: read by keyword (never the whole), looked up in functional groups, parsed safely."""

import datetime as dt
import functools
import logging
import math
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pydicom
from pydicom.tag import BaseTag, Tag

from efface.errors import EffaceError, Held
from efface.headers import Reader

# pydicom's complaints about a value quote the value.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")

_DAY_0 = dt.date(1900, 1, 1).toordinal()  # near enough for a float to hold microseconds
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


@functools.cache
def tags(wanted: tuple[str | int, ...]) -> list[BaseTag]:
    """Return the tags of keywords or numbers, sorted, each once."""
    return sorted({Tag(one) for one in wanted})


def read(path: Path, wanted: Reader | Iterable[str | int]) -> pydicom.Dataset:
    """Return a file's dataset with only the wanted attributes in it: keywords or tags, or a reader of them.

    Raises
    ------
    Held
        When the file is not DICOM or is cut short.
    EffaceError
        When it is gone.
    """
    try:
        reader = wanted if isinstance(wanted, Reader) else Reader(wanted)
        dataset = reader(path)
        if "SOPClassUID" in dataset:
            return dataset
    except FileNotFoundError:
        raise EffaceError("a file of the series is no longer there", todo="index the input again") from None
    except (
        Exception
    ) as error:  # a damaged file makes pydicom raise anything, with a text that quotes the file
        if isinstance(error, OSError) and error.errno is not None:
            raise
    raise Held("a file of the series", expected="DICOM", found="something else, or a part of it")


class SameBytes:
    """What the same bytes mean is found out once: most of the files of a series are alike.

    Parameters
    ----------
    find : function of a dataset and a frame's number
    wanted : keywords or tags of all that it looks at, outside of functional groups
    """

    def __init__(self, find: Callable[[pydicom.Dataset, int], object], wanted: tuple[str | int, ...]):
        groups = [Tag("SharedFunctionalGroupsSequence"), Tag("PerFrameFunctionalGroupsSequence")]
        self.find, self.known = find, {}
        self.tags = [tag for tag in tags(wanted) if tag not in groups]

    def __call__(self, dataset: pydicom.Dataset, number: int = 0) -> object:
        if "PerFrameFunctionalGroupsSequence" in dataset:
            return self.find(dataset, number)
        raw = (raw_value(dataset, tag) for tag in self.tags)
        key = tuple(value if isinstance(value, bytes) else str(value) for value in raw)
        if key not in self.known:
            self.known[key] = self.find(dataset, number)
        return self.known[key]


def raw_value(dataset: pydicom.Dataset, tag: BaseTag) -> object:
    """Return an element's value as it stands in the file, bytes where it was not decoded yet."""
    try:
        return dataset.get_item(tag).value if tag in dataset else None
    except Exception:  # of a kind that the standard does not have: even looking at it makes pydicom raise
        return None


def frame_value(dataset: pydicom.Dataset, path: str, number: int = 0) -> object:
    """Return the value at a path of keywords, None when it is absent or empty.

    The first keyword is looked for in the frame's functional groups, in the shared ones, and in the dataset
    itself (PS3.3 C.7.6.16); of a sequence the first item counts.
    """
    groups = [dataset]
    if shared := dataset.get("SharedFunctionalGroupsSequence"):
        groups.insert(0, shared[0])
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    if per_frame and number < len(per_frame):
        groups.insert(0, per_frame[number])
    for item in groups:
        try:
            value = _walk(item, path.split("."))
        except Exception:  # not what its value representation promises; the error's text would quote it
            continue
        if value is not None and value != "":
            return value
    return None


def _walk(item: pydicom.Dataset, keywords: Sequence[str]) -> object:
    for keyword in keywords[:-1]:
        inner = item.get(keyword)
        if not inner or not isinstance(inner, pydicom.Sequence):
            return None
        item = inner[0]
    return item.get(keywords[-1])


def numbers(value: object) -> list[float]:
    """Return the numbers in a DICOM value, an empty list when one of them is not a finite number."""
    several = isinstance(value, Iterable) and not isinstance(value, (str, bytes))
    try:
        parsed = [float(part) for part in (value if several else [value])]
    except (TypeError, ValueError):
        return []
    return parsed if all(map(math.isfinite, parsed)) else []


def seconds(date: object, time: object = "") -> float | None:
    """Return seconds on an arbitrary clock from a DA and a TM value, or from one DT value.

    None where a day or an hour is not there.

    >>> seconds("20200102", "000001.5") - seconds("20200101235959")
    2.5
    """
    text = f"{date or ''}{time or ''}".strip()
    if not re.match(r"\d{10}", text):
        return None
    try:
        day = dt.date(int(text[:4]), int(text[4:6]), int(text[6:8])).toordinal()
    except ValueError:
        return None
    clock = re.match(r"(\d\d)(\d\d)?(\d\d(?:\.\d+)?)?", text[8:]).groups("0")
    return (day - _DAY_0) * 86400 + int(clock[0]) * 3600 + int(clock[1]) * 60 + float(clock[2])


def same(one: pydicom.Dataset, other: pydicom.Dataset) -> bool:
    """Say whether two datasets hold the same; not when a value cannot be read."""
    try:
        return one == other
    except Exception:
        return False
