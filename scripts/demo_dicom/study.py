"""One person's visits written as an exported disc: series, dose report, capture, directory, stray files."""

from pathlib import Path

from pydicom.dataset import Dataset

from . import directory, documents, files, head, identity, planted, scans
from .people import Person, uid


def write(folder: Path, person: Person, subject: head.Head) -> list[dict[str, str]]:
    """Write all visits of a person under `folder` and return what was planted."""
    disc = folder / _disc(person)
    found = [{"value": part, "where": "name of a folder"} for part in _disc(person).parts]
    written = []
    for visit in range(len(person.visits)):
        base = identity.identifying(person, visit)
        found += planted.entries(base, person.charset)
        for scan in scans.scans(person, visit, subject):
            header = _header(person, visit, scan, base)
            found += _planted_by(header, person, scan.kind)
            written += _images(disc, person, visit, scan, header)
        report = documents.dose_report(person, visit)
        found += planted.entries(report, person.charset, "dose report: ")
        written.append(_document(disc, person, visit, 98, base, documents.capture(person, visit)))
        written.append(_document(disc, person, visit, 501, base, report))
        found += planted.spelled(person, visit)
    if person.hospital.vendor == "siemens":
        directory.write(disc, person, written)
    return found + _around(disc, person)


def _images(disc: Path, person: Person, visit: int, scan: scans.Scan, header: Dataset) -> list[tuple]:
    """Write an image series, one slice a file; return visit, series number, path and dataset of each."""
    shared, place = files.encoded(header, person.charset), _folder(disc, person, visit, scan.number)
    written = []
    for number, frame in enumerate(scan.frames, 1):
        dataset = files.frame(*frame)
        _instance(dataset, person, visit, scan.number, number, header.SOPClassUID)
        volume = dataset.get("TemporalPositionIdentifier", 1) - 1
        dataset.AcquisitionTime = _later(header.AcquisitionTime, volume * scans.REPETITION_TIME_S)
        path = place / _name(person, number)
        files.write(path, person, dataset, shared)
        written.append((visit, scan.number, path, dataset))
    return written


def _document(disc: Path, person: Person, visit: int, number: int, base: Dataset, content: Dataset) -> tuple:
    """Write a series of one object that is not a scan; return the same as for an image."""
    dataset = Dataset()
    dataset.update(base)
    dataset.SeriesDescription = "Dose Report" if number == 501 else "Patient protocol"
    dataset.SeriesNumber, dataset.SeriesInstanceUID = number, uid(person.number, visit + 1, number)
    dataset.update(content)
    _instance(dataset, person, visit, number, 1, content.SOPClassUID)
    path = _folder(disc, person, visit, number) / _name(person, 1)
    files.write(path, person, dataset)
    return visit, number, path, dataset


def _header(person: Person, visit: int, scan: scans.Scan, base: Dataset) -> Dataset:
    """Return the header that the slices of a series share."""
    family, vendor = person.words[0], person.hospital.vendor
    header = Dataset()
    header.update(base)
    header.update(scan.header)
    header.SeriesNumber = scan.number
    header.SeriesInstanceUID = uid(person.number, visit + 1, scan.number)
    header.SeriesDescription = {
        "localizer": "3-pl Loc",
        "T1w": f"{family}-MR/Head w/o Contrast",
        "T2w": f"MR hjärna {person.patient_id} f.{person.birth_date[:4]}",
        "bold": f"ep2d_bold_rest {person.hospital.reader.split('^')[0]}",
    }[scan.kind]
    header.AcquisitionTime = _later(header.AcquisitionTime, 240 * scan.number)
    # Attributes of the allow-list are not safe either: a technician typed a name where a code belongs.
    if (vendor, visit, scan.kind) == ("siemens", 0, "T2w"):
        header.ScanOptions = ["FS", family.upper()]
    if (vendor, visit, scan.kind) == ("ge", 1, "T1w"):
        header.SequenceName = f"*fspgr_{family}"
    # Padding after the pixels can carry text as well (PS3.10 7.2).
    header.add_new(0xFFFCFFFC, "OB", f"trailing padding of {person.patient_id} ".encode().ljust(64, b"\0"))
    return header


def _planted_by(header: Dataset, person: Person, kind: str) -> list[dict[str, str]]:
    """Return what a series holds beyond what all series of the visit hold."""
    own = Dataset()
    own.add(header[0xFFFCFFFC])
    own.SeriesInstanceUID = header.SeriesInstanceUID
    if kind != "localizer":
        own.SeriesDescription = header.SeriesDescription
    for keyword in ("ScanOptions", "SequenceName"):
        if any(word.upper() in str(header.get(keyword)).upper() for word in person.words):
            own.add(header[keyword])
    return planted.entries(own, person.charset, f"{kind}: ")


def _instance(dataset: Dataset, person: Person, visit: int, series: int, number: int, sop_class: str) -> None:
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = uid(person.number, visit + 1, series, number)
    dataset.InstanceNumber = number


def _later(time: str, seconds: float) -> str:
    """Return a DICOM time some seconds later.

    >>> _later("083012.250000", 90)
    '083142.250000'
    """
    total = int(time[:2]) * 3600 + int(time[2:4]) * 60 + float(time[4:]) + seconds
    return f"{int(total // 3600):02d}{int(total // 60 % 60):02d}{total % 60:09.6f}"


def _disc(person: Person) -> Path:
    """Return the folder of a person's disc: one of them carries the name, as many do."""
    if person.hospital.vendor == "siemens":
        return Path("CD_77231")
    return Path(f"{person.words[1].upper()}_HAROLD_{person.birth_date}", "export from PACS")


def _folder(disc: Path, person: Person, visit: int, series: int) -> Path:
    if person.hospital.vendor == "siemens":
        place = disc / "DICOM" / "PA000001" / f"ST00000{visit + 1}" / f"SE000{series:03d}"
    else:
        place = disc / f"Study {person.visits[visit].date}" / f"s{series}"
    place.mkdir(parents=True)
    return place


def _name(person: Person, number: int) -> str:
    if person.hospital.vendor == "siemens":
        return f"IM{number:06d}"
    # The order of such names is not that of the slices.
    return f"i{person.number}0{number * 13 % 10007:04d}.MRDC.{number}"


def _around(disc: Path, person: Person) -> list[dict[str, str]]:
    """Write what lies between the DICOM files of a disc, and return where names stand outside of headers."""
    name, short = (text.replace("^", ", ") for text in (person.name, person.other_name))
    text = f"Images of {name} ({short})\r\nCall {person.phone}\r\n"
    (disc / "README.TXT").write_bytes(text.encode())
    (disc / "AUTORUN.INF").write_bytes(b"[autorun]\r\nopen=VIEWER.EXE\r\n")
    (disc / "Thumbs.db").write_bytes(b"")
    station = person.hospital.station
    return [
        {"value": files.preamble(person).rstrip(b"\0").decode(), "where": "preamble"},
        {"value": f"meta of {person.patient_id}", "where": "PrivateInformation in the file meta group"},
        {"value": uid(person.number, 998), "where": "PrivateInformationCreatorUID in the file meta group"},
        *(
            {"value": f"{kind}_{station}"[:16], "where": "AE title in the file meta group"}
            for kind in ("SRC", "SND", "RCV")
        ),
        {"value": short, "where": "text burned into pixels"},
        {"value": name, "where": "README.TXT"},
    ]
