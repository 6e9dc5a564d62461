"""DICOM files read as pydicom reads them; of a file that is built like an earlier one only the values.

The files of a series are mostly built alike. pydicom takes each apart element by element; here a file of the
same length is compared with one that pydicom took apart, in all bytes that are no value (tags, kinds and
lengths). Where these are the same, the same elements lie at the same places. Anything else goes to pydicom.
"""

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

_MOST_MODELS = 8  # of one length: texts of positions differ in length, and where other texts lie with them
_MOST_LENGTHS = 64
_TRIES = 3  # files that can be no model: after so many in a row the others are not tried
_CHARACTER_SET = Tag("SpecificCharacterSet")
_PIXELS = Tag("PixelData")
_UNDEFINED = 0xFFFFFFFF


@dataclass(eq=False)
class _Model:
    """A file that pydicom took apart.

    Attributes
    ----------
    fixed : (N,) int array
        Places of all bytes that belong to no value.
    frame : (N,) uint8 array
        These bytes.
    places : dict of BaseTag to (int, int)
        Where the values of wanted elements begin and end.
    empty : FileDataset
        A dataset of the same encoding without elements.
    elements : dict of BaseTag to RawDataElement or DataElement
        As they stand in the file.
    known : dict of BaseTag to RawDataElement or DataElement
        What they mean, where pydicom can tell; files whose bytes are the same share it.
    """

    fixed: np.ndarray
    frame: np.ndarray
    places: dict[BaseTag, tuple[int, int]]
    empty: FileDataset
    elements: dict[BaseTag, object]
    known: dict[BaseTag, object]

    def like(self, raw: bytes, path: Path) -> FileDataset | None:
        """Return the dataset of a file of the same length, None when it is built otherwise."""
        if not (np.frombuffer(raw, np.uint8)[self.fixed] == self.frame).all():
            return None
        elements = dict(self.known)
        for tag, (begin, end) in self.places.items():
            value = raw[begin:end]
            if value != self.elements[tag].value:
                elements[tag] = self.elements[tag]._replace(value=value)
        if elements.get(_CHARACTER_SET) is not self.known.get(_CHARACTER_SET):
            return None
        return _dataset(self.empty, elements, path)


class Reader:
    """Reads the files of a series.

    Parameters
    ----------
    wanted : keywords or tags of the elements to keep
    """

    def __init__(self, wanted: Iterable[str | int]):
        self.wanted = sorted({_CHARACTER_SET, Tag("SOPClassUID"), *map(Tag, wanted)})
        self.models: OrderedDict[int, list[_Model]] = OrderedDict()
        self.failed = 0

    def __call__(self, path: Path) -> FileDataset:
        """Return a file's dataset with only the wanted elements in it, as `pydicom.dcmread` would.

        Its file meta information is that of a file that is built alike. Raises what pydicom raises.
        """
        if self.failed >= _TRIES:
            return pydicom.dcmread(path, force=True, specific_tags=self.wanted)
        raw = Path(path).read_bytes()
        models = self.models.get(len(raw), [])
        for model in models:
            if dataset := model.like(raw, path):
                return dataset
        whole = pydicom.dcmread(BytesIO(raw), force=True)
        elements = {tag: whole.get_item(tag) for tag in self.wanted if tag in whole}
        if model := _model(raw, whole, elements):
            self.failed = 0
            self.models[len(raw)] = [model, *models][:_MOST_MODELS]
            if len(self.models) > _MOST_LENGTHS:
                self.models.popitem(last=False)
        else:
            self.failed += 1
        return _dataset(whole, elements, path)


def _dataset(like: FileDataset, elements: dict, path: Path) -> FileDataset:
    implicit, little = like.original_encoding
    # A copy: pydicom replaces elements in the mapping that it is given by what they mean.
    dataset = FileDataset(str(path), dict(elements), like.preamble, like.file_meta, implicit, little)
    dataset.set_original_encoding(implicit, little, like.original_character_set)
    return dataset


def _model(raw: bytes, whole: FileDataset, elements: dict) -> _Model | None:
    """Return a file as a model for others, None where places in it are not places of values."""
    deflated = whole.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    if deflated or "PerFrameFunctionalGroupsSequence" in whole:  # whose frames differ from file to file
        return None
    fixed, places = np.ones(len(raw), bool), {}
    for dataset in (whole.file_meta, whole):
        for tag in dataset.keys():  # noqa: SIM118
            element = dataset.get_item(tag)
            # What has no length of its own (sequences, compressed pixels) stays fixed to the byte.
            if isinstance(element, RawDataElement) and element.value and element.length != _UNDEFINED:
                begin, end = element.value_tell, element.value_tell + element.length
                if raw[begin:end] != element.value:
                    return None
                fixed[begin:end] = False
                if dataset is whole and tag in elements:
                    places[tag] = begin, end
    if _PIXELS not in places:
        return None
    fixed, known = np.flatnonzero(fixed), dict(elements)
    for tag, element in elements.items():
        # Sequences take long to read, and pixels room.
        if isinstance(element, RawDataElement) and not keyword_for_tag(tag).endswith("Sequence"):
            with suppress(Exception):  # what pydicom cannot read stays, and raises where it is asked for
                known[tag] = element if tag == _PIXELS else whole[tag]
    return _Model(
        fixed, np.frombuffer(raw, np.uint8)[fixed], places, _dataset(whole, {}, ""), elements, known
    )
