"""schemes and template: labels of people that are stable, unlinkable, and tell neither ID nor order."""

import base64
import datetime
import hashlib
import random
import re
import subprocess
import sys

import pytest
from scipy.stats import spearmanr

from conftest import REPOSITORY
from efface.dates import released_days
from efface.errors import UsageError
from efface.identity import normalised
from efface.schema import defaults
from efface.schemes import crosswalk_is_kept, labels, refuse, second_stage, source_id
from efface.settings import CONFIG_SCHEMA, settings
from efface.template import permuted, read_template

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
SCHEMES = ("hmac", "random_table", "random", "encrypted", "template")
COHORT = [f"ID{number:05d}" for number in range(500)]
REQUIRED = {"input": "in", "release": "out", "dataset": {"name": "invented"}}


def identity(**changed):
    """Return the section of the configuration with its defaults, a template where one is needed."""
    if changed.get("scheme") == "template":
        changed = {"template": "{site:03d}{n:06d}", "site": "7"} | changed
    return defaults({"identity": changed}, CONFIG_SCHEMA)["identity"]


def linked(one, other):
    """Return how many labels two cohorts share, by anything that one can see."""
    return len(set(one.values()) & set(other.values()))


def test_r27_the_same_label_in_every_study_modality_and_row():
    spellings = {"CT": "AB-0012", "MR": " ab 0012", "clinical row": "AB.00/12"}
    alone = [labels([normalised(one)], identity(), KEY, {}) for one in spellings.values()]
    assert alone[0] == alone[1] == alone[2]
    assert alone[0] != labels([normalised("AB-0013")], identity(), KEY, {})


@pytest.mark.parametrize("scheme", ["hmac", "encrypted", "template"])
def test_keyed_labels_are_the_same_in_every_run_and_process(scheme):
    settled = labels(COHORT[:20], identity(scheme=scheme), KEY, {})
    script = (
        "from efface.schemes import labels;"
        f"given = labels({set(COHORT[:20])!r}, {identity(scheme=scheme)!r}, bytes(range(32)), {{}});"
        "print(sorted(given.items()))"
    )
    for seed in ("1", "2"):
        said = subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONPATH": str(REPOSITORY / "scripts"), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert said.strip() == str(sorted(settled.items()))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_labels_are_letters_and_digits_and_differ_by_more_than_case(scheme):
    given = labels(COHORT, identity(scheme=scheme, prefix="P1"), KEY, {})
    assert all(re.fullmatch("P1[a-z0-9]+", label) for label in given.values())
    assert len({label.lower() for label in given.values()}) == len(COHORT)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_scheme_shows_the_id_or_its_length(scheme):
    given = labels(["SECRET1", "SECRET12345678"], identity(scheme=scheme), KEY, {})
    assert len({len(label) for label in given.values()}) == 1
    assert "secret" not in "".join(given.values()).lower()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_r24_the_order_of_labels_says_nothing_of_the_order_of_ids(scheme, monkeypatch):
    # Seeded: chance alone goes below the bound in one draw of twenty.
    monkeypatch.setattr("secrets.token_bytes", random.Random(5).randbytes)
    given = labels(COHORT, identity(scheme=scheme), KEY, {})
    assert spearmanr(range(500), ranks([given[one] for one in COHORT])).pvalue > 0.05
    assert spearmanr(range(500), ranks(COHORT)).pvalue < 1e-6, "a leak of the order would be seen"


def ranks(values):
    """Return the place of each value in their sorted order."""
    return [sorted(values).index(value) for value in values]


@pytest.mark.parametrize("scheme", ["hmac", "random_table", "encrypted", "template"])
def test_r77_later_people_do_not_change_the_labels_of_earlier_ones(scheme):
    first = labels(COHORT[100:200], identity(scheme=scheme), KEY, {})
    both = labels(COHORT, identity(scheme=scheme), KEY, first)
    assert both.items() >= first.items()
    assert len(set(both.values())) == len(COHORT)


def test_r31_two_sites_merge_without_a_collision():
    for scheme in ("hmac", "encrypted", "template"):
        one = labels(COHORT, identity(scheme=scheme, site="7"), KEY, {})
        same_key = labels(COHORT, identity(scheme=scheme, site="8"), KEY, {})
        own_key = labels(COHORT, identity(scheme=scheme, site="8"), OTHER, {})
        assert linked(one, same_key) == linked(one, own_key) == 0
    one, other = (labels(COHORT, identity(scheme="random_table", prefix=site), KEY, {}) for site in "AB")
    assert linked(one, other) == 0


@pytest.mark.parametrize("scheme", ["hmac", "encrypted"])
def test_r37_r76_a_site_finds_a_person_with_the_id_and_the_key_alone(scheme):
    everybody = labels(COHORT, identity(scheme=scheme), KEY, {})
    assert labels(["ID00042"], identity(scheme=scheme), KEY, {}) == {"ID00042": everybody["ID00042"]}
    back = {label: one for one, label in everybody.items()}
    assert back[everybody["ID00042"]] == "ID00042"


@pytest.mark.parametrize("scheme", ["hmac", "encrypted", "template"])
def test_r59_nothing_links_labels_to_ids_without_the_key(scheme):
    given = labels(COHORT, identity(scheme=scheme), KEY, {})
    guessed = labels(COHORT, identity(scheme=scheme), OTHER, {})
    agree = sum(given[one] == guessed[one] for one in COHORT)
    assert agree == 0
    assert KEY.hex() not in "".join(given.values())


def test_r60_random_table_only_the_table_maps():
    table = labels(COHORT, identity(scheme="random_table"), KEY, {})
    assert labels(COHORT, identity(scheme="random_table"), OTHER, table) == table
    assert linked(table, labels(COHORT, identity(scheme="random_table"), KEY, {})) == 0
    assert crosswalk_is_kept("pseudonymous", "random_table")


def test_r61_random_keeps_no_table_and_two_runs_differ():
    first = labels(COHORT, identity(scheme="random"), KEY, {})
    assert linked(first, labels(COHORT, identity(scheme="random"), KEY, first)) == 0
    assert not crosswalk_is_kept("pseudonymous", "random")


def test_r26_anonymous_keeps_no_table():
    assert not any(crosswalk_is_kept("anonymous", scheme) for scheme in SCHEMES)
    assert crosswalk_is_kept("pseudonymous", "hmac")


@pytest.mark.parametrize("one", ["A", "ID00042", "A" * 15, "A" * 16, "Ä" * 20, "9" * 63])
def test_r62_an_encrypted_id_comes_back_with_the_key_only(one):
    section = identity(scheme="encrypted", prefix="E", site="7", context="trial")
    (label,) = labels([one], section, KEY, {}).values()
    assert source_id(label, section, KEY) == one
    wrong = [
        (label, section, OTHER),
        (label, section | {"site": "8"}, KEY),
        (label, section | {"context": ""}, KEY),
        (label, section | {"prefix": ""}, KEY),
        (label[:-1] + ("a" if label[-1] != "a" else "b"), section, KEY),
        (label[:-4], section, KEY),
        ("E", section, KEY),
        ("Eäöü", section, KEY),
    ]
    for arguments in wrong:
        with pytest.raises(UsageError, match="cannot be decrypted") as caught:
            source_id(*arguments)
        assert one not in str(caught.value) or len(one) == 1
        assert label not in str(caught.value)


def test_r62_exactly_one_label_stands_for_an_id():
    # 52 letters of base32 hold 260 bits for 256: another last letter can decode to the same bytes.
    section = identity(scheme="encrypted")
    (label,) = labels(["ID00042"], section, KEY, {}).values()
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    twins = [label[:-1] + letter for letter in alphabet if same_bytes(label[:-1] + letter, label)]
    assert len(twins) > 1
    for twin in set(twins) - {label}:
        with pytest.raises(UsageError, match="cannot be decrypted"):
            source_id(twin, section, KEY)


def same_bytes(one, other):
    """Return whether two texts in base32 decode to the same bytes."""
    return base64.b32decode(one.upper() + "====") == base64.b32decode(other.upper() + "====")


def test_r62_other_schemes_cannot_be_reversed():
    (label,) = labels(["ID00042"], identity(), KEY, {}).values()
    with pytest.raises(UsageError, match="crosswalk"):
        source_id(label, identity(), KEY)
    with pytest.raises(UsageError, match="63 bytes"):
        labels(["9" * 64], identity(scheme="encrypted"), KEY, {})


def test_r63_labels_follow_the_template_in_random_order():
    section = identity(scheme="template", prefix="P", template="S{site:03d}x{n:06d}")
    given = labels(COHORT, section, KEY, {})
    assert all(re.fullmatch(r"PS007x\d{6}", label) for label in given.values())
    numbers = [int(given[one][-6:]) for one in COHORT]
    counters = [permuted(number, 6, KEY, ("", "7", "6"), -1) for number in numbers]
    assert sorted(counters) == list(range(500))
    assert spearmanr(range(500), numbers).pvalue > 0.05
    assert spearmanr(range(500), counters).pvalue > 0.05, "even who holds the key learns no order of IDs"
    assert linked(given, labels(COHORT, section, OTHER, {})) < 10


def test_r63_people_of_later_runs_take_numbers_that_nobody_has():
    section = identity(scheme="template", template="{n:02d}")
    known = {}
    for start in range(0, 100, 10):
        known |= labels(COHORT[start : start + 10], section, KEY, known)
    assert sorted(known.values()) == [f"{number:02d}" for number in range(100)]
    with pytest.raises(UsageError, match="all numbers given"):
        labels(COHORT[:101], section, KEY, known)


def test_r63_the_number_of_an_erased_person_is_not_given_again():
    section = identity(scheme="template", template="{n:02d}")
    known = labels(COHORT[:50], section, KEY, {})
    erased = {one: known.pop(one) for one in sorted(known, key=lambda one: number_of(known[one]))[:20]}
    later = labels(COHORT[50:80], section, KEY, known)
    assert linked(erased, later) == 0


def number_of(label):
    """Return the counter behind a label of two digits."""
    return permuted(int(label), 2, KEY, ("", "7", "2"), -1)


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_r63_the_permutation_is_one_and_reverses(digits):
    places = [permuted(number, digits, KEY, ("a",)) for number in range(10**digits)]
    assert sorted(places) == list(range(10**digits))
    assert [permuted(place, digits, KEY, ("a",), -1) for place in places] == list(range(10**digits))
    assert places != [permuted(number, digits, KEY, ("b",)) for number in range(10**digits)]


@pytest.mark.parametrize(
    ("template", "site"),
    [
        ("{site:03d}", "7"),
        ("{n}", ""),
        ("{n:6d}", ""),
        ("{n:03d}{n:03d}", ""),
        ("{n:03d}-{site}", "7"),
        ("{n:03d}{site}", ""),
        ("{n:03d}{site}", "Å"),
        ("{n:03d}{site:03d}", "north"),
        ("{n:03d}{site:03d}", "1000"),
        ("{n:03d}{site:03d}", "-1"),
        ("{n:03d}{year}", ""),
        ("{n!r:03d}", ""),
        ("{n.real:03d}", ""),
        ("{n:03d}{}", ""),
        ("{n:03d", ""),
        ("{n:03d}}}", ""),
        ("001", ""),
    ],
)
def test_a_template_that_cannot_serve_is_refused(template, site):
    with pytest.raises(UsageError, match=r"identity\.template"):
        refuse("pseudonymous", identity(scheme="template", template=template, site=site))


def test_a_site_may_be_a_name_in_a_template():
    section = identity(scheme="template", template="{site}{n:03d}z", site="north")
    assert read_template(section) == ("north", 3, "z")


def test_a_crosswalk_of_another_template_is_refused():
    known = labels(COHORT[:3], identity(scheme="template"), KEY, {})
    for changed in ({"template": "{n:06d}"}, {"site": "8"}, {"prefix": "P"}):
        with pytest.raises(UsageError, match="another form"):
            labels(COHORT[:5], identity(scheme="template", **changed), KEY, known)


@pytest.mark.parametrize("scheme", ["none", "md5", "sha1", "sha256", "hash", "crc32", "HMAC", ""])
def test_r64_an_unkeyed_hash_cannot_be_configured(scheme):
    with pytest.raises(UsageError, match="identity"):
        settings(REQUIRED | {"identity": {"scheme": scheme}})
    with pytest.raises(UsageError, match=r"identity\.scheme"):
        labels(["ID00042"], identity() | {"scheme": scheme}, KEY, {})


def test_r64_prefix_and_keyed_hash():
    (label,) = labels(["ID00042"], identity(prefix="PCa", site="7"), KEY, {}).values()
    assert re.fullmatch("PCa[a-z2-7]{8}", label)
    for text in (b"ID00042", b"7ID00042", b"subject\0\x007\0ID00042"):
        for name in ("md5", "sha1", "sha256"):
            digest = hashlib.new(name, text).digest()
            assert base64.b32encode(digest).decode().lower()[:8] != label[3:]


@pytest.mark.parametrize("scheme", ["hmac", "encrypted"])
def test_r65_two_contexts_give_labels_that_cannot_be_linked(scheme):
    one = labels(COHORT, identity(scheme=scheme, context="one"), KEY, {})
    other = labels(COHORT, identity(scheme=scheme, context="two"), KEY, {})
    assert linked(one, other) == 0
    places = [ranks([given[name] for name in COHORT]) for given in (one, other)]
    assert spearmanr(*places).pvalue > 0.05


def test_r65_shifted_days_do_not_link_two_contexts():
    days = [datetime.date(2015, 3, 2), datetime.date(2016, 3, 2)]
    firsts = []
    for context in ("one", "two"):
        given = labels(COHORT, identity(context=context), KEY, {})
        firsts.append([released_days(days, "shift", KEY, given[one])[days[0]].toordinal() for one in COHORT])
    assert spearmanr(*firsts).pvalue > 0.05
    assert sum(one == other for one, other in zip(*firsts, strict=True)) < 5, "0.1 by chance"


def test_r65_context_and_site_do_not_run_together():
    parts = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc")]
    found = {labels(["X"], identity(context=a, site=b), KEY, {})["X"] for a, b in parts}
    assert len(found) == 4
    with pytest.raises(UsageError, match="NUL"):
        labels(["X"], identity(context="a\0b"), KEY, {})


def test_r66_a_second_stage_labels_without_any_id_and_neither_key_suffices():
    section = identity(prefix="P", second_key="central")
    site = labels(COHORT, identity(prefix="P"), KEY, {})
    released = labels(COHORT, section, KEY, {}, second_key=OTHER)
    # What a site sends is its labels alone.
    assert {second_stage(label, OTHER, "P") for label in site.values()} == set(released.values())
    assert linked(site, released) == 0
    assert linked(released, labels(COHORT, identity(prefix="P"), OTHER, {})) == 0
    with pytest.raises(UsageError, match=r"identity\.second_key"):
        labels(COHORT, section, KEY, {})
    with pytest.raises(UsageError, match=r"identity\.second_key"):
        labels(COHORT, section, KEY, {}, second_key=KEY)


@pytest.mark.parametrize("scheme", ["random_table", "random", "encrypted", "template"])
def test_r66_a_second_stage_needs_labels_that_can_be_made_again(scheme):
    with pytest.raises(UsageError, match=r"identity\.second_key"):
        refuse("pseudonymous", identity(scheme=scheme, second_key="central"))
    with pytest.raises(UsageError, match=r"identity\.second_key"):
        labels(["X"], identity(scheme=scheme), KEY, {}, second_key=OTHER)


@pytest.mark.parametrize(
    ("mode", "changed", "named"),
    [
        ("anonymous", {"scheme": "random_table"}, "anonymous"),
        ("anonymous", {"scheme": "encrypted"}, "anonymous"),
        ("anonymous", {"second_key": "central"}, "second_key"),
        ("pseudonymous", {"scheme": "template", "template": ""}, "template"),
        ("pseudonymous", {"template": "{n:03d}"}, "template"),
        ("pseudonymous", {"scheme": "random_table", "context": "one"}, "context"),
        ("pseudonymous", {"scheme": "random", "site": "7"}, "site"),
    ],
)
def test_combinations_without_sense_are_refused(mode, changed, named):
    with pytest.raises(UsageError, match=named):
        refuse(mode, identity(**changed))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_combinations_with_sense_pass(scheme):
    refuse("pseudonymous", identity(scheme=scheme, prefix="P"))
    if scheme not in ("random_table", "encrypted"):
        refuse("anonymous", identity(scheme=scheme))


@pytest.mark.parametrize("scheme", ["hmac", "encrypted"])
@pytest.mark.parametrize("changed", [{"prefix": "P"}, {"site": "8"}, {"context": "two"}])
def test_a_person_does_not_get_a_second_label(scheme, changed):
    known = labels(COHORT[:3], identity(scheme=scheme), KEY, {})
    with pytest.raises(UsageError, match="another label") as caught:
        labels(COHORT[:3], identity(scheme=scheme, **changed), KEY, known)
    assert "ID0" not in str(caught.value)


@pytest.mark.parametrize("change", [str, str.upper])
def test_two_people_never_share_a_label_nor_one_but_for_case(change):
    (label,) = labels(["ID00001"], identity(), KEY, {}).values()
    with pytest.raises(UsageError, match="same label") as caught:
        labels(["ID00001"], identity(), KEY, {"ID00002": change(label)})
    assert label not in str(caught.value)


def test_a_crosswalk_with_a_path_for_a_label_is_refused():
    with pytest.raises(UsageError, match="letters and digits"):
        labels(["ID00001"], identity(scheme="random_table"), KEY, {"ID00001": "../x"})
