"""Whose scans they are: people and their sessions in the index, and every doubt about either."""

import datetime
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from efface import dates
from efface.classify import Attributes
from efface.errors import Held
from efface.identity import keyed, normalised, same_name

_CM_PER_M = 100  # PatientSize is in m
_ONE_PERSON = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")


@dataclass(frozen=True)
class Doubt:
    """Why the person in a series is in doubt: the attribute, and its values, which stay private.

    Where it is `acceptable` whoever knows better may say so: names change, and birth dates get corrected.
    """

    series: str
    attribute: str
    values: tuple[str, ...]
    reason: str
    acceptable: bool = False


@dataclass(frozen=True)
class Session:
    """A session of a person: label, the day that may be shown (or none) and the period it lies in."""

    label: str
    day: str
    period: str


@dataclass
class Person:
    """A subject: label, what participants.tsv may say, and, for the private table alone, who it is."""

    label: str
    source_id: str
    birth_date: str
    first_session: str
    age: int | None
    sex: str
    weight: int | None
    size: int | None


def first(attributes: Attributes, keyword: str) -> str:
    """Return the first value of an attribute that is not empty, else an empty text."""
    return next((value for value in attributes.get(keyword, ()) if value), "")


def person_of(attributes: Attributes) -> str:
    """Return the ID that a series belongs to, in its one spelling."""
    return normalised(first(attributes, "PatientID"))


def doubts(index: Mapping[str, Attributes], age_conflict: str) -> list[Doubt]:
    """Return every doubt about whose scans they are, by series: never mix two people up (K15).

    Parameters
    ----------
    index : mapping of str to Attributes
        By series key.
    age_conflict : str
        What the configuration says of a stated age that disagrees with the birth date: only with `hold` is it
        a doubt.
    """
    of_study, of_person = defaultdict(list), defaultdict(list)
    for attributes in index.values():
        of_study[first(attributes, "StudyInstanceUID")].append(attributes)
        of_person[person_of(attributes)].append(attributes)
    in_study = {study: _several(group, "PatientID") for study, group in of_study.items()}
    in_person = {
        person: {name: _several(group, name) for name in ("PatientBirthDate", "PatientName")}
        for person, group in of_person.items()
    }
    found = []
    for series, attributes in sorted(index.items()):
        ids = in_study[first(attributes, "StudyInstanceUID")]
        names = in_person[person_of(attributes)]
        found += [Doubt(series, *rest) for rest in _doubts(attributes, ids, names, age_conflict)]
    return found


def _doubts(
    attributes: Attributes, ids: tuple, names: Mapping[str, tuple], age_conflict: str
) -> Iterator[tuple]:
    """Yield the doubts about one series; `ids` and `names`: what its study and its person have several of."""
    if not first(attributes, "SeriesInstanceUID"):
        yield "SeriesInstanceUID", (), "SeriesInstanceUID is missing: which files belong together is unknown"
    if not person_of(attributes):
        yield "PatientID", (), "PatientID is missing: whose scan it is is unknown"
        return
    differing = [name for name in _ONE_PERSON if _differ(name, attributes.get(name, ()))]
    for name in differing:
        yield name, tuple(attributes[name]), f"{' and '.join(differing)} differ within the series (K15)"
    if ids:
        yield "PatientID", ids, "PatientID differs within the study (K15)"
    for name, values in names.items():
        if values:
            yield name, values, f"one PatientID with several {name}s (K15)", True
    stated = [first(attributes, name) for name in ("PatientBirthDate", "StudyDate", "PatientAge")]
    if age_conflict == "hold" and dates.ages_conflict(*stated):
        reason = "PatientAge disagrees with PatientBirthDate: participants.age_conflict says what to believe"
        yield "PatientAge", tuple(stated), reason, True


def _several(together: Iterable[Attributes], keyword: str) -> tuple[str, ...]:
    """Return the values of an attribute in several series, none where they are one person's."""
    values = sorted({value for attributes in together for value in attributes.get(keyword, ())})
    if keyword != "PatientID":
        values = [value for value in values if value]  # what one series does not say another may
    return tuple(values) if _differ(keyword, values) else ()


def _differ(keyword: str, values: Iterable[str]) -> bool:
    if keyword == "PatientName":
        return not all(same_name(one, other) for one, other in combinations(sorted(set(values)), 2))
    return len(set(map(normalised, values))) > 1


def sessions(
    index: Mapping[str, Attributes], subject_of: Mapping[str, str], key: bytes, config: Mapping
) -> tuple[dict[tuple[str, str], Session], list[Doubt]]:
    """Return the session of each study, by person and StudyInstanceUID, and doubts about their dates.

    Parameters
    ----------
    subject_of : mapping of str to str
        Labels by ID.
    config : mapping
        The configuration's `dates`.
    """
    studies = defaultdict(dict)
    for attributes in index.values():
        when = (first(attributes, "StudyDate"), first(attributes, "StudyTime"))
        studies[person_of(attributes)][first(attributes, "StudyInstanceUID")] = when
    found, faults = {}, {}
    for person, when_by_study in studies.items():
        if person not in subject_of:
            continue
        order_key = None
        if config["mode"] == "order":
            # By the label, which is another one in another context; each person has an order of their own.
            order_key = keyed(key, "order of sessions", subject_of[person])
        labels = dates.sessions(when_by_study, config["sessions"], order_key)
        days = {day for when, _ in when_by_study.values() if (day := dates.date(when))}
        try:
            shown = dates.released_days(days, config["mode"], key, subject_of[person])
        except Held as error:
            shown, faults[person] = {}, str(error)
        for study, label in labels.items():
            day = dates.date(when_by_study[study][0])
            found[person, study] = Session(label, _text(shown.get(day)), _period(day, config["period"]))
    doubted = [
        Doubt(series, "StudyDate", (), fault)
        for series, attributes in index.items()
        if (fault := faults.get(person_of(attributes)))
    ]
    return found, doubted


def people(shown: Iterable[Attributes], subject_of: Mapping[str, str], config: Mapping) -> list[Person]:
    """Return the people that images are planned of, in the order of their labels.

    Parameters
    ----------
    shown : iterable of Attributes
        Of the series that become images.
    config : mapping
        The configuration's `participants`.
    """
    scans = defaultdict(list)
    for attributes in shown:
        scans[person_of(attributes)].append(attributes)
    found = []
    for person, all_of_them in scans.items():
        # One without a date tells no age.
        earliest = min(all_of_them, key=lambda attributes: first(attributes, "StudyDate") or "9")
        birth, day, stated, sex, weight, size = (
            first(earliest, keyword)
            for keyword in (
                *("PatientBirthDate", "StudyDate", "PatientAge"),
                *("PatientSex", "PatientWeight", "PatientSize"),
            )
        )
        believed = "stated" if config["age_conflict"] == "stated" else "birth_date"
        age = dates.age(birth, day, stated, believed)
        found.append(
            Person(
                label=subject_of[person],
                source_id=person,
                birth_date=birth,
                first_session=day,
                age=None if age is None else dates.in_bin(age, config["age_bin"]),
                sex=sex.upper() if sex.upper() in ("F", "M", "O") else "",
                weight=_rounded(weight, config["weight"]),
                size=_rounded(size, config["size"], _CM_PER_M),
            )
        )
    return sorted(found, key=lambda person: person.label)


def _rounded(text: str, step: int, scale: int = 1) -> int | None:
    """Return a DICOM number in steps of `step`, None when there is none or none is wanted."""
    try:
        value = float(text) * scale
    except ValueError:
        return None
    return round(value / step) * step if step and value > 0 and math.isfinite(value) else None


def _text(day: datetime.date | None) -> str:
    return day.isoformat() if day else ""


def _period(day: datetime.date | None, years: int) -> str:
    return dates.period(day, years) if day and years else ""
