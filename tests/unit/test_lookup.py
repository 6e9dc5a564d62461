"""lookup: from a label to the source ID for who holds key and crosswalk, never without a line about it."""

import os
import pwd
import re
import stat
from pathlib import Path

import pytest

from efface import crosswalk, lookup, schemes, tombstones
from efface.errors import EffaceError
from efface.identity import load_or_make_key
from efface.settings import settings
from efface.tables import read_tsv

PEOPLE = ("MRN7734421", "197711072391", "A0")


@pytest.fixture
def study(tmp_path):
    """Return a function that gives the settings of a study after a run, and the labels by ID."""

    def made(mode="pseudonymous", keep=True, second_key=None, **identity):
        config = {"input": str(tmp_path / "in"), "release": str(tmp_path / "out"), "dataset": {"name": "A"}}
        chosen = settings(
            config | {"work": str(tmp_path / "work"), "mode": mode, "identity": {"scheme": "hmac"} | identity}
        )
        key = load_or_make_key(chosen.key)
        given = schemes.labels(PEOPLE, chosen.config["identity"], key, {}, second_key)
        if keep:
            people = [{"participant_id": f"sub-{label}", "source_id": one} for one, label in given.items()]
            rows = [dict.fromkeys(crosswalk.COLUMNS, "") | one for one in people]
            crosswalk.write(crosswalk.place(chosen.work), {}, rows)
        return chosen, given

    return made


def listed(chosen):
    return Path(chosen.work, "key", lookup.ACCESS)


def lines(chosen):
    return read_tsv(listed(chosen), lookup.COLUMNS)


@pytest.mark.parametrize(
    "identity",
    [
        {"scheme": "hmac", "prefix": "PCa"},
        {"scheme": "random_table"},
        {"scheme": "template", "template": "{site:03d}{n:06d}", "site": "7"},
        {"scheme": "encrypted", "context": "a project"},
    ],
    ids=lambda one: one["scheme"],
)
def test_r29_r37_a_released_label_leads_back_to_the_source_id(study, identity):
    chosen, given = study(**identity)
    for source_id, label in given.items():
        assert lookup.lookup(chosen, label) == lookup.lookup(chosen, f"sub-{label}") == source_id


def test_r29_r62_an_encrypted_label_needs_no_table(study):
    chosen, given = study(scheme="encrypted", keep=False)
    assert lookup.lookup(chosen, given["A0"]) == "A0"


def test_r37_r66_a_label_of_the_second_stage_leads_back_too(study):
    _, first_stage = study()
    chosen, given = study(second_key=bytes.fromhex("ab" * 32))
    assert given["A0"] != first_stage["A0"]
    assert lookup.lookup(chosen, given["A0"]) == "A0"


def test_r29_each_attempt_leaves_a_line_that_only_its_owner_can_read(study):
    chosen, given = study()
    lookup.lookup(chosen, given["A0"])
    with pytest.raises(EffaceError, match="nobody in the crosswalk has that label"):
        lookup.lookup(chosen, "sub-nobody")
    rows = lines(chosen)
    assert [(row["action"], row["label"], row["outcome"]) for row in rows] == [
        ("lookup", given["A0"], "told"),
        ("lookup", "nobody", "refused"),
    ]
    assert {row["user"] for row in rows} == {pwd.getpwuid(os.getuid()).pw_name}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["time"]) for row in rows)
    assert stat.S_IMODE(listed(chosen).stat().st_mode) == 0o600


def test_r29_nothing_is_told_when_the_line_cannot_be_written(study, tmp_path, monkeypatch):
    chosen, given = study()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(EffaceError, match="nothing is told") as refused:
            lookup.lookup(chosen, given["A0"])
    assert "A0" not in str(refused.value)
    listed(chosen).unlink()
    listed(chosen).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EffaceError, match="nothing is told"):
        lookup.lookup(chosen, given["A0"])
    assert not (tmp_path / "elsewhere").exists()


def test_the_line_names_the_user_of_the_system_not_of_the_environment(study, monkeypatch):
    chosen, given = study()
    monkeypatch.setenv("LOGNAME", "somebody-else")
    lookup.lookup(chosen, given["A0"])
    assert lines(chosen)[0]["user"] != "somebody-else"


def test_what_is_no_label_is_not_written_down(study):
    chosen, _ = study()
    with pytest.raises(EffaceError):
        lookup.lookup(chosen, "Whitlock^Harold\tMRN 77")
    assert [row["label"] for row in lines(chosen)] == ["(no label)"]


@pytest.mark.parametrize(
    ("mode", "scheme"), [("anonymous", "hmac"), ("anonymous", "random"), ("pseudonymous", "random")]
)
def test_r29_a_study_without_a_way_back_says_so(study, mode, scheme):
    chosen, given = study(mode=mode, scheme=scheme, keep=False)
    with pytest.raises(EffaceError, match="no way back") as refused:
        lookup.lookup(chosen, given["A0"])
    assert (refused.value.exit_code, str(refused.value).count("\n")) == (1, 0)
    assert [row["outcome"] for row in lines(chosen)] == ["refused"]


def test_r29_without_the_key_nobody_looks_up_and_none_is_made(study):
    chosen, given = study(scheme="encrypted")
    Path(chosen.key).unlink()
    with pytest.raises(EffaceError, match="key is not there"):
        lookup.lookup(chosen, given["A0"])
    assert not Path(chosen.key).exists()


def test_r76_who_was_erased_is_not_looked_up_even_where_the_key_could(study):
    chosen, given = study(scheme="encrypted")
    key = load_or_make_key(chosen.key)
    tombstones.add(f"{chosen.work}/key/{tombstones.NAME}", key, "A0", given["A0"])
    with pytest.raises(EffaceError, match="was erased"):
        lookup.lookup(chosen, given["A0"])


def test_lines_of_an_erased_person_stay_without_the_label(study):
    chosen, given = study()
    for one in ("A0", "MRN7734421", "A0"):
        lookup.lookup(chosen, given[one])
    assert lookup.forget(Path(chosen.work), given["A0"].__eq__) == 2
    labels = [row["label"] for row in lines(chosen)]
    assert labels == ["(erased)", given["MRN7734421"], "(erased)"]
