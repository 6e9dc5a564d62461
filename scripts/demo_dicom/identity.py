"""Everything in a header that says who, where and when: the part of the demo that must never come out."""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from . import private
from .people import Person, Visit, uid, written_dates


def identifying(person: Person, visit: int) -> Dataset:
    """Return all identifying attributes of one visit.

    They are the 50 attributes of Aryanto et al. 2015 (doi:10.1007/s00330-015-3794-0), what else PS3.15 Table
    E.1-1 names in image headers, free text, nested sequences and private elements.
    """
    when = person.visits[visit]
    dataset = Dataset()
    dataset.SpecificCharacterSet = person.charset
    _dates(dataset, when)
    _patient(dataset, person, when)
    _place(dataset, person, when)
    _text(dataset, person, when)
    _nested(dataset, person, visit)
    private.add(dataset, person, when)
    dataset.StudyInstanceUID = uid(person.number, visit + 1)
    dataset.FrameOfReferenceUID = uid(person.number, visit + 1, 900)
    return dataset


def _items(**attributes) -> Sequence:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return Sequence([item])


def _dates(dataset: Dataset, when: Visit) -> None:
    for kind in ("Study", "Series", "Acquisition", "Content", "Overlay", "Curve"):
        setattr(dataset, f"{kind}Date", when.date)
        setattr(dataset, f"{kind}Time", when.time)
    dataset.InstanceCreationDate = dataset.PerformedProcedureStepStartDate = when.date
    dataset.InstanceCreationTime = dataset.PerformedProcedureStepStartTime = when.time
    dataset.AcquisitionDateTime = dataset.DateTime = f"{when.date}{when.time}"
    dataset.Date, dataset.Time = when.date, when.time


def _patient(dataset: Dataset, person: Person, when: Visit) -> None:
    dataset.PatientName = person.name
    dataset.PatientID = person.patient_id
    dataset.IssuerOfPatientID = person.issuer
    dataset.PatientBirthDate = person.birth_date
    dataset.PatientBirthTime = f"04{person.number}733"
    dataset.PatientSex = person.sex
    dataset.PatientAge = when.age
    dataset.OtherPatientIDs = [person.other_id, f"{person.other_id}-B"]
    dataset.OtherPatientNames = person.other_name
    dataset.PatientBirthName = person.birth_name
    dataset.PatientMotherBirthName = person.mother
    dataset.PatientAddress = person.address
    dataset.PatientTelephoneNumbers = person.phone
    dataset.CountryOfResidence = person.country
    dataset.RegionOfResidence = person.region
    dataset.CurrentPatientLocation = f"Ward 7{person.number}B bed 12"
    dataset.PatientInstitutionResidence = f"Elmhurst Home {person.number}7"
    dataset.PersonName = person.name
    dataset.Occupation = person.occupation
    dataset.EthnicGroup = f"Ethnos-demo-{person.number}"
    dataset.PatientReligiousPreference = f"Pastafarian-{person.number}"
    dataset.MilitaryRank = f"Kapten-{person.number}77"
    dataset.ResponsiblePerson = person.mother
    dataset.ClinicalTrialSubjectID = f"TRIAL-{person.number}-0815"


def _place(dataset: Dataset, person: Person, when: Visit) -> None:
    hospital = person.hospital
    dataset.InstitutionName = hospital.name
    dataset.InstitutionAddress = hospital.address
    dataset.InstitutionalDepartmentName = hospital.department
    dataset.StationName = hospital.station
    dataset.DeviceSerialNumber = hospital.serial
    dataset.SoftwareVersions = hospital.software
    dataset.PerformedStationAETitle = f"AE_{hospital.station}"[:16]
    dataset.AccessionNumber = when.accession
    dataset.StudyID = f"ST-{when.accession[-7:]}"
    dataset.ReferringPhysicianName = dataset.RequestingPhysician = hospital.physician
    dataset.ReferringPhysicianAddress = f"c/o {hospital.address}"
    dataset.ReferringPhysicianTelephoneNumbers = [hospital.phone, f"{hospital.phone}5"]
    dataset.PhysiciansOfRecord = dataset.PerformingPhysicianName = hospital.physician
    dataset.NameOfPhysiciansReadingStudy = hospital.reader
    dataset.OperatorsName = hospital.operator
    dataset.DeviceUID = uid(person.number, 77)
    dataset.InstanceCreatorUID = uid(person.number, 78)
    dataset.PerformedProcedureStepID = f"PPS-{when.accession[-7:]}"


def _text(dataset: Dataset, person: Person, when: Visit) -> None:
    family = person.words[0]
    born, seen = written_dates(person.birth_date), written_dates(when.date)
    dataset.StudyDescription = f"MR Head {family}, {seen[4]}"
    dataset.ProtocolName = f"brain_{family}_Dr_{person.hospital.physician.split('^')[0]}"
    dataset.PerformedProcedureStepDescription = f"Head of {family} born {born[2]}"
    dataset.RequestedProcedureDescription = f"MRI brain, patient {person.patient_id}"
    dataset.AdmittingDiagnosesDescription = f"Headache since {seen[3]} ({family})"
    dataset.ImageComments = f"{family} called {person.phone} about {seen[5]}"
    dataset.PatientComments = f"Write to {person.mail}; born {', '.join(born)}"
    dataset.AdditionalPatientHistory = f"Seen {', '.join(seen)}; lives at {person.address}"
    dataset.MedicalAlerts = f"ALLERGY OF {' '.join(person.words).upper()}"
    dataset.CommentsOnThePerformedProcedureStep = f"Repeat for {family}, acc# {when.accession}"


def _nested(dataset: Dataset, person: Person, visit: int) -> None:
    when, hospital = person.visits[visit], person.hospital

    def physician(name: str, suffix: str) -> Sequence:
        return _items(
            PersonIdentificationCodeSequence=_items(
                CodeValue=f"{hospital.physician_id}{suffix}"[:16],
                CodingSchemeDesignator="99DEMO",
                CodeMeaning=f"Licence of {name.replace('^', ' ')}",
            ),
            PersonAddress=f"{suffix[1:]} corridor, {hospital.address}",
            PersonTelephoneNumbers=f"{hospital.phone}{suffix}",
            InstitutionName=f"{hospital.name} {suffix[1:]}",
            InstitutionCodeSequence=_items(
                CodeValue=hospital.code[:16], CodingSchemeDesignator="99DEMO", CodeMeaning=hospital.name
            ),
        )

    dataset.ReferringPhysicianIdentificationSequence = physician(hospital.physician, "-A")
    dataset.PhysiciansOfRecordIdentificationSequence = physician(hospital.physician, "-B")
    dataset.PerformingPhysicianIdentificationSequence = physician(hospital.operator, "-C")
    dataset.PhysiciansReadingStudyIdentificationSequence = physician(hospital.reader, "-D")
    dataset.RequestAttributesSequence = _items(
        RequestedProcedureID=f"RP{when.accession[-7:]}",
        ScheduledProcedureStepID=f"SPS{when.accession[-7:]}",
        ScheduledProcedureStepDescription=f"Brain of {person.words[0]} {person.patient_id}",
        ReasonForTheRequestedProcedure=f"Fell at {person.hospital.name}",
        ScheduledProtocolCodeSequence=_items(
            CodeValue=f"PRC-{when.accession[-7:]}",
            CodingSchemeDesignator="99DEMO",
            CodeMeaning=f"Protocol for {person.words[0]}",
        ),
    )
    dataset.ContributingEquipmentSequence = _items(
        Manufacturer="HallbergSoft",
        InstitutionName=f"{hospital.name} archive",
        InstitutionAddress=f"Cellar of {hospital.address}",
        StationName=f"arch-{hospital.station}"[:16],
        DeviceSerialNumber=f"{hospital.serial}-ARCH",
        OperatorsName=f"{hospital.operator}^Archive",
        ContributionDateTime=f"{when.date}235{person.number}59.125",
        ContributionDescription=f"Corrected the name of {person.other_name}",
    )
    dataset.OriginalAttributesSequence = _items(
        AttributeModificationDateTime=f"{when.date}2359{person.number}0.500",
        ModifyingSystem=f"FIX-{hospital.station}",
        SourceOfPreviousValues=f"Import from {person.issuer}",
        ModifiedAttributesSequence=_items(
            PatientName=f"{person.birth_name}^^Old",
            PatientID=f"OLD-{person.patient_id}",
            OtherPatientIDsSequence=_items(
                PatientID=f"DEEP-{person.other_id}", IssuerOfPatientID="DeepIssuer"
            ),
        ),
    )
    dataset.ReferencedStudySequence = _items(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
        ReferencedSOPInstanceUID=uid(person.number, visit + 1, 901),
    )
    dataset.SourceImageSequence = _items(
        ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.4",
        ReferencedSOPInstanceUID=uid(person.number, visit + 1, 902),
    )
