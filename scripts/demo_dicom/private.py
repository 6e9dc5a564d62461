"""Private elements: a site's own block, and a few of those that each vendor writes."""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from .people import Person, Visit, uid, written_dates


def add(dataset: Dataset, person: Person, when: Visit) -> None:
    """Add the private elements of one visit to a header."""
    _site(dataset, person, when)
    vendor = _siemens if person.hospital.vendor == "siemens" else _ge
    vendor(dataset, person, when)


def _site(dataset: Dataset, person: Person, when: Visit) -> None:
    """Add a site's own block with one element of each value representation that can carry text."""
    family, tag = person.words[0], f"{person.number}{when.date}"
    codec = "latin-1" if person.charset == "ISO_IR 100" else "utf-8"
    block = dataset.private_block(0x0099, "HALLBERG ARCHIVE 1.0", create=True)
    block.add_new(0x01, "LO", f"Priv {person.name.replace('^', ' ')}")
    block.add_new(0x02, "SH", f"PSH-{tag}")
    block.add_new(0x03, "PN", f"{person.mother}^^Priv")
    block.add_new(0x04, "LT", f"Private note: {family} moved to {person.region}")
    block.add_new(0x05, "ST", f"Private address {person.address}")
    block.add_new(0x06, "UT", f"Private letter to {person.mail} on {written_dates(when.date)[4]}")
    block.add_new(0x07, "DA", f"20110{person.number}25")
    block.add_new(0x08, "DT", f"{when.date}181{person.number}59.999")
    block.add_new(0x09, "TM", f"181{person.number}58.777")
    block.add_new(0x0A, "AE", f"PRIV_{tag}")
    block.add_new(0x0B, "IS", f"{person.number}99887766")
    block.add_new(0x0C, "DS", f"{person.number}4433.2211")
    block.add_new(0x0D, "UI", uid(person.number, 99, int(when.date)))
    block.add_new(0x0E, "UN", f"unknown bytes of {family} {tag} ".encode(codec))
    block.add_new(0x0F, "OB", f"binary bytes of {person.patient_id} {tag}".encode(codec))
    inner = Dataset()
    inner.PatientName = f"{person.other_name}^^Nested"
    inner.InstitutionName = f"{person.hospital.name} private annex"
    inner_block = inner.private_block(0x0099, "HALLBERG ARCHIVE 1.0", create=True)
    inner_block.add_new(0x01, "LO", f"Nested private {person.patient_id}")
    deeper = Dataset()
    deeper.ScheduledProcedureStepID = f"DEEPSPS-{tag[-6:]}"
    inner.RequestAttributesSequence = [deeper]
    block.add_new(0x10, "SQ", Sequence([inner]))


def _siemens(dataset: Dataset, person: Person, when: Visit) -> None:
    block = dataset.private_block(0x0029, "SIEMENS MEDCOM HEADER2", create=True)
    block.add_new(0x60, "LO", "com")
    block.add_new(0x61, "OB", f"<Patient>{person.patient_id};{person.words[0]}</Patient> ".encode("latin-1"))
    block = dataset.private_block(0x0051, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0F, "LO", "C:HE1-4")
    block.add_new(0x08, "CS", f"IMAGE {when.accession[-5:]}")
    block.add_new(0x13, "SH", "+LPH")


def _ge(dataset: Dataset, person: Person, when: Visit) -> None:
    block = dataset.private_block(0x0009, "GEMS_IDEN_01", create=True)
    block.add_new(0x02, "SH", person.hospital.station)
    block.add_new(0x30, "SH", f"SVC-{person.hospital.serial[:9]}")
    block.add_new(0xE3, "UI", uid(person.number, 79))
    block = dataset.private_block(0x0025, "GEMS_SERS_01", create=True)
    block.add_new(0x1A, "SH", f"L{when.accession}"[:16])
