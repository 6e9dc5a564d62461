"""changes: the version rises with what changed, the same files change nothing, nobody who left is named."""

import hashlib
import random
import re

import pytest

from efface.changes import removed, write
from efface.errors import EffaceError
from efface.tables import write_tsv

FIRST = "1.0.0\n  - First release.\n"


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def image(subject, content="voxels", session="1", suffix="T1w"):
    """Return an image, its sidecar and its session's table with their digests."""
    stem = f"sub-{subject}_ses-{session}"
    folder = f"sub-{subject}/ses-{session}"
    return {
        f"{folder}/anat/{stem}_{suffix}.nii.gz": digest(content),
        f"{folder}/anat/{stem}_{suffix}.json": digest("sidecar"),
        f"{folder}/{stem}_scans.tsv": digest(folder + suffix),
    }


def dataset(*images, **others):
    files = {
        "README.md": digest("readme"),
        "participants.tsv": digest(repr(images)),
        "dataset_description.json": digest("Heads"),
    }
    for one in images:
        files |= one
    return files | {path: digest(content) for path, content in others.items()}


def published(folder, files, text):
    """Publish files as their digests and a CHANGES."""
    folder.mkdir(exist_ok=True)
    rows = [{"path": path, "size": 1, "sha256": files[path]} for path in sorted(files)]
    rows.append({"path": "CHANGES", "size": 1, "sha256": digest(text)})
    write_tsv(folder / "MANIFEST.tsv", rows, ("path", "size", "sha256"))
    (folder / "CHANGES").write_bytes(text.encode())
    return folder


def followed(folder, before, now, text=FIRST):
    return write(published(folder / "release", before, text), now)


def test_nothing_earlier_gives_the_first_version(tmp_path):
    assert write(None, dataset(image("a"))) == FIRST
    assert write(tmp_path, dataset(image("a"))) == FIRST
    assert write(tmp_path / "absent", dataset(image("a"))) == FIRST


@pytest.mark.parametrize(
    "text", [FIRST, "1.2.0 2031-01-05\r\n   * By hand\r\n\r\n1.0.0\r\n  - First", "7.0.0"]
)
def test_the_same_files_give_the_same_bytes(tmp_path, text):
    files = dataset(image("a"))
    aside = {"CHANGES": digest("a"), "release_record.json": digest("b"), "MANIFEST.tsv": digest("c")}
    assert followed(tmp_path, files, files | aside, text) == text
    assert followed(tmp_path, files | {"release_record.json": digest("old")}, files | aside, text) == text


def test_added_images_make_a_minor_version_with_one_line(tmp_path):
    now = dataset(image("a"), image("b"), image("b", session="2"), image("b", suffix="T2w"))
    assert followed(tmp_path, dataset(image("a")), now) == (
        f"1.1.0\n  - Added: 3 images of 1 subject.\n\n{FIRST}"
    )


def test_changed_images_are_named_and_make_a_major_version(tmp_path):
    before, now = dataset(image("a"), image("b")), dataset(image("a", "new"), image("b"))
    assert followed(tmp_path, before, now, f"1.4.2\n  - Something.\n\n{FIRST}").startswith(
        "2.0.0\n  - Changed: sub-a_ses-1_T1w.\n  - Changed: tables.\n\n1.4.2\n"
    )


def test_many_changed_images_are_counted(tmp_path):
    subjects = [f"s{number}" for number in range(21)]
    before, now = (dataset(*(image(one, voxels) for one in subjects)) for voxels in ("old", "new"))
    text = followed(tmp_path, before, now)
    assert "  - Changed: 21 images of 21 subjects.\n" in text
    assert "sub-" not in text
    (fewer := dict(now)).update(image("s0", "old"))
    assert followed(tmp_path, before, fewer).count("Changed: sub-") == 20


def test_who_left_is_counted_and_no_longer_named(tmp_path):
    text = f"2.0.0\n  - Changed: sub-b1_ses-1_T1w.\n  - Changed: sub-b_ses-1_T1w.\n\n{FIRST}"
    before, now = dataset(image("a"), image("b"), image("b1")), dataset(image("a"), image("b1"))
    assert followed(tmp_path, before, now, text) == (
        f"3.0.0\n  - Removed: 1 image of 1 subject.\n\n2.0.0\n  - Changed: sub-b1_ses-1_T1w.\n\n{FIRST}"
    )


def test_a_version_that_named_only_them_says_so(tmp_path):
    text = f"2.0.0\n  - Changed: sub-b_ses-1_T1w.\n\n{FIRST}"
    said = followed(tmp_path, dataset(image("a"), image("b")), dataset(image("a")), text)
    assert "\n\n2.0.0\n  - Changes to what was removed since.\n\n1.0.0\n" in said


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"sub-a/ses-1/anat/sub-a_ses-1_T1w.json": "new"}, "sidecars"),
        ({"sub-a/ses-1/dwi/sub-a_ses-1_dwi.bvec": "new"}, "gradient tables"),
        ({"participants.tsv": "new", "participants.json": "new"}, "tables"),
        ({"phenotype/moca.tsv": "new", "README.md": "new"}, "README.md, tables"),
        ({"sub-a/Eva.pdf": "new"}, "other files"),
    ],
)
def test_anything_else_is_a_patch_that_names_kinds_of_files(tmp_path, change, line):
    before = dataset(image("a"))
    text = followed(tmp_path, before, before | {path: digest(what) for path, what in change.items()})
    assert text == f"1.0.1\n  - Changed: {line}.\n\n{FIRST}"


def test_sidecars_of_others_are_told_beside_added_images(tmp_path):
    sidecar = "sub-a/ses-1/anat/sub-a_ses-1_T1w.json"
    now = dataset(image("a"), image("b")) | {sidecar: digest("other")}
    text = followed(tmp_path, dataset(image("a")), now)
    assert text.startswith("1.1.0\n  - Added: 1 image of 1 subject.\n  - Changed: sidecars.\n\n")


def test_what_a_person_wrote_stays(tmp_path):
    text = (
        "1.1.0 2031-01-05 Spring\n\n  [Fixes]\n  - Corrected the key to the groups,\n    see the README.\n"
        "  One without a dash.\n\n1.0.0\n  - First release.\n  - With thanks to the 2 readers.\n"
    )
    said = followed(tmp_path, dataset(image("a")), dataset(image("a"), image("b")), text)
    assert said == f"1.2.0\n  - Added: 1 image of 1 subject.\n\n{text}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Changes of this dataset\n1.0.0\n  - First release.\n",
        "1.0\n  - First release.\n",
        "1.0.0\n- First release.\n",
        "1.0.0\n  - First.\n\n1.1.0\n  - Second.\n",
        "1.0.0\n  - First.\n\n1.0.0\n  - First.\n",
    ],
)
def test_a_text_that_is_no_list_of_versions_is_refused_without_its_words(tmp_path, text):
    with pytest.raises(EffaceError, match="CHANGES of the earlier release") as refusal:
        followed(tmp_path, dataset(image("a")), dataset(image("a")), text)
    assert "First" not in str(refusal.value)
    with pytest.raises(EffaceError):
        removed(text, 1, 1, "a")


def test_an_earlier_release_that_is_broken_is_refused(tmp_path):
    release = published(tmp_path / "release", dataset(image("a")), FIRST)
    (release / "CHANGES").write_bytes("1.0.0\n  - Räv\n".encode("latin-1"))
    with pytest.raises(EffaceError, match="UTF-8"):
        write(release, dataset())
    (release / "CHANGES").unlink()
    with pytest.raises(EffaceError, match="CHANGES"):
        write(release, dataset())
    (release / "MANIFEST.tsv").write_text("path\tsize\tsha256\nREADME.md\t1\n")
    (release / "CHANGES").write_text(FIRST)
    with pytest.raises(EffaceError, match="SHA-256"):
        write(release, dataset())


def test_who_is_erased_is_named_no_more():
    text = (
        "2.0.0 of qx7\n  - Changed: sub-qx7_ses-1_T1w.\n  - Changed: sub-qx71_ses-1_T1w.\n"
        "  - Rescanned two people:\n    QX7, and one more.\n\n1.0.0\n  - First release.\n"
    )
    said = removed(text, 1, 4, "sub-qx7")
    assert said == (
        "3.0.0\n  - Removed: 4 images of 1 subject.\n\n2.0.0\n  - Changed: sub-qx71_ses-1_T1w.\n\n"
        "1.0.0\n  - First release.\n"
    )
    assert removed(text, 1, 4, "qx7") == said


def test_a_label_that_is_a_number_takes_no_count_away():
    text = "1.1.0\n  - Added: 1 image of 1 subject.\n  - Person 1 moved.\n\n1.0.0\n  - First release.\n"
    assert removed(text, 1, 1, "1") == (
        "2.0.0\n  - Removed: 1 image of 1 subject.\n\n1.1.0\n  - Added: 1 image of 1 subject.\n\n"
        "1.0.0\n  - First release.\n"
    )


@pytest.mark.parametrize("seed", range(20))
def test_over_random_releases_the_version_only_rises_and_nobody_who_left_is_named(tmp_path, seed):
    choose = random.Random(seed)
    people, text, before = {}, None, None
    release = tmp_path / "release"
    for _ in range(12):
        for subject in "pqrst":
            people[subject] = choose.choice([people.get(subject), None, "old", "new"])
        now = dataset(
            *(image(one, voxels) for one, voxels in people.items() if voxels),
            **({"README.md": "other"} if choose.random() < 0.3 else {}),
        )
        said = write(release if before is not None else None, now)
        assert said == write(release if before is not None else None, now)
        if before is not None:
            assert (said == text) == (before == now)
        versions = [tuple(map(int, one)) for one in re.findall(r"^(\d+)\.(\d+)\.(\d+)$", said, re.MULTILINE)]
        assert versions == sorted(set(versions), reverse=True)
        assert versions[-1] == (1, 0, 0)
        assert set(re.findall(r"sub-(\w)", said)) <= {one for one, voxels in people.items() if voxels}
        published(release, now, said)
        assert write(release, now) == said
        text, before = said, now
