"""A policy beside another one, and beside the standard's profile (DICOM PS3.15 Table E.1-1)."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from efface.deidentification import attributes
from efface.policy import Key, Policy, standard

DIFFERENCES = ("key", "differs", "a", "b")
COMPARISON = ("tag", "name", "basic", "options", "ours", "relation", "reason")
RELATIONS = ("same", "stricter", "looser")
# Options that a configuration of ours may declare, by their columns in the table.
_OPTIONS = {
    "clean_descriptors": "113105",
    "retain_modified_dates": "113107",
    "retain_patient_characteristics": "113108",
    "retain_safe_private": "113111",
}
# What leaves beside the sidecars, by other parts of the configuration; no policy can ask for it.
_PEOPLE = "participants.tsv, where participants asks for it"
_ELSEWHERE = {
    "PatientID": "replaced by the subject's label",
    "StudyInstanceUID": "replaced by the session's label",
    "StudyDate": "moved or given as a period, where dates asks for it",
    "PatientSex": _PEOPLE,
    "PatientAge": _PEOPLE,
    "PatientWeight": _PEOPLE,
    "PatientSize": _PEOPLE,
}
_PRIVATE = "removed, but for elements that the scanners' file allows with a reason"
_FIELDS = ("level", "type", "scale", "unit", "range", "pattern", "reason")
_LISTS = ("sources", "values", "publish", "modalities")


def diff(a: Policy, b: Policy) -> list[dict[str, str]]:
    """Return a row for each key that only one policy has and each field of a key that differs.

    Of lists (sources, values, publish, modalities) the cells `a` and `b` hold only what the other one lacks,
    or the whole lists where only their order differs.
    """
    ours, theirs = ({key.name: key for key in policy.keys} for policy in (a, b))
    rows = []
    for name in sorted(ours.keys() | theirs.keys()):
        if name in ours and name in theirs:
            cells = _cells(ours[name], theirs[name])
        else:
            cells = [("kept", "yes" if name in ours else "no", "yes" if name in theirs else "no")]
        rows += [dict(zip(DIFFERENCES, (name, *cell), strict=True)) for cell in cells]
    return rows


def _cells(one: Key, other: Key) -> Iterable[tuple[str, str, str]]:
    for field in _FIELDS:
        mine, yours = getattr(one, field), getattr(other, field)
        if mine != yours:
            yield field, _said(mine), _said(yours)
    for field in _LISTS:
        mine, yours = getattr(one, field), getattr(other, field)
        if mine != yours:
            only_mine = [item for item in mine if item not in yours]
            only_yours = [item for item in yours if item not in mine]
            whole = not only_mine and not only_yours
            yield field, _joined(mine if whole else only_mine), _joined(yours if whole else only_yours)


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return " to ".join(f"{number:g}" for number in value)
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _joined(items: Iterable) -> str:
    texts = [" -> ".join(item) if isinstance(item, tuple) else item for item in items]
    return ", ".join(texts if isinstance(items, tuple) else sorted(texts))


def against_standard(policy: Policy) -> list[dict[str, str]]:
    """Return each row of Table E.1-1 beside what becomes of the attribute with a policy.

    `basic` is the action of the basic profile (X remove, Z empty, D replace, U another UID), `options` those
    of the options that efface may declare (K keep, C clean). `relation` is `stricter` where the standard
    would leave an empty or replaced attribute and ours has none, `looser` where a key shows what neither
    profile nor option allows; `policy.load` refuses such a policy. The reason is the key's.
    """
    kept = defaultdict(list)
    for key in policy.keys:
        for keyword in attributes(key):
            kept[keyword].append(key)
    return [_compared(row, kept.get(row["keyword"], [])) for row in standard()]


def _compared(row: dict[str, str], keys: list[Key]) -> dict[str, str]:
    elsewhere = _PRIVATE if row["retain_safe_private"] else _ELSEWHERE.get(row["keyword"], "")
    if keys:
        ours = f"kept as {', '.join(key.name for key in keys)}"
        cleaned = row["clean_descriptors"] and all(map(_closed, keys))
        relation = "same" if cleaned else "looser"
    elif elsewhere:
        ours, relation = elsewhere, "same"
    else:
        ours, relation = "removed", "same" if "X" in row["basic"].split("/") else "stricter"
    options = ", ".join(f"{code} {row[column]}" for column, code in _OPTIONS.items() if row[column])
    reason = " ".join(key.reason for key in keys)
    return dict(
        zip(COMPARISON, (row["tag"], row["name"], row["basic"], options, ours, relation, reason), strict=True)
    )


def _closed(key: Key) -> bool:
    # The words of a derived key are the vocabulary's, whatever the policy has.
    return not key.sources or (key.type in ("text", "texts") and not key.pattern)


def counts(rows: Iterable[dict[str, str]]) -> dict[str, int]:
    """Return how many rows of a comparison are the same as, stricter and looser than the standard."""
    counted = Counter(row["relation"] for row in rows)
    return {relation: counted[relation] for relation in RELATIONS}
