"""The step import_tables: of an eCRF export comes out what its dictionary releases, and nothing else."""

import pytest

import import_tables
from efface import crosswalk
from efface.errors import USAGE, guarded
from efface.tables import read_json, read_tsv, write_tsv

DICTIONARY = """
id: record_id
missing: ["", "-9"]
columns:
  visit_date:
    {type: date, as: days, name: visit_days, description: Day of the visit., reason: Recovery takes time.}
  diagnosis:
    {type: category, levels: {"0": control, "1": patient}, description: Group of the study.,
     reason: Groups are compared., diagnosis: true}
  moca:
    {type: integer, range: [0, 30], unit: "1", description: Sum score of MoCA., reason: It is the outcome.}
  comment: {type: drop}
  surname: {type: drop}
"""
EXPORT = """\ufeffrecord_id;surname;visit_date;diagnosis;moca;comment
QX770412;Lindqvist;2019-04-14;1;27;Dr Lindqvist, tel 0705-551234
qx 770413;Norrvik;2019-05-02;0;-9;
QX770499;Hagström;2019-06-03;1;21;SE2321000016-1A2B
"""
CANARIES = ("770", "Lindqvist", "0705", "Norrvik", "Hagstr", "SE2321", "2019", "1942")


@pytest.fixture
def run(tmp_path):
    people = [
        {
            "participant_id": "sub-k3",
            "source_id": "QX770412",
            "birth_date": "19420201",
            "first_session": "20190410",
        },
        {"participant_id": "sub-a7", "source_id": "QX 770413", "birth_date": "", "first_session": "20190502"},
    ]
    write_tsv(tmp_path / "crosswalk.tsv", people, crosswalk.COLUMNS)
    (tmp_path / "dictionary.yaml").write_text(DICTIONARY)
    (tmp_path / "table.csv").write_text(EXPORT)

    def run(level=6):
        inputs = {"people": "crosswalk.tsv", "table": "table.csv", "dictionary": "dictionary.yaml"}
        outputs = {"out": "out.tsv", "columns": "out.json"}
        argv = [
            text for name, file in (inputs | outputs).items() for text in (f"--{name}", str(tmp_path / file))
        ]
        return guarded(lambda: import_tables.main([*argv, "--level", str(level)]))

    return run


def test_r71_r36_no_canary_of_the_table_comes_out(run, tmp_path, capsys):
    assert run() == 0
    assert read_tsv(tmp_path / "out.tsv") == [
        {"participant_id": "sub-a7", "visit_days": "0", "diagnosis": "control", "moca": "n/a"},
        {"participant_id": "sub-k3", "visit_days": "4", "diagnosis": "patient", "moca": "27"},
    ]
    assert list(read_json(tmp_path / "out.json")) == ["visit_days", "diagnosis", "moca"]
    said = capsys.readouterr()
    assert "2 people imported; 1 people of the table have no scan" in said.out
    written = (
        said.out + said.err + "".join((tmp_path / f"out.{kind}").read_text() for kind in ("tsv", "json"))
    )
    assert not [canary for canary in CANARIES if canary.casefold() in written.casefold()]


def test_the_same_input_gives_the_same_bytes(run, tmp_path):
    run()
    first = (tmp_path / "out.tsv").read_bytes()
    head, *rows = EXPORT.splitlines(keepends=True)
    (tmp_path / "table.csv").write_text(head + "".join(rows[::-1]))
    run()
    assert (tmp_path / "out.tsv").read_bytes() == first


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2019-04-14", "1942-02-01", "column visit_date, row 2"),
        (";27;", ";Lindqvist;", "column moca, row 2"),
        ("comment", "remark", "column remark"),
        (";0;", ";7;", "column diagnosis, row 3"),
        ("QX770499", "QX770412", "rows 2, 4"),
    ],
)
def test_a_refusal_writes_nothing_and_says_no_value(run, tmp_path, capsys, old, new, said):
    (tmp_path / "table.csv").write_text(EXPORT.replace(old, new))
    assert run() == USAGE
    assert not (tmp_path / "out.tsv").exists()
    message = capsys.readouterr().err
    assert said in message
    assert not [canary for canary in (*CANARIES, "1942-02") if canary in message]


def test_r02_a_lower_level_is_refused(run, capsys):
    assert run(5) == USAGE
    assert "column visit_date: expected level 6" in capsys.readouterr().err


def test_two_people_under_one_id_are_refused(run, tmp_path, capsys):
    rows = read_tsv(tmp_path / "crosswalk.tsv")
    rows[1]["source_id"] = " qx770412"
    write_tsv(tmp_path / "crosswalk.tsv", rows, crosswalk.COLUMNS)
    assert run() == 1
    assert "the crosswalk, row 3" in capsys.readouterr().err
