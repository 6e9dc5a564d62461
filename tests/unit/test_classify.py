"""classify, schema, naming: what a series is, and files that people write."""

from pathlib import Path

import pytest
import yaml

from efface import naming
from efface.classify import Modalities
from efface.errors import UsageError
from efface.schema import check, defaults
from efface.settings import CONFIG_SCHEMA, WORKFLOW, settings

SCHEMA = WORKFLOW / "schemas" / "modalities.schema.yaml"
MPRAGE = {
    "Modality": ["MR"],
    "Manufacturer": ["SIEMENS"],
    "ImageType": ["ORIGINAL\\PRIMARY\\M"],
    "ScanningSequence": ["GR\\IR"],
    "SequenceVariant": ["SP\\MP"],
    "MRAcquisitionType": ["3D"],
    "EchoTime": ["2.98"],
    "RepetitionTime": ["2300"],
    "InversionTime": ["900"],
}
AXIAL, CORONAL, SAGITTAL = "1\\0\\0\\0\\1\\0", "1\\0\\0\\0\\0\\-1", "0\\1\\0\\0\\0\\-1"
SPIN_ECHO = MPRAGE | {"ScanningSequence": ["SE"], "SequenceVariant": ["SK"], "MRAcquisitionType": ["2D"]}


@pytest.fixture(scope="module")
def modalities():
    return Modalities(WORKFLOW / "modalities.yaml", SCHEMA)


@pytest.mark.parametrize(
    ("attributes", "decision", "suffix"),
    [
        (MPRAGE, "convert", "T1w"),
        (MPRAGE | {"ScanningSequence": ["GR"], "InversionTime": []}, "convert", "T1w"),
        (SPIN_ECHO | {"EchoTime": ["91"], "RepetitionTime": ["11730"]}, "convert", "T2w"),
        (SPIN_ECHO | {"EchoTime": ["12"], "RepetitionTime": ["600"]}, "convert", "T1w"),
        (SPIN_ECHO | {"EchoTime": ["14"], "RepetitionTime": ["3000"]}, "convert", "PDw"),
        (
            SPIN_ECHO | {"ScanningSequence": ["SE\\IR"], "EchoTime": ["120"], "InversionTime": ["2500"]},
            "convert",
            "FLAIR",
        ),
        (MPRAGE | {"ScanningSequence": ["EP"], "EchoTime": ["30"]}, "convert", "bold"),
        (MPRAGE | {"DiffusionBValue": ["0", "1000"]}, "convert", "dwi"),
        (MPRAGE | {"DiffusionBValue": ["0"]}, "convert", "T1w"),
        ({"Modality": ["PT"], "Manufacturer": ["CPS"]}, "convert", "pet"),
        ({"Modality": ["CT"], "Manufacturer": ["GE"]}, "convert", "ct"),
        (MPRAGE | {"ImageType": ["DERIVED\\SECONDARY\\MPR"]}, "convert", "T1w"),
        (MPRAGE | {"Manufacturer": []}, "held", ""),
        (MPRAGE | {"ArterialSpinLabelingContrast": ["PSEUDOCONTINUOUS"]}, "held", ""),
        (MPRAGE | {"ScanningSequence": ["RM"], "SequenceVariant": ["NONE"]}, "held", ""),
        (MPRAGE | {"ImageType": ["ORIGINAL\\PRIMARY\\LOCALIZER"]}, "dropped", ""),
        (MPRAGE | {"SOPClassUID": ["1.2.840.10008.5.1.4.1.1.7"]}, "dropped", ""),
        (MPRAGE | {"SOPClassUID": ["1.2.840.10008.5.1.4.1.1.88.67"]}, "dropped", ""),
        (MPRAGE | {"BurnedInAnnotation": ["YES"]}, "dropped", ""),
        (MPRAGE | {"ConversionType": ["WSD"]}, "dropped", ""),
        (MPRAGE | {"PhotometricInterpretation": ["RGB"]}, "dropped", ""),
        (MPRAGE | {"ImageOrientationPatient": [AXIAL, CORONAL, SAGITTAL]}, "dropped", ""),
        (
            MPRAGE | {"ImageOrientationPatient": [AXIAL, AXIAL.replace("0", "0.01"), CORONAL]},
            "convert",
            "T1w",
        ),
        ({}, "held", ""),
    ],
)
def test_kinds_by_attributes(modalities, attributes, decision, suffix):
    kind = modalities.classify(attributes)
    assert (kind.decision, kind.suffix) == (decision, suffix)
    assert kind.reason


def test_enhanced_objects_say_the_same_with_other_attributes(modalities):
    enhanced = {
        "Modality": ["MR"],
        "Manufacturer": ["Siemens Healthineers"],
        "EchoPulseSequence": ["GRADIENT"],
        "InversionRecovery": ["YES"],
        "MRAcquisitionType": ["3D"],
        "EffectiveEchoTime": ["2.41"],
    }
    assert modalities.classify(enhanced).suffix == "T1w"


def test_free_text_never_decides(modalities):
    named = {
        "Modality": ["MR"],
        "Manufacturer": ["X"],
        "SeriesDescription": ["T1 MPRAGE"],
        "ProtocolName": ["T1w"],
    }
    assert modalities.classify(named).decision == "held"


def test_a_misspelt_rule_is_refused_with_the_right_key(tmp_path):
    rules = yaml.safe_load((WORKFLOW / "modalities.yaml").read_text())
    rules["images"][0]["sufix"] = rules["images"][0].pop("suffix")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(rules))
    with pytest.raises(UsageError, match=r"images\.0"):
        Modalities(tmp_path / "mine.yaml", SCHEMA)


MINIMAL = {"input": "dicom", "release": "release", "dataset": {"name": "Heads"}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"relase": "x"}, "unknown key 'relase'; did you mean 'release'"),
        ({"dataset": {"name": "Heads", "licence": "CC0"}}, "did you mean 'license'"),
        ({"dataset": {}}, "'name' is missing"),
        ({"task": "two words"}, "task"),
        ({"participants": {"age": "yes"}}, "expected boolean"),
        ({"work": "release/work"}, "the work folder lies in the release folder"),
        ({"release": "work/release"}, "the release folder lies in the work folder"),
        ({"work": "dicom"}, "the work folder lies in the input folder or is the same"),
        ({"input": "release/dicom"}, "the input folder lies in the release folder"),
        ({"key": "release/secret"}, "the key lies in the release folder"),
        ({"policy": "absent"}, "policy: expected a file"),
        ({"overrides": "absent.tsv"}, "overrides: expected a file"),
    ],
)
def test_a_wrong_configuration_is_refused_in_one_line(change, said):
    with pytest.raises(UsageError) as caught:
        settings(MINIMAL | change)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_defaults_are_filled_in_at_every_depth():
    filled = defaults(MINIMAL, CONFIG_SCHEMA)
    assert filled["participants"] == {"age": True, "sex": True}
    assert filled["dataset"]["authors"] == []
    check(filled, CONFIG_SCHEMA, "filled")


def test_every_key_of_every_schema_is_closed_and_described():
    for path in sorted((WORKFLOW / "schemas").glob("*.schema.yaml")):
        schema = yaml.safe_load(path.read_text())
        assert "description" in schema, path.name
        for name, rule in _properties(schema):
            assert "description" in rule or "$ref" in rule or name in _CONDITIONS, f"{path.name}: {name}"
            if rule.get("type") == "object" and "properties" in rule:
                assert rule.get("additionalProperties") is False, f"{path.name}: {name}"


_CONDITIONS = ("has", "all", "lacks", "starts", "absent", "min", "max", "above")


def _properties(schema):
    if isinstance(schema, list):
        for one in schema:
            yield from _properties(one)
    elif isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield from schema["properties"].items()
        for value in schema.values():
            yield from _properties(value)


def test_the_shipped_configuration_is_right():
    check(yaml.safe_load((Path(WORKFLOW).parent / "config.yaml").read_text()), CONFIG_SCHEMA, "config.yaml")


@pytest.mark.parametrize("wanted", ["anat/T1w", "func/task-rest_bold", "anat/acq-fast_run-2_T2w"])
def test_names_that_a_person_may_give(wanted):
    name = naming.parse(wanted)
    assert wanted == f"{name.datatype}/{naming.stem(name.entities, name.suffix)}"


@pytest.mark.parametrize(
    "wanted", ["T1w", "anat/../T1w", "anat/sub-x_T1w", "anat/foo-1_T1w", "anat/task-a b_bold"]
)
def test_names_that_are_refused(wanted):
    with pytest.raises(UsageError):
        naming.parse(wanted)
