"""dates: ages, sessions, days that are released, and what none of them may tell."""

import datetime
import random
import re
from itertools import pairwise

import pytest
from scipy.stats import spearmanr

from efface.dates import (
    OLDEST_AGE,
    age,
    ages_conflict,
    date,
    in_bin,
    period,
    released_days,
    sessions,
)
from efface.errors import Held
from efface.identity import pseudonym

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
DAYS = [
    datetime.date(2015, 3, 2),
    datetime.date(2015, 3, 3),
    datetime.date(2016, 2, 29),
    datetime.date(2019, 8, 7),
]
SHIFTED = ("shift", "proportional")


def intervals(days):
    """Return the days between each date and the next."""
    return [(later - day).days for day, later in pairwise(days)]


def order_key(subject):
    """Return a key that is one person's own."""
    return pseudonym(KEY, "order", subject, 26).encode()


def cohort(people=500):
    """Yield invented people: a name and, by UID, the date and time of up to five studies in true order."""
    draw = random.Random(5)
    for number in range(people):
        day, studies = datetime.date(2010, 1, 1) + datetime.timedelta(draw.randrange(3000)), {}
        for _ in range(draw.randrange(2, 6)):
            day += datetime.timedelta(draw.randrange(1, 400))
            studies[f"1.2.{day:%Y%m%d}.{draw.randrange(10**6)}"] = (f"{day:%Y%m%d}", "101500")
        yield f"P{number}", studies


@pytest.mark.parametrize(
    ("birth", "examination", "stated", "years"),
    [
        ("19800615", "20200614", "", 39),
        ("19800615", "20200615", "", 40),
        ("19200101", "20200101", "", 88),
        ("", "20200101", "095Y", 88),
        ("", "20200101", "018M", 1),
        ("", "", "051W", 0),
        ("", "", "400D", 1),
        ("20210101", "20200101", "", None),
        ("20210101", "20200101", "040Y", 40),
        ("18500101", "20200101", "", None),
        ("", "", "131Y", None),
        ("", "", "130Y", 88),
        ("", "", "40", None),
        ("19800615", "", "040Y", 40),
        ("20000229", "20180228", "", 17),
        ("", "", "", None),
    ],
)
def test_age_in_whole_years_capped(birth, examination, stated, years):
    assert age(birth, examination, stated) == years


def test_a_day_that_does_not_exist_is_no_date():
    assert date("20210230") is None


def test_r51_age_that_conflicts_with_the_birth_date_is_held_or_resolved():
    conflict = ("19420110", "20230601", "041Y")
    assert ages_conflict(*conflict)
    assert age(*conflict, believe="birth_date") == 81
    assert age(*conflict, believe="stated") == 41


@pytest.mark.parametrize(
    ("birth", "examination", "stated", "conflict"),
    [
        ("19800615", "20200615", "040Y", False),
        ("19800615", "20200615", "039Y", False),
        ("19800615", "20200615", "042Y", True),
        ("20190615", "20200615", "012M", False),
        ("20300101", "20200615", "040Y", True),
        ("18800101", "20200615", "040Y", True),
        ("19800615", "", "010Y", False),
        ("", "20200615", "010Y", False),
        ("19800615", "20200615", "", False),
    ],
)
def test_r51_a_conflict_is_more_than_a_year(birth, examination, stated, conflict):
    assert ages_conflict(birth, examination, stated) is conflict


@pytest.mark.parametrize("width", [1, 2, 5, 7, 10, 20, 100])
def test_r68_bins_of_age_tell_no_more_than_ages_do(width):
    ages = range(OLDEST_AGE)
    bins = [in_bin(years, width) for years in ages]
    assert all(youngest <= years < youngest + width for youngest, years in zip(bins, ages, strict=True))
    assert all(youngest % width == 0 for youngest in bins)
    # Who is 88 or 120 has one and the same age already.
    assert in_bin(OLDEST_AGE, width) == in_bin(age("19000101", "20200101"), width) == OLDEST_AGE


def test_sessions_follow_time_not_identifiers():
    studies = {
        "9": ("20200101", ""),
        "1": ("20210101", "0800"),
        "5": ("2020.01.01", "12:00:00"),
        "7": ("", ""),
    }
    assert sessions(studies) == {"9": "1", "5": "2", "1": "3", "7": "4"}
    assert sessions({}) == {}


def test_r27_studies_of_one_day_are_one_session_where_asked():
    studies = {
        "9": ("20200101", "0900"),
        "5": ("20200101", "1800"),
        "1": ("20210101", ""),
        "7": ("", ""),
        "8": ("", ""),
    }
    assert sessions(studies, by="day") == {"9": "1", "5": "1", "1": "2", "7": "3", "8": "4"}
    keyed = sessions(studies, by="day", order_key=KEY)
    assert keyed["9"] == keyed["5"]
    assert len(set(keyed.values())) == 4


@pytest.mark.parametrize("by", ["study", "day"])
def test_r24_keyed_sessions_say_nothing_of_the_order(by):
    found = {}
    for how in ("keyed", "in time"):
        place, true_place = [], []
        for subject, studies in cohort():
            labels = sessions(studies, by, order_key(subject) if how == "keyed" else None)
            released = sorted(set(labels.values()))
            place += [released.index(labels[study]) / (len(released) - 1) for study in studies]
            true_place += [number / (len(studies) - 1) for number in range(len(studies))]
        found[how] = spearmanr(place, true_place).pvalue
    assert found["keyed"] > 0.05
    assert found["in time"] < 1e-6, "a leak of the order would be seen"


@pytest.mark.parametrize("by", ["study", "day"])
def test_r24_keyed_sessions_stay_when_a_study_is_added(by):
    for subject, studies in cohort(50):
        *earlier, _ = studies
        before = sessions({study: studies[study] for study in earlier}, by, order_key(subject))
        after = sessions(studies, by, order_key(subject))
        assert after.items() >= before.items()
        assert all(re.fullmatch("[a-z2-7]{6}", label) for label in after.values())
        assert len(set(after.values())) == len(studies)


def test_two_sessions_of_one_label_are_held(monkeypatch):
    monkeypatch.setattr("efface.dates.pseudonym", lambda *_: "aaaaaa")
    with pytest.raises(Held, match="same label"):
        sessions({"1": ("20200101", ""), "2": ("20200102", "")}, "study", KEY)


def test_r11_no_true_date_or_uid_is_in_what_is_released():
    for subject, studies in cohort(50):
        days = {date(day) for day, _ in studies.values()}
        labels = sessions(studies, "day", order_key(subject)).values()
        for mode in ("none", "shift", "proportional", "order"):
            released = released_days(days, mode, KEY, subject).values()
            assert days.isdisjoint(released)
            assert all(type(day) is datetime.date for day in released), "a time of day would be left"
        assert not any(text in label for label in labels for text in (*studies, *map(str, days)))


def test_r09_r12_r69_shifted_intervals_are_exact_and_the_first_day_independent():
    subject = released_days(DAYS, "shift", KEY, "A")
    assert intervals(subject[day] for day in DAYS) == intervals(DAYS)
    # Two studies of one person in different years: the released first day is the same.
    moved = [day + datetime.timedelta(days=1234) for day in DAYS]
    assert list(released_days(moved, "shift", KEY, "A").values()) == list(subject.values())
    # The person's clinical rows of other days move with them.
    clinical = released_days([*DAYS, datetime.date(2017, 1, 1)], "shift", KEY, "A")
    assert clinical.items() >= subject.items()


@pytest.mark.parametrize("mode", SHIFTED)
def test_r09_first_days_fill_1901_to_1914_and_differ_by_key_and_person(mode):
    firsts = [released_days(DAYS[:1], mode, KEY, f"P{number}")[DAYS[0]] for number in range(3000)]
    assert datetime.date(1901, 1, 1) <= min(firsts) < datetime.date(1901, 2, 1)
    assert datetime.date(1914, 12, 1) < max(firsts) <= datetime.date(1914, 12, 31)
    per_year = [sum(day.year == year for day in firsts) for year in range(1901, 1915)]
    assert min(per_year) > 150, "214 each by chance"
    assert firsts[0] != released_days(DAYS[:1], mode, OTHER, "P0")[DAYS[0]]


def test_r10_proportional_keeps_the_order_and_same_days_and_hides_the_factor():
    factors = []
    for number in range(300):
        released = released_days([*DAYS, DAYS[1]], "proportional", KEY, f"P{number}")
        after = [released[day] for day in DAYS]
        assert len(released) == len(DAYS)
        assert all(one < other for one, other in pairwise(after))
        factors.append((after[-1] - after[0]).days / (DAYS[-1] - DAYS[0]).days)
    assert 0.799 < min(factors) < 0.82 and 1.22 < max(factors) < 1.251
    assert len({round(factor, 3) for factor in factors}) > 150, "each person has a factor of their own"
    unshifted = [released_days(DAYS[:1], "proportional", KEY, f"P{number}")[DAYS[0]] for number in range(300)]
    assert spearmanr([day.toordinal() for day in unshifted], factors).pvalue > 0.05


def test_r10_days_that_follow_closely_stay_apart():
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(number) for number in range(200)]
    for subject in "ABCDEFGH":
        released = released_days(reversed(days), "proportional", KEY, subject)
        assert all(released[one] < released[other] for one, other in pairwise(days))


@pytest.mark.parametrize("mode", SHIFTED)
def test_r09_no_day_after_1924_is_released(mode):
    days = [datetime.date(1990, 1, 1), datetime.date(2002, 1, 1)]
    held = 0
    for number in range(200):
        try:
            released = released_days(days, mode, KEY, f"P{number}")
        except Held as error:
            held += 1
            assert "order or none" in str(error) and "2002" not in str(error)
        else:
            assert max(released.values()) <= datetime.date(1924, 12, 31)
    assert 0 < held < 200


@pytest.mark.parametrize("mode", ["none", "order"])
def test_no_day_is_released_unless_asked(mode):
    assert released_days(DAYS, mode, KEY, "A") == {}
    assert released_days([], "shift", KEY, "A") == {}


@pytest.mark.parametrize(
    ("years", "said"), [(1, "2019"), (2, "2018-2019"), (5, "2015-2019"), (10, "2010-2019")]
)
def test_a_period_holds_its_day(years, said):
    assert period(datetime.date(2019, 12, 31), years) == said
