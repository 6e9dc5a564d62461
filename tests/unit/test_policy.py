"""The sidecar's policy: closed, each key with its reason, and nothing that could identify."""

import re
from itertools import pairwise

import pytest
import yaml
from pydicom.datadict import tag_for_keyword

from efface import policy
from efface.errors import UsageError
from efface.settings import WORKFLOW

POLICIES = sorted((WORKFLOW / "policies").glob("*.yaml"))
RULE = {
    "reason": "Contrast depends on it.",
    "level": 1,
    "from": ["EchoTime"],
    "type": "number",
    "unit": "s",
    "range": [0, 2],
}
TEXT = {"reason": "The kind of pulse sequence.", "level": 1, "from": ["ScanningSequence"], "type": "texts"}


def write(folder, keys, **top):
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump({"name": "test", "keys": keys, **top}))
    return path


def refused(folder, rule, message):
    with pytest.raises(UsageError, match=message):
        policy.load(write(folder, {"EchoTime": rule}))


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_the_policies_are_valid(path):
    rules = policy.load(path)
    assert rules.name == path.stem
    assert all(key.reason and key.level in range(1, 7) for key in rules.keys)


def test_research_adds_to_minimal():
    minimal, research = both()
    assert set(minimal.keys) < set(research.keys)


def both(level=6):
    return [policy.load(WORKFLOW / "policies" / f"{name}.yaml", level) for name in ("minimal", "research")]


def test_keywords_are_the_roots_of_the_paths(tmp_path):
    rule = RULE | {"from": ["EchoTime", "MREchoSequence.EffectiveEchoTime"]}
    rules = policy.load(write(tmp_path, {"EchoTime": rule}))
    assert rules.keywords == ("EchoTime", "MREchoSequence")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": None}, "'level' is missing"),
        ({"level": 0}, "level: does not meet 'minimum: 1'"),
        ({"level": 7}, "level: does not meet 'maximum: 6'"),
        ({"unit": None}, "'unit' is missing"),
        ({"range": None}, "'range' is missing"),
        ({"range": [2, 0]}, "the lower one first"),
        ({"range": [0, float("inf")]}, "two finite numbers"),
        ({"values": ["2"]}, "values means nothing for the type number"),
        ({"form": "EchoTime"}, "unknown key 'form'"),
        ({"from": ["EchoTim"]}, "unknown EchoTim"),
        ({"from": ["0019100C"]}, "EchoTime"),
        ({"from": ["EchoTime.EffectiveEchoTime"]}, "path of sequences"),
        ({"from": ["MREchoSequence"]}, "path of sequences"),
        ({"from": ["BodyPartExamined"]}, "holds text \\(CS\\) and not numbers"),
        ({"type": "anything"}, "expected one of"),
        ({"derived": True}, "EchoTime"),
    ],
)
def test_a_wrong_key_is_refused(change, message, tmp_path):
    refused(tmp_path, {key: value for key, value in (RULE | change).items() if value is not None}, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "values, pattern or publish"),
        ({"pattern": "("}, "regular expressions"),
        ({"values": ["SE"], "unit": "1"}, "unit means nothing for the type texts"),
        ({"pattern": ".*"}, "lets a name"),
        ({"pattern": "[A-Za-z]+"}, "lets a name"),
        ({"pattern": "\\d{6}"}, "lets a name, a date or a long number"),
        ({"pattern": "\\d{4}-\\d{2}-\\d{2}"}, "a date"),
    ],
)
def test_a_text_needs_a_vocabulary(change, message, tmp_path):
    refused(tmp_path, TEXT | change, message)
    assert policy.load(write(tmp_path, {"EchoTime": TEXT | {"pattern": "SE|GR|[A-C]\\d{2}"}})).keys


@pytest.mark.parametrize(
    ("keyword", "kind"),
    [
        *(("StudyDate", "DA"), ("AcquisitionDateTime", "DT"), ("AcquisitionTime", "TM")),
        *(("ContributionDateTime", "DT"), ("PatientName", "PN"), ("SOPInstanceUID", "UI")),
        *(("ImageComments", "LT"), ("InstitutionAddress", "ST"), ("TextValue", "UT")),
        *(("LongCodeValue", "UC"), ("RetrieveURL", "UR"), ("StationAETitle", "AE")),
        *(("EncapsulatedDocument", "OB"), ("RedPaletteColorLookupTableData", "OW")),
        *(("FloatPixelData", "OF"), ("DoubleFloatPixelData", "OD"), ("TrackPointIndexList", "OL")),
        *(("ExtendedOffsetTable", "OV"), ("SelectorUNValue", "UN"), ("PixelData", "OB or OW")),
        ("FrameContentSequence.FrameAcquisitionDateTime", "DT"),
    ],
)
def test_no_attribute_of_a_forbidden_kind_is_published(keyword, kind, tmp_path):
    for rule in (RULE, TEXT | {"values": ["x"]}):
        last = keyword.split(".")[-1]
        refused(
            tmp_path, rule | {"from": [keyword]}, f"{last} is of a kind \\({kind}\\) that is never published"
        )


def test_the_test_above_knows_every_forbidden_kind():
    marks = test_no_attribute_of_a_forbidden_kind_is_published.pytestmark
    tried = {kind for _, kinds in marks[0].args[1] for kind in kinds.split(" or ")}
    assert tried == policy.FORBIDDEN_VR


@pytest.mark.parametrize(
    ("keyword", "todo"),
    [
        ("PatientID", "remove the key"),
        ("InstitutionName", "remove the key"),
        ("StationName", "remove the key"),
        ("DeviceSerialNumber", "remove the key"),
        ("RequestAttributesSequence.ScheduledProcedureStepID", ""),
        ("PatientInsurancePlanCodeSequence.CodeMeaning", "remove the key"),
        ("PatientSex", "set under participants"),
        ("PatientAge", "set under participants"),
    ],
)
def test_what_the_standard_removes_cannot_be_listed(keyword, todo, tmp_path):
    for vocabulary in ({"values": ["x"]}, {"pattern": "[A-C]"}, {"publish": {"x": "y"}}):
        refused(tmp_path, TEXT | {"from": [keyword]} | vocabulary, f"removes or replaces .*{todo}")


def test_a_number_that_the_standard_removes_cannot_be_listed_either(tmp_path):
    refused(tmp_path, RULE | {"from": ["PatientWeight"]}, "removes or replaces PatientWeight")


def test_of_descriptions_only_words_of_a_closed_list(tmp_path):
    rule = TEXT | {"from": ["SeriesDescription"]}
    refused(tmp_path, rule | {"pattern": "head|neck"}, "list what may be published under values or publish")
    for vocabulary in ({"values": ["head"]}, {"publish": {"(?i)head": "head"}}):
        (found,) = policy.load(write(tmp_path, {"EchoTime": rule | vocabulary})).keys
        assert found.text("head") == "head" and found.text("neck of somebody") is None
    body = TEXT | {"from": ["BodyPartExamined"], "values": ["HEAD"]}
    assert policy.load(write(tmp_path, {"BodyPart": body})).keywords == ("BodyPartExamined",)


def test_a_wrong_document_is_refused(tmp_path):
    with pytest.raises(UsageError, match="unknown key 'kyes'"):
        policy.load(write(tmp_path, {"EchoTime": RULE}, kyes={}))
    with pytest.raises(UsageError, match="unknown key 'deidentification'"):
        policy.load(write(tmp_path, {"EchoTime": RULE}, deidentification=["113100"]))
    path = tmp_path / "broken.yaml"
    for content in (b"keys: [", b"name: \xff"):
        path.write_bytes(content)
        with pytest.raises(UsageError, match="syntax error"):
            policy.load(path)


@pytest.mark.parametrize("reason", [None, "because", " . . . . . ."])
def test_r01_a_key_without_a_reason_is_refused(reason, tmp_path):
    rule = {key: value for key, value in (RULE | {"reason": reason}).items() if value is not None}
    refused(tmp_path, rule, "reason")


def test_r01_two_keys_with_one_reason_are_refused(tmp_path):
    keys = {
        "EchoTime": RULE,
        "FlipAngle": RULE | {"from": ["FlipAngle"], "reason": "contrast  depends on it"},
    }
    with pytest.raises(UsageError, match="EchoTime and FlipAngle have the same reason"):
        policy.load(write(tmp_path, keys))
    keys["FlipAngle"]["reason"] = "Contrast of gradient echoes depends on it."
    assert len(policy.load(write(tmp_path, keys)).keys) == 2


def test_r02_each_level_adds_to_the_one_below():
    for number in range(2):
        names = [{key.name for key in both(level)[number].keys} for level in range(1, 7)]
        for below, above in pairwise(names):
            assert below <= above
        assert not names[0] & {"Manufacturer", "ManufacturersModelName", "ConvolutionKernel", "ImageType"}
        assert {"Manufacturer", "ManufacturersModelName"} <= names[1]
        assert names[2] == names[1], "the time period is no sidecar's"
        assert names[3] - names[2] == {"BodyPart", "ContrastAgent", "ImagePlane", "KernelClass"}
        assert names[5] == names[3], "diagnosis and further are tables"


def test_r02_a_key_above_the_level_is_not_loaded_but_checked(tmp_path):
    rules = policy.load(write(tmp_path, {"EchoTime": RULE | {"level": 3}}), 2)
    assert rules.keys == () and rules.keywords == ()
    with pytest.raises(UsageError, match="never published"):
        policy.load(write(tmp_path, {"EchoTime": RULE | {"level": 3, "from": ["StudyDate"]}}), 2)


def test_the_example_in_the_document_is_a_policy(tmp_path):
    text = (WORKFLOW.parent / "docs" / "policy.md").read_text()
    (example,) = [
        block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "name: ours" in block
    ]
    (tmp_path / "ours.yaml").write_text(example)
    assert [one.name for one in policy.load(tmp_path / "ours.yaml").keys] == ["EchoTime", "PatientPosition"]


def test_a_controlled_label_has_every_word_of_the_vocabulary():
    words = yaml.safe_load((WORKFLOW / "vocabulary.yaml").read_text())
    labels = {
        "BodyPart": {*words["body_part"]["terms"], *words["body_part"]["words"]} - {"unclear"},
        "ImagePlane": {*words["plane"]["words"], "oblique"} - {"unclear"},
        "KernelClass": {name for maker in words["kernel"] for name in maker} - {"manufacturer"},
        "ContrastAgent": {"yes", "no"},
    }
    for rules in both():
        kept = {one.name: one.values for one in rules.keys}
        assert {name: kept[name] for name in labels} == labels


def test_r34_of_the_three_categories_of_attributes_only_listed_values_remain():
    typed = {"SeriesDescription", "ImageComments", "ProtocolName", "RequestedProcedureDescription"}
    standard = {"PatientName", "InstitutionName", "AccessionNumber", "StationName"}
    for rules in both():
        assert not (typed | standard) & set(rules.keywords)
        for one in rules.keys:
            assert not any(
                tag_for_keyword(part) >> 16 & 1 for path in one.sources for part in path.split(".")
            )
            assert not one.type.startswith("text") or {
                one.text("Smith-CT/Head w/o Contrast"),
                one.text("Norrvik Lasarett"),
            } == {None}


def test_r30_a_project_has_its_own_list(tmp_path):
    raw = yaml.safe_load((WORKFLOW / "policies" / "minimal.yaml").read_text())
    del raw["keys"]["Manufacturer"]
    raw["keys"]["EchoTrainLength"] = RULE | {
        "from": ["EchoTrainLength"],
        "reason": "Our question is blurring.",
    }
    own = {key.name for key in policy.load(write(tmp_path, raw["keys"])).keys}
    assert own == {key.name for key in both()[0].keys} - {"Manufacturer"} | {"EchoTrainLength"}


def test_r53_scanner_and_reconstruction_are_kept():
    minimal, research = ({key.name for key in rules.keys} for rules in both())
    kept = {"Manufacturer", "ManufacturersModelName", "ConvolutionKernel", "KVP", "SliceThickness"}
    assert kept <= minimal and kept | {"SpacingBetweenSlices"} <= research


def key(name):
    return next(key for key in policy.load(WORKFLOW / "policies" / "minimal.yaml").keys if key.name == name)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("SIEMENS", "Siemens"),
        ("Siemens Healthineers", "Siemens"),
        ("Philips Medical Systems", "Philips"),
        ("GE MEDICAL SYSTEMS", "GE"),
        ("CANON_MEC", "Canon"),
        ("Smith Imaging", None),
        ("", None),
    ],
)
def test_manufacturers_are_normalised(said, shown):
    assert key("Manufacturer").text(said) == shown


@pytest.mark.parametrize(
    "model",
    [
        *("TrioTim", "Prisma_fit", "MAGNETOM Prisma", "MAGNETOM Vida Fit", "Skyra", "Verio", "Biograph 40"),
        *("Biograph64_mCT", "SOMATOM Definition Flash", "Ingenia Elition X", "Achieva dStream", "iCT 256"),
        *(
            "DISCOVERY MR750",
            "DISCOVERY MR750w",
            "Signa HDxt",
            "SIGNA Premier",
            "LightSpeed VCT",
            "HiSpeed CT/i",
        ),
        *("Revolution CT", "uMR 790", "Ingenia", "GEMINI TF TOF 64", "Vantage Galan 3T", "MR 7700"),
    ],
)
def test_scanners_names_pass(model):
    assert key("ManufacturersModelName").text(model) == model


@pytest.mark.parametrize(
    "model",
    [
        *("Smith", "Ingenia Smith", "Prisma Norrvik Lasarett", "Prisma 2019-04-14", "Skyra SN 45678 MR1"),
        *("MRC40764", "Achieva 19700101", "Verio 1970", "TrioTim\nSmith", "Verio of Dr Li", "Prisma 123 456"),
    ],
)
def test_what_somebody_wrote_into_a_models_name_does_not(model):
    assert key("ManufacturersModelName").text(model) is None


def test_numbers_are_printed_again_in_bids_units():
    echo = key("EchoTime")
    assert echo.number(2.93) == 0.00293 and echo.number(81.7) == 0.0817
    assert echo.number(-1) is None and echo.number(19700101) is None
    assert str(key("MagneticFieldStrength").number(3.0)) == "3"
