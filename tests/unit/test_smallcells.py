"""Small cells: who is alone with what a dataset tells of them is counted, and blocks below k_min."""

import json
import shutil

import numpy as np
import pytest

from efface import nifti
from efface.audit.finding import BLOCK
from efface.audit.smallcells import findings, smallcells
from efface.errors import EffaceError
from efface.tables import write_json, write_tsv

COLUMNS = ("participant_id", "age", "sex", "site", "diagnosis")
SCANNER = {"Manufacturer": "Siemens", "ManufacturersModelName": "Prisma_fit"}
# Pairs of people that nothing tells apart.
PAIRS = [("41", "F", "1", "control"), ("41", "F", "1", "control"), ("60", "M", "2", "patient")]
PAIRS = [*PAIRS, PAIRS[-1]]


@pytest.fixture
def dataset(tmp_path):
    """Write a dataset with a row, and with one image, a person."""

    def write(rows, *, scanners=None, shapes=None, kinds=None):
        labels = [f"sub-{letter}" for letter in "abcdefgh"[: len(rows)]]
        described = [
            dict(zip(COLUMNS, (label, *row), strict=True)) for label, row in zip(labels, rows, strict=True)
        ]
        write_tsv(tmp_path / "participants.tsv", described, COLUMNS)
        for number, label in enumerate(labels):
            kind = kinds[number] if kinds else "T1w"
            stem = tmp_path / label / "ses-1" / "anat" / f"{label}_ses-1_{kind}"
            write_json(stem.with_suffix(".json"), scanners[number] if scanners else SCANNER)
            voxels = np.zeros(shapes[number] if shapes else (4, 5, 6), np.int16)
            path = stem.with_suffix(".nii.gz")
            nifti.write(path, voxels, nifti.header(voxels.shape, voxels.dtype, np.eye(4)))
        return tmp_path

    return write


def row(rows, kind, columns):
    return next(one for one in rows if one.kind == kind and one.columns == columns)


def test_r03_who_is_alone_by_age_sex_site_model_and_diagnosis_blocks_below_k_min(dataset):
    bids = dataset(PAIRS)
    whole = smallcells(bids, ["diagnosis"])[0]
    assert whole == ("all columns", "age, diagnosis, scanner, sex, site", 4, 2, 2, 0)
    assert findings(smallcells(bids, ["diagnosis"]), 2) == []
    (finding,) = findings(smallcells(bids, ["diagnosis"]), 3)
    assert (finding.severity, finding.file) == (BLOCK, "participants.tsv")
    assert "k is 2, k_min is 3" in finding.what


@pytest.mark.parametrize("place", range(5))
def test_r03_each_column_and_the_scanner_can_single_somebody_out(dataset, place):
    rows, scanners = [list(row) for row in PAIRS], [SCANNER] * 4
    if place < 4:
        rows[0][place] = "n/a"  # to have none is told too
    else:
        scanners = [SCANNER | {"ManufacturersModelName": "Verio"}, *scanners[1:]]
    bids = dataset(rows, scanners=scanners)
    (finding,) = findings(smallcells(bids, ["diagnosis"]), 2)
    assert "k is 1, k_min is 2; 2 of 4 people are alone" in finding.what
    name = ("age", "sex", "site", "diagnosis", "scanner")[place]
    assert f"by {name} alone" in finding.what
    report = smallcells(bids, ["diagnosis"])
    # The other of the pair is left alone too, but for the scanner, which both pairs share.
    assert row(report, "one column", name).alone == (1 if name == "scanner" else 2)
    assert row(report, "without", name).k == 2  # what leaving it out would gain
    assert findings(smallcells(bids, ["diagnosis"]), 1) == []


def test_r25_r75_a_small_cohort_gets_its_report_without_a_value(dataset):
    rows = [("41", "F", "1", "control"), ("87", "M", "1", "aphasia")]
    report = smallcells(dataset(rows), ["diagnosis"])
    assert report[0].k == 1 and report[0].alone == 2
    assert [one.kind for one in report].count("one column") == 5
    assert [one.columns for one in report if one.kind == "one column"][-1] in ("scanner", "site")
    said = json.dumps([report, findings(smallcells(dataset(rows), ["diagnosis"]), 2)])
    assert not any(value in said for value in ("41", "87", "aphasia", "Prisma", "sub-"))


def test_columns_that_were_not_named_do_not_count(dataset):
    rows = [list(row) for row in PAIRS]
    rows[0][3] = "aphasia"
    assert findings(smallcells(dataset(rows), []), 2) == []
    assert findings(smallcells(dataset(rows), ["diagnosis"]), 2)


def test_a_table_of_phenotype_counts_too_with_all_rows_of_a_person(dataset):
    bids = dataset(PAIRS)
    table = bids / "phenotype" / "moca.tsv"
    rows = [{"participant_id": f"sub-{letter}", "level": "low"} for letter in "abcd"]
    write_tsv(table, rows, ("participant_id", "level"))
    assert "phenotype/moca.level" in smallcells(bids, ["level"])[0].columns
    assert findings(smallcells(bids, ["level"]), 2) == []
    write_tsv(table, rows[:3], ("participant_id", "level"))
    assert findings(smallcells(bids, ["level"]), 2)
    write_tsv(table, [*rows, rows[0] | {"level": "high"}], ("participant_id", "level"))
    assert findings(smallcells(bids, ["level"]), 2)


def test_a_person_who_is_twice_or_not_in_the_table_hides_nobody(dataset):
    bids = dataset(PAIRS)
    lines = (bids / "participants.tsv").read_text().splitlines()
    (bids / "participants.tsv").write_text("\n".join(line for line in lines if "sub-b" not in line) + "\n")
    assert findings(smallcells(bids, []), 2)
    (bids / "participants.tsv").write_text("\n".join([*lines[:2], *lines[1:2], *lines[3:]]) + "\n")
    assert findings(smallcells(bids, []), 2)


def test_a_sidecar_that_cannot_be_read_leaves_its_person_alone(dataset):
    bids = dataset(PAIRS)
    for text in ("{", "[]"):
        next(bids.glob("sub-a/**/*.json")).write_text(text)
        assert row(smallcells(bids), "one column", "scanner").alone == 1


def test_a_column_that_no_table_has_and_a_table_without_people_are_refused(dataset):
    bids = dataset(PAIRS)
    with pytest.raises(EffaceError, match="found no handedness"):
        smallcells(bids, ["handedness"])
    (bids / "participants.tsv").write_text("age\n41\n")
    with pytest.raises(EffaceError, match="the column participant_id"):
        smallcells(bids)


def test_nobody_is_no_small_cell(dataset):
    bids = dataset([])
    assert smallcells(bids, ["diagnosis"])[0].people == 0
    assert findings(smallcells(bids, ["diagnosis"]), 5) == []


def test_grids_and_which_images_there_are_are_counted_and_block_nothing(dataset):
    clean = [one for one in smallcells(dataset(PAIRS)) if one.kind == "images"]
    assert [one[2:] for one in clean] == [(4, 1, 4, 0)] * 2
    shutil.rmtree(dataset([]) / "sub-d")
    bids = dataset(
        PAIRS, shapes=[(4, 5, 6), (4, 5, 6), (4, 5, 6), (4, 5, 7)], kinds=["T1w", "T1w", "T1w", "T2w"]
    )
    report = smallcells(bids)
    assert row(report, "images", "grids and scanner")[2:] == (4, 2, 1, 1)
    assert row(report, "images", "names")[2:] == (4, 2, 1, 1)
    assert findings(smallcells(bids, []), 2) == []
    next(bids.glob("sub-a/**/*.nii.gz")).write_bytes(b"no image")
    assert row(smallcells(bids), "images", "grids and scanner").alone == 2
