"""The quick reader of headers gives what pydicom gives, for files built alike and for all others."""

import pydicom
import pytest

from efface.headers import Reader
from phantom import centred, make_series

WANTED = (
    "PatientName",
    "ImagePositionPatient",
    "PixelSpacing",
    "InstanceNumber",
    "PixelData",
    "Rows",
    0x00431039,
)
GRID = centred((6, 5, 4), (2, 2, 3))


def series(folder, **attributes):
    return make_series(folder, shape=(6, 5, 4), world_from_voxel=GRID, **attributes)


def edit(path, change, **how):
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path, **how)


def as_pydicom(path):
    return pydicom.dcmread(path, force=True, specific_tags=["SOPClassUID", *WANTED])


def check(reader, paths):
    for path in paths:
        found, expected = reader(path), as_pydicom(path)
        assert found == expected and set(found.keys()) == set(expected.keys())
        assert found.file_meta.TransferSyntaxUID == expected.file_meta.TransferSyntaxUID
        assert found.filename == str(path)


def test_files_built_alike_are_read_without_pydicom(tmp_path, monkeypatch):
    paths = series(tmp_path / "s")
    for number, path in enumerate(paths):
        edit(path, lambda dataset, number=number: setattr(dataset, "ImagePositionPatient", [number, 2, 3]))
    expected = [as_pydicom(path) for path in paths]
    read = []
    whole = pydicom.dcmread
    monkeypatch.setattr(pydicom, "dcmread", lambda *args, **how: read.append(args) or whole(*args, **how))
    reader = Reader(WANTED)
    assert [reader(path) for path in paths] == expected
    assert len(read) == 1


def test_a_dataset_that_is_used_does_not_change_what_others_are_read_by(tmp_path):
    paths = series(tmp_path / "s")
    reader = Reader(WANTED)
    first = reader(paths[0])
    assert first.PixelSpacing and first.PatientName
    first.PixelSpacing = [9, 9]
    del first.PatientName
    check(reader, paths)


@pytest.mark.parametrize(
    "change",
    [
        lambda dataset: dataset.update({"PatientName": "A" * 7, "StudyID": "B" * 5}),
        lambda dataset: dataset.add_new(0x00431039, "IS", [1000, 8, 0, 0]),
        lambda dataset: setattr(dataset, "SpecificCharacterSet", "ISO_IR 192"),
        lambda dataset: setattr(dataset, "ImageComments", "x" * 400),
    ],
    ids=["other lengths", "another element", "another character set", "longer"],
)
def test_files_built_otherwise_are_left_to_pydicom(tmp_path, change):
    paths = series(tmp_path / "s", SpecificCharacterSet="ISO_IR 100", StudyID="A")
    for path in paths[::2]:
        edit(path, change)
    check(Reader(WANTED), [*paths, *paths])


def test_of_one_length_and_another_order_of_lengths(tmp_path):
    """Two files as long as one another, of which each has a text longer that the other has shorter."""
    paths = series(tmp_path / "s")
    for number, path in enumerate(paths):
        texts = {"PatientName": "A" * (4 + 4 * (number % 2)), "StudyID": "B" * (8 - 4 * (number % 2))}
        edit(path, lambda dataset, texts=texts: dataset.update(texts))
    assert len({path.stat().st_size for path in paths}) == 1
    check(Reader(WANTED), [*paths, *paths])


@pytest.mark.parametrize(
    "syntax", ["RLELossless", "DeflatedExplicitVRLittleEndian", "ImplicitVRLittleEndian"]
)
def test_any_transfer_syntax(tmp_path, syntax):
    paths = series(tmp_path / "s")
    uid = getattr(pydicom.uid, syntax)
    for path in paths:
        dataset = pydicom.dcmread(path)
        if syntax == "RLELossless":
            dataset.compress(uid)
            dataset.save_as(path)
        else:
            dataset.file_meta.TransferSyntaxUID = uid
            pydicom.dcmwrite(path, dataset, implicit_vr=uid.is_implicit_VR, little_endian=True)
    check(Reader(WANTED), [*paths, *paths])


def test_what_stands_behind_the_pixels_is_compared_too(tmp_path):
    paths = series(tmp_path / "s")
    for number, path in enumerate(paths):
        edit(path, lambda dataset, number=number: dataset.add_new(0xFFFCFFFC, "OB", bytes([number] * 6)))
    check(Reader(WANTED), paths)


def test_what_is_no_dicom_raises_as_pydicom_does(tmp_path):
    (path, *others) = series(tmp_path / "s")
    whole = path.read_bytes()
    path.write_bytes(whole[:300])
    reader = Reader(WANTED)
    assert "SOPClassUID" not in reader(path) or reader(path) == as_pydicom(path)
    check(reader, others)
    with pytest.raises(FileNotFoundError):
        reader(tmp_path / "absent.dcm")
