"""identity: the key, what is one ID or name, pseudonyms."""

import re
import stat

import pytest

from efface.errors import UsageError
from efface.identity import load_or_make_key, normalised, pseudonym, same_name

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


@pytest.mark.parametrize(
    "spelling", ["AB-0012/3", " ab 00123", "AB.00 12.3", "ab_00123\t", "ＡＢ００１２３", "AB-0012\x003"]
)
def test_r27_spellings_of_one_identifier_are_one(spelling):
    assert normalised(spelling) == "AB00123"


@pytest.mark.parametrize("other", ["AB123", "AB00124", "B00123", "ÅB00123"])
def test_other_identifiers_stay_others(other):
    assert normalised(other) != "AB00123"


@pytest.mark.parametrize("nothing", ["", " ", "--", "\0"])
def test_an_identifier_of_nothing_stays_empty(nothing):
    assert normalised(nothing) == ""


def test_a_normalised_identifier_is_its_own_spelling():
    for code in range(0x110000):
        once = normalised(f"A{chr(code)}1")
        assert normalised(once) == once, hex(code)
    assert normalised("\u1100-\u1161") == normalised("\uac00"), "letters compose once a hyphen is gone"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Test^Anna", "TEST^ANNA"),
        ("Test^Anna", "Anna Test"),
        ("Test^Anna^^Dr", "Test^Anna"),
        ("Prövare^Åsa^Maria", "PROVARE^ASA"),
        ("Nørre^Bo", "Norre^Bo"),
        ("O'Test^Anna", "OTEST^ANNA"),
        ("Yamada^Tarou=山田^太郎", "YAMADA^TAROU"),
        ("", "Test^Anna"),
        ("^^^", "Test^Anna"),
    ],
)
def test_spellings_of_one_name_are_one(one, other):
    assert same_name(one, other) and same_name(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Test^Anna", "Test^Berit"), ("Test^Anna", "Prov^Anna"), ("Test^A", "Test^Anna"), ("山田", "Yamada")],
)
def test_two_names_are_two(one, other):
    assert not same_name(one, other) and not same_name(other, one)
