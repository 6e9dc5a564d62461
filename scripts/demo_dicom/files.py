"""DICOM objects as files: a series shares its encoded header, so that a thousand files take seconds."""

from pathlib import Path

import numpy as np
from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element, write_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian

from .people import Person, uid


def encoded(dataset: Dataset, charset: str) -> dict[int, bytes]:
    """Return the bytes of each element by its tag (explicit VR, little endian)."""
    elements = {}
    for element in dataset:
        stream = DicomBytesIO()
        stream.is_little_endian, stream.is_implicit_VR = True, False
        write_data_element(stream, element, convert_encodings(charset))
        elements[int(element.tag)] = stream.getvalue()
    return elements


def preamble(person: Person) -> bytes:
    """Return the 128 bytes before the magic word, in which some systems leave a label."""
    text = f"{person.words[0].upper()} PREAMBLE {person.patient_id} {person.hospital.station}"
    return text.encode("utf-8").ljust(128, b"\0")


def meta(dataset: Dataset, person: Person) -> FileMetaDataset:
    """Return the file meta group of an object; the application entities name the hospital's machines."""
    result = FileMetaDataset()
    result.FileMetaInformationVersion = b"\0\1"
    result.MediaStorageSOPClassUID = dataset.SOPClassUID
    result.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    result.TransferSyntaxUID = ExplicitVRLittleEndian
    result.ImplementationClassUID = uid(999)
    result.ImplementationVersionName = "DEMO_1"
    result.SourceApplicationEntityTitle = f"SRC_{person.hospital.station}"[:16]
    result.SendingApplicationEntityTitle = f"SND_{person.hospital.station}"[:16]
    result.ReceivingApplicationEntityTitle = f"RCV_{person.hospital.station}"[:16]
    result.PrivateInformationCreatorUID = uid(person.number, 998)
    result.PrivateInformation = f"meta of {person.patient_id}".encode().ljust(64)
    return result


def write(path: Path, person: Person, dataset: Dataset, shared: dict[int, bytes] | None = None) -> None:
    """Write one object; `shared` holds elements already encoded, those of `dataset` come before them.

    SOPClassUID and SOPInstanceUID must be in `dataset`.
    """
    elements = (shared or {}) | encoded(dataset, person.charset)
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_file_meta_info(stream, meta(dataset, person))
    body = b"".join(elements[tag] for tag in sorted(elements))
    path.write_bytes(preamble(person) + b"DICM" + stream.getvalue() + body)


def frame(position: np.ndarray, orientation: np.ndarray, extra: dict, pixels: np.ndarray) -> Dataset:
    """Return what one slice alone has."""
    dataset = Dataset()
    dataset.ImagePositionPatient = [f"{value:.7g}" for value in position]
    dataset.ImageOrientationPatient = [f"{value:g}" for value in orientation + 0.0]
    normal = np.cross(orientation[:3], orientation[3:])
    dataset.SliceLocation = f"{normal @ position + 0.0:.7g}"
    dataset.Rows, dataset.Columns = pixels.shape
    for keyword, value in extra.items():
        setattr(dataset, keyword, value)
    dataset.add_new(0x7FE00010, "OW", np.ascontiguousarray(pixels).astype("<u2").tobytes())
    return dataset
