"""The two invented people of the demo, their visits and the hospitals that scanned them.

No one here exists: the personal number has a wrong check digit, the telephone numbers and the mail addresses
lie in ranges kept for examples, and the root of the UIDs is invented.
"""

from dataclasses import dataclass

from .head import Face

UID_ROOT = "1.2.752.99999.4711"


@dataclass(frozen=True)
class Hospital:
    """A site and its scanner; `vendor` chooses the dialect of the headers."""

    vendor: str
    manufacturer: str
    model: str
    software: str
    name: str
    code: str
    address: str
    department: str
    station: str
    serial: str
    physician: str
    physician_id: str
    reader: str
    operator: str
    phone: str


@dataclass(frozen=True)
class Visit:
    """One study: when, and how the head lay (degrees around x, y, z; mm)."""

    date: str
    time: str
    age: str
    accession: str
    turn_deg: tuple[float, float, float]
    shift_mm: tuple[float, float, float]


@dataclass(frozen=True)
class Person:
    """Who is scanned; `charset` is the DICOM character set of the headers."""

    number: int
    charset: str
    name: str
    other_name: str
    birth_name: str
    mother: str
    words: tuple[str, ...]
    patient_id: str
    other_id: str
    issuer: str
    birth_date: str
    sex: str
    address: str
    country: str
    region: str
    phone: str
    mail: str
    occupation: str
    hospital: Hospital
    visits: tuple[Visit, ...]
    face: Face


_BERGSLAGEN = Hospital(
    vendor="siemens",
    manufacturer="SIEMENS",
    model="Prisma_fit",
    software="syngo MR E11 UAS-site7",
    name="Bergslagens Universitetssjukhus",
    code="SE2321000099-9Z9Z",
    address="Kastanjegränd 99, 799 99 Långtbortby",
    department="Neuroradiologen plan 4",
    station="MRC66999",
    serial="SN-66999-Q",
    physician="Holmqvist^Göran^^Dr",
    physician_id="HSA-7731-GH",
    reader="Lindqvist^Anna-Greta",
    operator="Wikander^Tove",
    phone="08-465 004 66",
)
_RIVERBEND = Hospital(
    vendor="ge",
    manufacturer="GE MEDICAL SYSTEMS",
    model="DISCOVERY MR750",
    software="DV26.0_R01-riverbend2",
    name="Riverbend Imaging Pavilion",
    code="RIVB-0042-IMG",
    address="1500 Nowhere Parkway, Riverbend 00099",
    department="Outpatient MRI wing C",
    station="rivbmr2oc0",
    serial="000999888777MR3T",
    physician="Abernathy^Quentin^R",
    physician_id="NPI-0099112233",
    reader="Featherstone^Ivy",
    operator="Kowalczyk^Mirosław",
    phone="312-555-0142",
)

PEOPLE = (
    Person(
        number=1,
        charset="ISO_IR 100",
        name="Smithson-Öberg^Karin Elisabet",
        other_name="Smithson^Kajsa",
        birth_name="Öbergström^Karin",
        mother="Fagerhäll^Ingegärd",
        words=("Smithson", "Öberg", "Karin", "Elisabet"),
        patient_id="19771107-2391",
        other_id="RES-0044-7719",
        issuer="FolkbokföringDemo",
        birth_date="19771107",
        sex="F",
        address="Syrénvägen 14 lgh 1203, 799 98 Långtbortby",
        country="Sverige",
        region="Bergslagen",
        phone="070-174 06 35",
        mail="karin.smithson@example.org",
        occupation="orgelbyggare",
        hospital=_BERGSLAGEN,
        visits=(
            Visit("20170314", "083012.250000", "039Y", "ACC2001433888", (4.0, -1.5, 2.0), (1.5, -6.0, 4.0)),
            Visit("20180522", "141907.625000", "040Y", "ACC2001977021", (-1.0, 2.5, -4.0), (-3.0, 1.0, 9.0)),
        ),
        face=Face(11, (0.95, 0.98, 1.0), -0.07, 4, 3, 0.9, 2, 0, 0.85, 1.5, -1),
    ),
    Person(
        number=2,
        charset="ISO_IR 192",
        name="Nguyễn-Whitlock^Văn Hải",
        other_name="Whitlock^Harold",
        birth_name="Nguyễn^Hải",
        mother="Trần^Thị Bích",
        words=("Nguyễn", "Whitlock", "Văn Hải"),
        patient_id="MRN-7734421-W",
        other_id="VET-1989442112",
        issuer="RiverbendEnterpriseIndex",
        birth_date="19271203",
        sex="M",
        address="77 Imaginary Lane Apt 5B, Riverbend 00098",
        country="Neverland",
        region="Tri-Rivers County",
        phone="312-555-0167",
        mail="hai.whitlock@example.com",
        occupation="ferry pilot",
        hospital=_RIVERBEND,
        visits=(
            Visit("20180918", "114023.500000", "090Y", "RB-18-0091877", (-3.0, 1.0, -2.5), (2.0, -4.0, 6.0)),
            Visit("20191204", "092541.875000", "092Y", "RB-19-0120433", (2.0, -2.0, 3.5), (-2.0, -1.0, 2.0)),
        ),
        face=Face(29, (1.03, 1.0, 0.97), 0.07, -3, 4, 1.2, 1, 2, 1.15, 0.3, 1.5),
    ),
)


def uid(*numbers: int) -> str:
    """Return the UID for person, visit, series, instance (as many as are given)."""
    return ".".join([UID_ROOT, *map(str, numbers)])


def written_dates(date: str) -> tuple[str, ...]:
    """Return a DICOM date as people write it.

    >>> written_dates("20170314")
    ('20170314', '2017-03-14', '14/03/2017', '03/14/2017', '14-Mar-2017', '14 March 2017')
    """
    year, month, day = date[:4], date[4:6], date[6:]
    names = "January February March April May June July August September October November December".split()
    name = names[int(month) - 1]
    return (
        date,
        f"{year}-{month}-{day}",
        f"{day}/{month}/{year}",
        f"{month}/{day}/{year}",
        f"{day}-{name[:3]}-{year}",
        f"{int(day)} {name} {year}",
    )
