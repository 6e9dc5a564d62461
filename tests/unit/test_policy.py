"""The sidecar's policy: closed, each key with its reason, and nothing that could identify."""

import pytest
import yaml

from efface import policy
from efface.errors import UsageError
from efface.settings import WORKFLOW

POLICIES = sorted((WORKFLOW / "policies").glob("*.yaml"))
RULE = {"reason": "Contrast depends on it.", "from": ["EchoTime"], "type": "number"}


def write(folder, keys, **top):
    path = folder / "policy.yaml"
    raw = {"name": "test", "deidentification": ["113100"], "keys": keys, **top}
    path.write_text(yaml.safe_dump(raw))
    return path


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_the_policies_are_valid(path):
    rules = policy.load(path)
    assert rules.name == path.stem
    assert {"113100", "113102"} <= set(rules.deidentification)


def test_research_adds_to_minimal():
    minimal, research = (
        policy.load(WORKFLOW / "policies" / f"{name}.yaml") for name in ("minimal", "research")
    )
    assert set(minimal.keys) < set(research.keys)
    assert minimal.deidentification == research.deidentification


def test_keywords_are_the_roots_of_the_paths(tmp_path):
    rule = RULE | {"from": ["EchoTime", "MREchoSequence.EffectiveEchoTime"]}
    rules = policy.load(write(tmp_path, {"EchoTime": rule}))
    assert rules.keywords == ("EchoTime", "MREchoSequence")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reason": None}, "'reason' is missing"),
        ({"form": "EchoTime"}, "unknown key 'form'"),
        ({"from": ["EchoTim"]}, "unknown EchoTim"),
        ({"from": ["EchoTime.EffectiveEchoTime"]}, "path of sequences"),
        ({"from": ["MREchoSequence"]}, "path of sequences"),
        ({"from": ["AcquisitionTime"]}, r"AcquisitionTime is of a kind \(TM\)"),
        ({"from": ["StudyDate"]}, "never published"),
        ({"from": ["PatientName"]}, "never published"),
        ({"from": ["FrameContentSequence.FrameAcquisitionDateTime"]}, "never published"),
        ({"from": ["SOPInstanceUID"]}, "never published"),
        ({"from": ["ImageComments"]}, "never published"),
        ({"from": ["InstitutionAddress"]}, "never published"),
        ({"from": ["ScanningSequence"], "type": "text"}, "values, pattern or publish"),
        ({"type": "text", "pattern": "("}, "regular expressions"),
        ({"type": "anything"}, "expected one of"),
        ({"derived": True}, "EchoTime"),
    ],
)
def test_a_wrong_key_is_refused(change, message, tmp_path):
    rule = {key: value for key, value in (RULE | change).items() if value is not None}
    with pytest.raises(UsageError, match=message):
        policy.load(write(tmp_path, {"EchoTime": rule}))


def test_a_wrong_document_is_refused(tmp_path):
    with pytest.raises(UsageError, match="unknown key 'kyes'"):
        policy.load(write(tmp_path, {"EchoTime": RULE}, kyes={}))
    with pytest.raises(UsageError):
        policy.load(write(tmp_path, {"EchoTime": RULE}, deidentification=["113999"]))
    path = tmp_path / "broken.yaml"
    path.write_text("keys: [")
    with pytest.raises(UsageError, match="syntax error"):
        policy.load(path)


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
