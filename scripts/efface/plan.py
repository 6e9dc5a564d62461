"""The plan: which series become which images under which names, and why the others do not."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from efface import naming
from efface.classify import Attributes, Kind, Modalities, beside
from efface.errors import UsageError
from efface.leader import leaders
from efface.parts import Traits
from efface.people import Doubt, Person, Session, doubts, first, people, person_of, sessions
from efface.schema import check
from efface.settings import EXAMINATION
from efface.siblings import Member, relate
from efface.tables import read_tsv

# What a person may accept with `keep`: faults that the conversion can name, mend visibly and prove.
ACCEPTABLE = ("missing_slices",)


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
    label_of: Mapping[str, str],
) -> tuple[list[Planned], list[Person], list[Doubt]]:
    """Return a row for every part of every series, the people that the images show, and doubts about people.

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
        The configuration with its defaults. With `unnamed` true what would be held is converted too, under
        the key of its series: for a conversion that is not to be released.
    label_of : mapping of str to str
        The label of every person in the index, by `people.person_of`.
    """
    session_of, doubted = sessions(index, label_of, key, config["dates"])
    doubted = doubts(index, config["participants"]["age_conflict"]) + doubted
    doubts_of = defaultdict(list)
    for doubt in doubted:
        doubts_of[doubt.series].append(doubt)
    kinds = _kinds(index, modalities)
    rows, members = [], []
    for series, attributes in sorted(index.items()):
        override = overrides.get(series) or overrides.get(series.split(".")[0], {})
        kind = _decide(kinds[series], doubts_of[series], override)
        rows.append(Planned(series, first(attributes, "Modality"), files[series], kind.decision, kind.reason))
        if kind.decision == "convert":
            rows[-1].record = _record(series, attributes, kind, override, label_of, session_of, config)
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
            row.record = _record(row.series, attributes, kind, {}, label_of, session_of, config)
            row.record["part"] = parts.get(row.series)
    _name(rows, index, in_order=config["dates"]["mode"] != "order")
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
    found = people([index[row.series] for row in shown], label_of, config["participants"])
    return _together(rows, files), found, doubted


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


def _kinds(index: dict[str, Attributes], modalities: Modalities) -> dict[str, Kind]:
    """Return what each part is, by itself and then in the light of the others of its study."""
    alone = {series: modalities.classify(attributes) for series, attributes in index.items()}
    studies = defaultdict(list)
    for series, attributes in sorted(index.items()):
        studies[first(attributes, "StudyInstanceUID")].append(series)
    return {
        series: beside(
            alone[series], index[series], [(alone[one], index[one]) for one in study if one != series]
        )
        for study in studies.values()
        for series in study
    }


def _decide(kind: Kind, doubted: list[Doubt], override: dict[str, str]) -> Kind:
    if override.get("decision") == "drop":
        return Kind("dropped", f"dropped by a person: {override['reason']}")
    if kind.decision == "dropped":
        return kind  # no override releases a report or a secondary capture
    kept = override.get("decision") == "keep"
    if stands := [doubt.reason for doubt in doubted if not (kept and doubt.acceptable)]:
        return Kind("held", stands[0])
    if "name" in override:
        name = naming.parse(override["name"])
        return Kind("convert", "named by a person", name.datatype, name.suffix)
    return kind


def _record(
    series: str,
    attributes: Attributes,
    kind: Kind,
    override: dict,
    label_of: Mapping[str, str],
    session_of: dict[tuple[str, str], Session],
    config: dict,
) -> dict:
    person = person_of(attributes)
    entities = naming.parse(override["name"]).entities if "name" in override else dict(kind.entities)
    if config["level"] < EXAMINATION:
        entities.pop("ce", None)  # a name must not tell either whether contrast was given
    if kind.datatype == "func" and config["task"]:
        entities = {"task": config["task"]} | entities
    metadata = dict(config["metadata"].get(kind.suffix, {}))
    if "task" in entities:
        metadata["TaskName"] = entities["task"]
    subject = label_of[person]
    session = session_of[person, first(attributes, "StudyInstanceUID")]
    return {
        "image": "",
        "leader": None,
        "twin": None,
        "series": series,
        "subject": subject,
        "session": session.label,
        "day": session.day,
        "period": session.period,
        "datatype": kind.datatype,
        "suffix": kind.suffix,
        "entities": {"sub": subject, "ses": session.label} | entities,
        "accept": list(ACCEPTABLE) if override.get("decision") == "keep" else [],
        "metadata": metadata,
    }


def _name(rows: list[Planned], index: dict[str, Attributes], in_order: bool) -> None:
    """Give every image its name; several alike get a run, in the order of time or of their keyed names."""
    same = defaultdict(list)
    for row in rows:
        if row.record:
            same[naming.stem(row.record["entities"], row.record["suffix"])].append(row)
    for group in same.values():
        group.sort(key=lambda row: (_when(index[row.series]) if in_order else "", row.series))
        for run, row in enumerate(group, start=1):
            entities = row.record["entities"] | ({"run": str(run)} if run > 1 else {})
            row.image = row.record["image"] = naming.stem(entities, row.record["suffix"])


def _when(attributes: Attributes) -> str:
    return (
        first(attributes, "SeriesDate")
        + first(attributes, "SeriesTime")
        + first(attributes, "AcquisitionTime")
    )
