"""The DICOMDIR of a disc (PS3.3 F): patient, studies, series and images, linked by offsets."""

from pathlib import Path

from pydicom.dataset import Dataset, FileDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import dcmread
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from . import files
from .people import Person, uid


def write(disc: Path, person: Person, written: list[tuple[int, int, Path, Dataset]]) -> None:
    """Write the DICOMDIR of a disc; `written` holds visit, series number, path and dataset of each file."""
    dataset = FileDataset(str(disc / "DICOMDIR"), Dataset(), preamble=files.preamble(person))
    dataset.SOPClassUID, dataset.SOPInstanceUID = MediaStorageDirectoryStorage, uid(person.number, 997)
    dataset.file_meta = files.meta(dataset, person)
    del dataset.SOPClassUID, dataset.SOPInstanceUID
    dataset.FileSetID = person.words[0].upper()[:16]
    dataset.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    dataset.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    dataset.FileSetConsistencyFlag = 0
    records, levels = [], []

    def record(level: int, kind: str, **attributes) -> None:
        item = Dataset()
        item.OffsetOfTheNextDirectoryRecord, item.RecordInUseFlag = 0, 0xFFFF
        item.OffsetOfReferencedLowerLevelDirectoryEntity, item.DirectoryRecordType = 0, kind
        item.SpecificCharacterSet = person.charset
        for keyword, value in attributes.items():
            setattr(item, keyword, value)
        records.append(item)
        levels.append(level)

    record(0, "PATIENT", PatientName=person.name, PatientID=person.patient_id)
    seen = set()
    for visit, series, path, instance in written:
        when = person.visits[visit]
        if (visit,) not in seen:
            study = {"StudyInstanceUID": uid(person.number, visit + 1), "AccessionNumber": when.accession}
            record(
                1, "STUDY", StudyDate=when.date, StudyTime=when.time, StudyID="", StudyDescription="", **study
            )
        if (visit, series) not in seen:
            number = {"SeriesNumber": series, "SeriesInstanceUID": uid(person.number, visit + 1, series)}
            record(2, "SERIES", Modality="SR" if series == 501 else "OT" if series == 98 else "MR", **number)
        seen |= {(visit,), (visit, series)}
        record(
            3,
            "SR DOCUMENT" if series == 501 else "IMAGE",
            ReferencedFileID=list(path.relative_to(disc).parts),
            ReferencedSOPClassUIDInFile=instance.SOPClassUID,
            ReferencedSOPInstanceUIDInFile=instance.SOPInstanceUID,
            ReferencedTransferSyntaxUIDInFile=ExplicitVRLittleEndian,
            InstanceNumber=instance.InstanceNumber,
        )
    dataset.DirectoryRecordSequence = records
    # The offsets are of fixed length: written once to learn where each record lies, then again with them.
    stream = DicomBytesIO()
    dcmwrite(stream, dataset, enforce_file_format=True)
    stream.seek(0)
    places = [item.seq_item_tell for item in dcmread(stream).DirectoryRecordSequence]
    for i, item in enumerate(records):
        after = next((j for j in range(i + 1, len(levels)) if levels[j] <= levels[i]), len(levels))
        if after < len(levels) and levels[after] == levels[i]:
            item.OffsetOfTheNextDirectoryRecord = places[after]
        if i + 1 < len(levels) and levels[i + 1] > levels[i]:
            item.OffsetOfReferencedLowerLevelDirectoryEntity = places[i + 1]
    dataset.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = places[0]
    dataset.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = places[0]
    dcmwrite(disc / "DICOMDIR", dataset, enforce_file_format=True)
