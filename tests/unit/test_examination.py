"""The controlled label: words of a closed vocabulary, and nothing of what a person typed."""

import json

import pytest
import yaml

from efface import examination
from efface.errors import UsageError
from efface.settings import WORKFLOW

AXIAL = ["1\\0\\0\\0\\0.97\\-0.24"]
TILTED = ["1\\0\\0\\0\\0.77\\-0.64"]
# What people type, and what of it must never come out.
TYPED = [
    ("Smith-CT/Head w/o Contrast", ["Smith"], "head no"),
    ("CT HEAD SMITHSON JOHN 5mm", ["SMITHSON", "JOHN"], "head"),
    ("Head routine Dr. Anna Lindqvist", ["Anna", "Lindqvist"], "head"),
    ("DT hjärna utan kontrast 19771107-2391", ["19771107-2391"], "brain no"),
    ("CT hjarna pnr 771107-2391", ["771107-2391"], "brain"),
    ("MR hjärna Eriksson Karin f.1942", ["Eriksson", "Karin", "1942"], "brain"),
    ("CT Head MRN 7734421", ["7734421"], "head"),
    ("CTA carotis acc#2001433888", ["2001433888"], ""),
    ("Head 14-Apr-2019 followup", ["14-Apr-2019"], "head"),
    ("CT 04/14/2019 post op", ["04/14/2019"], ""),
    ("Axial Bone call 070-555 12 34", ["070-555"], ""),
    ("SE0012HSA CT Trauma Head", ["SE0012HSA"], "head"),
    ("SE2321000016-1A2B CT skalle", ["SE2321000016-1A2B"], "head"),
    ("T1 MPRAGE van der Berg", ["van", "der", "Berg"], ""),
    ("ct thorax OurBeloved^Colleague", ["OurBeloved", "Colleague"], "chest"),
    ("Head Zeedam Ziekenhuis iCT", ["Zeedam"], "head"),
    ("Norrvik Lasarett CT2 hjarna", ["Norrvik", "Lasarett"], "brain"),
    ("john.smithson@example.org CT perfusion", ["john.smithson@example.org"], ""),
    ("WILTING I cranium blanco", ["WILTING"], "head no"),
    ("Brain w contrast - Mohammed Al-Hassan", ["Mohammed", "Al-Hassan"], "brain yes"),
    ("Nguyen Thi Lan 3D SPGR", ["Nguyen", "Thi", "Lan"], ""),
    ("SSN 123-45-6789 head", ["123-45-6789"], "head"),
    ("Rm 412 bed B J.Q. Public stroke code", ["J.Q.", "Public"], ""),
    ("Patient 1989442112 FLAIR", ["1989442112"], ""),
    ("CT Head for Mrs White fall", ["White"], "head"),
    ("Head Brown protocol (Dr Green)", ["Brown", "Green"], "head"),
    ("Cor MPR Young, May", ["Young", "May"], ""),
    ("MRI brain Rose Hill Clinic", ["Rose", "Hill"], "brain"),
    ("scan of Mark Long re: headache", ["Mark", "Long"], ""),
]


@pytest.fixture(scope="module")
def vocabulary():
    return examination.load(WORKFLOW / "vocabulary.yaml")


def said(vocabulary, **attributes):
    """Return the label of attributes, each with one value or a list, as one text."""
    told = {name: [value] if isinstance(value, str) else value for name, value in attributes.items()}
    return " ".join(examination.describe(told, vocabulary).values())


@pytest.mark.parametrize(("text", "identifiers", "label"), TYPED)
def test_r05_r36_only_words_of_the_vocabulary_come_out_of_what_was_typed(
    vocabulary, text, identifiers, label
):
    assert said(vocabulary, SeriesDescription=text) == label
    everywhere = {name: [text] for name in (*examination.TEXTS, *examination.CONTRAST, "BodyPartExamined")}
    kernel = {"Modality": ["CT"], "Manufacturer": [text], "ConvolutionKernel": [text]}
    for attributes in ({"StudyDescription": [text]}, everywhere, everywhere | kernel):
        shown = json.dumps(examination.describe(attributes, vocabulary)).casefold()
        assert not [one for one in identifiers if one.casefold() in shown]


def test_r36_smith_ct_head_without_contrast_is_head_and_no(vocabulary):
    label = examination.describe({"SeriesDescription": ["Smith-CT/Head w/o Contrast"]}, vocabulary)
    assert label == {"BodyPart": "head", "ContrastAgent": "no"}


def test_r28_part_contrast_plane_and_kernel_are_there_together(vocabulary):
    attributes = {
        "Modality": ["CT"],
        "Manufacturer": ["SIEMENS"],
        "BodyPartExamined": ["HEAD"],
        "ContrastBolusAgent": ["Omnipaque 300"],
        "ConvolutionKernel": ["J40s\\3"],
        "ImageOrientationPatient": AXIAL,
    }
    assert examination.describe(attributes, vocabulary) == {
        "BodyPart": "head",
        "ContrastAgent": "yes",
        "ImagePlane": "axial",
        "KernelClass": "medium",
    }


@pytest.mark.parametrize(
    ("attributes", "label"),
    [
        ({"BodyPartExamined": "HEAD", "SeriesDescription": "hjärna"}, "head"),  # a brain is in a head
        ({"BodyPartExamined": "BRAIN", "StudyDescription": "MR head"}, "brain"),  # the series is nearer
        ({"BodyPartExamined": "HEAD", "SeriesDescription": "Knie links"}, ""),
        ({"BodyPartExamined": "HEAD", "StudyDescription": "CT knee"}, ""),
        ({"BodyPartExamined": "HEAD", "StudyDescription": "CT thorax + head"}, "head"),  # it may be either
        ({"BodyPartExamined": ["HEAD", "CHEST"]}, ""),
        ({"BodyPartExamined": "c-spine"}, "spine"),
        ({"BodyPartExamined": "SMITH"}, ""),
        ({"SeriesDescription": "Schädel nativ"}, "head no"),
        ({"SeriesDescription": "SCHÄDEL"}, "head"),
        ({"SeriesDescription": "Cérébrale sans injection"}, "brain no"),
        ({"SeriesDescription": "Cráneo con contraste"}, "head yes"),
        ({"SeriesDescription": "CT hersenen met i.v. contrast"}, "brain yes"),
        ({"SeriesDescription": "huvud m KM"}, "head yes"),
        ({"SeriesDescription": "CTA Head and Neck 0.625"}, "head and neck"),
        ({"SeriesDescription": "headache"}, ""),  # whole words only
        ({"SeriesDescription": "localizer head first"}, ""),
        ({"SeriesDescription": "PET skull to thigh"}, ""),
        ({"SeriesDescription": "brain/thorax"}, ""),
    ],
)
def test_body_part_and_contrast_from_several_sources(vocabulary, attributes, label):
    assert said(vocabulary, **attributes) == label


@pytest.mark.parametrize(
    ("attributes", "contrast"),
    [
        ({"ContrastBolusAgent": "Gadovist"}, "yes"),
        ({"ContrastBolusAgent": "NO"}, "no"),
        ({"ContrastBolusAgent": "ohne km"}, "no"),
        ({"ContrastBolusAgent": ["", "-", "?", "0", "N"]}, ""),
        ({"ContrastBolusAgent": "unknown"}, ""),
        ({"ContrastBolusAgent": "Gadovist", "SeriesDescription": "T1 w/o contrast"}, ""),
        ({"ContrastBolusAgent": "Gadovist", "StudyDescription": "CT wo contrast"}, ""),
        ({"ContrastBolusAgent": "Gadovist", "StudyDescription": "MRI W WO CONTRAST"}, "yes"),
        ({"ContrastBolusVolume": "0"}, ""),
        ({"ContrastBolusVolume": "12.5"}, "yes"),
        ({"ContrastBolusAgentAdministered": "YES"}, "yes"),
        ({"SeriesDescription": "AX FSPGR 3D +C"}, "yes"),
        ({"SeriesDescription": "T1+C"}, "yes"),
        ({"SeriesDescription": "pd+t2"}, ""),
        ({"SeriesDescription": "W AND W/O IV CONTRAST"}, ""),
        ({"SeriesDescription": "without and with contrast"}, ""),
        ({"SeriesDescription": "mit und ohne KM"}, ""),
        ({"SeriesDescription": "contrast"}, ""),
        ({"StudyDescription": "MR with contrast"}, ""),  # the series may be from before the injection
        ({"StudyDescription": "MR with contrast", "SeriesDescription": "T1 pre contrast"}, "no"),
    ],
)
def test_contrast(vocabulary, attributes, contrast):
    assert said(vocabulary, **attributes) == contrast


@pytest.mark.parametrize(
    ("attributes", "plane"),
    [
        ({"ImageOrientationPatient": AXIAL}, "axial"),
        ({"ImageOrientationPatient": TILTED}, "oblique"),
        ({"ImageOrientationPatient": "0\\1\\0\\0\\0\\-1"}, "sagittal"),
        ({"ImageOrientationPatient": "1\\0\\0\\0\\0\\-1"}, "coronal"),
        ({"ImageOrientationPatient": [*AXIAL, "0\\1\\0\\0\\0\\-1"]}, ""),
        ({"ImageOrientationPatient": AXIAL, "SeriesDescription": "t1 tra"}, "axial"),
        ({"ImageOrientationPatient": AXIAL, "SeriesDescription": "t1 sag"}, ""),
        ({"ImageOrientationPatient": "1\\0\\nonsense"}, ""),
        ({"SeriesDescription": "t1 sag"}, ""),
    ],
)
def test_the_plane_is_measured_and_words_only_contradict(vocabulary, attributes, plane):
    assert said(vocabulary, **attributes) == plane


@pytest.mark.parametrize(
    ("maker", "kernel", "named"),
    [
        ("SIEMENS", "H10s", "smooth"),
        ("SIEMENS", "Br40d\\3", "medium"),
        ("Siemens Healthineers", "Hr64u", "sharp"),
        ("SIEMENS", "T20f", ""),
        ("GE MEDICAL SYSTEMS", "STD+", "medium"),
        ("GE MEDICAL SYSTEMS", "BONEPLUS", "sharp"),
        ("Philips", "UB", "medium"),
        ("TOSHIBA", "FC30", "sharp"),
        ("TOSHIBA", "FC26", ""),
        ("GE MEDICAL SYSTEMS", "H60s", ""),  # another maker's
        ("Smith Imaging", "H60s", ""),
        ("SIEMENS", ["H31s", "H60s"], ""),
        ("SIEMENS", ["H31s", "SMITH"], ""),
    ],
)
def test_kernels_are_classed_by_their_maker_and_in_ct_only(vocabulary, maker, kernel, named):
    assert said(vocabulary, Modality="CT", Manufacturer=maker, ConvolutionKernel=kernel) == named
    assert said(vocabulary, Modality="PT", Manufacturer=maker, ConvolutionKernel=kernel) == ""


def test_names_that_are_words_elsewhere_say_nothing(vocabulary):
    for text in ("Young adult protocol", "Gray White MPR", "Long TE", "Axel Stern", "Cara Rose"):
        assert said(vocabulary, SeriesDescription=text) == ""


def test_a_wrong_vocabulary_is_refused(tmp_path):
    raw = yaml.safe_load((WORKFLOW / "vocabulary.yaml").read_text(encoding="utf-8"))
    raw["body_part"]["words"]["Norrvik"] = ["head"]
    (tmp_path / "v.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(UsageError, match=r"vocabulary v\.yaml, body_part\.words"):
        examination.load(tmp_path / "v.yaml")
