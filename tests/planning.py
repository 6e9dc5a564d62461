"""Plans of invented series, for the tests of what is planned and of whom."""

from efface.classify import Modalities
from efface.people import person_of
from efface.plan import plan
from efface.schema import defaults
from efface.schemes import labels
from efface.settings import CONFIG_SCHEMA, WORKFLOW

KEY = bytes(range(32))
SCHEMAS = WORKFLOW / "schemas"
CONFIG = {"task": "rest", "metadata": {"bold": {"Instructions": "Lie still"}}}
T1W = {
    "Modality": ["MR"],
    "Manufacturer": ["SIEMENS"],
    "ImageType": ["ORIGINAL\\PRIMARY\\M"],
    "ScanningSequence": ["GR\\IR"],
    "MRAcquisitionType": ["3D"],
    "EchoTime": ["2.98"],
    "PatientID": ["7734421"],
    "PatientName": ["Smithson^Ada"],
    "PatientBirthDate": ["19771107"],
    "PatientSex": ["F"],
    "StudyInstanceUID": ["1.2.3"],
    "SeriesInstanceUID": ["1.2.3.4"],
    "StudyDate": ["20190414"],
    "StudyTime": ["101112"],
}


def planned(index, overrides=None, config=CONFIG, key=KEY):
    rows, people, _ = planned_with_doubts(index, overrides, config, key)
    return rows, people


def planned_with_doubts(index, overrides=None, config=CONFIG, key=KEY):
    modalities = Modalities(WORKFLOW / "modalities.yaml", SCHEMAS / "modalities.schema.yaml")
    config = defaults(config, CONFIG_SCHEMA)
    label_of = labels({person_of(one) for one in index.values()} - {""}, config["identity"], key, {})
    rows, people, doubts = plan(
        index, dict.fromkeys(index, 4), modalities, {}, overrides or {}, key, config, label_of
    )
    return {row.series: row for row in rows}, people, doubts
