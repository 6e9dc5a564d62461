"""What a visit leaves beside scans: a dose report, and a saved screen with the patient in its pixels."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage, XRayRadiationDoseSRStorage

from .people import Person, written_dates


def capture(person: Person, visit: int) -> Dataset:
    """Return a secondary capture, grey or in colour, without what its header has of the patient."""
    pixels = _screen(person, visit)
    dataset = Dataset()
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.Modality = "OT"
    dataset.ConversionType = "WSD"
    dataset.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    dataset.SecondaryCaptureDeviceManufacturer = "HallbergSoft"
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    if person.hospital.vendor == "ge":  # the other vendor leaves it out, as most do
        dataset.BurnedInAnnotation = "YES"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.add_new(0x7FE00010, "OB", pixels.tobytes())
    return dataset


def dose_report(person: Person, visit: int) -> Dataset:
    """Return a dose report: a small tree of content items that name patient, observer and time."""
    when = person.visits[visit]
    dataset = Dataset()
    dataset.SOPClassUID = XRayRadiationDoseSRStorage
    dataset.Modality = "SR"
    dataset.ValueType = "CONTAINER"
    dataset.ContinuityOfContent = "SEPARATE"
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    dataset.ConceptNameCodeSequence = [_code("113701", "DCM", "X-Ray Radiation Dose Report")]
    dataset.ContentSequence = [
        _item("PNAME", _code("121008", "DCM", "Person Observer Name"), PersonName=person.hospital.operator),
        _item("DATETIME", _code("113809", "DCM", "Start of Irradiation"), DateTime=f"{when.date}{when.time}"),
        _item("DATE", _code("111060", "DCM", "Study Date"), Date=when.date),
        _item("TIME", _code("111061", "DCM", "Study Time"), Time=when.time),
        _item(
            "TEXT",
            _code("121106", "DCM", "Comment"),
            TextValue=f"Dose of {person.words[0]} sent to {person.mail}",
        ),
    ]
    return dataset


def _screen(person: Person, visit: int) -> np.ndarray:
    """Return a screen with the patient's data drawn into the pixels: (384, 512[, 3]) uint8."""
    when = person.visits[visit]
    screen = Image.new("L", (512, 384), 12)
    draw, font = ImageDraw.Draw(screen), ImageFont.load_default(22)
    lines = (
        person.hospital.name,
        f"Name: {person.other_name.replace('^', ', ')}",
        f"ID: {person.patient_id}",
        f"Born: {written_dates(person.birth_date)[1]}",
        f"Exam: {written_dates(when.date)[4]}  {when.time[:2]}:{when.time[2:4]}",
        f"Acc: {when.accession}",
    )
    for row, line in enumerate(lines):
        draw.text((16, 24 + 52 * row), line, fill=235, font=font)
    pixels = np.asarray(screen)
    return pixels if person.hospital.vendor == "siemens" else np.stack([pixels] * 3, -1)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _item(value_type: str, name: Dataset, **value) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType, item.ConceptNameCodeSequence = "CONTAINS", value_type, [name]
    for keyword, content in value.items():
        setattr(item, keyword, content)
    return item
