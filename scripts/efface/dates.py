"""What may be derived from dates before they are left behind: sessions, ages, shifted days, periods."""

import datetime
import re
from collections.abc import Collection, Mapping

from efface.errors import Held
from efface.identity import keyed, pseudonym

OLDEST_AGE = 88
"""Older people are given this age: who is 90 stands out (45 CFR 164.514(b)(2)(i)(C); BIDS caps at 89)."""

_IMPOSSIBLE_AGE = 131
_FIRST_DAYS = (datetime.date(1901, 1, 1), datetime.date(1914, 12, 31))
_LAST_DAY = datetime.date(1924, 12, 31)
"""BIDS (Units, dates): days before 1925 are understood as shifted, later ones as real."""
_FACTORS = (0.8, 1.25)


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


def age(birth: str, examination: str, stated: str = "", believe: str = "birth_date") -> int | None:
    """Return the age in whole years, 88 at most, None when nothing says it or what says it is impossible.

    Parameters
    ----------
    birth, examination : str
        DA values.
    stated : str
        PatientAge, an AS value such as 041Y (PS3.5 6.2).
    believe : {"birth_date", "stated"}
        Which of the two counts where both are there.

    >>> age("19420201", "19830131")
    40
    >>> age("", "", "010M")
    0
    """
    found = [_years_between(birth, examination), _stated_years(stated)]
    possible = [years for years in found if years is not None and 0 <= years < _IMPOSSIBLE_AGE]
    return min(possible[-1 if believe == "stated" else 0], OLDEST_AGE) if possible else None


def ages_conflict(birth: str, examination: str, stated: str) -> bool:
    """Return whether PatientAge and the birth date are both there and differ by more than a year.

    >>> ages_conflict("19420201", "20230601", "041Y")
    True
    """
    dated, said = _years_between(birth, examination), _stated_years(stated)
    return dated is not None and said is not None and abs(dated - said) > 1


def _years_between(birth: str, examination: str) -> int | None:
    born, seen = date(birth), date(examination)
    if not born or not seen:
        return None
    return seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))


def _stated_years(stated: str) -> int | None:
    match = re.fullmatch(r"(\d{3})([DWMY])", stated.strip())
    return int(int(match[1]) / {"D": 365.25, "W": 365.25 / 7, "M": 12, "Y": 1}[match[2]]) if match else None


def in_bin(years: int, width: int) -> int:
    """Return the youngest age of the bin that an age falls into; the oldest, 88 and more, stay by themselves.

    >>> [in_bin(years, 10) for years in (7, 59, 87, 88)]
    [0, 50, 80, 88]
    """
    return OLDEST_AGE if years >= OLDEST_AGE else years - years % width


def period(day: datetime.date, years: int) -> str:
    """Return the time period of so many years that a day lies in.

    >>> period(datetime.date(2017, 3, 9), 5)
    '2015-2019'
    """
    first = day.year - day.year % years
    return str(first) if years == 1 else f"{first}-{first + years - 1}"


def sessions(
    studies: Mapping[str, tuple[str, str]],
    by: str = "study",
    order_key: bytes | None = None,
) -> dict[str, str]:
    """Return the session label of each study of a person.

    Parameters
    ----------
    studies : mapping of str to (str, str)
        From StudyInstanceUID to the study's date (DA) and time (TM).
    by : {"study", "day"}
        By day, studies of one date are one session; a study without a date is one by itself.
    order_key : bytes, optional
        Labels are 1, 2, ... in the order of time, studies without a date last. With a key they are 6 letters
        and digits that tell no order and stay when a study is added. Each label of a person needs a key of
        its own: else two people who came on one day, or one person's two contexts, would share a session's.

    Raises
    ------
    Held
        When two sessions would get one label.
    """
    days = {study: date(when[0]) for study, when in studies.items()}
    of_study = {
        study: ("day", days[study].isoformat()) if by == "day" and days[study] else ("study", study)
        for study in studies
    }
    if order_key:
        label_of = {
            session: pseudonym(order_key, f"session by {session[0]}", session[1], 6)
            for session in of_study.values()
        }
        if len(set(label_of.values())) < len(label_of):
            raise Held("two sessions of a person would get the same label", todo="set another key")
    else:
        ordered = sorted(
            studies,
            key=lambda study: (days[study] or datetime.date.max, studies[study][1].replace(":", ""), study),
        )
        in_time = dict.fromkeys(of_study[study] for study in ordered)
        label_of = {session: str(number) for number, session in enumerate(in_time, start=1)}
    return {study: label_of[session] for study, session in of_study.items()}


def released_days(
    days: Collection[datetime.date], mode: str, key: bytes, subject: str
) -> dict[datetime.date, datetime.date]:
    """Return the day that is released for each real day of a person; nothing by the modes none and order.

    The first day becomes one of 1901 to 1914. What follows keeps its distance to the day (`shift`), or the
    distance times a factor between 0.8 and 1.25, later days staying later (`proportional`). First day
    and factor follow from key and person alone, so they tell nothing of the real dates.

    Parameters
    ----------
    days : collection of date
        All real days of the person: the first of them counts.
    mode : {"none", "shift", "proportional", "order"}
        As in the configuration.
    key : bytes
        The study's secret.
    subject : str
        The person's label. With the source ID, days in two contexts would begin alike and link them.

    Raises
    ------
    Held
        When a day would fall after 1924.
    """
    if mode not in ("shift", "proportional") or not days:
        return {}
    earliest, latest = _FIRST_DAYS
    choice = int(_fraction(key, "first day", subject) * ((latest - earliest).days + 1))
    first = earliest + datetime.timedelta(days=choice)
    times = factor(key, subject) if mode == "proportional" else 1.0
    real = sorted(set(days))
    offsets = [0]
    for day in real[1:]:
        offsets.append(max(offsets[-1] + 1, round((day - real[0]).days * times)))
    if first + datetime.timedelta(days=offsets[-1]) > _LAST_DAY:
        raise Held(
            f"dates.mode {mode}: a person's examinations reach beyond 1924, the last year of shifted dates",
            todo="set dates.mode to order or none",
        )
    return {day: first + datetime.timedelta(days=offset) for day, offset in zip(real, offsets, strict=True)}


def factor(key: bytes, subject: str) -> float:
    """Return the factor, 0.8 to 1.25, of a person's intervals in the mode proportional."""
    low, high = _FACTORS
    # Even on a logarithmic scale: as many people's intervals grow as shrink.
    return low * (high / low) ** _fraction(key, "factor", subject)


def _fraction(key: bytes, purpose: str, subject: str) -> float:
    """Return a keyed number from 0 up to, not including, 1."""
    return int.from_bytes(keyed(key, purpose, subject)[:6]) / 2**48
