"""The sidecar: only what the policy allows, in BIDS's units; what BIDS requires and is not there is named."""

import json

import numpy as np
import pydicom
import pytest

from efface import policy, sidecar
from efface.convert import convert_series
from efface.errors import Held
from efface.settings import WORKFLOW
from phantom import centred, make_series

SHAPE = (4, 5, 4)
RULES = policy.load(WORKFLOW / "policies" / "minimal.yaml")
PLANTED = {
    "PatientName": "Planted^Person",
    "InstitutionName": "Planted Hospital",
    "StationName": "PLANTED1",
    "ProtocolName": "planted protocol",
    "SeriesDescription": "planted series",
    "DeviceSerialNumber": "771177",
    "ImageComments": "planted comment",
    "SoftwareVersions": "planted version",
    "SequenceName": "*planted",
}


def described(folder, plan=None, n_volumes=1, rules=RULES, change=None, **attributes):
    grid = centred(SHAPE, (2, 2, 3))
    files = make_series(folder / "s", shape=SHAPE, world_from_voxel=grid, n_volumes=n_volumes, **attributes)
    if change:
        dataset = pydicom.dcmread(files[-1])
        for keyword, value in change.items():
            setattr(dataset, keyword, value)
        dataset.save_as(files[-1])
    plan = plan or {}
    return sidecar.describe(convert_series(files, plan, rules.keywords), plan, rules)


def test_a_sidecar_has_the_allowed_values_in_bids_units(tmp_path):
    found = described(tmp_path, RepetitionTime="6.50099992752075", ParallelReductionFactorInPlane=2.0)
    assert found == {
        "Modality": "MR",
        "Manufacturer": "Siemens",
        "ManufacturersModelName": "TrioTim",
        "MagneticFieldStrength": 3,
        "MRAcquisitionType": "3D",
        "ScanningSequence": ["GR", "IR"],
        "SequenceVariant": ["SP", "MP"],
        "ScanOptions": "IR",
        "EchoTime": 0.00298,
        "RepetitionTime": 0.00650099993,
        "InversionTime": 0.9,
        "FlipAngle": 9,
        "SliceThickness": 3,
        "ParallelReductionFactorInPlane": 2,
    }


def test_nothing_else_of_the_header_comes_through(tmp_path):
    said = json.dumps(described(tmp_path, **PLANTED))
    assert "planted" not in said.lower() and "771177" not in said and "PHANTOM" not in said


@pytest.mark.parametrize(
    ("attribute", "value", "key"),
    [
        ("ManufacturerModelName", "Planted Model", "ManufacturersModelName"),
        ("Manufacturer", "Planted", "Manufacturer"),
        ("ScanOptions", ["FS", "PLANTED"], "ScanOptions"),
        ("ScanningSequence", "PLANTED", "ScanningSequence"),
        ("EchoTime", 771177, "EchoTime"),
        ("FlipAngle", 19700101, "FlipAngle"),
    ],
)
def test_an_allowed_key_with_another_value_is_left_out(attribute, value, key, tmp_path):
    found = described(tmp_path, **{attribute: value})
    assert key not in found
    assert "planted" not in json.dumps(found).lower()


def test_a_value_that_differs_among_files_is_left_out(tmp_path):
    assert "FlipAngle" not in described(tmp_path, change={"FlipAngle": 12})


def test_keys_of_another_modality_are_left_out(tmp_path):
    found = described(tmp_path, modality="CT", EchoTime=5)
    assert found["KVP"] == 120 and found["ConvolutionKernel"] == "STANDARD" and "EchoTime" not in found


def test_bold_has_the_images_repetition_time_and_its_task(tmp_path):
    plan = {"suffix": "bold", "metadata": {"TaskName": "rest"}}
    found = described(tmp_path, plan, n_volumes=3, RepetitionTime=2000)
    assert found["RepetitionTime"] == 2 and found["TaskName"] == "rest"


def test_what_bids_requires_and_is_not_there_is_named(tmp_path):
    with pytest.raises(Held, match="BIDS requires TaskName for bold"):
        described(tmp_path, {"suffix": "bold"}, n_volumes=3)
    with pytest.raises(Held, match="BIDS requires RepetitionTime, TaskName for bold"):
        described(tmp_path, {"suffix": "bold"}, n_volumes=3, RepetitionTime=None)
    with pytest.raises(Held, match=r"TracerName, .*TimeZero.* for pet") as caught:
        described(tmp_path, {"suffix": "pet"}, modality="PT")
    assert ", Units" not in str(caught.value) and "FrameDuration" not in str(caught.value)


def test_pet_says_its_units_and_frame_duration(tmp_path):
    found = described(tmp_path, modality="PT")
    assert found["Units"] == "Bq/mL" and found["FrameDuration"] == [300] and found["Modality"] == "PT"


def test_the_configurations_values_come_last(tmp_path):
    plan = {"metadata": {"FlipAngle": 8, "Instructions": "rest"}}
    found = described(tmp_path, plan)
    assert found["FlipAngle"] == 8 and found["Instructions"] == "rest"


def test_a_number_is_json_and_never_nan(tmp_path):
    assert np.isfinite(described(tmp_path)["EchoTime"])
    json.dumps(described(tmp_path), allow_nan=False)


def test_a_dynamic_pet_says_when_each_frame_starts_and_how_long_it_lasts(tmp_path):
    grid = centred(SHAPE, (2, 2, 3))
    files = make_series(tmp_path / "s", shape=SHAPE, world_from_voxel=grid, n_volumes=3, modality="PT")
    starts, durations = (0, 60, 180), (60, 120, 300)
    for number, path in enumerate(files):
        volume = number // SHAPE[2]
        dataset = pydicom.dcmread(path)
        dataset.ActualFrameDuration = 1000 * durations[volume]
        dataset.AcquisitionTime = f"10{starts[volume] // 60:02d}00.000"
        dataset.FrameReferenceTime = 1000 * (starts[volume] + durations[volume] / 2)
        dataset.save_as(path)
    conversion = convert_series(files, {"suffix": "pet"}, RULES.keywords)
    found = sidecar.describe(conversion, {"suffix": "pet"}, RULES, complete=False)
    assert found["FrameTimesStart"] == [0, 60, 180] and found["FrameDuration"] == [60, 120, 300]
    assert conversion.voxels.shape[3] == 3 and conversion.header()["pixdim"][4] == 0
