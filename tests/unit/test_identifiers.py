"""identifiers: wherever somebody's value stands in a header, the audit is told of it."""

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from efface.identifiers import Identifier, identifiers, path_identifiers


def header(**attributes):
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("keyword", "value", "kind"),
    [
        ("PatientName", "Smithson^Ada", "name"),
        ("PatientID", "7734421", "id"),
        ("AccessionNumber", "ACC2001", "id"),
        ("PatientBirthDate", "19771107", "date"),
        ("AcquisitionTime", "090339.100", "time"),
        ("SeriesInstanceUID", "1.2.3.4.5", "uid"),
        ("InstitutionName", "Rose Hill Clinic", "place"),
        ("StationName", "MRC4711", "device"),
        ("DeviceSerialNumber", "45053", "device"),
        ("SeriesDescription", "Smith-CT/Head", "text"),
        ("ImageComments", "call 070-555 12 34", "text"),
    ],
)
def test_each_kind_of_attribute(keyword, value, kind):
    assert Identifier(kind, keyword, value) in identifiers(header(**{keyword: value}))


def test_names_are_taken_apart():
    values = {one.value for one in identifiers(header(PatientName="van der Berg^Karin^^Dr"))}
    assert {"van der Berg^Karin^^Dr", "Berg", "Karin", "van", "der", "Dr"} <= values


def test_nested_and_private_elements_the_preamble_and_the_meta_information():
    dataset = header()
    item = header(ReferringPhysicianName="Lindqvist^Anna")
    dataset.ContributingEquipmentSequence = [item]
    block = item.private_block(0x0099, "INVENTED", create=True)
    block.add_new(1, "LO", "nested secret")
    block = dataset.private_block(0x0099, "INVENTED", create=True)
    block.add_new(2, "UN", b"packed secret")
    block.add_new(3, "IS", "1989442112")
    dataset.preamble = b"left in front".ljust(128, b"\0")
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.SourceApplicationEntityTitle = "ROSEHILL"
    values = {one.value for one in identifiers(dataset)}
    expected = {"Lindqvist", "nested secret", "packed secret", "1989442112", "left in front", "ROSEHILL"}
    assert expected <= values


def test_what_a_sidecar_may_show_is_no_identifier():
    technical = header(
        Manufacturer="Philips",
        ManufacturerModelName="Ingenia",
        SOPClassUID=pydicom.uid.MRImageStorage,
        EchoTime="2.9",
        ScanningSequence="GR",
    )
    assert identifiers(technical) == set()


def test_only_the_asked_elements_are_looked_at():
    dataset = header(PatientID="7734421", StudyID="4711")
    assert {one.value for one in identifiers(dataset, [pydicom.tag.Tag("StudyID")])} == {"4711"}


def test_long_parts_of_a_path_identify():
    assert {one.value for one in path_identifiers("Smithson_Ada/T1/IM0001")} == {"Smithson_Ada"}
