"""The files of one series as the index sees them, cut into the parts that become images."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from efface.dicom import SameBytes, frame_value, numbers, raw_value
from efface.identifiers import Identifier, identifiers, path_identifiers
from efface.parts import COMPONENTS, WANTED, Traits, alike, b_value, component, traits

_MOST_VALUES = 16
_LONGEST_REMEMBERED = 1 << 16
_LONGEST_SHOWN = 256  # characters of a value: rules look for no longer ones
_COMMENTS = "ImageComments"  # bulky text, but where sequences say that an image is a reference
_PLACE_DIGITS = 2  # of a mm: closer slices are at one place
_BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN", "UT", "LT", "ST"})
_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_POSITION = ("PlanePositionSequence.ImagePositionPatient", "ImagePositionPatient")


@dataclass
class Part:
    """The frames of one series that make up one image.

    Attributes
    ----------
    traits : what sets its frames apart from those of the other parts
    paths : list of str
        Of the files that hold its frames, relative to the input folder.
    attributes : dict of str to list of str
        By keyword: the distinct values over all files, 16 at most, in the order of the paths. Of enhanced
        objects the leaves of the shared and the part's first frame's functional groups are among them.
    frames : how many
    places : set of float
        Along the slice normal, mm.
    b_values : set of float
    seen : what the elements of earlier files were, so that they are not read again
    """

    traits: Traits
    paths: list[str] = field(default_factory=list)
    attributes: dict[str, list[str]] = field(default_factory=dict)
    frames: int = 0
    places: set[float] = field(default_factory=set)
    b_values: set[float] = field(default_factory=set)
    seen: set = field(default_factory=set, repr=False, compare=False)

    def add(self, header: Dataset, path: str, frames: list[int]) -> list[BaseTag]:
        """Take in some frames of a file; return the elements that no file before it had."""
        self.paths.append(path)
        self.frames += len(frames)
        normal = _normal(self.traits["ImageOrientationPatient"])
        for number in frames:
            place = numbers(_first(header, _POSITION, number))
            if len(place) == 3:
                self.places.add(round(float(normal @ place), _PLACE_DIGITS))
            if (weight := b_value(header, number)) is not None:
                self.b_values.add(weight)
        fresh = _fresh(header, self.seen)
        for keyword, value in _attributes(header, fresh, frames[0]):
            _add(self.attributes.setdefault(keyword, []), [value])
        return fresh

    def merge(self, other: "Part") -> None:
        """Take in what another process found of the same part."""
        self.paths += other.paths
        self.frames += other.frames
        self.places |= other.places
        self.b_values |= other.b_values
        for keyword, values in other.attributes.items():
            _add(self.attributes.setdefault(keyword, []), values)

    def described(self, echoes: int) -> dict[str, list[str]]:
        """Return the attributes as its frames alone have them, and what the rules ask besides.

        Parameters
        ----------
        echoes : how many echo times the series has of the same component
        """
        told = {name: self.traits[name] for name in ("ImageType", "ComplexImageComponent", "EchoTime")}
        if "PulseSequenceName" not in self.attributes and self.traits["PhilipsSequence"]:
            told["PulseSequenceName"] = self.traits["PhilipsSequence"]
        told |= {
            "Component": component(self.traits),
            "Echoes": echoes,
            "Slices": len(self.places),
            "Volumes": round(self.frames / max(1, len(self.places))),
            "Trace": "YES" if self.traits["Trace"] else None,
        }
        described = self.attributes | {
            name: [str(value)] for name, value in told.items() if value is not None
        }
        return described | {"BValues": [str(value) for value in sorted(self.b_values)]}


@dataclass
class Series:
    """The files of one SeriesInstanceUID."""

    parts: list[Part] = field(default_factory=list)
    identifiers: set[Identifier] = field(default_factory=set)
    traits: SameBytes = field(default_factory=lambda: SameBytes(traits, WANTED), repr=False, compare=False)

    def add(self, header: Dataset, path: str) -> None:
        """Take in one file."""
        self.identifiers |= path_identifiers(path)
        for part, frames in self._by_part(header):
            self.identifiers |= identifiers(header, part.add(header, path, frames))

    def forget(self) -> None:
        """Let go of what only served to read the files faster: other processes have no use for it."""
        self.traits.known.clear()
        for part in self.parts:
            part.seen.clear()

    def merge(self, other: "Series") -> None:
        """Take in what another process found of the same series."""
        self.identifiers |= other.identifiers
        for part in other.parts:
            self._part(part.traits).merge(part)

    def files(self) -> int:
        """Return how many files there are; one may hold frames of several parts."""
        return len({path for part in self.parts for path in part.paths})

    def ordered(self) -> list[Part]:
        """Return the parts in an order that does not depend on that of the files: by echo, then component."""

        def place(part: Part) -> tuple:
            named = component(part.traits)
            rank = COMPONENTS.index(named) if named else len(COMPONENTS)
            return part.traits["EchoTime"] or 0, rank, json.dumps(part.traits)

        return sorted(self.parts, key=place)

    def described(self, part: Part) -> dict[str, list[str]]:
        """Return the attributes of a part, as `Part.described`."""
        kin = [one for one in self.parts if component(one.traits) == component(part.traits)]
        described = part.described(len({one.traits["EchoTime"] for one in kin}))
        components = sorted({named for one in self.parts if (named := component(one.traits))})
        # A localizer's planes are parts of their own, and tell together what it is.
        planes = [
            plane for one in self.ordered() for plane in one.attributes.get("ImageOrientationPatient", ())
        ]
        return described | {
            "ImageOrientationPatient": list(dict.fromkeys(planes)), "Components": components,
        }  # fmt: skip

    def _by_part(self, header: Dataset) -> list[tuple[Part, list[int]]]:
        """Return the parts that a file has frames of, with the numbers of these frames."""
        try:
            count = max(1, len(header.get(_PER_FRAME) or ()))
        except Exception:  # no sequence: the conversion will say so
            count = 1
        if count == 1:
            return [(self._part(self.traits(header)), [0])]
        found: dict[int, tuple[Part, list[int]]] = {}
        for number in range(count):
            part = self._part(traits(header, number))
            found.setdefault(id(part), (part, []))[1].append(number)
        return list(found.values())

    def _part(self, found: Traits) -> Part:
        for part in self.parts:
            if alike(part.traits, found):
                return part
        self.parts.append(Part(found))
        return self.parts[-1]


def _first(header: Dataset, paths: tuple[str, ...], number: int) -> object:
    values = (frame_value(header, path, number) for path in paths)
    return next((value for value in values if value is not None), None)


def _normal(orientation: list[float] | None) -> np.ndarray:
    if not orientation or len(orientation) != 6:
        return np.zeros(3)
    return np.cross(orientation[:3], orientation[3:])


def _fresh(header: Dataset, seen: set) -> list[BaseTag]:
    """Return the tags whose bytes no earlier slice of the part had; `seen` grows."""
    fresh = []
    for tag in header.keys():  # noqa: SIM118 (a Dataset iterates over elements)
        value = raw_value(header, tag)
        repeatable = isinstance(value, bytes) and len(value) <= _LONGEST_REMEMBERED
        if not repeatable or (tag, value) not in seen:
            fresh.append(tag)
        if repeatable:
            seen.add((tag, value))
    return fresh


def _attributes(header: Dataset, tags: Iterable[BaseTag], number: int = 0) -> Iterator[tuple[str, str]]:
    for tag in tags:
        if tag.is_private:
            continue
        try:
            element = header[tag]
        except Exception:  # a value that is not what its kind promises decides nothing; `identifiers` has it
            continue
        if element.keyword in (_SHARED, _PER_FRAME) and element.value:
            for group in element.value[0 if element.keyword == _SHARED else number]:
                for item in group.value if group.VR == "SQ" else ():
                    yield from _attributes(item, list(item.keys()))
        elif element.keyword == _COMMENTS or (
            element.keyword and element.VR not in _BULK and element.VR != "SQ"
        ):
            yield element.keyword, _text(element.value)[:_LONGEST_SHOWN]


def _text(value: object) -> str:
    many = (
        isinstance(value, Iterable)
        and not isinstance(value, (str, bytes))
        and not hasattr(value, "components")
    )
    return "\\".join(str(one) for one in value) if many else str("" if value is None else value)


def _add(values: list[str], more: list[str]) -> None:
    values += [value for value in more if value not in values][: _MOST_VALUES - len(values)]
