"""What may be derived from dates before they are left behind: the order of sessions and ages in years."""

import datetime
import re

OLDEST_AGE = 88
"""Older people are given this age: who is 90 stands out (45 CFR 164.514(b)(2)(i)(C); BIDS caps at 89)."""


def date(text: str) -> datetime.date | None:
    """Return the date in a DICOM DA or DT value (PS3.5 6.2), None when there is none.

    >>> date("19420131")
    datetime.date(1942, 1, 31)
    """
    match = re.match(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})", text.strip())
    try:
        return datetime.date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def age(birth: str, examination: str, stated: str = "") -> int | None:
    """Return the age in whole years, 88 at most, from two DA values, else from an AS value such as 041Y.

    >>> age("19420201", "19830131")
    40
    >>> age("", "", "010M")
    0
    """
    born, seen = date(birth), date(examination)
    years = None
    if born and seen and born <= seen:
        years = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
    elif match := re.fullmatch(r"(\d{3})([DWMY])", stated.strip()):
        years = int(int(match[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[match[2]])
    return None if years is None else min(years, OLDEST_AGE)


def sessions(studies: dict[str, str]) -> dict[str, str]:
    """Return a session label (1, 2, ...) for each study of a person, in the order of time.

    Parameters
    ----------
    studies : dict of str to str
        From StudyInstanceUID to date and time of the study as one sortable text.
    """
    ordered = sorted(studies, key=lambda study: (studies[study], study))
    return {study: str(number) for number, study in enumerate(ordered, start=1)}
