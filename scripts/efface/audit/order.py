"""Whether rows or labels tell in which order people came."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from efface import tables
from efface.audit.finding import WARN, Finding
from efface.errors import EffaceError

_FEWEST = 6  # five people are in order by chance once in sixty times
_SIGMAS = 3.0
_TABLE = "participants.tsv"
_ADVICE = "who knows when somebody came can count them out: give labels and rows in another order"


def told(dataset: Path, people: Sequence[str], days: Mapping[str, str] | None) -> list[Finding]:
    """Return a warning for rows, and one for labels, that tell in which order people came.

    Without the true days, labels that number people from 1 on without a gap are told of.

    Parameters
    ----------
    people : sequence of str
        Labels of the people whose images are in the dataset, `sub-...`.
    days : mapping of str to str, optional
        Label to the day of the first examination, in a form that sorts.
    """
    if days is None:
        numbers = [re.fullmatch(r"sub-[A-Za-z]*(\d+)", one) for one in people]
        counted = sorted(int(number[1]) for number in numbers if number)
        if len(people) >= _FEWEST and counted == list(range(1, len(people) + 1)):
            return [_warn("", "the labels", "labels number people one after the other")]
        return []
    found = []
    for file, where, ordered in ((_TABLE, "the rows", _rows(dataset)), ("", "the labels", _sorted(people))):
        if _tells([days[one] for one in ordered if one in days]):
            found.append(_warn(file, where, f"{where} are in the order of the true days"))
    return found


def _warn(file: str, where: str, what: str) -> Finding:
    return Finding("order", WARN, file, where, what, _ADVICE)


def _rows(dataset: Path) -> list[str]:
    try:
        return [row["participant_id"] for row in tables.read_tsv(dataset / _TABLE, ("participant_id",))]
    except (OSError, EffaceError, UnicodeDecodeError):
        return []  # told of elsewhere


def _sorted(people: Sequence[str]) -> list[str]:
    # Numbers by their value: sub-9 came before sub-10.
    return sorted(people, key=lambda one: [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", one)])


def _tells(days: Sequence[str]) -> bool:
    """Return whether a sequence rises or falls more than chance lets it (Spearman 1904)."""
    if len(days) < _FEWEST or len(set(days)) < 2:
        return False
    correlation = spearmanr(np.unique(days, return_inverse=True)[1], range(len(days))).statistic
    return abs(correlation) > 0.9999 or abs(correlation) * math.sqrt(len(days) - 1) > _SIGMAS
