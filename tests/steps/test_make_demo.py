"""The demo's input is what scanners write, holds what it says is planted, and is the same every time."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.fileset import FileSet

import make_demo
import phantom
from aryanto import ARYANTO
from demo_dicom import head
from demo_dicom.people import PEOPLE


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    assert make_demo.main([str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def series(demo) -> dict[str, list]:
    """Headers by SeriesInstanceUID, in the order of InstanceNumber."""
    found = {}
    for path in sorted((demo / "dicom").rglob("*")):
        try:
            dataset = dcmread(path, defer_size=1024) if path.is_file() else {}
        except InvalidDicomError:
            continue
        if "SeriesInstanceUID" in dataset:
            found.setdefault(str(dataset.SeriesInstanceUID), []).append(dataset)
    return {uid: sorted(files, key=lambda d: int(d.InstanceNumber)) for uid, files in sorted(found.items())}


def test_each_visit_has_every_kind_of_series(demo, series):
    kinds = Counter((files[0].Modality, int(files[0].SeriesNumber), len(files)) for files in series.values())
    visits = sum(len(person.visits) for person in PEOPLE)
    expected = [("MR", 1, 9), ("MR", 2, 124), ("MR", 3, 32), ("MR", 4, 144), ("OT", 98, 1), ("SR", 501, 1)]
    assert kinds == dict.fromkeys(expected, visits)
    assert len({files[0].StudyInstanceUID for files in series.values()}) == visits == 4
    assert sum(path.stat().st_size for path in demo.rglob("*") if path.is_file()) < 70e6


def test_every_header_has_the_fifty_attributes(series):
    assert len(ARYANTO) == 50
    for files in series.values():
        for dataset in (files[0], files[-1]):
            assert [keyword for keyword in ARYANTO if not dataset.get(keyword)] == []


def test_age_agrees_with_the_birth_date(series):
    for files in series.values():
        born, seen = (date.fromisoformat(files[0][k].value) for k in ("PatientBirthDate", "StudyDate"))
        years = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
        assert files[0].PatientAge == f"{years:03d}Y"


def test_frames_lie_evenly_and_volumes_repeat(series):
    for files in series.values():
        if files[0].Modality != "MR" or files[0].SeriesNumber == 1:
            continue
        orientation = np.array(files[0].ImageOrientationPatient, float)
        normal = np.cross(orientation[:3], orientation[3:])
        volumes = int(files[0].get("NumberOfTemporalPositions", 1))
        along = np.reshape([normal @ np.array(d.ImagePositionPatient, float) for d in files], (volumes, -1))
        assert np.allclose(along, along[0])
        steps = np.diff(along[0]) * np.sign(along[0, -1] - along[0, 0])
        assert np.allclose(steps, float(files[0].SpacingBetweenSlices), atol=1e-3)
        assert {tuple(d.ImageOrientationPatient) for d in files} == {tuple(orientation)}


def eyes(files: list, voxels: np.ndarray) -> list[np.ndarray]:
    """Return the centres (LPS, mm) of two bright balls of an eye's size, where the headers put the orbits."""
    first, last = (np.array(files[i].ImagePositionPatient, float) for i in (0, -1))
    in_plane, step = float(files[0].PixelSpacing[0]), (last - first)[2] / (len(files) - 1)
    bright = np.argwhere(voxels > 0.85 * np.percentile(voxels, 99.9))[:, ::-1]
    lps = first + bright * [in_plane, in_plane, step]
    orbits = lps[(lps[:, 1] < -50) & (np.abs(lps[:, 2] + 6) < 16) & (np.abs(np.abs(lps[:, 0]) - 32) < 18)]
    sides = [orbits[orbits[:, 0] * side > 0] for side in (-1, 1)]
    return [side.mean(0) for side in sides if 2200 < len(side) * in_plane**2 * step < 9000]


def test_eyes_are_where_the_headers_say(series):
    t2w = [files for files in series.values() if files[0].Modality == "MR" and files[0].SeriesNumber == 3]
    for files in t2w:
        voxels = np.stack([d.pixel_array for d in files])  # slice, row, column
        assert are_a_pair(eyes(files, voxels))
        # Planted: a head on its face, and one on its head.
        assert not are_a_pair(eyes(files, voxels[:, ::-1]))
        assert not are_a_pair(eyes(files, voxels[::-1]))


def are_a_pair(found):
    return len(found) == 2 and 55 < np.linalg.norm(found[0] - found[1]) < 75


def test_faces_differ_between_people():
    atlas = head.load(make_demo.ATLAS)
    surfaces = []
    for person in PEOPLE:
        front = head.make(atlas, person.face).t1[20:78, 70:, 20:70] > 200
        surfaces.append(
            np.where(front.any(1), front.shape[1] - front[:, ::-1].argmax(1), 0) * head.SPACING_MM
        )
    both = (surfaces[0] > 0) & (surfaces[1] > 0)
    assert np.percentile(np.abs(surfaces[0] - surfaces[1])[both], 90) > 5


def haystack(demo: Path, series: dict[str, list]) -> bytes:
    """Return the headers of each series' first and last file, in UTF-8 too, other files, and all paths."""
    paths = [path for place in ("dicom", "clinic") for path in (demo / place).rglob("*") if path.is_file()]
    headers = [Path(dataset.filename) for files in series.values() for dataset in (files[0], files[-1])]
    parts = [str(path.relative_to(demo)).encode() for path in paths]
    for path in [
        *headers,
        *(path for path in paths if path.suffix in (".TXT", ".csv") or path.name == "DICOMDIR"),
    ]:
        data = path.read_bytes()
        parts += [data[:20000], data[:20000].decode("latin-1").encode(), data[-200:]]
    return b"\n".join(parts)


def test_every_planted_value_is_in_the_input(demo, series):
    planted = json.loads((demo / "planted.json").read_text(encoding="utf-8"))
    assert len(planted) >= 100
    assert all(set(entry) == {"value", "where"} for entry in planted)
    hay = haystack(demo, series)
    assert [entry for entry in planted if entry["value"].encode() not in hay] == []
    assert b"Not-Planted-Anywhere" not in hay


def test_planted_values_are_in_every_kind_of_place(demo):
    places = "\n".join(
        entry["where"] for entry in json.loads((demo / "planted.json").read_text(encoding="utf-8"))
    )
    kinds = ["preamble", "AE title", "PrivateInformation", "folder", "pixels", "ImageComments", "ScanOptions"]
    kinds += ["SequenceName", "ContributingEquipmentSequence[0]", "RequestAttributesSequence[0]", "UID"]
    kinds += [f"(0099,10{i:02X})" for i in range(1, 17)] + ["SQ[0].(0099,1001)", "DataSetTrailingPadding"]
    kinds += [
        "dose report",
        *(f"{who}IdentificationSequence[0]" for who in ("ReferringPhysician", "PhysiciansOfRecord")),
    ]
    assert [kind for kind in kinds if kind not in places] == []


def test_planted_values_are_specific(demo):
    """None is a word that a clean release may hold."""
    values = [entry["value"] for entry in json.loads((demo / "planted.json").read_text(encoding="utf-8"))]
    assert len(values) == len(set(values))
    assert min(map(len, values)) >= 5
    manufacturers = {person.hospital.manufacturer for person in PEOPLE} | {p.hospital.model for p in PEOPLE}
    clean = (
        " ".join(manufacturers) + (demo / "config.yaml").read_text() + " BIDSVersion DatasetType GeneratedBy"
    )
    assert [value for value in values if value.lower() in clean.lower()] == []


def test_the_directory_of_the_disc_is_whole(demo):
    disc = FileSet(demo / "dicom" / "CD_77231" / "DICOMDIR")
    files = [path for path in (demo / "dicom" / "CD_77231" / "DICOM").rglob("*") if path.is_file()]
    assert sorted(Path(instance.path) for instance in disc) == sorted(files)


def test_the_same_bytes_every_time(demo, tmp_path):
    """Another process, another hash seed, another folder; and over an older demo."""
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "stale").write_text("")
    (tmp_path / "planted.json").write_text("[]")
    subprocess.run([sys.executable, make_demo.__file__, tmp_path], check=True, env=environment)
    assert digests(tmp_path) == digests(demo)
    (tmp_path / "config.yaml").write_text("other")
    assert digests(tmp_path) != digests(demo)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_of_somebody_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "mine").write_text("precious")
    assert make_demo.guarded(lambda: make_demo.main([str(tmp_path)])) == 2
    assert (tmp_path / "dicom" / "mine").read_text() == "precious"
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_phantom_series_lie_where_their_headers_say(tmp_path):
    """Other tests rely on it: each pixel is the head's value at the point that the header gives."""
    shape, oblique = (30, 34, 20), phantom.centred((30, 34, 20), (6, 6, 9))
    c, s = np.cos(0.3), np.sin(0.3)
    oblique = np.array([[c, -s, 0, 2], [s, c, 0, -4], [0, 0, 1, 3], [0, 0, 0, 1]]) @ oblique
    files = phantom.make_series(tmp_path / "a", shape=shape, world_from_voxel=oblique, PatientName=None)
    assert len(files) == 20
    for path in files:
        dataset = dcmread(path)
        assert "PatientName" not in dataset
        orientation = np.array(dataset.ImageOrientationPatient, float)
        column, row = np.meshgrid(np.arange(dataset.Columns), np.arange(dataset.Rows))
        lps = np.array(dataset.ImagePositionPatient, float) + (
            column[..., None] * orientation[:3] * dataset.PixelSpacing[1]
            + row[..., None] * orientation[3:] * dataset.PixelSpacing[0]
        )
        expected = phantom.head_at(lps * [-1, -1, 1])
        assert np.mean(dataset.pixel_array != expected) < 0.01  # the rounding of positions at an edge
    assert np.array_equal(
        phantom.head(shape, (6, 6, 9)), phantom.on_grid(shape, phantom.centred(shape, (6, 6, 9)))
    )
