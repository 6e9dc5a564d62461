"""errors, files, tables, nifti: refusals in one line, whole files, the same bytes."""

import errno
import gzip
import stat

import nibabel as nib
import numpy as np
import pytest

from efface import nifti, schema
from efface.errors import EffaceError, Held, UsageError, guarded
from efface.files import private_folder, replacing, sha256
from efface.tables import read_tsv, write_json, write_tsv

WORLD_FROM_VOXEL = {
    "ras": np.array([[1.0, 0, 0, -90], [0, 1.1, 0, -126], [0, 0, 1.2, -72], [0, 0, 0, 1]]),
    "las": np.array([[-1.0, 0, 0, 90], [0, 1.1, 0, -126], [0, 0, 1.2, -72], [0, 0, 0, 1]]),
    "sagittal": np.array([[0, 0, 1.2, -72], [1.0, 0, 0, -90], [0, -1.1, 0, 126], [0, 0, 0, 1]]),
    "oblique": np.array([[0.9, -0.3, 0, -90], [0.3, 0.9, 0.1, -126], [0, -0.1, 1.2, -72], [0, 0, 0, 1]]),
}


def test_error_says_what_expected_found_and_what_to_do_in_one_line():
    error = EffaceError("the input", expected="DICOM\nfiles", found="none", todo="look again")
    assert str(error) == "the input: expected DICOM files, found none; look again"


@pytest.mark.parametrize(("error", "code"), [(EffaceError("a"), 1), (UsageError("a"), 2), (Held("a"), 3)])
def test_refusals_become_one_line_and_their_exit_code(error, code, capsys):
    def refuse():
        raise error

    assert guarded(refuse) == code
    assert capsys.readouterr().err == "efface: a\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_errors_of_the_system_get_advice_and_no_path(number, capsys):
    def fail():
        raise OSError(number, "no", "Smithson^Ada.dcm")

    assert guarded(fail) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "Smithson" not in said


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: 1 // 0)


def test_replacing_leaves_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_private_means_private(tmp_path):
    folder = private_folder(tmp_path / "work")
    with replacing(folder / "file") as beside:
        beside.write_text("x")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "file").stat().st_mode) == 0o600


def test_tables_round_trip_and_name_a_missing_column(tmp_path):
    rows = [{"a": "1", "b": "tab\there"}, {"a": "2", "b": ""}]
    write_tsv(tmp_path / "t.tsv", rows, ("a", "b"))
    assert read_tsv(tmp_path / "t.tsv", ("a", "b")) == rows
    with pytest.raises(EffaceError, match="found no c"):
        read_tsv(tmp_path / "t.tsv", ("a", "c"))


def test_the_same_record_gives_the_same_bytes(tmp_path):
    write_json(tmp_path / "1.json", {"b": 1, "a": "ü"})
    write_json(tmp_path / "2.json", {"b": 1, "a": "ü"})
    assert sha256(tmp_path / "1.json") == sha256(tmp_path / "2.json")


@pytest.mark.parametrize("orientation", WORLD_FROM_VOXEL)
@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float32])
def test_nifti_keeps_voxels_scaling_and_geometry(tmp_path, orientation, dtype):
    world_from_voxel = WORLD_FROM_VOXEL[orientation]
    voxels = np.arange(4 * 5 * 6 * 2).reshape(4, 5, 6, 2).astype(dtype)
    head = nifti.header(
        voxels.shape, voxels.dtype, world_from_voxel, slope=0.5, intercept=-1024, repetition_time_s=2.5
    )
    path = tmp_path / "image.nii.gz"
    nifti.write(path, voxels, head)
    image = nifti.read(path)
    np.testing.assert_array_equal(nifti.stored(image), voxels)
    assert nifti.stored(image).dtype == dtype
    assert nifti.scaling(image) == (0.5, -1024)
    np.testing.assert_allclose(image.get_sform(), world_from_voxel, atol=1e-5)
    np.testing.assert_allclose(image.affine, world_from_voxel, atol=1e-5)
    assert image.header.get_zooms()[3] == 2.5
    assert image.header.get_xyzt_units() == ("mm", "sec")


def test_nifti_qform_equals_sform_unless_the_grid_is_sheared(tmp_path):
    rigid = WORLD_FROM_VOXEL["sagittal"]
    np.testing.assert_allclose(nifti.header((4, 5, 6), np.int16, rigid).get_qform(), rigid, atol=1e-4)
    sheared = rigid.copy()
    sheared[1, 2] = 0.5
    assert nifti.header((4, 5, 6), np.int16, sheared)["qform_code"] == 0


def test_nifti_bytes_hold_no_name_no_time_and_nothing_unasked(tmp_path):
    voxels = np.zeros((4, 5, 6), np.int16)
    head = nifti.header(voxels.shape, voxels.dtype, np.eye(4))
    for name in ("Smithson.nii.gz", "other.nii.gz"):
        nifti.write(tmp_path / name, voxels, head)
    packed = (tmp_path / "other.nii.gz").read_bytes()
    assert packed == (tmp_path / "Smithson.nii.gz").read_bytes()
    assert packed[3:9] == bytes(6)
    raw = gzip.decompress(packed)
    assert len(raw) == 352 + voxels.nbytes
    for field in ("descrip", "aux_file", "intent_name", "db_name", "data_type"):
        assert not nib.Nifti1Header(raw[:348])[field].item()


def test_nifti_refuses_what_is_none(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"not an image")
    with pytest.raises(EffaceError, match="expected a NIfTI file"):
        nifti.read(tmp_path / "a.nii.gz")


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path, rules = tmp_path / "a.yaml", tmp_path / "rules.yaml"
    rules.write_text("type: object")
    path.write_text("a: 1\nb: {c: 1}\n")
    assert schema.read(path, rules, "a.yaml") == {"a": 1, "b": {"c": 1}}
    for text, line in (("a: 1\nb: 2\na: 3\n", 1), ("a: 1\nb:\n  c: 1\n  c: 2\n", 3)):
        path.write_text(text)
        with pytest.raises(UsageError, match=f"a.yaml: a key of line {line} or below stands twice"):
            schema.read(path, rules, "a.yaml")
