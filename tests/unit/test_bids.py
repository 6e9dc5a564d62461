"""bids: tables of people and sessions say what was asked for, and no more."""

import pytest

from efface.bids import Table, participants, stage
from efface.errors import UsageError
from efface.schema import defaults
from efface.settings import CONFIG_SCHEMA
from efface.tables import read_json, read_tsv

PEOPLE = [
    {"participant_id": "sub-a", "age": "41", "sex": "F", "weight": "75", "size": "180"},
    {"participant_id": "sub-b", "age": "88", "sex": "", "weight": "", "size": ""},
    {"participant_id": "sub-c", "age": "20", "sex": "M", "weight": "60", "size": "170"},
]


def configured(**changes):
    return defaults({"dataset": {"name": "Heads"}} | changes, CONFIG_SCHEMA)


def staged_at(folder, images, phenotype=None, **changes):
    """Stage images given as (subject, session, image, day, period)."""
    config = configured(**changes)
    volume = folder / "volume.nii.gz"
    volume.write_bytes(b"voxels")
    records = [
        {"subject": subject, "session": session, "datatype": "anat", "image": image, "day": day}
        | {"period": period, "volume": volume, "sidecar": {"Modality": "MR"}, "gradients": []}
        for subject, session, image, day, period in images
    ]
    bids = folder / "bids"
    stage(bids, records, participants(PEOPLE, config["participants"], None), phenotype or {}, config)
    return bids


IMAGES = [
    ("a", "1", "sub-a_ses-1_T1w", "", ""),
    ("a", "10", "sub-a_ses-10_T1w", "", ""),
    ("a", "2", "sub-a_ses-2_T1w", "", ""),
    ("b", "1", "sub-b_ses-1_T1w", "", ""),
]


def test_only_people_with_an_image_are_told_of(tmp_path):
    table = Table(
        [{"participant_id": f"sub-{one}", "score": "7"} for one in "abc"], {"score": {"Units": "1"}}
    )
    bids = staged_at(tmp_path, IMAGES, {"moca": table})
    rows = read_tsv(bids / "participants.tsv")
    assert rows == [
        {"participant_id": "sub-a", "age": "41", "sex": "F"},
        {"participant_id": "sub-b", "age": "88", "sex": "n/a"},
    ]
    assert [row["participant_id"] for row in read_tsv(bids / "phenotype" / "moca.tsv")] == ["sub-a", "sub-b"]
    assert read_json(bids / "phenotype" / "moca.json") == {"score": {"Units": "1"}}
    sessions = read_tsv(bids / "sub-a" / "sub-a_sessions.tsv")
    assert sessions == [{"session_id": "ses-1"}, {"session_id": "ses-2"}, {"session_id": "ses-10"}]
    assert not list(bids.rglob("*_sessions.json"))


def test_r28_r68_columns_of_people_are_the_configurations_choice(tmp_path):
    bids = staged_at(tmp_path, IMAGES, participants={"sex": False, "weight": 5, "size": 10, "age_bin": 5})
    rows = read_tsv(bids / "participants.tsv")
    assert rows[0] == {"participant_id": "sub-a", "age": "41", "weight": "75", "size": "180"}
    described = read_json(bids / "participants.json")
    assert set(described) == {"age", "weight", "size"}
    assert "bin of 5 years" in described["age"]["Description"]
    assert "bin of 5 years" in (bids / "README.md").read_text()


def test_a_column_of_headers_and_of_the_table_is_refused():
    table = Table([{"participant_id": "sub-a", "sex": "female"}], {"sex": {}})
    with pytest.raises(UsageError, match=r"column sex.*participants\.sex"):
        participants(PEOPLE, configured()["participants"], table)
    merged = participants(PEOPLE, configured(participants={"sex": False})["participants"], table)
    assert [row["sex"] for row in merged.rows] == ["female", "n/a", "n/a"]


@pytest.mark.parametrize(("mode", "word"), [("shift", "intervals are true"), ("proportional", "stretched")])
def test_r09_r10_scans_and_sessions_have_the_shifted_day(tmp_path, mode, word):
    images = [
        ("a", "1", "sub-a_ses-1_T1w", "1903-02-01", ""),
        ("a", "2", "sub-a_ses-2_T1w", "1904-04-12", ""),
        ("b", "1", "sub-b_ses-1_T1w", "", ""),
    ]
    bids = staged_at(tmp_path, images, dates={"mode": mode})
    assert [row["acq_time"] for row in read_tsv(bids / "sub-a" / "sub-a_sessions.tsv")] == [
        "1903-02-01T00:00:00",
        "1904-04-12T00:00:00",
    ]
    scans = read_tsv(bids / "sub-a" / "ses-2" / "sub-a_ses-2_scans.tsv")
    assert scans == [{"filename": "anat/sub-a_ses-2_T1w.nii.gz", "acq_time": "1904-04-12T00:00:00"}]
    (row,) = read_tsv(bids / "sub-b" / "sub-b_sessions.tsv")
    assert row["acq_time"] == "n/a"
    assert "not the true one" in read_json(bids / "sub-a" / "sub-a_sessions.json")["acq_time"]["Description"]
    assert word in (bids / "README.md").read_text()


def test_r02_a_period_is_given_and_no_day(tmp_path):
    images = [("a", "1", "sub-a_ses-1_T1w", "", "2015-2019")]
    bids = staged_at(tmp_path, images, dates={"period": 5})
    (row,) = read_tsv(bids / "sub-a" / "sub-a_sessions.tsv")
    assert row == {"session_id": "ses-1", "period": "2015-2019"}
    assert (bids / "sub-a/ses-1/sub-a_ses-1_scans.tsv").read_text().splitlines()[0] == "filename"


WORDS = {
    "hmac": "keyed pseudonyms",
    "template": "keyed pseudonyms",
    "random_table": "a table of them is kept",
    "random": "no table of them was kept",
    "encrypted": "labels are encrypted",
}


@pytest.mark.parametrize("scheme", WORDS)
def test_r26_r58_the_wording_follows_mode_and_scheme(tmp_path, scheme):
    readme = (staged_at(tmp_path, IMAGES, identity={"scheme": scheme}) / "README.md").read_text()
    assert WORDS[scheme] in readme
    assert "neither a key nor a table" not in readme
    readme = (
        staged_at(tmp_path, IMAGES, mode="anonymous", identity={"scheme": scheme}) / "README.md"
    ).read_text()
    assert "neither a key nor a table" in readme
    assert WORDS[scheme] not in readme


def test_r79_terms_of_use_are_printed_and_left_out_when_there_are_none(tmp_path):
    terms = {"name": "Heads", "terms": "Share with nobody.", "license": "CC0"}
    bids = staged_at(tmp_path, IMAGES, dataset=terms)
    assert "## Terms of use\n\nShare with nobody." in (bids / "README.md").read_text()
    assert read_json(bids / "dataset_description.json")["License"] == "CC0"
    assert "Terms of use" not in (staged_at(tmp_path, IMAGES) / "README.md").read_text()
