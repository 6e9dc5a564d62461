"""classify, schema, naming: what a series is, and files that people write."""

from pathlib import Path

import pytest
import yaml

from efface import naming
from efface.classify import Modalities, beside
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


def mr(maker, image_type, **attributes):
    """Return the attributes of an MR series as a scanner of this maker writes them."""
    said = {"Modality": "MR", "Manufacturer": maker, "ImageType": image_type} | attributes
    return {keyword: [str(value)] for keyword, value in said.items()}


def siemens(name, image_type="ORIGINAL\\PRIMARY\\M\\ND\\NORM", **attributes):
    component = "PHASE" if "\\P\\" in image_type else "MAGNITUDE"
    return mr("SIEMENS", image_type, SequenceName=name, Component=component, **attributes)


def xa(name, image_type, **attributes):
    """Return an enhanced object of Siemens; syngo MR XA."""
    told = {"EchoPulseSequence": "GRADIENT", "EchoPlanarPulseSequence": "NO", "InversionRecovery": "NO"}
    told |= {"Component": "MAGNITUDE", "AcquisitionContrast": "UNKNOWN", "TimeOfFlightContrast": "NO"}
    return mr("Siemens Healthineers", image_type, **(told | {"PulseSequenceName": name} | attributes))


def philips(name, image_type, sequence, **attributes):
    told = {"ScanningSequence": sequence, "InversionTime": "0", "Component": "MAGNITUDE"}
    return mr("Philips Medical Systems", image_type, **(told | {"PulseSequenceName": name} | attributes))


def ge(sequence, **attributes):
    told = {"ScanningSequence": sequence, "Component": "MAGNITUDE"} | attributes
    return mr("GE MEDICAL SYSTEMS", "ORIGINAL\\PRIMARY\\OTHER", **told)


MOSAIC = "ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC"
FFE, SE, PHASE_MAP = (
    f"ORIGINAL\\PRIMARY\\{one}" for one in ("M_FFE\\M\\FFE", "M_SE\\M\\SE", "PHASE MAP\\P\\FFE")
)
TFL = {
    "ScanningSequence": "GR\\IR",
    "SequenceVariant": "SK\\SP\\MP",
    "MRAcquisitionType": "3D",
    "ScanOptions": "IR",
}
TSE = {"ScanningSequence": "SE", "SequenceVariant": "SK\\SP\\OSP", "MRAcquisitionType": "2D"}
EPI = {"ScanningSequence": "EP", "SequenceVariant": "SK", "MRAcquisitionType": "2D", "ScanOptions": "FS"}
FLASH = {"ScanningSequence": "GR", "SequenceVariant": "SP", "MRAcquisitionType": "2D"}
FL3D = FLASH | {"MRAcquisitionType": "3D"}
SWI = FL3D | {"EchoTime": 20, "RepetitionTime": 28, "FlipAngle": 15}
ENHANCED_EPI = {"EchoPlanarPulseSequence": "YES", "MRAcquisitionType": "2D"}
# Header values as published with scans of these makers; free text and identifiers left out.
FLUID = {"EchoPulseSequence": "SPIN", "AcquisitionContrast": "FLUID_ATTENUATED"}
T1W = siemens("*tfl3d1_16ns", **TFL, EchoTime=2.98, RepetitionTime=2300, InversionTime=900)
KINDS = [
    ("anat/T1w", siemens("*tfl3d1_16ns", **TFL, EchoTime=2.98, RepetitionTime=2300, InversionTime=900)),
    ("anat/T1w", siemens("r73d4_ns", "ORIGINAL\\PRIMARY\\OTHER\\ND\\NORM\\MEAN", **TFL, EchoTime=1.66)),
    ("anat/T1w", siemens("*se2d1", **TSE, EchoTime=9, RepetitionTime=550)),
    (
        "anat/T1w",
        siemens("*spc3d1rr21", **TSE | {"MRAcquisitionType": "3D"}, EchoTime=7.2, RepetitionTime=700),
    ),
    (
        "anat/T1w",
        xa(
            *("*tfl3d1_16ns", "ORIGINAL\\PRIMARY\\M\\NONE"),
            **{"InversionRecovery": "YES", "MRAcquisitionType": "3D", "InversionTimes": 900},
            **{"EffectiveEchoTime": 2.41, "RepetitionTime": 1800},
        ),
    ),
    ("anat/T1w", philips("T1TFE", FFE, "GR", SequenceVariant="MP", MRAcquisitionType="3D", EchoTime=2.93)),
    (
        "anat/T1w",
        philips(
            *("T1TFE", "ORIGINAL\\PRIMARY\\T1\\NONE", "GR"),
            **{"SequenceVariant": "SK\\SS\\SP", "MRAcquisitionType": "3D", "EffectiveEchoTime": 4.605},
        ),
    ),
    (
        "anat/T1w",
        ge("GR", SequenceVariant="SS\\SP\\SK", MRAcquisitionType="3D", EchoTime=3.2, InversionTime=450),
    ),
    (
        "anat/T1w",
        ge("SE\\IR", ScanOptions="T1FLAIR_GEMS", MRAcquisitionType="2D", EchoTime=24, RepetitionTime=2500),
    ),
    (
        "anat/T1w",
        mr(
            *("UIH", "ORIGINAL\\PRIMARY\\M\\UCA"),
            **{"ScanningSequence": "GR\\IR", "SequenceVariant": "NONE", "SequenceName": "gre_fsp"},
            **{"MRAcquisitionType": "3D", "EchoTime": 3.1, "RepetitionTime": 7.25, "InversionTime": 750},
        ),
    ),
    ("anat/T2w", siemens("*tse2d1_19", **TSE, EchoTime=91, RepetitionTime=11730)),
    (
        "anat/T2w",
        siemens("*spc_314ns", **TSE | {"MRAcquisitionType": "3D"}, EchoTime=563, RepetitionTime=3200),
    ),
    ("anat/T2w", siemens("*se2d8", **TSE, EchoTime=40, RepetitionTime=2000, Echoes=8)),
    ("anat/T2w", ge("SE", SequenceVariant="SK", MRAcquisitionType="3D", EchoTime=78, RepetitionTime=2500)),
    ("anat/T2w", philips("TSE", SE, "SE", MRAcquisitionType="2D", EchoTime=80, RepetitionTime=3000)),
    ("anat/PDw", siemens("*tse2d2_5", **TSE, EchoTime=11, RepetitionTime=4320, Echoes=2)),
    ("anat/PDw", ge("SE", SequenceVariant="SK", MRAcquisitionType="2D", EchoTime=20, RepetitionTime=2800)),
    (
        "anat/PDw",
        mr(
            *("Hitachi Medical Corporation", "ORIGINAL\\PRIMARY\\OTHER"),
            **TSE,
            **{"EchoTime": 12, "RepetitionTime": 4000},
        ),
    ),
    (
        "anat/FLAIR",
        siemens("*tir2d1_16", **TSE | {"ScanningSequence": "SE\\IR"}, EchoTime=81, InversionTime=2500),
    ),
    (
        "anat/FLAIR",
        siemens("*spcir_278ns", **TSE | {"ScanningSequence": "SE\\IR"}, EchoTime=388, InversionTime=1800),
    ),
    (
        "anat/FLAIR",
        philips("TIR", "ORIGINAL\\PRIMARY\\M_IR\\M\\IR", "IR", EchoTime=125)
        | {"InversionTime": ["2800"], "RepetitionTime": ["11000"]},
    ),
    ("anat/FLAIR", ge("SE\\IR", ScanOptions="T2FLAIR_GEMS\\FAST_GEMS", EchoTime=120, RepetitionTime=8000)),
    (
        "anat/FLAIR",
        mr(
            *("Hyperfine Research", "ORIGINAL\\PRIMARY\\T2\\NONE"),
            **{"ScanningSequence": "SE\\IR", "AcquisitionContrast": "FLUID_ATTENUATED"},
            **{"EffectiveEchoTime": 194.4, "InversionTime": 1400, "MRAcquisitionType": "3D"},
        ),
    ),
    ("anat/T2starw", siemens("*fl2d1", **FLASH, EchoTime=20, RepetitionTime=620, FlipAngle=20)),
    ("anat/T2starw", siemens("*fl3d1", **FL3D, EchoTime=28, RepetitionTime=34, FlipAngle=15)),
    ("anat/T2starw", siemens("*fl3d8r", **FL3D, EchoTime=4.9, RepetitionTime=45, Echoes=8)),
    (
        "anat/T2starw part-phase",
        siemens("*fl3d8r", "ORIGINAL\\PRIMARY\\P\\ND", **FL3D, EchoTime=4.9, Echoes=8),
    ),
    ("anat/T2starw", ge("GR", SequenceVariant="SS\\SP", MRAcquisitionType="2D", EchoTime=25, FlipAngle=20)),
    ("anat/T2starw", philips("FFE", FFE, "GR", MRAcquisitionType="2D", EchoTime=16, FlipAngle=18)),
    ("swi/GRE part-mag", siemens("*swi3d1r", **SWI)),
    ("swi/GRE part-mag", siemens("*swi3d1r", "ORIGINAL\\PRIMARY\\M\\NORM\\DIS2D", **SWI)),
    ("swi/GRE part-mag", xa("*swi3d1r", "ORIGINAL\\PRIMARY\\M\\NONE", MRAcquisitionType="3D")),
    ("swi/GRE part-phase", siemens("*swi3d1r", "ORIGINAL\\PRIMARY\\P\\ND", **SWI)),
    ("swi/GRE part-phase", siemens("*swi3d1r", "ORIGINAL\\PRIMARY\\P\\DIS2D", **SWI)),
    ("swi/GRE part-phase", xa("*swi3d1r", "ORIGINAL\\PRIMARY\\P\\NONE", Component="PHASE")),
    ("swi/swi", siemens("*swi3d1r", "ORIGINAL\\PRIMARY\\M\\SWI\\ND\\NORM", **SWI)),
    ("swi/swi", siemens("*swi3d1r", "ORIGINAL\\PRIMARY\\M\\SWI", **SWI)),
    ("swi/swi", xa("*swi3d1r", "DERIVED\\PRIMARY\\SWI\\NONE", MRAcquisitionType="3D")),
    ("swi/minIP", siemens("*swi3d1r", "ORIGINAL\\PRIMARY\\MNIP\\ND\\NORM", **SWI)),
    ("swi/minIP", siemens("*swi3d1r", "DERIVED\\PRIMARY\\M\\SWI\\MNIP", **SWI)),
    ("swi/minIP", xa("*swi3d1r", "DERIVED\\PRIMARY\\MNIP\\NONE", MRAcquisitionType="3D")),
    ("anat/angio", siemens("*fl3d1r_t70", **FL3D, EchoTime=3.6, RepetitionTime=21, AngioFlag="Y")),
    ("anat/angio", siemens("*fl2d1r", **FLASH, EchoTime=6, RepetitionTime=24, AngioFlag="Y")),
    ("anat/angio", ge("GR", ScanOptions="FAST_GEMS\\VASCTOF_GEMS", MRAcquisitionType="3D", EchoTime=2.5)),
    (
        "anat/angio",
        philips("FFE", "ORIGINAL\\PRIMARY\\TOF\\NONE", "GR", TimeOfFlightContrast="YES", EchoTime=3.45),
    ),
    (
        "anat/angio",
        xa("*fl3d1r", "ORIGINAL\\PRIMARY\\TOF\\NONE", AcquisitionContrast="TOF", MRAcquisitionType="3D"),
    ),
    ("anat/MP2RAGE", siemens("*tfl3d1_16ns", **TFL, EchoTime=2.9, RepetitionTime=5000, InversionTime=700)),
    ("anat/MP2RAGE", siemens("*tfl3d1_16ns", **TFL, EchoTime=2.9, RepetitionTime=5000, InversionTime=2500)),
    (
        "anat/MP2RAGE part-phase",
        siemens(
            *("*tfl3d1_32ns", "ORIGINAL\\PRIMARY\\P\\ND"),
            **TFL,
            **{"EchoTime": 2.3, "RepetitionTime": 6000, "InversionTime": 800},
        ),
    ),
    (
        "anat/MP2RAGE",
        xa(
            *("WIP_tfl3d1_16ns", "ORIGINAL\\PRIMARY\\T1\\NONE"),
            **{"InversionRecovery": "YES", "MRAcquisitionType": "3D", "InversionTimes": 2500},
            **{"EffectiveEchoTime": 2.9, "RepetitionTime": 5000},
        ),
    ),
    (
        "anat/UNIT1",
        siemens("*tfl3d1_16ns", "DERIVED\\PRIMARY\\M\\UNI\\DIS3D\\DIS2D", **TFL, RepetitionTime=5000),
    ),
    ("anat/UNIT1", siemens("*tfl3d1_32ns", "DERIVED\\PRIMARY\\M\\ND\\UNI", **TFL, RepetitionTime=6000)),
    ("anat/UNIT1", xa("WIP_tfl3d1_16ns", "DERIVED\\PRIMARY\\T1\\UNIFORM", MRAcquisitionType="3D")),
    ("func/bold", siemens("*epfid2d1_64", MOSAIC, **EPI, EchoTime=30, RepetitionTime=3200, Volumes=200)),
    (
        "func/bold",
        siemens("epfid2d2_64", "ORIGINAL\\PRIMARY\\M\\TE2\\ND\\MOSAIC", **EPI, EchoTime=37.83, Volumes=3),
    ),
    ("func/bold", xa("epfid2d1_64", "ORIGINAL\\PRIMARY\\FMRI\\NONE", **ENHANCED_EPI, EffectiveEchoTime=30)),
    (
        "func/bold part-phase",
        siemens("epfid2d1_104", "ORIGINAL\\PRIMARY\\P\\MB\\TE1\\ND\\MOSAIC", **EPI, EchoTime=14, Volumes=400),
    ),
    ("func/bold", ge("EP\\GR", ScanOptions="EPI_GEMS\\PFF", EchoTime=30, RepetitionTime=5000, Volumes=10)),
    ("func/bold", ge("EP\\RM", ScanOptions="EPI_GEMS\\HYPERBAND_GEMS", EchoTime=30, Volumes=300)),
    (
        "func/bold",
        philips("FEEPI", FFE, "GR", MRAcquisitionType="2D", EchoTime=30, EchoTrainLength=57, Volumes=240),
    ),
    ("func/bold", mr("UIH", "ORIGINAL\\PRIMARY\\M\\VFRAME", **EPI, EchoTime=30, Volumes=150)),
    (
        "func/sbref",
        siemens("epfid2d1_104", MOSAIC, **EPI, EchoTime=37, ImageComments="Single-band reference SENSE1"),
    ),
    (
        "func/sbref",
        xa(
            *("epfid2d1_104", "ORIGINAL\\PRIMARY\\M\\NONE"),
            **ENHANCED_EPI,
            **{"EffectiveEchoTime": 37, "ImageComments": "Single-band reference"},
        ),
    ),
    ("dwi/sbref", siemens("epse2d1_140", MOSAIC, **EPI, EchoTime=89, ImageComments="Single-band reference")),
    (
        "dwi/sbref",
        siemens(
            *("ep_b0", "ORIGINAL\\PRIMARY\\DIFFUSION\\NONE\\ND"),
            **EPI,
            **{"EchoTime": 89, "ImageComments": "Single-band reference"},
        ),
    ),
    ("dwi/dwi", siemens("*ep_b1000#1", "ORIGINAL\\PRIMARY\\DIFFUSION\\NONE\\ND", **EPI, EchoTime=91)),
    ("dwi/dwi", siemens("ep_b1495#12", "ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC", **EPI, EchoTime=89)),
    ("dwi/dwi", xa("ep_b1000", "ORIGINAL\\PRIMARY\\DIFFUSION\\NONE", **ENHANCED_EPI, EffectiveEchoTime=70)),
    (
        "dwi/dwi",
        philips("DwiSE", "ORIGINAL\\PRIMARY\\DIFFUSION\\NONE", "SE", EchoTime=72.4, DiffusionBValue=0.0),
    ),
    ("dwi/dwi", philips("DwiSE", SE, "SE", EchoTime=98, DiffusionBValue=0.0)),
    ("dwi/dwi part-phase", philips("DwiSE", SE, "SE", DiffusionBValue=1000.0) | {"Component": ["PHASE"]}),
    ("dwi/dwi", ge("EP\\SE", EchoTime=81.7, RepetitionTime=9000) | {"BValues": ["0", "1000"]}),
    (
        "dwi/dwi",
        mr(
            *("CANON_MEC", "ORIGINAL\\PRIMARY\\GDC"),
            **{"ScanningSequence": "SE\\EP", "SequenceName": "SEEPI2D+0.7", "EchoTime": 79},
        )
        | {"DiffusionBValue": ["0.0", "1500.0"]},
    ),
    ("dwi/dwi", mr("UIH", "ORIGINAL\\PRIMARY\\M\\VFRAME", **EPI, SequenceName="epi_dti", EchoTime=71.5)),
    ("fmap/magnitude", siemens("*fm2d2r", **FLASH, EchoTime=5.19, Echoes=2)),
    ("fmap/phase", siemens("*fm2d2r", "ORIGINAL\\PRIMARY\\P\\ND\\PHASE", **FLASH, EchoTime=7.65, Echoes=1)),
    ("fmap/magnitude", xa("*fm2d2r", "ORIGINAL\\PRIMARY\\M\\NONE", EffectiveEchoTime=12.46, Echoes=2)),
    ("fmap/phase", xa("*fm2d2r", "ORIGINAL\\PRIMARY\\P\\NONE", EffectiveEchoTime=12.46, Component="PHASE")),
    (
        "fmap/magnitude",
        philips("T1FFE", FFE, "GR", SequenceVariant="SP", MRAcquisitionType="3D", EchoTime=2.3, Echoes=2)
        | {"Components": ["MAGNITUDE", "PHASE"]},
    ),
    (
        "fmap/phase",
        philips("T1FFE", PHASE_MAP, "GR", SequenceVariant="SP", EchoTime=4.6, Echoes=2)
        | {"Component": ["PHASE"]},
    ),
    ("fmap/fieldmap", ge("RM", MRAcquisitionType="2D", EchoTime=4.94) | {"Component": ["FIELDMAP"]}),
    (
        "fmap/magnitude",
        ge("RM", MRAcquisitionType="2D", EchoTime=4.94) | {"Components": ["FIELDMAP", "MAGNITUDE"]},
    ),
    (
        "fmap/fieldmap",
        philips("FFE", "ORIGINAL\\PRIMARY\\T1\\FIELD_MAP", "GR", EchoTime=0.0, SequenceVariant="SS")
        | {"Component": ["FIELDMAP"], "ComplexImageComponent": ["REAL"]},
    ),
    (
        "fmap/fieldmap",
        philips("FFE", "ORIGINAL\\PRIMARY\\B0 MAP\\B0\\UNSPECIFIED", "RM") | {"Component": ["FIELDMAP"]},
    ),
    ("fmap/epi", siemens("epse2d1_104", MOSAIC, **EPI, EchoTime=66, RepetitionTime=8000, Volumes=3)),
    ("fmap/epi", ge("EP\\SE", MRAcquisitionType="2D", EchoTime=80, RepetitionTime=8000, Volumes=2)),
    ("fmap/epi", philips("SEEPI", SE, "SE", MRAcquisitionType="2D", EchoTime=60, EchoTrainLength=45)),
    (
        "fmap/epi",
        xa(
            *("epse2d1_104", "ORIGINAL\\PRIMARY\\M\\NONE"),
            **ENHANCED_EPI | {"EchoPulseSequence": "SPIN", "EffectiveEchoTime": 66},
        ),
    ),
    ("anat/T1w ce-contrast", T1W | {"ContrastBolusAgent": ["Gadovist"]}),
    ("anat/T1w ce-contrast", T1W | {"ContrastBolusAgent": ["7"], "ContrastBolusVolume": ["7.5"]}),
    ("anat/T1w ce-contrast", T1W | {"ContrastBolusAgent": ["DOTAREM"]}),
    ("anat/T1w", T1W | {"ContrastBolusAgent": ["none"], "ContrastBolusVolume": ["0"]}),
    ("dwi/dwi", siemens("", "ORIGINAL\\PRIMARY\\DIFFUSION\\NONE\\ND\\NORM", **EPI, EchoTime=116)),
    (
        "dwi/dwi",
        mr("Canon", "ORIGINAL\\PRIMARY\\GDC\\NONE", PulseSequenceName="A_B", AcquisitionContrast="DIFFUSION"),
    ),
    (
        "dwi/sbref",
        siemens("", "ORIGINAL\\PRIMARY\\DIFFUSION\\NONE", **EPI, ImageComments="Single-band reference"),
    ),
    ("anat/angio", mr("X", "ORIGINAL\\PRIMARY", **FL3D | {"SequenceVariant": "SP\\TOF"}, EchoTime=5)),
    ("anat/T1w", siemens("*tir2d1_7", **TSE | {"ScanningSequence": "SE\\IR"}, EchoTime=9, InversionTime=860)),
    ("anat/FLAIR", xa("*spcir", "ORIGINAL\\PRIMARY\\M\\NONE", **FLUID, EffectiveEchoTime=388)),
    *(("pet/pet", {"Modality": ["PT"], "Manufacturer": [maker]}) for maker in ("CPS", "SIEMENS", "Philips")),
    *(
        ("ct/ct", {"Modality": ["CT"], "Manufacturer": [maker]})
        for maker in ("SIEMENS", "Philips", "TOSHIBA")
    ),
]


@pytest.mark.parametrize(("name", "attributes"), KINDS)
def test_kinds_as_scanners_write_them(modalities, name, attributes):
    kind = modalities.classify(attributes)
    entities = [f"{entity}-{label}" for entity, label in kind.entities.items()]
    assert (kind.decision, " ".join([f"{kind.datatype}/{kind.suffix}", *entities])) == ("convert", name)


def test_every_rule_that_names_is_tried(modalities):
    rules = yaml.safe_load((WORKFLOW / "modalities.yaml").read_text())["images"]
    met = {modalities.classify(attributes).reason for _, attributes in KINDS}
    assert not {rule["name"] for rule in rules if "name" in rule} - met


SPIN_ECHO_EPI = siemens("epse2d1_104", MOSAIC, **EPI, EchoTime=30)
NEAR_MISSES = [
    # what it is, its attributes, what it must not be called, and the start of the reason where it is held
    ("spin-echo EPI with a short echo time", SPIN_ECHO_EPI, "bold", ""),
    (
        "spin-echo EPI of many volumes",
        SPIN_ECHO_EPI | {"Volumes": ["300"]},
        "bold epi",
        "spin-echo EPI of many",
    ),
    ("one volume", siemens("*epfid2d1_64", MOSAIC, **EPI, EchoTime=30, Volumes=1), "bold", "one volume"),
    (
        "a sequence named by a user",
        mr("CANON_MEC", "ORIGINAL\\PRIMARY", PulseSequenceName="epfid", SequenceName="swi3d1r", EchoTime=30),
        "bold swi",
        "unknown kind of series",
    ),
    ("diffusion without b-values", ge("EP\\RM", EchoTime=81.7), "bold epi", "unknown kind of series"),
    (
        "perfusion with a contrast agent",
        siemens("*epfid2d1_64", MOSAIC, **EPI, EchoTime=30, ContrastBolusVolume=15),
        "bold",
        "gradient-echo EPI with a contrast agent",
    ),
    (
        "arterial spin labelling",
        siemens("tgse_mv3d1_2480", **EPI, EchoTime=22),
        "bold epi",
        "arterial spin labelling",
    ),
    ("ASL of Philips", philips("GraSE", "ORIGINAL\\PRIMARY\\PERFUSION\\NONE", "GR"), "T1w", "perfusion"),
    (
        "MPRAGE",
        siemens("*tfl3d1_16ns", **TFL, EchoTime=3, RepetitionTime=2530, InversionTime=1100),
        "MP2RAGE",
        "",
    ),
    (
        "T1 map of an MP2RAGE",
        siemens("*tfl3d1_16ns", "DERIVED\\PRIMARY\\M\\T1 MAP\\ND", **TFL, RepetitionTime=5000),
        "UNIT1 MP2RAGE T1w",
        "a map that was computed",
    ),
    (
        "phase of an MPRAGE",
        siemens("*tfl3d1_16ns", "ORIGINAL\\PRIMARY\\P\\ND", **TFL, EchoTime=3, RepetitionTime=2300),
        "T1w",
        "phase, real or imaginary",
    ),
    (
        "STIR",
        siemens(
            "*tir2d1_11",
            **TSE | {"ScanningSequence": "SE\\IR"},
            EchoTime=70,
            InversionTime=160,
            RepetitionTime=4000,
        ),
        "FLAIR T2w",
        "unknown kind of series",
    ),
    (
        "head scout",
        siemens("*fl3d1_ns", **FL3D, EchoTime=1.37, RepetitionTime=3.15),
        "T1w T2starw",
        "unknown",
    ),
    (
        "magnitudes of a Dixon scan",
        ge(
            "GR",
            SequenceVariant="SS\\SP",
            MRAcquisitionType="3D",
            EchoTime=1.2,
            Echoes=2,
            Components="MAGNITUDE",
        ),
        "magnitude T1w",
        "unknown kind of series",
    ),
    ("water image", siemens("*fl3d2", "DERIVED\\PRIMARY\\M\\WATER", **FL3D), "T1w magnitude", "water, fat"),
    (
        "EPI of a Philips that hides it",
        mr("Philips", FFE, **FLASH, EchoTime=30, EchoTrainLength=41, Component="MAGNITUDE"),
        "T2starw",
        "Philips does not say",
    ),
    (
        "spin-echo EPI of a Philips that hides it",
        mr("Philips", SE, **TSE, EchoTime=80, RepetitionTime=7000, EchoTrainLength=61),
        "T2w",
        "Philips does not say",
    ),
    (
        "phase contrast",
        philips("FFE", "ORIGINAL\\PRIMARY\\VELOCITY MAP\\P\\PCA", "GR"),
        "phase angio",
        "phase contrast",
    ),
    (
        "diffusion coefficient",
        siemens("*ep_b0_1000", "DERIVED\\PRIMARY\\DIFFUSION\\ADC\\ND", **EPI),
        "dwi",
        "a map that was computed",
    ),
    (
        "mean over directions",
        philips("DwiSE", SE, "SE", DiffusionBValue=1000, Trace="YES"),
        "dwi",
        "a mean over",
    ),
    (
        "copy corrected for motion",
        siemens("*epfid2d1_64", "ORIGINAL\\PRIMARY\\M\\ND\\MOCO\\MOSAIC", **EPI, EchoTime=30, Volumes=90),
        "bold",
        "a copy that the scanner corrected",
    ),
    (
        "projection",
        ge("GR", AngioFlag="Y") | {"ImageType": ["DERIVED\\PRIMARY\\MIP"]},
        "angio",
        "a projection",
    ),
    (
        "minimum projection without SWI",
        ge("GR") | {"ImageType": ["DERIVED\\PRIMARY\\MNIP"]},
        "minIP",
        "a projection",
    ),
    (
        "phase that nobody asked of",
        {"Component": [""]} | mr("X", "ORIGINAL\\PRIMARY\\P", **FLASH),
        "phase",
        "phase or field",
    ),
]


@pytest.mark.parametrize(
    ("attributes", "wrong", "reason"),
    [pytest.param(*case[1:], id=case[0]) for case in NEAR_MISSES],
)
def test_near_misses(modalities, attributes, wrong, reason):
    kind = modalities.classify(attributes)
    assert kind.decision == ("held" if reason else "convert")
    assert kind.reason.startswith(reason)
    assert kind.suffix not in wrong.split()


IR_TSE = TSE | {"ScanningSequence": "SE\\IR"}
GR3D = {"ScanningSequence": "GR", "MRAcquisitionType": "3D"}
TWO = {"Echoes": 2, "Components": "MAGNITUDE\\PHASE"}
BOUNDS = [
    # what a rule asks is needed: sets that differ from a kind in one attribute
    ("held", mr("X", "ORIGINAL\\PRIMARY\\M", **EPI, EchoTime=30, AcquisitionContrast="PERFUSION")),
    ("held", T1W | {"ComplexImageComponent": ["MIXED"]}),
    ("T1w", T1W | {"RepetitionTime": ["4000"], "InversionTime": ["400"]}),
    ("T1w", ge("GR\\IR", MRAcquisitionType="3D", EchoTime=3, RepetitionTime=5000, InversionTime=900)),
    (
        "held",
        siemens(
            "*tfl2d1", **TFL | {"MRAcquisitionType": "2D"}, RepetitionTime=5000, InversionTime=900, EchoTime=3
        ),
    ),
    ("FLAIR", siemens("*spcir", **TFL | IR_TSE, RepetitionTime=5000, InversionTime=1800, EchoTime=388)),
    ("held", siemens("*tfl3d1", **TFL, EchoTime=30, RepetitionTime=5000, InversionTime=900)),
    (
        "held",
        siemens("*tfl3d1", **TFL, EchoTime=3, RepetitionTime=5000, InversionTime=900)
        | {"Component": ["REAL"]},
    ),
    ("held", ge("GR", MRAcquisitionType="3D") | {"ImageType": ["DERIVED\\SECONDARY\\UNIFORM"]}),
    ("T1w", ge("GR\\IR", SequenceVariant="NONE", MRAcquisitionType="3D", EchoTime=3)),
    ("held", siemens("*tse2d1", "DERIVED\\PRIMARY\\UNIFORM", **TSE)),
    ("held", ge("GR") | {"ImageType": ["DERIVED\\PRIMARY\\SWI"]}),
    ("held", siemens("*ep_b1000", **EPI) | {"Component": ["REAL"]}),
    ("held", siemens("", "ORIGINAL\\PRIMARY\\DIFFUSION\\NONE", **EPI) | {"Component": ["IMAGINARY"]}),
    ("held", ge("EP\\SE") | {"BValues": ["1000"], "Component": ["REAL"]}),
    ("held", philips("DwiSE", SE, "SE", DiffusionBValue=1000) | {"Component": ["REAL"]}),
    ("held", xa("a", "ORIGINAL\\PRIMARY\\M\\NONE", AcquisitionContrast="DIFFUSION", Component="REAL")),
    ("held", siemens("*epfid2d1_64", MOSAIC, **EPI, EchoTime=30, Volumes=9) | {"Component": ["REAL"]}),
    ("held", siemens("*epfid2d1_64", "DERIVED\\PRIMARY\\M\\ND", **EPI, EchoTime=30, Volumes=9)),
    ("held", siemens("*epfid2d1_64", MOSAIC, **EPI, EchoTime=5, Volumes=9)),
    ("bold", siemens("*epfid2d2_64", MOSAIC, **EPI, **TWO, EchoTime=11, Volumes=9)),
    ("bold", siemens("*epfid2d1_64", MOSAIC, **EPI, AngioFlag="Y", EchoTime=30, Volumes=9)),
    ("T2w", ge("SE", AngioFlag="Y", EchoTime=80, RepetitionTime=2500)),
    ("T2starw", siemens("*fl2d2", **FLASH, **TWO, EchoTime=20)),
    ("held", siemens("*fl2d2", "ORIGINAL\\PRIMARY\\P\\ND", **FLASH, **TWO, EchoTime=20)),
    (
        "held",
        siemens("*fl2d2", "ORIGINAL\\PRIMARY\\P\\ND", **FLASH | {"SequenceVariant": "MP"}, **TWO, EchoTime=5),
    ),
    ("held", siemens("*fl2d2", "ORIGINAL\\PRIMARY\\P\\ND", **TSE, **TWO, EchoTime=5)),
    ("held", siemens("*fl2d2", "ORIGINAL\\PRIMARY\\P\\ND", **FLASH, Echoes=1, EchoTime=5)),
    ("held", siemens("*fl2d1", **FLASH, Echoes=1, EchoTime=5, Components="MAGNITUDE\\PHASE")),
    ("held", siemens("*fl2d2", **FLASH | {"SequenceVariant": "MP"}, **TWO, EchoTime=5)),
    ("PDw", siemens("*se2d2", **TSE, **TWO, EchoTime=11, RepetitionTime=2000)),
    ("T1w", ge("GR", MRAcquisitionType="3D", EchoTime=3.2, InversionTime=450, Echoes=4)),
    ("T1w", siemens("tfl3d4_ns", **TFL, EchoTime=1.7, RepetitionTime=2530, Echoes=4)),
    (
        "T1w",
        mr(
            "X",
            "ORIGINAL\\PRIMARY",
            **GR3D,
            SequenceVariant="MP",
            EchoTime=3,
            Echoes=4,
            Component="MAGNITUDE",
        ),
    ),
    ("held", mr("X", "ORIGINAL\\PRIMARY", **FLASH, EchoTime=5, Echoes=4)),
    ("T2w", ge("SE", EchoTime=80, RepetitionTime=2500, Volumes=30)),
    ("held", ge("EP\\SE", MRAcquisitionType="3D", EchoTime=80, Volumes=2)),
    ("held", ge("EP\\SE", MRAcquisitionType="2D", EchoTime=80) | {"ImageType": ["DERIVED\\SECONDARY"]}),
    # inversion-prepared gradient echoes: three-dimensional and of a short echo time
    ("held", ge("GR\\IR", MRAcquisitionType="2D", EchoTime=3)),
    ("held", ge("GR\\IR", MRAcquisitionType="3D", EchoTime=20)),
    ("held", ge("GR", SequenceVariant="MP", MRAcquisitionType="2D", EchoTime=3)),
    ("held", ge("GR", SequenceVariant="MP", MRAcquisitionType="3D", EchoTime=20)),
    ("held", ge("EP\\GR", SequenceVariant="MP", MRAcquisitionType="3D", EchoTime=6)),
    ("held", ge("GR", InversionTime=450, MRAcquisitionType="2D", EchoTime=3)),
    ("held", ge("GR", InversionTime=450, MRAcquisitionType="3D", EchoTime=20)),
    ("held", philips("T1TFE", FFE, "GR", MRAcquisitionType="2D", EchoTime=4)),
    ("held", philips("T1TFE", FFE, "GR", MRAcquisitionType="3D", EchoTime=20)),
    # spin echoes: echo, repetition and inversion times
    ("held", siemens("*tir2d1_7", **IR_TSE, EchoTime=9, InversionTime=200)),
    ("held", siemens("*tir2d1_7", **IR_TSE, EchoTime=80, InversionTime=860)),
    ("held", siemens("*tir2d1_7", **IR_TSE, EchoTime=20, InversionTime=2500)),
    ("held", xa("*spcir", "ORIGINAL\\PRIMARY\\M\\NONE", **FLUID, EffectiveEchoTime=20)),
    ("held", ge("SE\\IR", ScanOptions="T2FLAIR_GEMS", EchoTime=20)),
    ("held", ge("EP\\SE", ScanOptions="T2FLAIR_GEMS", EchoTime=120)),
    ("held", siemens("*se2d1", **TSE, EchoTime=45, RepetitionTime=700)),
    ("held", siemens("*tse2d1", **TSE, EchoTime=80, RepetitionTime=900)),
    ("held", siemens("*tse2d1", **TSE, EchoTime=50, RepetitionTime=3000)),
    ("held", siemens("*tse2d1", **TSE, EchoTime=20, RepetitionTime=1200)),
    ("held", siemens("*se2d8", **TSE, EchoTime=50, RepetitionTime=500, Echoes=8)),
    ("held", siemens("*se2d8", **IR_TSE, EchoTime=50, RepetitionTime=3000, Echoes=8)),
    # gradient echoes: plane by plane, or of a maker that names its sequence
    ("held", ge("GR", MRAcquisitionType="3D", EchoTime=25)),
    ("held", ge("GR", MRAcquisitionType="2D", EchoTime=8)),
    ("held", siemens("*tfl3d1_16ns", **TFL, EchoTime=25)),
    # Philips without the name of the sequence
    ("T2starw", ge("GR", MRAcquisitionType="2D", EchoTime=25, EchoTrainLength=8)),
    ("T2starw", mr("Philips", FFE, **FLASH, EchoTime=16, EchoTrainLength=1, Component="MAGNITUDE")),
    (
        "T2starw",
        philips("FFE", FFE, **{"sequence": "GR"}, MRAcquisitionType="2D", EchoTime=16, EchoTrainLength=8),
    ),
    ("T2w", mr("Philips", SE, **TSE, EchoTime=80, RepetitionTime=3000, EchoTrainLength=16, Volumes=1)),
    ("held", mr("Philips", SE, **TSE, EchoTime=80, RepetitionTime=3000, EchoTrainLength=16, Volumes=2)),
    (
        "T2w",
        mr(
            "Philips",
            SE,
            **TSE | {"MRAcquisitionType": "3D"},
            EchoTime=250,
            RepetitionTime=2500,
            EchoTrainLength=90,
            Volumes=2,
        ),
    ),
    (
        "T2w",
        philips(
            "TSE",
            SE,
            "SE",
            MRAcquisitionType="2D",
            EchoTime=80,
            RepetitionTime=3000,
            EchoTrainLength=30,
            Volumes=2,
        ),
    ),
    ("T2w", siemens("*tse2d1_30", **TSE, EchoTime=80, RepetitionTime=3000, EchoTrainLength=30, Volumes=2)),
]


@pytest.mark.parametrize(("suffix", "attributes"), BOUNDS)
def test_what_a_rule_asks_is_needed(modalities, suffix, attributes):
    kind = modalities.classify(attributes)
    assert (kind.suffix if kind.decision == "convert" else kind.decision) == suffix


# Rule, what is planted in a T1w, what becomes of it, and a twin of the same attributes that stays a T1w.
GATE = [
    (
        "K01",
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.2"},
        "dropped",
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"},
    ),
    ("K02", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"}, "dropped", {}),
    ("K02", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67"}, "dropped", {}),
    ("K02", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66"}, "dropped", {}),
    ("K02", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.1.1"}, "dropped", {}),
    ("K03", {"Modality": "KO"}, "dropped", {}),
    ("K03", {"Modality": "OT"}, "dropped", {}),
    ("K04", {"BurnedInAnnotation": "YES"}, "dropped", {"BurnedInAnnotation": "NO"}),
    ("K05", {"ImageType": "DERIVED\\SECONDARY\\SCREEN SAVE"}, "dropped", {"ImageType": "DERIVED\\SECONDARY"}),
    (
        "K05",
        {"ImageType": "DERIVED\\SECONDARY\\SCREEN_SAVE"},
        "dropped",
        {"ImageType": "DERIVED\\SECONDARY\\MPR"},
    ),
    (
        "K05",
        {"ImageType": "DERIVED\\SECONDARY\\OTHER\\CT_SOM5 PROT"},
        "dropped",
        {"ImageType": "ORIGINAL\\PRIMARY"},
    ),
    (
        "K05",
        {"ImageType": "DERIVED\\SECONDARY\\DOSE_INFO"},
        "dropped",
        {"ImageType": "ORIGINAL\\PRIMARY\\PROTON"},
    ),
    ("K06", {"ConversionType": "SI"}, "dropped", {"ConversionType": ""}),
    ("K07", {"SecondaryCaptureDeviceID": "7"}, "dropped", {"SecondaryCaptureDeviceID": ""}),
    (
        "K07",
        {"SecondaryCaptureDeviceManufacturer": "X"},
        "dropped",
        {"SecondaryCaptureDeviceManufacturer": ""},
    ),
    ("K07", {"SecondaryCaptureDeviceManufacturerModelName": "X"}, "dropped", {}),
    ("K07", {"SecondaryCaptureDeviceSoftwareVersions": "1"}, "dropped", {}),
    ("K07", {"DateOfSecondaryCapture": "20010101"}, "dropped", {"DateOfSecondaryCapture": ""}),
    (
        "K08",
        {"PhotometricInterpretation": "PALETTE COLOR"},
        "dropped",
        {"PhotometricInterpretation": "MONOCHROME1"},
    ),
    ("K08", {"SamplesPerPixel": "3"}, "dropped", {"SamplesPerPixel": "1"}),
    ("K10", {"Manufacturer": ""}, "held", {"Manufacturer": "SIEMENS"}),
    ("K11", {"SeriesDescription": "Dose Report"}, "dropped", {"SeriesDescription": "t1 low dose contrast"}),
    ("K11", {"SeriesDescription": "999_Patient_Protocol"}, "dropped", {"SeriesDescription": "patient head"}),
    ("K11", {"SeriesDescription": "Screen-Save"}, "dropped", {"SeriesDescription": "screening brain"}),
    ("K11", {"SeriesDescription": "ScreenShots"}, "dropped", {"SeriesDescription": "t1_shots_2"}),
    ("K11", {"SeriesDescription": "WORKLIST"}, "dropped", {"SeriesDescription": "work up"}),
    ("K11", {"SeriesDescription": "perf summary"}, "held", {"SeriesDescription": "perf sum"}),
    ("K11", {"SeriesDescription": "Results MM"}, "held", {"SeriesDescription": "MM"}),
    ("K11", {"SeriesDescription": "dose"}, "held", {"SeriesDescription": "half dose Gd"}),
    ("K14", {"OverlayBitPosition": "12"}, "held", {"OverlayBitPosition": "0", "OverlayRows": "256"}),
    ("R33", {"Modality": "US"}, "dropped", {}),
    ("R33", {"Modality": "XA"}, "dropped", {}),
]


@pytest.mark.parametrize(("rule", "planted", "decision", "clean"), GATE)
def test_r06_r07_r14_r33_the_series_gate(modalities, rule, planted, decision, clean):
    """Each rule refuses what is planted, says its number, and lets the clean twin pass."""
    kind = modalities.classify(MPRAGE | {keyword: [value] for keyword, value in planted.items()})
    assert kind.decision == decision and f"({rule})" in kind.reason
    twin = modalities.classify(MPRAGE | {keyword: [value] for keyword, value in clean.items()})
    assert (twin.decision, twin.suffix) == ("convert", "T1w")


def test_that_an_image_is_derived_or_secondary_alone_never_drops_it(modalities):
    for image_type in ("DERIVED\\SECONDARY\\MPR", "DERIVED\\PRIMARY", "ORIGINAL\\SECONDARY\\AXIAL"):
        assert modalities.classify(MPRAGE | {"ImageType": [image_type]}).decision == "convert"


def test_one_colour_file_among_grey_ones_is_refused(modalities):
    kind = modalities.classify(MPRAGE | {"PhotometricInterpretation": ["MONOCHROME2", "RGB"]})
    assert kind.decision == "dropped" and "(K08)" in kind.reason


def test_free_text_refuses_and_never_names(modalities):
    """Whatever a description says, it makes no image out of a series that is none, nor another kind of it."""
    said = MPRAGE | {"SeriesDescription": ["FLAIR bold dwi CT"]}
    assert modalities.classify(said) == modalities.classify(MPRAGE)
    assert (
        modalities.classify(
            {"Modality": ["NM"], "Manufacturer": ["X"]} | {"SeriesDescription": ["T1w"]}
        ).decision
        == "held"
    )


def test_an_unknown_series_names_what_was_looked_at_and_no_value(modalities):
    attributes = mr("Secretmaker", "ORIGINAL\\PRIMARY\\M", ScanningSequence="RM", EchoTime=7.77)
    reason = modalities.classify(attributes).reason
    seen, _, absent = reason.partition("; absent: ")
    assert "EchoTime" in seen
    assert "ScanningSequence" in seen
    assert "RepetitionTime" in absent
    assert not any(value in reason for value in ("Secretmaker", "7.77", "RM,"))
    assert "looked at Modality;" in modalities.classify({"Modality": ["NM"], "Manufacturer": ["X"]}).reason


PRESCRIPTION = {
    "Rows": ["90"],
    "Columns": ["90"],
    "Slices": ["72"],
    "SliceThickness": ["2"],
    "SpacingBetweenSlices": ["2"],
    "ImageOrientationPatient": ["1\\0\\0\\0\\0.98\\-0.2"],
    "FrameOfReferenceUID": ["1.2.3"],
}
MULTIBAND = "ORIGINAL\\PRIMARY\\M\\MB\\ND\\NORM"
BOLD = PRESCRIPTION | siemens("epfid2d1_104", MULTIBAND, **EPI, EchoTime=37, Volumes=488)
REFERENCE = PRESCRIPTION | siemens("epfid2d1_104", **EPI, EchoTime=37, Volumes=1)


def judged(modalities, attributes, *others):
    company = [(modalities.classify(other), other) for other in others]
    kind = beside(modalities.classify(attributes), attributes, company)
    return kind.decision, f"{kind.datatype}/{kind.suffix}"


def test_one_volume_beside_a_multiband_series_is_its_reference(modalities):
    assert judged(modalities, REFERENCE, BOLD) == ("convert", "func/sbref")
    dwi = BOLD | {"SequenceName": ["ep_b1000#1"], "EchoTime": ["89"]}
    dwi_reference = REFERENCE | {"SequenceName": ["epse2d1_140"], "EchoTime": ["89"]}
    assert judged(modalities, dwi_reference, BOLD, dwi) == ("convert", "dwi/sbref")


@pytest.mark.parametrize(
    ("own", "others"),
    [
        (REFERENCE, []),
        (REFERENCE, [BOLD | {"ImageType": [MOSAIC]}]),
        (REFERENCE | {"ImageType": [MULTIBAND]}, [BOLD]),
        (REFERENCE | {"EchoTime": ["30"]}, [BOLD]),
        (REFERENCE | {"ImageOrientationPatient": ["1\\0\\0\\0\\1\\0"]}, [BOLD]),
        (REFERENCE, [BOLD | {"FrameOfReferenceUID": ["1.2.4"]}]),
        (REFERENCE, [BOLD | {"FrameOfReferenceUID": []}]),
        (REFERENCE | {"Manufacturer": []}, [BOLD]),
    ],
)
def test_without_such_a_neighbour_it_stays_held(modalities, own, others):
    assert judged(modalities, own, *others)[0] == "held"


def test_an_anatomical_image_in_the_slices_of_a_bold_is_in_plane(modalities):
    t1w = PRESCRIPTION | siemens("*se2d1", **TSE, EchoTime=9, RepetitionTime=550) | {"Rows": ["256"]}
    t2w = t1w | {"EchoTime": ["91"], "RepetitionTime": ["5000"]}
    assert judged(modalities, t1w, BOLD) == ("convert", "anat/inplaneT1")
    assert judged(modalities, t2w, BOLD) == ("convert", "anat/inplaneT2")
    assert judged(modalities, t1w, t2w) == ("convert", "anat/T1w")
    assert judged(modalities, t1w | {"Slices": ["36"]}, BOLD) == ("convert", "anat/T1w")
    assert judged(modalities, t1w | {"SpacingBetweenSlices": ["2.4"]}, BOLD) == ("convert", "anat/T1w")
    mosaic = {"Slices": ["1"]}
    assert judged(modalities, t1w | mosaic, BOLD | mosaic) == ("convert", "anat/T1w")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"name": "x", "datatype": "anat", "where": {"Modality": "MR"}}, r"images\.0"),
        ({"name": "x", "datatype": "anat", "suffix": "T1w", "where": []}, r"images\.0"),
        ({"hold": "x", "where": [{"Modality": {"is": "MR"}}]}, r"images\.0"),
        (
            {"name": "x", "datatype": "anat", "suffix": "T1w", "entities": {"sub": "1"}, "where": {"A": "B"}},
            r"images\.0",
        ),
    ],
)
def test_a_rule_that_says_too_little_or_too_much_is_refused(tmp_path, rule, said):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"drop": [], "hold": [], "images": [rule]}))
    with pytest.raises(UsageError, match=said):
        Modalities(tmp_path / "mine.yaml", SCHEMA)


def test_the_first_rule_decides_and_one_of_several_tables_is_enough(tmp_path):
    where = [{"Modality": "MR", "Echoes": {"min": 2}}, {"Modality": "CT"}]
    t1w = {"name": "one", "datatype": "anat", "suffix": "T1w", "entities": {"acq": "x"}}
    rules = [t1w | {"where": where}, {"hold": "wait", "where": {"Modality": ["MR", "CT"]}}]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"drop": [], "hold": [], "images": rules}))
    own = Modalities(tmp_path / "mine.yaml", SCHEMA)
    assert own.classify({"Modality": ["CT"]}).entities == {"acq": "x"}
    assert own.classify({"Modality": ["MR"], "Echoes": ["3"]}).reason == "one"
    assert own.classify({"Modality": ["MR"], "Echoes": ["1"]}).reason == "wait"


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
    shown = {name: value for name, value in filled["participants"].items() if value is True}
    assert shown == {"age": True, "sex": True}
    assert filled["participants"]["age_conflict"] == "hold"
    assert filled["dataset"]["authors"] == []
    check(filled, CONFIG_SCHEMA, "filled")


def test_every_key_of_every_schema_is_closed_and_described():
    for path in sorted((WORKFLOW / "schemas").glob("*.schema.yaml")):
        schema = yaml.safe_load(path.read_text())
        assert "description" in schema, path.name
        for name, rule in _properties(schema):
            if rule in (True, False):  # a condition of another key
                continue
            said = {"description", "$ref", "const", "enum"} & set(rule) or name in _CONDITIONS
            assert said, f"{path.name}: {name}"
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


def test_the_configuration_names_tasks_by_attributes():
    names = [
        {"suffixes": ["bold"], "entities": {"task": "fast"}, "where": {"RepetitionTime": {"max": 1000}}},
        {"suffixes": ["bold"], "entities": {"acq": "fine"}, "where": {"SliceThickness": {"max": 2}}},
    ]
    schema = WORKFLOW / "schemas" / "modalities.schema.yaml"
    named = Modalities(WORKFLOW / "modalities.yaml", schema, names)
    bold = {
        "Modality": ["MR"], "Manufacturer": ["SIEMENS"], "MRAcquisitionType": ["2D"],
        "ScanningSequence": ["EP"], "SequenceName": ["epfid2d1_64"], "EchoTime": ["30"],
        "ImageType": ["ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC"], "Volumes": ["100"], "Slices": ["1"],
        "Component": ["MAGNITUDE"], "Components": ["MAGNITUDE"], "Echoes": ["1"],
    }  # fmt: skip
    kind = named.classify(bold | {"RepetitionTime": ["800"], "SliceThickness": ["1.8"]})
    assert (kind.suffix, kind.entities) == ("bold", {"task": "fast", "acq": "fine"})
    assert named.classify(bold | {"RepetitionTime": ["2000"], "SliceThickness": ["3"]}).entities == {}
    with pytest.raises(UsageError, match="names"):
        Modalities(WORKFLOW / "modalities.yaml", schema, [{"entities": {"tsk": "a"}}])
