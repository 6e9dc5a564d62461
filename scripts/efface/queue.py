"""What a person has to look at: new scanners, new values, free texts and doubts about people. Private."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from efface.classify import Attributes
from efface.dicom import numbers
from efface.examination import CONTRAST, SOURCES, TEXTS, Vocabulary, describe
from efface.policy import Key, Policy
from efface.scanners import Registry, Scanner, scanner

COLUMNS = ("kind", "scanner", "series", "image", "attribute", "value", "suggestion", "todo")
KINDS = ("scanner", "value", "text", "person", "age")
ROUNDS = ("round", "policy", "scanners", "vocabulary", *KINDS)
FIRST_SERIES = 5  # of a scanner that nobody has looked at

_TEXTS = (*TEXTS, *CONTRAST, "ImageComments")
_LOOK = "look at every image and sidecar of this series and at what its headers hold, then enter the scanner"


def rows(
    attributes_by_series: Mapping[str, Attributes],
    plan_rows: Iterable[Mapping[str, str]],
    policy: Policy,
    registry: Registry,
    vocabulary: Vocabulary,
    doubts: Iterable[Mapping[str, str]],
) -> list[dict[str, str]]:
    """Return the queue, a row for each thing to look at, with `COLUMNS`.

    Parameters
    ----------
    attributes_by_series : mapping of str to Attributes
        By the key of a series' part; only those that become images count.
    plan_rows : iterable of mapping
        The plan's table: series, image.
    doubts : iterable of mapping
        The plan's doubts about people: series, attribute, values, reason.
    """
    image_of = _images(plan_rows)
    shown = {series: attributes_by_series[series] for series in image_of}
    found = [*_scanners(shown, image_of, registry), *_values(shown, image_of, policy, registry, vocabulary)]
    found += _texts(shown, image_of, vocabulary)
    for doubt in doubts:
        attributes = attributes_by_series.get(doubt["series"], {})
        kind = "age" if doubt["attribute"] == "PatientAge" else "person"
        found.append(
            _row(kind, scanner(attributes), doubt["series"], image_of.get(doubt["series"], ""))
            | {"attribute": doubt["attribute"], "value": doubt["values"], "todo": doubt["reason"]}
        )
    return sorted(found, key=lambda row: KINDS.index(row["kind"]))


def proposal(
    attributes_by_series: Mapping[str, Attributes],
    plan_rows: Iterable[Mapping[str, str]],
    policy: Policy,
    registry: Registry,
) -> list[dict]:
    """Return the registry's entries with all scanners and values of this run added."""
    merged = {
        profile.scanner: dict(entry)
        for profile, entry in zip(registry.profiles, registry.entries, strict=True)
    }
    for series in sorted(_images(plan_rows)):
        attributes = attributes_by_series[series]
        found = scanner(attributes)
        known = registry.find(found)
        entry = merged.setdefault(
            known.scanner if known else found, found._asdict() | {"owner": "", "since": ""}
        )
        values = {keyword: list(seen) for keyword, seen in entry.get("values", {}).items()}
        for keyword, value in _drifting(attributes, policy):
            values[keyword] = sorted({*values.get(keyword, ()), value})
        if values:
            entry["values"] = dict(sorted(values.items()))
    return list(merged.values())


def next_round(
    rounds: Sequence[Mapping[str, str]], found: Iterable[Mapping[str, str]], digests: Mapping[str, str]
) -> dict[str, str] | None:
    """Return the row that the log of rounds gets, None when nothing has changed since the last one.

    Parameters
    ----------
    digests : mapping of str to str
        Of the files that a person changes between rounds: policy, scanners, vocabulary.
    """
    counts = dict.fromkeys(KINDS, 0)
    for row in found:
        counts[row["kind"]] += 1
    now = dict(digests) | {kind: str(count) for kind, count in counts.items()}
    if rounds and all(rounds[-1][name] == value for name, value in now.items()):
        return None
    return {"round": str(len(rounds) + 1)} | now


def _images(plan_rows: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {row["series"]: row["image"] for row in plan_rows if row["image"]}


def _row(kind: str, found: Scanner, series: str, image: str) -> dict[str, str]:
    return {"kind": kind, "scanner": str(found), "series": series, "image": image}


def _scanners(
    shown: Mapping[str, Attributes], image_of: Mapping[str, str], registry: Registry
) -> Iterable[dict]:
    """Yield the first series, in time, of each scanner that the registry does not know."""
    unseen = defaultdict(lambda: defaultdict(list))
    for series in sorted(shown, key=lambda one: (_when(shown[one]), one)):
        found = scanner(shown[series])
        if registry.find(found) is None:
            unseen[found][series.split(".")[0]].append(image_of[series])
    for found, images_of in sorted(unseen.items()):
        for place, (series, images) in enumerate(list(images_of.items())[:FIRST_SERIES], 1):
            yield _row("scanner", found, series, " ".join(images)) | {
                "suggestion": f"new scanner: series {place} of {len(images_of)}",
                "todo": _LOOK,
            }


def _values(
    shown: Mapping[str, Attributes],
    image_of: Mapping[str, str],
    policy: Policy,
    registry: Registry,
    vocabulary: Vocabulary,
) -> Iterable[dict]:
    """Yield the values that a scanner was not known for, each once, with what becomes of them."""
    listed = {}
    for series in sorted(shown):
        attributes = shown[series]
        found = scanner(attributes)
        known = registry.find(found)
        for (keyword, value), told in _drifting(attributes, policy, vocabulary).items():
            if known is None or value not in known.values.get(keyword, ()):
                row = _row("value", found, series, image_of[series])
                row |= {"attribute": keyword, "value": value, "suggestion": told}
                row["todo"] = "if it names nobody, enter it in the registry; if it does, change the policy"
                listed.setdefault((found, keyword, value), row)
    return [listed[place] for place in sorted(listed)]


def _drifting(
    attributes: Attributes, policy: Policy, vocabulary: Vocabulary | None = None
) -> dict[tuple[str, str], str]:
    """Return the values that can hold what nobody expects, with what the policy makes of each.

    Numbers within the range of their key are none: they are parsed and printed again.
    """
    found = defaultdict(list)
    for key in policy.keys:
        if not key.modalities & set(attributes.get("Modality", ())):
            continue
        for keyword in dict.fromkeys(path.split(".")[-1] for path in key.sources):
            for value in _parts(attributes, keyword):
                if (told := _told(key, value)) is not None:
                    found[keyword, value].append(told)
        for keyword in SOURCES.get(key.name, ()):
            for value in _parts(attributes, keyword):
                alone = {name: attributes.get(name, []) for name in ("Modality", "Manufacturer")} | {
                    keyword: [value]
                }
                label = describe(alone, vocabulary).get(key.name) if vocabulary else None
                found[keyword, value].append(f"{key.name} {label}" if label else f"no {key.name}")
    return {place: "; ".join(dict.fromkeys(told)) for place, told in found.items()}


def _told(key: Key, value: str) -> str | None:
    """Return what a key makes of a value, None where it is a number that nobody needs to look at."""
    if key.type in ("text", "texts"):
        said = key.text(value)
        return f"{key.name}: left out" if said is None else f"{key.name}: published as {said}"
    parsed = numbers(value)
    fits = bool(parsed) and key.number(parsed[0]) is not None
    return None if fits else f"{key.name}: left out, no number in its range"


def _texts(
    shown: Mapping[str, Attributes], image_of: Mapping[str, str], vocabulary: Vocabulary
) -> Iterable[dict]:
    """Yield each free text once, with the words of the vocabulary that it says."""
    listed = {}
    for series in sorted(shown):
        for keyword in _TEXTS:
            for value in shown[series].get(keyword, ()):
                if not value.strip() or (keyword, value) in listed:
                    continue
                label = describe({keyword: [value]}, vocabulary)
                row = _row("text", scanner(shown[series]), series, image_of[series])
                row |= {"attribute": keyword, "value": value}
                row["suggestion"] = ", ".join(f"{name} {said}" for name, said in label.items())
                row["todo"] = "not released; where the words are wrong or lacking, change the vocabulary"
                listed[keyword, value] = row
    return [listed[place] for place in sorted(listed)]


def _parts(attributes: Attributes, keyword: str) -> list[str]:
    values = (part.strip() for value in attributes.get(keyword, ()) for part in value.split("\\"))
    return [value for value in dict.fromkeys(values) if value]


def _when(attributes: Attributes) -> str:
    return "".join(next(iter(attributes.get(name, ())), "") for name in ("SeriesDate", "SeriesTime"))
