import errno

import pytest

import staged
from efface import publish as gate
from efface.errors import EffaceError
from efface.files import sha256
from efface.publish import MANIFEST, publish, refuse, settle
from efface.tables import read_tsv

RELEASED = [{"decision": "release"}]


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def bids(tmp_path):
    return staged.dataset(tmp_path / "work")


@pytest.mark.parametrize("severity", ["block", "Block", ""])
def test_whatever_is_not_a_warning_refuses(severity):
    findings = [{"severity": "warn", "file": "a"}, {"severity": severity, "file": "b"}]
    with pytest.raises(EffaceError, match=r"found 1 in 1 file; see findings\.tsv"):
        refuse(findings, RELEASED, "findings.tsv")


def test_warnings_do_not_refuse():
    refuse([{"severity": "warn", "file": "a"}], RELEASED, "findings.tsv")


def test_no_image_refuses():
    with pytest.raises(EffaceError, match="2 series, all held or dropped"):
        refuse([], [{"decision": "held"}, {"decision": "dropped"}], "findings.tsv")


def test_release_is_the_dataset_with_a_manifest(bids, tmp_path):
    release = tmp_path / "public" / "release"
    rows = publish(bids, release)
    assert tree(release).items() - tree(bids).items() == {(MANIFEST, (release / MANIFEST).read_bytes())}
    listed = read_tsv(release / MANIFEST)
    assert [row["path"] for row in listed] == sorted(tree(bids))
    for row in listed:
        assert (int(row["size"]), row["sha256"]) == (
            (release / row["path"]).stat().st_size,
            sha256(release / row["path"]),
        )
    assert len(rows) == len(listed)
    assert names(release.parent) == ["release"]


def test_modes_and_times_tell_nothing(bids, tmp_path):
    release = tmp_path / "release"
    publish(bids, release)
    found = {
        (p.is_dir(), p.stat().st_mode & 0o7777, p.stat().st_mtime) for p in [release, *release.rglob("*")]
    }
    assert found == {(True, 0o755, 315532800.0), (False, 0o644, 315532800.0)}


def test_earlier_release_is_replaced_whole(bids, tmp_path):
    release = tmp_path / "release"
    publish(bids, release)
    first = tree(release)
    (bids / "README.md").write_text(staged.README + "more\n")
    (bids / "CHANGES").unlink()
    publish(bids, release)
    second = tree(release)
    assert "CHANGES" not in second
    assert second["README.md"] != first["README.md"]
    assert names(tmp_path) == ["release", "work"]


def test_foreign_folder_is_left_alone(bids, tmp_path):
    release = tmp_path / "release"
    release.mkdir()
    (release / "thesis.txt").write_text("mine")
    with pytest.raises(EffaceError, match="place of the release is taken"):
        publish(bids, release)
    assert tree(release) == {"thesis.txt": b"mine"}
    settle(release)
    assert tree(release) == {"thesis.txt": b"mine"}


@pytest.mark.parametrize("kind", ["file", "link"])
def test_file_or_link_at_the_place_is_refused(bids, tmp_path, kind):
    release, elsewhere = tmp_path / "release", tmp_path / "elsewhere"
    elsewhere.mkdir()
    release.touch() if kind == "file" else release.symlink_to(elsewhere)
    with pytest.raises(EffaceError, match="a link or a file"):
        publish(bids, release)
    assert not list(elsewhere.iterdir())


def test_empty_folder_is_taken(bids, tmp_path):
    (tmp_path / "release").mkdir()
    publish(bids, tmp_path / "release")
    assert (tmp_path / "release" / MANIFEST).is_file()


def test_link_in_the_dataset_is_refused(bids, tmp_path):
    (bids / "linked").symlink_to(tmp_path)
    with pytest.raises(EffaceError, match="a link or a device"):
        publish(bids, tmp_path / "release")
    assert names(tmp_path) == ["work"]


def test_dataset_must_be_as_it_was_staged(bids, tmp_path):
    digests = {row["path"]: row["sha256"] for row in publish(bids, tmp_path / "first")}
    publish(bids, tmp_path / "second", digests)
    (bids / "README.md").write_text("changed after the audit")
    with pytest.raises(EffaceError, match="as it was staged"):
        publish(bids, tmp_path / "third", digests)
    assert names(tmp_path) == ["first", "second", "work"]


@pytest.mark.parametrize("earlier", [False, True])
def test_full_disk_leaves_what_was_there(bids, tmp_path, monkeypatch, earlier):
    release = tmp_path / "release"
    if earlier:
        publish(bids, release)
    before = tree(release)

    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(gate.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="full"):
        publish(bids, release)
    assert tree(release) == before
    assert names(tmp_path) == ["release"] * earlier + ["work"]


@pytest.mark.parametrize("moment", ["copying", "between the renames", "discarding"])
def test_killed_run_is_mended_by_the_next(bids, tmp_path, moment):
    release = tmp_path / "release"
    publish(bids, release)
    whole = tree(release)
    (tmp_path / ".release.part").mkdir()
    (tmp_path / ".release.part" / "half").touch()
    if moment == "between the renames":
        release.rename(tmp_path / ".release.before")
        release.mkdir()  # Snakemake makes the folder of an output before it runs the job
    if moment == "discarding":
        (tmp_path / ".release.before").mkdir()
        (tmp_path / ".release.before" / "whole").touch()
        (tmp_path / ".release.gone").mkdir()
        (tmp_path / ".release.gone" / "half").touch()
    publish(bids, release)
    assert tree(release) == whole
    assert names(tmp_path) == ["release", "work"]


def test_refusal_after_a_kill_keeps_the_earlier_release(bids, tmp_path):
    release = tmp_path / "release"
    publish(bids, release)
    whole = tree(release)
    release.rename(tmp_path / ".release.before")
    release.mkdir()
    settle(release)
    assert tree(release) == whole


def test_what_a_killed_run_has_copied_is_taken_over_where_it_is_right(bids, tmp_path):
    whole, half = (f"{staged.FOLDER}/{name}.nii.gz" for name in (staged.IMAGE, staged.MASK))
    digests = {path: sha256(bids / path) for path in tree(bids)}
    part, elsewhere = tmp_path / ".release.part", tmp_path / "elsewhere"
    (part / staged.FOLDER).mkdir(parents=True)
    (part / whole).write_bytes((bids / whole).read_bytes())
    (part / half).write_bytes((bids / half).read_bytes()[:100])
    (part / "README.md").mkdir()
    (part / "README.md" / "stray").touch()
    elsewhere.write_text("another's")
    (part / "CHANGES").symlink_to(elsewhere)
    copied = (part / whole).stat().st_ino
    publish(bids, tmp_path / "release", digests)
    assert (tmp_path / "release" / whole).stat().st_ino == copied
    assert {path: data for path, data in tree(tmp_path / "release").items() if path != MANIFEST} == tree(bids)
    assert elsewhere.read_text() == "another's"
    assert not any(path.is_symlink() for path in (tmp_path / "release").rglob("*"))


def test_a_link_in_place_of_the_copy_leads_nowhere(bids, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".release.part").symlink_to(tmp_path / "elsewhere")
    publish(bids, tmp_path / "release")
    assert names(tmp_path / "elsewhere") == []
    assert (tmp_path / "release" / MANIFEST).is_file()
