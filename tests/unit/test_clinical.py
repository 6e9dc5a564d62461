"""The clinical table: what its dictionary lets out, and what is refused by column and row, never by value."""

import re

import pytest
import yaml

from conftest import REPOSITORY
from efface import clinical
from efface.dictionary import read_dictionary
from efface.errors import UsageError
from efface.identity import normalised, pseudonym

TEXT = {"description": "Something measured.", "reason": "Groups are compared by it."}
DIAGNOSIS = TEXT | {"type": "category", "levels": {"0": "control", "1": "patient"}, "diagnosis": True}
MOCA = TEXT | {"type": "integer", "range": [0, 30], "unit": "1"}
VISIT = TEXT | {"type": "date", "as": "days", "name": "visit_days"}
ONSET = TEXT | {"type": "date", "as": "age", "name": "onset_age"}
PEOPLE = {
    "QX770412": clinical.Person("k3", "19420201", "20190414"),
    "QX770413": clinical.Person("a7", "19200606", "20190501"),
    "QX770414": clinical.Person("f5", "", "20190601"),
}
IDS = ("QX770412", "QX770413", "QX770414")
CANARY = "Lindqvist, Norrvik 0705-551234"


@pytest.fixture
def study(tmp_path):
    """Import a table of people and cells by column, with rules by column."""

    def write(columns, cells, *, ids=IDS, level=6, text=None, **top):
        dictionary = tmp_path / "dictionary.yaml"
        dictionary.write_text(yaml.safe_dump({"id": "record_id", "columns": columns, **top}, sort_keys=False))
        table = tmp_path / "table.csv"
        lines = [["record_id", *cells], *zip(ids, *cells.values(), strict=False)]
        table.write_text(
            text if text is not None else "".join(",".join(map(str, line)) + "\n" for line in lines)
        )
        people = {normalised(source): person for source, person in PEOPLE.items()}
        return clinical.imported(table, read_dictionary(dictionary), people, level)

    return write


def column(result, name):
    return [row[name] for row in result.rows]


def refused(study, *arguments, **more):
    with pytest.raises(UsageError) as error:
        study(*arguments, **more)
    assert CANARY not in str(error.value) and "Lindqvist" not in str(error.value)
    return str(error.value)


def test_r27_a_clinical_row_has_the_label_of_the_persons_ct_and_mr(tmp_path):
    key = bytes(range(32))
    scans = {"CT": "qx770412 ", "MR": "QX770412"}
    labels = {modality: pseudonym(key, "subject", normalised(said)) for modality, said in scans.items()}
    assert labels["CT"] == labels["MR"]
    people = {normalised(scans["MR"]): clinical.Person(labels["MR"], "19420201", "20190414")}
    (tmp_path / "d.yaml").write_text(yaml.safe_dump({"id": "ID", "columns": {"moca": MOCA}}))
    (tmp_path / "t.csv").write_text("ID,moca\n Qx770412,27\n")
    result = clinical.imported(tmp_path / "t.csv", read_dictionary(tmp_path / "d.yaml"), people, 6)
    assert result.rows == [{"participant_id": f"sub-{labels['CT']}", "moca": "27"}]


def test_rows_come_in_the_order_of_labels_and_say_nothing_of_the_tables_order(study):
    one = study({"moca": MOCA}, {"moca": [27, 28, 29]})
    assert column(one, "participant_id") == ["sub-a7", "sub-f5", "sub-k3"]
    assert one == study({"moca": MOCA}, {"moca": [29, 28, 27]}, ids=IDS[::-1])


def test_r70_dates_become_days_since_the_first_session_or_ages(study):
    result = study({"visit": VISIT}, {"visit": ["2019-04-13", "20190503", "2019-06-01 10:30"]})
    assert column(result, "visit_days") == ["2", "0", "-1"]
    assert result.columns == {"visit_days": {"Description": "Something measured.", "Units": "day"}}
    result = study({"onset": ONSET}, {"onset": ["2002-01-31", "2015-01-01", "2019-01-01"]})
    # 59 on the day before the birthday, 88 for 94, and unknown where no header holds a birth date.
    assert column(result, "onset_age") == ["88", "n/a", "59"]


@pytest.mark.parametrize(
    ("rule", "cell"),
    [
        (VISIT, "1942-01-31"),  # before birth
        (VISIT, "1942-02-01"),  # the birth date: its days are an exact age
        (VISIT, "2140-01-01"),
        (VISIT, "2019-02-30"),
        (VISIT, "14/04/2019"),
        (VISIT, "2019-0414"),
        (VISIT, CANARY),
        (ONSET, "1942-01-31"),
        (MOCA, "20190414"),
        (MOCA | {"range": [0, 99999999]}, "20190414"),
    ],
)
def test_r70_a_date_that_cannot_be_is_refused_by_column_and_row(study, rule, cell):
    message = refused(study, {"seen": rule}, {"seen": [f'"{cell}"', "", ""]})
    assert "column seen, row 2" in message and str(cell) not in message


def test_r70_a_date_column_cannot_pass_as_numbers(study):
    years = MOCA | {"range": [1900, 2030]}
    assert "column seen: its values look like calendar years" in refused(
        study, {"seen": years}, {"seen": [2015, 2016, 2015]}
    )
    assert "unknown key 'levels'" in refused(study, {"seen": VISIT | {"levels": {}}}, {"seen": ["", "", ""]})
    assert "'as' is missing" in refused(study, {"seen": TEXT | {"type": "date"}}, {"seen": ["", "", ""]})


def test_a_format_says_the_whole_day(study):
    rule = VISIT | {"format": "%d/%m/%Y"}
    assert column(study({"visit": rule}, {"visit": ["15/04/2019", "", ""]}), "visit_days")[2] == "1"
    for form in ("%d/%m/%y", "%m/%Y", "%Q", "%Y"):
        assert "column visit: expected a format" in refused(
            study, {"visit": VISIT | {"format": form}}, {"visit": ["", "", ""]}
        )


def test_r71_an_ecrf_export_becomes_a_table_without_its_text(study):
    columns = {"dx": DIAGNOSIS, "moca": MOCA, "comment": {"type": "drop"}, "crp": MOCA | {"type": "number"}}
    cells = {
        "dx": [0, 1, "NA"],
        "moca": [27, "-9", 0],
        "comment": [f'"{CANARY}"'] * 3,
        "crp": [2.50, "1e1", 0],
    }
    result = study(columns, cells, missing=["", "NA", "-9"])
    assert [list(row) for row in result.rows] == [["participant_id", "dx", "moca", "crp"]] * 3
    assert [list(row.values())[1:] for row in result.rows] == [
        ["patient", "n/a", "10"],
        ["n/a", "0", "0"],
        ["control", "27", "2.5"],
    ]
    assert result.columns["dx"]["Levels"] == {"control": "control", "patient": "patient"}
    assert "Lindqvist" not in repr(result)


def test_r71_free_text_has_no_type_and_no_way_through_a_category(study):
    for kind in ("text", "string", "free"):
        message = refused(study, {"comment": TEXT | {"type": kind}}, {"comment": [f'"{CANARY}"', "", ""]})
        assert "columns.comment.type" in message and "drop" in message
    message = refused(study, {"comment": DIAGNOSIS}, {"comment": [0, f'"{CANARY}"', 1]})
    assert "column comment, row 3: expected one of the levels, found something else" in message


@pytest.mark.parametrize(
    "levels",
    [
        {"1": "x" * 41},
        {"1": "seen 2019-04-14"},
        {"1": "in 2019"},
        {"1": "no 770412"},
        {"1": "a@b"},
        {"1": "a\tb"},
        {"1": ""},
        {"1": "n/a"},
        {"1": " a"},
        {"1": 1},
        {"1": ["a"]},
        {1: "a"},
        {"": "a"},
        {str(n): f"level {n}" for n in range(31)},
    ],
)
def test_r71_levels_are_few_short_and_tell_no_date_or_number(study, levels):
    assert "column dx" in refused(study, {"dx": DIAGNOSIS | {"levels": levels}}, {"dx": ["", "", ""]})


def test_many_codes_may_become_few_levels(study):
    levels = {str(n): "rare" if n > 3 else f"type {n}" for n in range(100)}
    result = study({"dx": DIAGNOSIS | {"levels": levels}}, {"dx": [1, 50, 99]})
    assert column(result, "dx") == ["rare", "rare", "type 1"]


@pytest.mark.parametrize("said", ["REASON", "description", "range", "unit"])
def test_each_column_says_what_it_is_and_why(study, said):
    rule = {key: value for key, value in MOCA.items() if key != said.lower()}
    assert f"columns.moca: '{said.lower()}' is missing" in refused(study, {"moca": rule}, {"moca": [1, 2, 3]})
    if said in ("REASON", "description"):
        short = MOCA | {said.lower(): "because"}
        assert f"columns.moca.{said.lower()}" in refused(study, {"moca": short}, {"moca": [1, 2, 3]})


def test_r02_level_5_lets_diagnoses_out_and_level_6_the_rest(study):
    cells = {"dx": [0, 1, 0]}
    assert column(study({"dx": DIAGNOSIS}, cells, level=5), "dx") == ["patient", "control", "control"]
    message = refused(study, {"dx": DIAGNOSIS}, cells, level=4)
    assert "column dx: expected level 5 in the configuration, found level 4" in message
    message = refused(study, {"moca": MOCA}, {"moca": [1, 2, 3]}, level=5)
    assert "column moca: expected level 6 in the configuration, found level 5" in message
    assert column(study({"moca": MOCA}, {"moca": [1, 2, 3]}, level=6), "moca") == ["2", "3", "1"]


@pytest.mark.parametrize(
    "name",
    [
        *("postcode", "Post_Code", "postalCode", "zip", "ZIP5", "address_1", "home city", "county", "Region"),
        *("municipality", "kommun", "län", "patient_name", "Phone", "e-mail", "SSN", "personnummer", "MRN"),
        *("initials", "hospital", "subject_id", "accession_number"),
    ],
)
def test_r75_places_below_a_country_and_direct_identifiers_are_refused_with_the_column_named(study, name):
    for rule in (MOCA, DIAGNOSIS, VISIT):
        message = refused(study, {name: rule | {"name": "harmless"}}, {name: ["", "", ""]})
        assert f"column {name}" in message and "drop it" in message
    hidden = refused(study, {"q1": DIAGNOSIS | {"name": "postcode"}}, {"q1": ["", "", ""]})
    assert "column q1: its name says" in hidden
    assert study({name: {"type": "drop"}, "moca": MOCA}, {name: ["x"] * 3, "moca": [1, 2, 3]}).rows


def test_r75_a_country_may_be_told(study):
    rule = DIAGNOSIS | {"levels": {"SE": "Sweden", "NO": "Norway"}}
    assert column(study({"country": rule}, {"country": ["SE", "NO", "SE"]}), "country")[0] == "Norway"


def test_numbers_that_are_record_numbers_are_refused(study):
    for kind in ("integer", "number"):
        rule = MOCA | {"range": [0, 1e9], "type": kind}
        message = refused(study, {"q7": rule}, {"q7": [770412, 770413, 12]})
        assert "column q7: its values look like record numbers" in message
        assert study({"q7": rule}, {"q7": [150000, 150000, 12]}).rows


@pytest.mark.parametrize(
    "cell", ["31", "-1", "2.5", "2,5", "007", "1e1", "٣", "0x1", "nan", "inf", "1 000", "9" * 5000]
)
def test_a_cell_outside_its_type_and_range_is_refused_by_column_and_row(study, cell):
    message = refused(study, {"moca": MOCA}, {"moca": [3, f'"{cell}"', 3]})
    assert "column moca, row 3: expected integer from 0 to 30" in message


@pytest.mark.parametrize("cell", ["2,5", "1.234,5", "1,234.5", "nan", "1e999", ".5", "5."])
def test_a_number_has_a_decimal_point_and_no_comma(study, cell):
    assert "row 2" in refused(study, {"crp": MOCA | {"type": "number"}}, {"crp": [f'"{cell}"', 3, 3]})


def test_ages_in_numbers_stop_at_88(study):
    rule = MOCA | {"range": [18, 100]}
    assert "column age_at_test: an age stops at 88" in refused(
        study, {"age_at_test": rule}, {"age_at_test": [1] * 3}
    )
    assert study({"age_at_test": MOCA | {"range": [18, 88]}}, {"age_at_test": [40, 88, 41]}).rows


def test_a_missing_value_cannot_be_mistaken_for_one(study):
    rule = MOCA | {"range": [-10, 10]}
    assert "column t: its range holds one" in refused(study, {"t": rule}, {"t": [1, 2, 3]}, missing=["-9"])
    own = study({"t": rule | {"missing": ["x"]}}, {"t": [-9, "x", 3]}, missing=["-9"])
    assert column(own, "t") == ["n/a", "3", "-9"]
    assert "one of its levels is also" in refused(study, {"dx": DIAGNOSIS}, {"dx": [1] * 3}, missing=["0"])
    assert "expected string" in refused(study, {"dx": DIAGNOSIS}, {"dx": [1] * 3}, missing=[-9])


def test_every_column_is_in_the_dictionary_and_every_other_way_round(study):
    cells = {"moca": [1, 2, 3], "comment": [f'"{CANARY}"'] * 3}
    message = refused(study, {"moca": MOCA}, cells)
    assert "column comment: expected one that is in dictionary.yaml" in message
    assert "column dx: it is in" in refused(study, {"moca": MOCA, "dx": DIAGNOSIS}, {"moca": [1, 2, 3]})
    assert study({"moca": MOCA, "gone": {"type": "drop"}}, {"moca": [1, 2, 3]}).rows


def test_released_names_are_words_of_bids_and_each_is_there_once(study):
    assert "column MoCA: give it a name" in refused(study, {"MoCA": MOCA}, {"MoCA": [1, 2, 3]})
    result = study({"MoCA total": MOCA | {"name": "moca"}}, {"MoCA total": [1, 2, 3]})
    assert list(result.columns) == ["moca"]
    twice = {"a": MOCA | {"name": "moca"}, "moca": MOCA}
    assert "column moca: its released name is taken" in refused(study, twice, {"a": [1] * 3, "moca": [1] * 3})
    taken = {"a": MOCA | {"name": "participant_id"}}
    assert "taken" in refused(study, taken, {"a": [1] * 3})
    assert "it is the id" in refused(study, {"record_id": MOCA, "a": MOCA}, {"a": [1] * 3})


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_exports_of_every_kind_are_read_alike(study, mark, start, end):
    columns = {"moca": MOCA, "note; or, such": {"type": "drop"}}
    lines = [
        ['"record_id"', '"note; or, such"', "moca"],
        ["qx770412 ", '"two\nlines; and, a ""quote"""', "27"],
        ["QX770499", '"x"', "99"],
        ["", "", ""],
    ]
    text = start + "".join(mark.join(line) + end for line in lines)
    result = study(columns, {}, text=text)
    assert result.rows == [{"participant_id": "sub-k3", "moca": "27"}]
    assert result.unknown == 1  # whose cells are not even looked at


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a header line with the column record_id, found no such column"),
        (f"{CANARY},3\n", "a header line with the column record_id, found no such column"),
        ("record_id,moca\nQX770412\n", "row 2: expected 2 cells, found 1"),
        ("record_id,moca\nQX770412,3,4\n", "row 2: expected 2 cells, found 3"),
        ("record_id,moca\n,3\n", "row 2: there is no ID"),
        ("record_id,moca,moca\nQX770412,3,3\n", "column number 2: expected a name of its own"),
        ("record_id,moca,\nQX770412,3,3\n", "column number 3: expected a name of its own"),
        ("record_id,moca\nQX770499,3\n", "people with scans, found none"),
        ('record_id,moca\nQX770412,"3\n', "CSV or TSV in UTF-8, found something else"),
        ("record_id,moca\nQX770499,1\nQX770412,3\n\nQX770412,3\n", "rows 3, 5: one person"),
        ("record_id,moca\nQX770499,1\nQX770412,3\nQX770499,3\n", "rows 2, 4: one person"),
    ],
)
def test_a_table_that_is_none_is_refused(study, text, message):
    assert message in refused(study, {"moca": MOCA}, {}, text=text)


def test_files_that_cannot_be_read_are_refused(study, tmp_path):
    study({"moca": MOCA}, {"moca": [1, 2, 3]})
    dictionary = read_dictionary(tmp_path / "dictionary.yaml")
    (tmp_path / "table.csv").write_bytes("record_id,moca\nÅ,1\n".encode("latin-1"))
    for table in ("table.csv", "absent.csv"):
        with pytest.raises(UsageError, match=r"UTF-8|none at that path"):
            clinical.imported(tmp_path / table, dictionary, PEOPLE, 6)
    for text in ("id: [", "id: 2019-19-45", ""):
        (tmp_path / "broken.yaml").write_text(text)
        with pytest.raises(UsageError, match=re.escape("broken.yaml")):
            read_dictionary(tmp_path / "broken.yaml")
    with pytest.raises(UsageError, match="none at that path"):
        read_dictionary(tmp_path / "absent.yaml")


def test_categories_and_ages_count_among_what_singles_out_unless_it_says_otherwise(study, tmp_path):
    columns = {
        "dx": DIAGNOSIS,
        "moca": MOCA,
        "onset": ONSET,
        "visit": VISIT,
        "hand": DIAGNOSIS | {"quasi": False},
    }
    columns |= {"apoe": MOCA | {"quasi": True}}
    study(columns, {name: ["", "", ""] for name in columns})
    assert read_dictionary(tmp_path / "dictionary.yaml").quasi == ("dx", "onset_age", "apoe")


def test_the_example_of_the_document_is_true(tmp_path):
    document = (REPOSITORY / "docs" / "tables.md").read_text()
    _, dictionary = re.findall(r"```yaml\n(.*?)```", document, re.DOTALL)
    (table,) = re.findall(r"```csv\n(.*?)```", document, re.DOTALL)
    (released,) = re.findall(r"```tsv\n(.*?)```", document, re.DOTALL)
    (tmp_path / "d.yaml").write_text(dictionary)
    (tmp_path / "t.csv").write_text(table)
    people = {
        "QX770412": clinical.Person("7kq2mzxa", "19420201", "20190413"),
        "QX770413": clinical.Person("b4wvn3te", "", "20190504"),
    }
    result = clinical.imported(tmp_path / "t.csv", read_dictionary(tmp_path / "d.yaml"), people, 6)
    lines = [list(result.rows[0]), *(list(row.values()) for row in result.rows)]
    assert "".join("\t".join(line) + "\n" for line in lines) == released
