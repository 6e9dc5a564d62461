"""Keys of sidecars and columns of tables: only what is allowed, at any depth."""

import csv
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from pydicom.datadict import keyword_dict, tag_for_keyword

from efface.audit.finding import BLOCK, WARN
from efface.errors import UsageError
from efface.schema import check
from efface.settings import WORKFLOW

# BIDS 1.11, "Dataset description" and "Tabular files": what the dataset's own JSON files may hold.
_DATASET_KEYS = frozenset(
    """
    Name BIDSVersion HEDVersion DatasetLinks DatasetType License Authors Keywords Acknowledgements
    HowToAcknowledge Funding EthicsApprovals ReferencesAndLinks DatasetDOI GeneratedBy SourceDatasets Version
    URL DOI Description CodeURL Container Type Tag URI
    """.split()
)
_COLUMN_KEYS = frozenset(
    "LongName Description Levels Units Delimiter TermURL HED Maximum Minimum Format".split()
)
# Of a code in DeidentificationMethodCodeSequence (BIDS 1.11; PS3.16 CID 7050).
_CODE_KEYS = frozenset("CodeValue CodeMeaning CodingSchemeDesignator CodingSchemeVersion".split())
_METHOD_KEYS = frozenset({"DeidentificationMethod", "DeidentificationMethodCodeSequence"})
_STANDARD_KEYS = _DATASET_KEYS | _COLUMN_KEYS | _CODE_KEYS | _METHOD_KEYS | frozenset(keyword_dict)
# Where there is no allow-list: what converters write and no release should hold (PS3.15 Table E.1-1).
_LEAKY = re.compile(
    r"Patient(?!Position)|Physician|Operator|Institution|Station|Serial|Accession|(Study|Series|Protocol).*(Name|Description)"
    r"|Comments?$|UID$|^(Acquisition|Content|Study|Series|Instance\w*)(Date|Time|DateTime)$|BirthDate|StudyID|ProcedureStep"
    r"|^(SAR|TxRefAmp|ShimSetting)$|Weight$|RequestedProcedure|^(dcmmeta|global|time)$"
    r"|TablePosition|ImagePosition|SliceLocation|FrameOfReference|Landmark|Fiducial"
)
# What undoes a shift of dates or leads back from labels, by whatever name.
_UNDOES = re.compile(
    r"(date|day|interval|session)s?_?(shift|offset|factor|anchor)|time_?shift|(shift|offset)_?(in_?)?(days|dates)"
    r"|anchor_?(date|day)|(hash|label|key|secret)_?salt|^(random_?)?seed$|secret_?key|crosswalk|^source_?id$",
    re.I,
)
_DIRECT = frozenset(
    "name initials surname dob birthdate birth_date date_of_birth operator randstr postcode postal_code zip "
    "address phone email ssn personnummer mrn patient_id patientid accession".split()
)
_QUASI = frozenset("weight height ethnicity race occupation nationality religion diagnosis_date".split())
_MONTHS_OR_LESS = re.compile(r"^age_?(in_?)?(months?|weeks?|days?)$")
_RECORD = "release_record.json"
OLDEST = 89  # HIPAA 45 CFR 164.514(b)(2)(i)(C): ages over 89 are given as one group


def shown_keys(allowed: Collection[str] | None) -> frozenset[str]:
    """Return the keys that a message may name, because they come from a list and not from a header."""
    return _STANDARD_KEYS.union(allowed or ())


def is_sidecar(path: str) -> bool:
    """Return whether a JSON file describes images, and not the dataset or a table's columns."""
    name = PurePosixPath(path).name
    columns = re.fullmatch(r"(.*_)?(participants|samples|sessions|scans)\.json", name)
    return (
        not columns
        and name not in ("dataset_description.json", _RECORD)
        and not path.startswith("phenotype/")
    )


def key_faults(
    path: Path, relative: str, policy: Mapping[str, Mapping] | None
) -> Iterator[tuple[str, str, str]]:
    """Yield severity, place and fault of each key of a JSON file that is not allowed, at any depth.

    Parameters
    ----------
    policy : mapping of str to mapping, or None
        The sidecar's allow-list; of a key its values, pattern, publish (spellings) and range, where it has
        them. None looks only for keys that are known to leak.
    """
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict):
        yield BLOCK, "the file", "a JSON file without an object"
    elif relative == "dataset_description.json":
        yield from _outside(content, _DATASET_KEYS, open_under=frozenset({"DatasetLinks"}))
    elif relative == _RECORD:
        try:
            check(content, WORKFLOW / "schemas" / "record.schema.yaml", relative)
        except UsageError:  # its text may hold a key
            yield BLOCK, "the file", "not as its schema says"
    elif not is_sidecar(relative):
        for column in content.values():
            yield from _outside(column, _COLUMN_KEYS, open_under=frozenset({"Levels"}))
    elif policy is not None:
        yield from _outside(content, frozenset(policy) | _METHOD_KEYS, nested=_CODE_KEYS)
        for key, rule in policy.items():
            if key in content and not _within(content[key], rule):
                yield BLOCK, f"key {key}", "a value that the policy does not list"
    else:
        for number, key in _keys(content):
            if _LEAKY.search(key):
                yield BLOCK, _place(number, key, shown_keys(None)), "a key that is known to identify"
            if _UNDOES.search(key):
                yield BLOCK, _place(number, key, shown_keys(None)), "a key that may undo a shift of dates"


def _within(value: object, rule: Mapping) -> bool:
    if isinstance(value, list):
        return all(_within(inner, rule) for inner in value)
    if isinstance(value, str):
        listed = {str(text) for text in (*rule.get("values", ()), *rule.get("publish", {}).values())}
        pattern = rule.get("pattern")
        if not listed and not pattern:
            return True
        return value in listed or bool(pattern and re.fullmatch(pattern, value))
    low, high = rule.get("range") or (-math.inf, math.inf)
    return (
        isinstance(value, bool) or value is None or (isinstance(value, (int, float)) and low <= value <= high)
    )


def _outside(
    value: object,
    allowed: frozenset[str],
    nested: frozenset[str] | None = None,
    open_under: frozenset[str] = frozenset(),
) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, list):
        for inner in value:
            yield from _outside(inner, allowed, nested, open_under)
    elif isinstance(value, dict):
        for number, (key, inner) in enumerate(value.items(), 1):
            if key not in allowed:
                yield BLOCK, _place(number, key, allowed), "a key outside the allow-list"
            elif key not in open_under:
                yield from _outside(inner, allowed if nested is None else nested, nested, open_under)


def _keys(value: object) -> Iterator[tuple[int, str]]:
    for inner in value if isinstance(value, list) else ():
        yield from _keys(inner)
    for number, (key, inner) in enumerate(value.items() if isinstance(value, dict) else (), 1):
        yield number, key
        yield from _keys(inner)


def _place(number: int, key: str, shown: Collection[str]) -> str:
    # A key may itself be somebody's name: it is only spelt out when a standard's list has it.
    return f"key {key}" if key in shown or tag_for_keyword(key) is not None else f"key number {number}"


def table_faults(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield severity, place and fault of what a TSV file's columns say about people."""
    with path.open(newline="", encoding="utf-8", errors="replace") as stream:
        rows = csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        columns = [name.strip().lower() for name in next(rows, [])]
        for place, name in enumerate(columns, 1):
            if name in _DIRECT:
                yield BLOCK, f"column {place}", "a column that identifies people or staff"
            elif _UNDOES.search(name):
                yield BLOCK, f"column {place}", "a column that may undo a shift of dates"
            elif _MONTHS_OR_LESS.search(name):
                yield WARN, f"column {place}", "an age in months or less"
            elif name in _QUASI:
                yield WARN, f"column {place}", "a column that may identify together with others"
        ages = [place for place, name in enumerate(columns) if re.match(r"age(_|$)", name)]
        ages = [place for place in ages if not _MONTHS_OR_LESS.search(columns[place])]
        for number, row in enumerate(rows, 2):
            for place in ages:
                age = row[place].strip() if place < len(row) else ""
                if re.fullmatch(r"\d+(\.\d+)?Y?", age) and float(age.rstrip("Y")) > OLDEST:
                    yield BLOCK, f"line {number}", f"an age over {OLDEST}"
                elif re.fullmatch(r"\d+\.\d*[1-9]\d*", age):
                    yield WARN, f"line {number}", "an age with a fraction of a year"
