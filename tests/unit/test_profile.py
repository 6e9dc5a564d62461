"""Two policies side by side, and a policy beside DICOM's own profile: what differs is named."""

from dataclasses import replace

import pydicom
import pytest
import yaml
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from aryanto import ARYANTO
from efface import policy, profile
from efface.errors import UsageError
from efface.settings import WORKFLOW

MINIMAL, RESEARCH = (policy.load(WORKFLOW / "policies" / f"{name}.yaml") for name in ("minimal", "research"))


def changed(name, **fields):
    keys = [replace(key, **fields) if key.name == name else key for key in MINIMAL.keys]
    return policy.Policy("changed", tuple(keys))


def own(name, source, **fields):
    rule = {
        "type": "text",
        "scale": 1.0,
        "range": None,
        "values": frozenset(),
        "pattern": None,
        "publish": (),
    }
    given = rule | {"reason": f"Why {name} is kept."} | fields
    return policy.Key(name=name, sources=(source,), modalities=frozenset({"MR"}), **given)


def test_r80_the_difference_of_two_policies_is_named():
    rows = profile.diff(MINIMAL, RESEARCH)
    assert {tuple(row.values()) for row in rows} == {
        (key.name, "kept", "no", "yes") for key in set(RESEARCH.keys) - set(MINIMAL.keys)
    }
    assert len(rows) == 8 and tuple(rows[0]) == profile.DIFFERENCES
    assert profile.diff(MINIMAL, MINIMAL) == []


@pytest.mark.parametrize(
    ("name", "field", "value", "a", "b"),
    [
        ("EchoTime", "level", 2, "1", "2"),
        ("EchoTime", "range", (0, 0.5), "0 to 2", "0 to 0.5"),
        ("EchoTime", "scale", 1.0, "0.001", "1"),
        ("EchoTime", "unit", "ms", "s", "ms"),
        ("EchoTime", "type", "integer", "number", "integer"),
        ("EchoTime", "sources", ("EchoTime",), "MREchoSequence.EffectiveEchoTime", ""),
        ("EchoTime", "modalities", frozenset({"MR", "CT"}), "", "CT"),
        ("Modality", "values", frozenset({"MR", "CT", "NM"}), "PT", "NM"),
        ("ConvolutionKernel", "pattern", None, "[A-Z]", ""),
        ("Units", "publish", (("^BQML$", "Bq/mL"),), "^CNTS$ -> counts", ""),
    ],
)
def test_r80_what_differs_of_a_key_is_named(name, field, value, a, b):
    (row,) = profile.diff(MINIMAL, changed(name, **{field: value}))
    assert (row["key"], row["differs"]) == (name, field)
    assert row["a"].startswith(a) and row["b"] == b
    assert [(row["b"], row["a"])] == [
        (r["a"], r["b"]) for r in profile.diff(changed(name, **{field: value}), MINIMAL)
    ]


def test_the_order_of_sources_is_a_difference():
    turned = changed("EchoTime", sources=("MREchoSequence.EffectiveEchoTime", "EchoTime"))
    (row,) = profile.diff(MINIMAL, turned)
    assert row["a"] == "EchoTime, MREchoSequence.EffectiveEchoTime"
    assert row["b"] == "MREchoSequence.EffectiveEchoTime, EchoTime"


def shown(rules):
    """Return what a policy shows of one header, by key."""
    header = pydicom.Dataset()
    header.Modality, header.Manufacturer, header.ManufacturerModelName = "MR", "SIEMENS", "Prisma"
    header.EchoTime, header.EchoTrainLength, header.PixelBandwidth = 2.9, 12, 240
    header.SeriesDescription, header.InstitutionName = "planted series", "Planted Hospital"
    tops = {key: [path for path in key.sources if "." not in path] for key in rules.keys}
    values = {key: header.get(paths[0]) for key, paths in tops.items() if paths}
    read = {key: key.text if key.type.startswith("text") else key.number for key in values}
    return {key.name: read[key](value) for key, value in values.items() if value is not None}


def test_r41_two_policies_give_different_outputs():
    assert shown(RESEARCH) == shown(MINIMAL) | {"EchoTrainLength": 12, "PixelBandwidth": 240}
    one = policy.load(WORKFLOW / "policies" / "minimal.yaml", 1)
    assert shown(one) == {"Modality": "MR", "EchoTime": 0.0029}


def test_r42_what_is_shown_is_on_the_list():
    for rules in (MINIMAL, RESEARCH):
        assert set(shown(rules)) == {key.name for key in rules.keys} & {
            *(
                "Modality",
                "Manufacturer",
                "ManufacturersModelName",
                "EchoTime",
                "EchoTrainLength",
                "PixelBandwidth",
            )
        }
        assert not any("planted" in str(value).lower() for value in shown(rules).values())


def test_r73_each_of_the_656_rows_is_compared():
    for rules in (MINIMAL, RESEARCH):
        rows = profile.against_standard(rules)
        counted = profile.counts(rows)
        assert len(rows) == sum(counted.values()) == 656
        assert counted["looser"] == 0 and counted["stricter"] > 100
        assert all(tuple(row) == profile.COMPARISON for row in rows)


def test_the_document_gives_the_figures_of_the_comparison():
    text = (WORKFLOW.parent / "docs" / "policy.md").read_text()
    for rules in (MINIMAL, RESEARCH):
        for name, number in profile.counts(profile.against_standard(rules)).items():
            assert f"| {name} | {number} |" in text


def relation(rules, tag):
    (row,) = [row for row in profile.against_standard(rules) if row["tag"] == tag]
    return row["relation"], row["ours"], row["options"]


def test_r73_relations_to_the_standard():
    assert relation(MINIMAL, "(0008,0080)") == ("same", "removed", "")  # InstitutionName: X/Z/D
    assert relation(MINIMAL, "(0008,0050)") == ("stricter", "removed", "")  # AccessionNumber: Z
    assert relation(MINIMAL, "(0008,0018)")[0] == "stricter"  # SOPInstanceUID: U
    assert relation(MINIMAL, "(0018,1030)") == ("same", "kept as BodyPart, ContrastAgent", "113105 C")
    assert relation(MINIMAL, "(0010,1010)")[1:] == (
        "participants.tsv, where participants asks for it",
        "113108 K",
    )
    below = policy.load(WORKFLOW / "policies" / "minimal.yaml", 3)
    assert relation(below, "(0018,1030)") == ("same", "removed", "113105 C")


def test_r73_a_planted_looser_row_is_named_with_its_reason():
    planted = policy.Policy("planted", (*MINIMAL.keys, own("Site", "InstitutionName", values=frozenset("x"))))
    (row,) = [row for row in profile.against_standard(planted) if row["relation"] == "looser"]
    assert (row["tag"], row["ours"], row["reason"]) == ("(0008,0080)", "kept as Site", "Why Site is kept.")
    assert profile.counts(profile.against_standard(planted))["looser"] == 1
    nested = own("Step", "PatientInsurancePlanCodeSequence.CodeMeaning", values=frozenset("x"))
    (row,) = [
        row for row in profile.against_standard(policy.Policy("n", (nested,))) if row["relation"] == "looser"
    ]
    assert row["name"] == "Patient's Insurance Plan Code Sequence"


def test_r73_descriptions_are_looser_unless_their_values_are_closed():
    for fields, expected in (({"values": frozenset({"head"})}, "same"), ({"pattern": "head|neck"}, "looser")):
        rules = policy.Policy("own", (own("Label", "SeriesDescription", **fields),))
        assert relation(rules, "(0008,103E)")[0] == expected


def test_the_table_is_the_standards():
    rows = policy.standard()
    assert len({row["tag"] for row in rows}) == 656
    assert {action for row in rows for action in row["basic"].split("/")} == {"X", "Z", "D", "U", "U*"}
    for tag, row in policy.listed().items():
        assert row["keyword"] in (keyword_for_tag(tag), ""), row["tag"]
    beyond = {row["tag"] for row in rows} - {
        f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in policy.listed()
    }
    assert beyond == {"(50xx,xxxx)", "(60xx,3000)", "(60xx,4000)", "(gggg,eeee) gggg odd"}


def test_r74_none_of_the_50_tags_can_be_a_source(tmp_path):
    assert len(set(ARYANTO)) == 50
    for keyword in ARYANTO:
        assert tag_for_keyword(keyword), keyword
        for ways in (
            {"type": "text", "values": ["x"]},
            {"type": "text", "pattern": "[A-C]"},
            {"type": "text", "publish": {"x": "y"}},
            {"type": "number", "unit": "1", "range": [0, 9]},
        ):
            inner = keyword if dictionary_VR(keyword) != "SQ" else f"{keyword}.CodeValue"
            rule = {"reason": "Asked for by nobody.", "level": 6, "from": [inner]} | ways
            path = tmp_path / "policy.yaml"
            path.write_text(yaml.safe_dump({"name": "test", "keys": {"Planted": rule}}))
            with pytest.raises(UsageError):
                policy.load(path)
    for rules in (MINIMAL, RESEARCH):
        read = {part for key in rules.keys for path in key.sources for part in path.split(".")}
        assert not read & set(ARYANTO)
