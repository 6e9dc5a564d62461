"""The plan: which series become which images under which names, and why the others do not."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

from efface import dates, naming
from efface.classify import Attributes, Kind, Modalities, beside
from efface.errors import UsageError
from efface.identity import normalised, pseudonym
from efface.leader import leaders
from efface.parts import Traits
from efface.schema import check
from efface.siblings import Member, relate
from efface.tables import read_tsv

# What a person may accept with `keep`: faults that the conversion can name, mend visibly and prove.
ACCEPTABLE = ("missing_slices",)
_ONE_PERSON = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")


@dataclass
class Planned:
    """One row of the plan: a series, its image where it becomes one, and the reason for either."""

    series: str
    modality: str
    files: int
    decision: str
    reason: str
    image: str = ""
    record: dict = field(default_factory=dict)


@dataclass
class Person:
    """A subject: label, the ID it stands for, and what participants.tsv may say."""

    label: str
    source_id: str
    age: int | None
    sex: str


def read_overrides(path: Path | str, schema: Path | str, known: set[str]) -> dict[str, dict[str, str]]:
    """Return a person's decisions by series key.

    Raises
    ------
    UsageError
        When the table does not follow its schema, or names a series that is not in the index or twice.
    """
    rows = [{key: value for key, value in row.items() if value} for row in read_tsv(path)]
    check(rows, schema, "overrides.tsv")
    by_series = {row["series"]: row for row in rows}
    whole = {key.split(".")[0] for key in known if "." in key}
    if several := sorted(series for series in set(by_series) & whole if "name" in by_series[series]):
        raise UsageError(
            f"overrides.tsv: series {several[0]} gives several images",
            todo="name each of them, as in work/index/series.tsv",
        )
    if len(by_series) < len(rows):
        raise UsageError("overrides.tsv", expected="one row a series", found="two rows for one")
    if unknown := sorted(set(by_series) - known - whole):
        raise UsageError(
            f"overrides.tsv: series {unknown[0]} is not in the index", todo="see work/index/series.tsv"
        )
    return by_series


def plan(
    index: dict[str, Attributes],
    files: dict[str, int],
    modalities: Modalities,
    parts: dict[str, Traits],
    overrides: dict[str, dict[str, str]],
    key: bytes,
    config: dict,
) -> tuple[list[Planned], list[Person]]:
    """Return a row for every part of every series and the people that the images show.

    Parameters
    ----------
    index : dict of str to Attributes
        By the key of a series' part: that of the series, with .1, .2, ... where it has several parts.
    files : dict of str to int
        Number of files, by the same, and of a series that has several parts by its own key.
    parts : dict of str to Traits
        What sets a part's frames apart, by the same.
    overrides : dict
        From `read_overrides`.
    key : bytes
        The study's secret.
    config : dict
        The checked configuration: `task` and `metadata` are used. With `unnamed` true what would be held is
        converted too, under the key of its series: for a conversion that is not to be released.
    """
    doubts = _doubts_about_identity(index)
    session_of = _sessions(index)
    kinds = _kinds(index, modalities)
    rows, members = [], []
    for series, attributes in sorted(index.items()):
        override = overrides.get(series) or overrides.get(series.split(".")[0], {})
        kind = _decide(kinds[series], doubts.get(series, ""), override)
        rows.append(
            Planned(series, _first(attributes, "Modality"), files[series], kind.decision, kind.reason)
        )
        if kind.decision == "convert":
            rows[-1].record = _record(series, attributes, kind, override, session_of, key, config)
            rows[-1].record["part"] = parts.get(series)
        if rows[-1].record and "name" not in override:
            members.append(Member(series, rows[-1].record, attributes))
    reasons = relate(members)
    for row in rows:
        if row.series in reasons:
            row.decision, row.reason, row.record = "held", reasons[row.series], {}
    for row in rows:
        if row.decision == "held" and config.get("unnamed"):
            attributes = index[row.series]
            entities = {"acq": row.series.replace(".", "")}
            kind = Kind("convert", f"not named: {row.reason}", "", row.modality or "unknown", entities)
            row.decision, row.reason = kind.decision, kind.reason
            row.record = _record(row.series, attributes, kind, {}, session_of, key, config)
            row.record["part"] = parts.get(row.series)
    _name(rows, index)
    for row in rows:
        if row.record.get("datatype") == "func" and not row.record["entities"].get("task"):
            row.decision, row.image = "held", ""
            row.reason = "functional series without a task: set task in the configuration"
    images = [row for row in rows if row.image]
    named = {row.series: row.image for row in images}
    leader_of = leaders((row.record, row.files, index[row.series]) for row in images)
    for row in images:
        row.record["leader"] = leader_of.get(row.image)
        row.record["twin"] = named.get(row.record["twin"])
    shown = [row for row in rows if row.decision == "convert"]
    return _together(rows, files), _people([index[row.series] for row in shown], key)


def _together(rows: list[Planned], files: dict[str, int]) -> list[Planned]:
    """Return the rows, one for a series of which all parts are dropped for the same reason (a localizer)."""
    series = defaultdict(list)
    for row in rows:
        series[row.series.split(".")[0]].append(row)
    kept = []
    for key, parts in series.items():
        whole = len(parts) > 1 and {(row.decision, row.reason) for row in parts} == {
            ("dropped", parts[0].reason)
        }
        kept += [replace(parts[0], series=key, files=files.get(key, 0))] if whole else parts
    return kept


def _first(attributes: Attributes, keyword: str) -> str:
    return next((value for value in attributes.get(keyword, ()) if value), "")


def _kinds(index: dict[str, Attributes], modalities: Modalities) -> dict[str, Kind]:
    """Return what each part is, by itself and then in the light of the others of its study."""
    alone = {series: modalities.classify(attributes) for series, attributes in index.items()}
    studies = defaultdict(list)
    for series, attributes in sorted(index.items()):
        studies[_first(attributes, "StudyInstanceUID")].append(series)
    return {
        series: beside(
            alone[series], index[series], [(alone[one], index[one]) for one in study if one != series]
        )
        for study in studies.values()
        for series in study
    }


def _decide(kind: Kind, doubt: str, override: dict[str, str]) -> Kind:
    if override.get("decision") == "drop":
        return Kind("dropped", f"dropped by a person: {override['reason']}")
    if kind.decision == "dropped":
        return kind  # no override releases a report or a secondary capture
    if doubt:
        return Kind("held", doubt)
    if "name" in override:
        name = naming.parse(override["name"])
        return Kind("convert", "named by a person", name.datatype, name.suffix)
    return kind


def _doubts_about_identity(index: dict[str, Attributes]) -> dict[str, str]:
    """Return why the person in a series is in doubt (K15), by series key: never mix two people up."""
    doubts = {}
    by_study, by_person = defaultdict(set), defaultdict(set)
    for attributes in index.values():
        by_study[_first(attributes, "StudyInstanceUID")].update(
            map(normalised, attributes.get("PatientID", ()))
        )
        births = filter(None, attributes.get("PatientBirthDate", ()))
        by_person[normalised(_first(attributes, "PatientID"))].update(births)
    for series, attributes in index.items():
        differing = [name for name in _ONE_PERSON if len(set(map(normalised, attributes.get(name, ())))) > 1]
        if not _first(attributes, "SeriesInstanceUID"):
            doubts[series] = "SeriesInstanceUID is missing: which files belong together is unknown"
        elif not normalised(_first(attributes, "PatientID")):
            doubts[series] = "PatientID is missing: whose scan it is is unknown"
        elif differing:
            doubts[series] = f"{' and '.join(differing)} differ within the series (K15)"
        elif len(by_study[_first(attributes, "StudyInstanceUID")]) > 1:
            doubts[series] = "PatientID differs within the study (K15)"
        elif len(by_person[normalised(_first(attributes, "PatientID"))]) > 1:
            doubts[series] = "one PatientID with several PatientBirthDates (K15)"
    return doubts


def _sessions(index: dict[str, Attributes]) -> dict[tuple[str, str], str]:
    studies = defaultdict(dict)
    for attributes in index.values():
        when = _first(attributes, "StudyDate") + _first(attributes, "StudyTime")
        studies[normalised(_first(attributes, "PatientID"))][_first(attributes, "StudyInstanceUID")] = when
    return {
        (person, study): label
        for person, when_by_study in studies.items()
        for study, label in dates.sessions(when_by_study).items()
    }


def _record(
    series: str,
    attributes: Attributes,
    kind: Kind,
    override: dict,
    session_of: dict,
    key: bytes,
    config: dict,
) -> dict:
    person = normalised(_first(attributes, "PatientID"))
    entities = naming.parse(override["name"]).entities if "name" in override else dict(kind.entities)
    if kind.datatype == "func" and config["task"]:
        entities = {"task": config["task"]} | entities
    metadata = dict(config["metadata"].get(kind.suffix, {}))
    if "task" in entities:
        metadata["TaskName"] = entities["task"]
    subject = pseudonym(key, "subject", person)
    session = session_of[person, _first(attributes, "StudyInstanceUID")]
    return {
        "image": "",
        "leader": None,
        "twin": None,
        "series": series,
        "subject": subject,
        "session": session,
        "datatype": kind.datatype,
        "suffix": kind.suffix,
        "entities": {"sub": subject, "ses": session} | entities,
        "accept": list(ACCEPTABLE) if override.get("decision") == "keep" else [],
        "metadata": metadata,
    }


def _name(rows: list[Planned], index: dict[str, Attributes]) -> None:
    """Give every image its name; of several alike the first in time keeps it, the others get a run."""
    same = defaultdict(list)
    for row in rows:
        if row.record:
            same[naming.stem(row.record["entities"], row.record["suffix"])].append(row)
    for group in same.values():
        group.sort(key=lambda row: (_when(index[row.series]), row.series))
        for run, row in enumerate(group, start=1):
            entities = row.record["entities"] | ({"run": str(run)} if run > 1 else {})
            row.image = row.record["image"] = naming.stem(entities, row.record["suffix"])


def _when(attributes: Attributes) -> str:
    return (
        _first(attributes, "SeriesDate")
        + _first(attributes, "SeriesTime")
        + _first(attributes, "AcquisitionTime")
    )


def _people(shown: list[Attributes], key: bytes) -> list[Person]:
    scans = defaultdict(list)
    for attributes in shown:
        scans[normalised(_first(attributes, "PatientID"))].append(attributes)
    people = []
    for source_id, all_of_them in scans.items():
        first = min(all_of_them, key=lambda attributes: _first(attributes, "StudyDate"))
        age = dates.age(
            *(_first(first, keyword) for keyword in ("PatientBirthDate", "StudyDate", "PatientAge")),
        )
        sex = _first(first, "PatientSex").upper()
        label = pseudonym(key, "subject", source_id)
        people.append(Person(label, source_id, age, sex if sex in ("F", "M", "O") else ""))
    if len({person.label for person in people}) < len(people):
        raise UsageError("two people would get the same label", todo="set another key")
    return sorted(people, key=lambda person: person.label)
