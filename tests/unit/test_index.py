"""index: any file name at any depth, every file accounted for, nothing modified."""

import shutil
import zipfile

import numpy as np
import pydicom
import pytest

from efface import index as module
from efface.errors import EffaceError
from efface.files import sha256
from efface.index import index
from phantom import make_series

SAGITTAL = np.array([[0, 0, 4.0, -8], [4.0, 0, 0, -16], [0, -4.0, 0, 16], [0, 0, 0, 1]])


def paths_of(one):
    return [path for part in one.parts for path in part.paths]


def series(folder, **attributes):
    return make_series(folder, shape=(8, 8, 4), world_from_voxel=SAGITTAL, **attributes)


def test_series_are_found_under_any_name_at_any_depth(tmp_path):
    files = series(tmp_path / "scratch", SeriesInstanceUID="1.2.3")
    odd = ["IM0001", "a/b/c/file with blanks", "ü/00.ima", ".hidden"]
    root = tmp_path / "input"
    for source, name in zip(files, odd, strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / name)
    found, skipped = index(root)
    assert sorted(paths_of(found["1.2.3"])) == sorted(odd)
    assert skipped == []


def test_files_of_one_series_in_two_folders_are_one_series(tmp_path):
    series(tmp_path / "a", SeriesInstanceUID="1.2.3")
    series(tmp_path / "b", SeriesInstanceUID="1.2.3")
    found, _ = index(tmp_path)
    assert len(paths_of(found["1.2.3"])) == 8


def test_distinct_values_of_all_files_are_kept(tmp_path):
    series(tmp_path / "a", SeriesInstanceUID="1.2.3", FlipAngle="7")
    series(tmp_path / "b", SeriesInstanceUID="1.2.3", FlipAngle="9")
    found, _ = index(tmp_path)
    (part,) = found["1.2.3"].parts
    assert part.attributes["FlipAngle"] == ["7", "9"]
    assert part.attributes["ImageType"] == ["ORIGINAL\\PRIMARY\\M\\ND\\NORM"]


def test_an_identifier_in_one_slice_only_is_found(tmp_path):
    files = series(tmp_path / "a", SeriesInstanceUID="1.2.3")
    last = pydicom.dcmread(files[-1])
    last.ImageComments = "seen by Dr Lindqvist"
    last.save_as(files[-1])
    found, _ = index(tmp_path)
    assert "seen by Dr Lindqvist" in {one.value for one in found["1.2.3"].identifiers}


def test_one_process_and_two_find_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 3)
    for name in "abc":
        series(tmp_path / name)
    assert index(tmp_path, workers=1) == index(tmp_path, workers=2)


def test_progress_reaches_the_number_of_files(tmp_path):
    series(tmp_path / "a")
    seen = []
    index(tmp_path, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (4, 4)


def test_what_is_no_series_is_listed_with_the_reason(tmp_path):
    files = series(tmp_path / "a")
    (tmp_path / "notes.txt").write_text("no scan")
    (tmp_path / "empty").touch()
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(files[0])
    whole = files[1].read_bytes()
    files[1].write_bytes(whole[:400])
    (tmp_path / "link").symlink_to(tmp_path / "a")
    _, skipped = index(tmp_path)
    reasons = {one.path: (one.reason.split(":")[0], one.held) for one in skipped}
    assert reasons == {
        "notes.txt": ("not DICOM", False),
        "empty": ("not DICOM", False),
        "more.zip": ("zip archive", True),
        "a/00002.dcm": ("damaged or truncated DICOM file", True),
        "link": ("link to a folder", True),
    }


def test_a_dicomdir_is_no_series(tmp_path):
    (path, *_) = series(tmp_path / "a", SeriesInstanceUID="1.2.3")
    directory = pydicom.dcmread(path)
    directory.SOPClassUID = pydicom.uid.MediaStorageDirectoryStorage
    directory.save_as(tmp_path / "DICOMDIR", enforce_file_format=True)
    found, skipped = index(tmp_path)
    assert [(one.path, one.reason) for one in skipped] == [("DICOMDIR", "not DICOM image: DICOMDIR")]
    assert len(paths_of(found["1.2.3"])) == 4


def test_dicom_without_preamble_is_dicom(tmp_path):
    files = series(tmp_path / "a", SeriesInstanceUID="1.2.3")
    for path in files:
        bare = pydicom.Dataset(pydicom.dcmread(path))
        pydicom.dcmwrite(path, bare, implicit_vr=True, little_endian=True)
        assert path.read_bytes()[:2] == b"\x08\x00"
    found, skipped = index(tmp_path)
    assert len(paths_of(found["1.2.3"])) == 4, skipped


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.touch()])
def test_no_input_is_refused(tmp_path, make):
    make(tmp_path / "input")
    with pytest.raises(EffaceError, match="input"):
        index(tmp_path / "input")


def test_unreadable_files_are_refused_with_their_number_and_no_path(tmp_path, monkeypatch):
    files = series(tmp_path / "Smithson")
    open_ = module.Path.open

    def deny(self, *arguments, **keywords):
        if self in files[:2]:
            raise PermissionError(13, "no", str(self))
        return open_(self, *arguments, **keywords)

    monkeypatch.setattr(module.Path, "open", deny)
    with pytest.raises(EffaceError, match="2 files in the input cannot be read") as caught:
        index(tmp_path)
    assert "Smithson" not in str(caught.value)


def test_the_input_is_not_touched(tmp_path):
    files = series(tmp_path / "a")
    before = {path: (sha256(path), path.stat().st_mtime_ns) for path in files}
    index(tmp_path, workers=2)
    assert before == {path: (sha256(path), path.stat().st_mtime_ns) for path in files}
    assert sorted((tmp_path / "a").iterdir()) == files


def test_damaged_headers_never_stop_the_index_and_are_never_quoted(tmp_path, capfd):
    (path, *_) = series(tmp_path / "a", PatientName="Smithson^Ada")
    whole, random = path.read_bytes(), np.random.default_rng(0)
    for number in range(150):
        damaged = bytearray(whole)
        for place in random.integers(132, len(whole) - 128, random.choice([1, 3, 20])):
            damaged[place] = random.integers(256)
        (tmp_path / "a" / f"damaged{number}").write_bytes(damaged)
    found, skipped = index(tmp_path / "a")
    assert sum(len(paths_of(one)) for one in found.values()) + len(skipped) == 4 + 150
    assert capfd.readouterr() == ("", "")
