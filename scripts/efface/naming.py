"""Names of BIDS files: entities in the order of the specification, letters and digits only."""

import re
from typing import NamedTuple

from efface.errors import UsageError

# Order of https://bids-specification.readthedocs.io/en/v1.10.0/appendices/entities.html
ENTITIES = (
    *(
        "sub",
        "ses",
        "sample",
        "task",
        "tracksys",
        "acq",
        "nuc",
        "voi",
        "ce",
        "trc",
        "stain",
        "rec",
        "dir",
        "run",
    ),
    *("mod", "echo", "flip", "inv", "mt", "part", "proc", "hemi", "space", "split", "recording", "chunk"),
)
_WANTED = re.compile(r"(?P<datatype>[a-z]+)/(?P<entities>(?:[a-z]+-[A-Za-z0-9]+_)*)(?P<suffix>[A-Za-z0-9]+)")


class Name(NamedTuple):
    """Datatype, suffix and entities (without subject and session) of an image."""

    datatype: str
    suffix: str
    entities: dict[str, str]


def stem(entities: dict[str, str], suffix: str) -> str:
    """Return the name of a file without its extension.

    >>> stem({"run": "2", "sub": "4f2a9c", "ses": "1"}, "T1w")
    'sub-4f2a9c_ses-1_run-2_T1w'
    """
    return "_".join(
        [f"{entity}-{entities[entity]}" for entity in ENTITIES if entities.get(entity)] + [suffix]
    )


def parse(wanted: str) -> Name:
    """Return the name that a person asks for, as in `func/task-rest_bold`.

    Raises
    ------
    UsageError
        When it is not of the form datatype/entity-label_..._suffix or names an unknown entity.
    """
    match = _WANTED.fullmatch(wanted)
    if not match:
        raise UsageError(
            "a name in overrides.tsv",
            expected="the form datatype/entity-label_suffix, as func/task-rest_bold",
        )
    entities = dict(pair.split("-") for pair in match["entities"].strip("_").split("_") if pair)
    unknown = [entity for entity in entities if entity not in ENTITIES[2:]]
    if unknown:
        raise UsageError("a name in overrides.tsv", expected=f"entities of BIDS ({', '.join(ENTITIES[2:])})")
    return Name(match["datatype"], match["suffix"], entities)
