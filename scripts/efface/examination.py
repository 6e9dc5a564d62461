"""What was examined and how, in words of a closed vocabulary: free text is searched and never leaves."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from efface import schema
from efface.dicom import numbers
from efface.settings import WORKFLOW

KEYS = ("BodyPart", "ContrastAgent", "ImagePlane", "KernelClass")
"""The sidecar keys that come from here."""
TEXTS_OF_STUDY = (
    *("ProtocolName", "StudyDescription", "RequestedProcedureDescription"),
    "PerformedProcedureStepDescription",
)
TEXTS = ("SeriesDescription", *TEXTS_OF_STUDY)
CONTRAST = ("ContrastBolusAgent", "ContrastBolusIngredient")
SOURCES = {"BodyPart": ("BodyPartExamined",), "KernelClass": ("ConvolutionKernel",)}
"""The attributes with terms of their own, by the key that they serve."""

_SCHEMA = WORKFLOW / "schemas" / "vocabulary.schema.yaml"
_UNCLEAR = "unclear"
_DOSES = ("ContrastBolusVolume", "ContrastBolusTotalDose")
_NEAR_PLANE = 0.9  # cosine of 26 degrees: heads are seldom straight, and half-way between planes is at 45
_LETTERS = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe"})  # which have no accent to take off

Phrases = dict[tuple[str, ...], str]


@dataclass(frozen=True)
class Vocabulary:
    """The words that may come out, and what says them.

    Attributes
    ----------
    fillers : frozenset of str
        Words that do not count.
    parts : dict of str to str
        Body parts by the folded term of BodyPartExamined.
    within : dict of str to str
        The larger body part that one lies in.
    agents : dict of str to str
        `no` or `unclear` by the folded value of ContrastBolusAgent.
    phrases : dict of str to Phrases
        By sidecar key: what sequences of words mean.
    kernels : tuple of (str, dict of str to tuple of str)
        Expressions for a maker's name and for its kernels, by class.
    """

    fillers: frozenset[str]
    parts: dict[str, str]
    within: dict[str, str]
    agents: dict[str, str]
    phrases: dict[str, Phrases]
    kernels: tuple[tuple[str, dict[str, tuple[str, ...]]], ...]


def load(path: Path | str) -> Vocabulary:
    """Return the vocabulary in a YAML file.

    Raises
    ------
    UsageError
        When it does not fit the schema.
    """
    raw = schema.read(path, _SCHEMA, f"vocabulary {Path(path).name}")
    fillers = frozenset(map(_folded, raw["fillers"]))
    words = {"BodyPart": raw["body_part"], "ContrastAgent": raw["contrast"], "ImagePlane": raw["plane"]}
    return Vocabulary(
        fillers,
        _by_value(raw["body_part"]["terms"]),
        raw["body_part"]["within"],
        _by_value({"no": raw["contrast"]["none"], _UNCLEAR: raw["contrast"][_UNCLEAR]}),
        {
            key: {_words(text, fillers): label for label, texts in one["words"].items() for text in texts}
            for key, one in words.items()
        },
        tuple(
            (one["manufacturer"], {name: tuple(one[name]) for name in one if name != "manufacturer"})
            for one in raw["kernel"]
        ),
    )


def describe(attributes: Mapping[str, Sequence[str]], vocabulary: Vocabulary) -> dict[str, str]:
    """Return what is known of a series, by sidecar key (some of `KEYS`): words of the vocabulary only.

    Attributes with terms of their own come first (PS3.3 C.7.3.1, C.7.6.1, C.8.2.1), then the words of the
    series' description, then those of its study. Sources that contradict one another give nothing.

    Parameters
    ----------
    attributes : mapping of str to sequence of str
        By DICOM keyword: the distinct values over all files, several values in one joined by a backslash.
    """
    found = {
        "BodyPart": _body_part(attributes, vocabulary),
        "ContrastAgent": _contrast(attributes, vocabulary),
        "ImagePlane": _plane(attributes, vocabulary),
        "KernelClass": _kernel(attributes, vocabulary),
    }
    return {key: label for key, label in found.items() if label}


def _body_part(attributes: Mapping[str, Sequence[str]], vocabulary: Vocabulary) -> str:
    terms = {_letters(value) for value in attributes.get("BodyPartExamined", ())}
    near = {vocabulary.parts[term] for term in terms if term in vocabulary.parts}
    near |= _said(attributes, ["SeriesDescription"], "BodyPart", vocabulary)
    far = _said(attributes, TEXTS_OF_STUDY, "BodyPart", vocabulary)
    larger = vocabulary.within
    widest = _widest(near, larger) if near else _widest(far, larger)
    comparable = all(_widest({widest, one}, larger) in (widest, one) for one in far)
    return widest if widest in near | far and comparable else ""


def _contrast(attributes: Mapping[str, Sequence[str]], vocabulary: Vocabulary) -> str:
    said = _said(attributes, ["SeriesDescription"], "ContrastAgent", vocabulary)
    for keyword in CONTRAST:
        for value in attributes.get(keyword, ()):
            if re.search("[^\\W\\d_]{2}", value) or _letters(value) in vocabulary.agents:
                said.add(vocabulary.agents.get(_letters(value), "yes"))
    doses = [
        number for keyword in _DOSES for value in attributes.get(keyword, ()) for number in numbers(value)
    ]
    if any(dose > 0 for dose in doses) or "YES" in attributes.get("ContrastBolusAgentAdministered", ()):
        said.add("yes")
    # A study with contrast has series from before; one without has none with it.
    said |= _said(attributes, TEXTS_OF_STUDY, "ContrastAgent", vocabulary) & {"no"}
    return _only(said - {_UNCLEAR})


def _plane(attributes: Mapping[str, Sequence[str]], vocabulary: Vocabulary) -> str:
    """Return the plane that slices lie in (PS3.3 C.7.6.2.1.1); a word alone never tells it."""
    planes = set()
    for value in attributes.get("ImageOrientationPatient", ()):
        cosines = numbers(value.split("\\"))
        if len(cosines) != 6:
            return ""
        normal = np.abs(np.cross(cosines[:3], cosines[3:]))
        nearest = ("sagittal", "coronal", "axial")[int(normal.argmax())]
        planes.add(nearest if normal.max() >= _NEAR_PLANE else "oblique")
    return (
        _only(planes | _said(attributes, ["SeriesDescription"], "ImagePlane", vocabulary)) if planes else ""
    )


def _kernel(attributes: Mapping[str, Sequence[str]], vocabulary: Vocabulary) -> str:
    """Return the class of a CT's kernel; vendors' names of kernels mean nothing elsewhere."""
    maker = " ".join(attributes.get("Manufacturer", ())).strip()
    if list(attributes.get("Modality", ())) != ["CT"]:
        return ""
    classes = next(
        (classes for start, classes in vocabulary.kernels if re.match(start, maker, re.IGNORECASE)), {}
    )
    # Of several values the second and later ones are strengths of an iterative reconstruction.
    kernels = {value.split("\\")[0].strip().upper() for value in attributes.get("ConvolutionKernel", ())}
    return _only({_class(kernel, classes) for kernel in kernels})


def _class(kernel: str, classes: Mapping[str, Sequence[str]]) -> str:
    named = (name for name, found in classes.items() if any(re.fullmatch(one, kernel) for one in found))
    return next(named, "")


def _said(
    attributes: Mapping[str, Sequence[str]], keywords: Iterable[str], key: str, vocabulary: Vocabulary
) -> set[str]:
    """Return what texts say of a key, one label a text at most; one that is unclear says nothing."""
    said = set()
    for keyword in keywords:
        for value in attributes.get(keyword, ()):
            labels = _labels(_words(value, vocabulary.fillers), vocabulary.phrases[key])
            label = _widest(labels, vocabulary.within) if key == "BodyPart" else _only(labels)
            if label and _UNCLEAR not in labels:
                said.add(label)
    return said


def _labels(words: tuple[str, ...], phrases: Phrases) -> set[str]:
    """Return the labels of the phrases in a text, the longest first at each word."""
    longest = max(map(len, phrases))
    labels, place = set(), 0
    while place < len(words):
        lengths = range(min(longest, len(words) - place), 0, -1)
        length = next((n for n in lengths if words[place : place + n] in phrases), 0)
        if length:
            labels.add(phrases[words[place : place + length]])
        place += length or 1
    return labels


def _only(labels: set[str]) -> str:
    return next(iter(labels)) if len(labels) == 1 else ""


def _widest(parts: set[str], within: Mapping[str, str]) -> str:
    """Return the smallest body part that all lie in, "" when there is none."""
    chains = [_chain(part, within) for part in parts]
    return next((one for one in chains[0] if all(one in chain for chain in chains)), "") if chains else ""


def _chain(part: str, within: Mapping[str, str]) -> list[str]:
    return [part, *(_chain(within[part], within) if part in within else ())]


def _by_value(texts_by_label: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {_letters(text): label for label, texts in texts_by_label.items() for text in texts}


def _letters(value: str) -> str:
    return re.sub(r"[\W_]", "", _folded(value))


def _words(text: str, fillers: frozenset[str] = frozenset()) -> tuple[str, ...]:
    words = re.findall(r"[^\W_]+|\+", re.sub(r"\bi\.\s?v\b", "iv", _folded(text)))
    return tuple(word for word in words if word not in fillers)


def _folded(text: str) -> str:
    """Return a text without capitals and accents, ß as ss."""
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(sign for sign in apart if not unicodedata.combining(sign))
