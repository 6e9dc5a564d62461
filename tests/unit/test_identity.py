"""identity and dates: labels that are stable and unlinkable, sessions, ages."""

import re
import stat

import pytest

from efface.dates import age, date, sessions
from efface.errors import UsageError
from efface.identity import load_or_make_key, normalised, pseudonym

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def test_a_key_is_made_once_for_its_owner_only(tmp_path):
    path = tmp_path / "key" / "secret"
    key = load_or_make_key(path)
    assert len(key) == 32
    assert load_or_make_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_or_make_key(tmp_path / "another") != key


@pytest.mark.parametrize("text", ["", "00" * 31, "not hexadecimal"])
def test_a_short_key_is_refused_and_not_shown(tmp_path, text):
    (tmp_path / "secret").write_text(text)
    with pytest.raises(UsageError, match="32 bytes or more") as caught:
        load_or_make_key(tmp_path / "secret")
    assert not text or text not in str(caught.value)


def test_labels_are_stable_and_fit_bids():
    label = pseudonym(KEY, "subject", "A-1")
    assert label == pseudonym(KEY, "subject", "A-1")
    assert re.fullmatch("[a-z2-7]{8}", label)


def test_labels_differ_by_key_purpose_and_person():
    labels = {
        pseudonym(key, purpose, value)
        for key in (KEY, OTHER)
        for purpose in ("subject", "series")
        for value in ("A-1", "A-2")
    }
    assert len(labels) == 8


@pytest.mark.parametrize("hostile", ["../../etc", "a/b\0c", "'; rm -rf", "Ärger^Å", "\udc80"])
def test_no_identifier_can_shape_a_label(hostile):
    assert re.fullmatch("[a-z2-7]{8}", pseudonym(KEY, "subject", hostile))


def test_spellings_of_one_identifier_are_one():
    assert normalised("ab  12 ") == normalised(" AB 12") != normalised("AB 13")


def test_sessions_follow_time_not_identifiers():
    assert sessions({"9": "20200101", "1": "20210101", "5": "20200101120000"}) == {
        "9": "1",
        "5": "2",
        "1": "3",
    }


@pytest.mark.parametrize(
    ("birth", "examination", "stated", "years"),
    [
        ("19800615", "20200614", "", 39),
        ("19800615", "20200615", "", 40),
        ("19200101", "20200101", "", 88),
        ("", "20200101", "095Y", 88),
        ("", "20200101", "018M", 1),
        ("20210101", "20200101", "", None),
        ("", "", "", None),
    ],
)
def test_age_in_whole_years_capped(birth, examination, stated, years):
    assert age(birth, examination, stated) == years


def test_a_day_that_does_not_exist_is_no_date():
    assert date("20210230") is None
