"""The step: labels by every scheme, a crosswalk that is kept or not, records that tell nothing of anybody."""

import json
import re
import stat

import pytest

import index_series
import plan_images
from efface.schemes import source_id
from efface.settings import WORKFLOW
from efface.tables import read_json, read_tsv
from phantom import centred, make_series

SHAPE = (8, 8, 10)
PEOPLE = {"19771107-2391": "Öberg^Karin", "MRN 7734421": "Whitlock^Harold"}


@pytest.fixture
def study(tmp_path):
    """Return a function that plans the scans of two people and gives their labels by ID."""
    for number, (identifier, name) in enumerate(PEOPLE.items()):
        place = {"shape": SHAPE, "world_from_voxel": centred(SHAPE, (8, 8, 8))}
        uids = {"StudyInstanceUID": f"1.2.{number}", "SeriesInstanceUID": f"1.2.{number}.1"}
        make_series(tmp_path / "input" / str(number), **place, PatientID=identifier, PatientName=name, **uids)
    key, index = tmp_path / "key", tmp_path / "index"
    index_series.main([f"--input={tmp_path / 'input'}", f"--key={key}", f"--out={index}", "--workers=1"])

    def run(name="plan", crosswalk=True, more=(), **config):
        out = tmp_path / name
        table = tmp_path / f"{name}.crosswalk.tsv" if crosswalk else ""
        given = [f"--index={index}", f"--key={key}", f"--modalities={WORKFLOW / 'modalities.yaml'}"]
        given += [f"--vocabulary={WORKFLOW / 'vocabulary.yaml'}", f"--study={json.dumps(config)}"]
        plan_images.main([*given, f"--out={out}", f"--crosswalk={table}", *more])
        images = read_tsv(out / "images.tsv")
        labels = {row["series"]: row["image"].split("_")[0].removeprefix("sub-") for row in images}
        return labels, out, table

    run.key = key
    return run


def scheme(name, **rest):
    return {"identity": {"scheme": name, **rest}}


def test_r37_r60_a_random_table_gives_the_same_labels_again_and_leads_back(study):
    labels, _, table = study(**scheme("random_table"))
    assert study(**scheme("random_table"))[0] == labels
    rows = read_tsv(table)
    assert {row["source_id"] for row in rows} == {"197711072391", "MRN7734421"}
    assert {row["participant_id"].removeprefix("sub-") for row in rows} == set(labels.values())
    assert stat.S_IMODE(table.stat().st_mode) == 0o600
    assert study("other", **scheme("random_table"))[0] != labels


def test_r61_random_labels_leave_no_table_and_differ_between_runs(study, tmp_path):
    labels, out, _ = study(crosswalk=False, **scheme("random"))
    again, _, _ = study(crosswalk=False, **scheme("random"))
    assert not set(labels.values()) & set(again.values())
    assert not list(tmp_path.rglob("*crosswalk*"))
    said = "".join(path.read_text() for path in out.rglob("*") if path.is_file())
    assert not re.search("2391|7734421|Whitlock|Öberg", said)


def test_r62_encrypted_labels_open_with_the_key_alone(study):
    labels, _, _ = study(**scheme("encrypted"))
    identity, key = {"scheme": "encrypted", "prefix": "", "site": "", "context": ""}, study.key.read_text()
    opened = {source_id(label, identity, bytes.fromhex(key.strip())) for label in labels.values()}
    assert opened == {"197711072391", "MRN7734421"}


def test_r63_r31_templates_name_the_site(study):
    labels, _, _ = study(**scheme("template", site="7", template="{site:03d}{n:06d}"))
    assert all(re.fullmatch(r"007\d{6}", label) for label in labels.values())
    assert study(**scheme("template", site="7", template="{site:03d}{n:06d}"))[0] == labels
    other, _, _ = study("b", **scheme("template", site="8", template="{site:03d}{n:06d}"))
    assert not set(other.values()) & set(labels.values())


def test_r64_r65_prefix_and_context(study):
    labels, _, _ = study(**scheme("hmac", prefix="PCa"))
    assert all(label.startswith("PCa") for label in labels.values())
    other, _, _ = study("b", **scheme("hmac", prefix="PCa", context="another project"))
    assert not set(other.values()) & set(labels.values())


def test_r66_a_second_key_gives_other_labels(study, tmp_path):
    (tmp_path / "central").write_text("ab" * 32)
    labels, _, _ = study()
    second, _, _ = study("b", more=[f"--second-key={tmp_path / 'central'}"])
    assert not set(labels.values()) & set(second.values())


def test_a_person_whose_scans_are_gone_keeps_the_row(study, tmp_path):
    _, _, table = study(**scheme("random_table"))
    before = table.read_text()
    index = tmp_path / "index"
    attributes = read_json(index / "attributes.json")
    gone = next(iter(attributes))
    (index / "attributes.json").write_text(json.dumps({gone: attributes[gone]}))
    study(**scheme("random_table"))
    assert table.read_text() == before


def test_records_hold_the_controlled_label_and_nothing_of_the_person(study):
    _, out, _ = study()
    records = [read_json(path) for path in (out / "images").glob("*.json")]
    assert len(records) == 2
    for record in records:
        assert record["examination"]["ImagePlane"] in ("axial", "coronal", "sagittal", "oblique")
        assert not re.search("2391|7734421|Whitlock|Öberg", json.dumps(record, ensure_ascii=False))
