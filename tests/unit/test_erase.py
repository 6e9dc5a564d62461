"""erase: nothing of a person is left in release or work folder, others stay, and a kill is made good."""

import base64
import contextlib
import gzip
import json
import multiprocessing
import os
import shutil
import signal
import stat
import time
from pathlib import Path

import pytest

import index_series
import plan_images
from efface import crosswalk, lookup, publish, schemes, tombstones
from efface.changes import write as changes
from efface.erase import erase
from efface.errors import EffaceError, UsageError
from efface.files import sha256
from efface.identity import load_or_make_key, normalised
from efface.leftovers import leftovers
from efface.settings import WORKFLOW, settings
from efface.tables import read_json, read_tsv, write_json, write_tsv
from efface.tombstones import UNFINISHED, refuse_unfinished
from phantom import centred, make_series
from study import tree

SHAPE = (8, 8, 10)
PEOPLE = {"MRN 7734421": "Whitlock^Harold", "19771107-2391": "Oeberg^Karin", "KX-55102": "Lindqvist^Ida"}
SHARED = "Riverbend99"
GONE = "MRN 7734421"


class Study:
    """A study after a run: indexed and planned for true, the rest as a run leaves it but for the voxels."""

    def __init__(self, folder, people=PEOPLE, **changes):
        self.folder, self.people, self.changes = folder, people, changes
        self.work, self.release, self.input = folder / "work", folder / "release", folder / "input"
        for number, (identifier, name) in enumerate(people.items()):
            place = {"shape": SHAPE, "world_from_voxel": centred(SHAPE, (8, 8, 8))}
            uids = {"StudyInstanceUID": f"1.2.{number}", "SeriesInstanceUID": f"1.2.{number}.1"}
            own = {"PatientID": identifier, "PatientName": name, "IssuerOfPatientID": SHARED}
            make_series(self.input / str(number), **place, **uids, **own)
        self.plan()
        self.work_on()
        digests = {
            path.relative_to(self.bids): sha256(path) for path in self.bids.rglob("*") if path.is_file()
        }
        (self.bids / "CHANGES").write_text(changes_of(None, digests))
        publish.publish(self.bids, self.release)

    @property
    def settings(self):
        folders = {name: str(getattr(self, name)) for name in ("input", "release", "work")}
        return settings(folders | {"dataset": {"name": "Heads"}} | self.changes)

    @property
    def bids(self):
        return self.work / "bids"

    def plan(self):
        """Run the two steps that decide who is in the study."""
        config, key = self.settings.config, f"--key={self.settings.key}"
        erased = f"--erased={self.work / 'key' / tombstones.NAME}"
        index_series.main(
            [f"--input={self.input}", key, erased, f"--out={self.work / 'index'}", "--workers=1"]
        )
        given = [f"--index={self.work / 'index'}", key, erased, f"--out={self.work / 'plan'}"]
        given += [f"--modalities={WORKFLOW / 'modalities.yaml'}"]
        given += [f"--vocabulary={WORKFLOW / 'vocabulary.yaml'}"]
        kept = schemes.crosswalk_is_kept(config["mode"], config["identity"]["scheme"])
        given += [f"--crosswalk={crosswalk.place(self.work) if kept else ''}"]
        shutil.rmtree(self.work / "plan", ignore_errors=True)
        plan_images.main([*given, f"--study={json.dumps({'identity': config['identity']})}"])
        self.planned = [row for row in read_tsv(self.work / "plan" / "images.tsv") if row["image"]]

    def work_on(self):
        """Leave what the other steps, Snakemake and people leave of each image."""
        for row in self.planned:
            image, subject = row["image"], row["image"].split("_")[0]
            for kind, ending in (("defaced", ".nii.gz"), ("check", ".json"), ("check", ".png")):
                self.write(f"work/{kind}/{image}{ending}", gzip.compress(b"\0voxels" * 9))
            self.write(f"work/logs/convert_series/{image}.log", "")
            folder = self.bids / subject / "ses-1" / "anat"
            self.write(folder / f"{image}.nii.gz", gzip.compress(b"\0voxels" * 9, mtime=0))
            self.write(folder / f"{image}.json", "{}\n")
            record = base64.urlsafe_b64encode(f"{self.work}/check/{image}.json".encode()).decode()
            self.write(f"work/.snakemake/metadata/{record}", json.dumps({"rule": "deface_image"}))
            long = base64.urlsafe_b64encode(f"/{'far/' * 60}{image}.json".encode()).decode()
            self.write(f"work/.snakemake/metadata/@{long[:254]}/{long[254:]}", "{}")
        images = [row["image"] for row in self.planned]
        people = sorted({image.split("_")[0] for image in images})
        record = base64.urlsafe_b64encode(f"{self.work}/outcome.tsv".encode()).decode()
        self.write(f"work/.snakemake/metadata/{record}", json.dumps({"input": images}))
        self.write("work/.snakemake/backups/crosswalk.tsv", "".join(people))
        self.write("work/.snakemake/log/a.snakemake.log", "\n".join(["started", *images, "done"]) + "\n")
        self.write("work/logs/snakemake.log", "\n".join(images) + "\n")
        self.write("work/report/index.html", " ".join(images))
        self.write("work/.outcome.tsv.77.part", " ".join(images))
        self.write("work/.bids.part/" + people[0] + "/x", "x")
        self.write("work/publish/record.json", json.dumps({"files": 3}))
        rows = [{"item": image, "decision": "accept", "note": ""} for image in images]
        write_tsv(self.work / "review" / "review.tsv", rows, ("item", "decision", "note"))
        write_tsv(self.work / "outcome.tsv", self.planned, plan_images.COLUMNS)
        rows = [{"participant_id": one, "age": 40} for one in people]
        write_tsv(self.bids / "participants.tsv", rows, ("participant_id", "age"))
        write_tsv(self.bids / "phenotype" / "attention.tsv", rows, ("participant_id", "age"))
        write_json(self.bids / "dataset_description.json", {"Name": "Heads"})

    def write(self, path, data):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    def label(self, identifier):
        """Return the label of a person, by what the plan made of their scans."""
        attributes = read_json(self.work / "index" / "attributes.json")
        for row in self.planned:
            if normalised(identifier) == normalised(attributes[row["series"]]["PatientID"][0]):
                return row["image"].split("_")[0].removeprefix("sub-")
        raise AssertionError

    def series(self, label):
        return {row["series"] for row in self.planned if row["image"].startswith(f"sub-{label}_")}


def changes_of(earlier, digests):
    return changes(earlier, {str(path): digest for path, digest in digests.items()})


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path)


def traces(study, label, series, words=(GONE, "MRN7734421", "Whitlock", "Harold")):
    """Return every file or folder that tells of somebody, by a search of its own."""
    wanted = [text.encode().lower() for text in (f"sub-{label}", *series, *words)]
    found = []
    for top in (study.work, study.release):
        for path in top.rglob("*"):
            said = [path.name.encode()]
            joined = (
                "".join(part.removeprefix("@") for part in path.parts if part.startswith("@")) + path.name
            )
            with contextlib.suppress(ValueError):
                said.append(base64.urlsafe_b64decode(joined))
            if path.is_file():
                data = path.read_bytes()
                said += [data, gzip.decompress(data) if path.suffix == ".gz" and data else b""]
            found += [path for text in said if any(one in text.lower() for one in wanted)]
    return found


def test_r76_after_erase_no_file_or_row_has_the_label(study):
    label = study.label(GONE)
    series = study.series(label)
    assert len(traces(study, label, series)) > 30  # the search finds what is there
    others = {name: data for name, data in tree(study.release).items() if name.endswith((".gz", ".json"))}
    result = erase(study.settings, GONE)
    assert traces(study, label, series) == []
    assert result.images == 1
    assert result.files > 10
    assert result.rows > 5
    left = {name: data for name, data in tree(study.release).items() if name.endswith((".gz", ".json"))}
    assert left == {name: data for name, data in others.items() if label not in name}
    assert len(left) == 5
    assert not (study.work / "key" / UNFINISHED).exists()


@pytest.mark.parametrize("spelt", ["MRN 7734421", "mrn-7734421", "label", "sub-label"])
def test_r76_a_person_is_known_by_id_in_any_spelling_or_by_label(study, spelt):
    label = study.label(GONE)
    erase(study.settings, spelt.replace("label", label))
    assert traces(study, label, ()) == []


def test_r76_the_release_is_whole_afterwards(study):
    label = study.label(GONE)
    erase(study.settings, label)
    listed = {row["path"]: row for row in read_tsv(study.release / "MANIFEST.tsv")}
    assert set(listed) == set(tree(study.release)) - {"MANIFEST.tsv"}
    for path, row in listed.items():
        assert row["sha256"] == sha256(study.release / path)
        assert int(row["size"]) == (study.release / path).stat().st_size
    assert len(read_tsv(study.release / "participants.tsv")) == 2
    assert len(read_tsv(study.release / "phenotype" / "attention.tsv")) == 2
    assert (study.release / "CHANGES").read_text() == (
        "2.0.0\n  - Removed: 1 image of 1 subject.\n\n1.0.0\n  - First release.\n"
    )
    for path in (study.release, *study.release.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path
    assert len({path.stat().st_mtime for path in study.release.rglob("*")}) == 1


def test_what_efface_did_not_publish_is_not_touched_but_named(study):
    label = study.label(GONE)
    study.write(f"release/derivatives/sub-{label}_mine.txt", "x")
    with pytest.raises(EffaceError, match=r"something of the person is left.*release/derivatives/sub-"):
        erase(study.settings, label)
    (study.release / "derivatives" / f"sub-{label}_mine.txt").unlink()
    with pytest.raises(EffaceError, match="start efface erase again"):
        refuse_unfinished(study.work)
    erase(study.settings, label)
    refuse_unfinished(study.work)


@pytest.mark.parametrize(
    ("place", "data"),
    [
        ("notes/a.bin", b"\0\1 MRN 7734421"),
        ("notes/b.txt.gz", gzip.compress(b"seen: WHITLOCK^HAROLD, Mr", mtime=0)),
        ("notes/c.bin", "mrn7734421".encode("utf-16-le")),
        ("notes/whitlock.d/x", b"x"),
    ],
)
def test_r76_what_is_left_is_an_error_that_names_the_file_and_nobody(study, place, data):
    study.write(study.work / place, data)
    with pytest.raises(EffaceError, match=r"something of the person is left.*work/notes/") as refused:
        erase(study.settings, GONE)
    assert not {"7734421", "whitlock"} & set(str(refused.value).lower().replace("^", " ").split())
    assert "whitlock" not in str(refused.value).lower()


def test_values_that_others_have_too_are_nobodys_leftovers(study):
    study.write("work/notes/hospital.txt", f"{SHARED} and Heads")
    erase(study.settings, GONE)


def test_a_word_is_searched_as_a_word_of_its_own(tmp_path):
    (tmp_path / "a.txt").write_text("xKX55102 KX551023")
    assert leftovers([tmp_path], ["KX55102"]) == []
    (tmp_path / "b.txt").write_text("(kx55102)")
    assert leftovers([tmp_path], ["KX55102"]) == [tmp_path / "b.txt"]


@pytest.mark.parametrize("chunk", range(1, 30))
def test_a_word_across_two_reads_is_found_and_the_start_of_a_longer_one_is_not(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr("efface.leftovers._CHUNK", chunk)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"this is KX55102 in a text"))
    (tmp_path / "b.txt").write_bytes(b"this is KX551023 in a text")
    (tmp_path / "c.txt").write_bytes(b"at the end KX55102")
    assert leftovers([tmp_path], ["KX55102"]) == [tmp_path / "a.txt.gz", tmp_path / "c.txt"]


def test_r76_a_rerun_does_not_bring_the_person_back(study):
    label = study.label(GONE)
    before = {row["image"] for row in study.planned}
    erase(study.settings, GONE)
    study.plan()
    assert {row["image"] for row in study.planned} == {one for one in before if label not in one}
    assert traces(study, label, ()) == []
    (row,) = [row for row in read_tsv(study.work / "index" / "skipped.tsv") if row["reason"]]
    assert row == {"path": "10 files", "reason": "of a person who was erased", "held": ""}


def test_r76_the_plan_refuses_an_index_from_before(study):
    attributes = (study.work / "index" / "attributes.json").read_bytes()
    erase(study.settings, GONE)
    (study.work / "index" / "attributes.json").write_bytes(attributes)
    given = [f"--index={study.work / 'index'}", f"--key={study.settings.key}", f"--out={study.work / 'plan'}"]
    given += [f"--modalities={WORKFLOW / 'modalities.yaml'}", f"--vocabulary={WORKFLOW / 'vocabulary.yaml'}"]
    with pytest.raises(EffaceError, match="scans of a person who was erased"):
        plan_images.main([*given, f"--erased={study.work / 'key' / tombstones.NAME}"])


def test_r76_a_tombstone_tells_nobody_and_holds_under_site_and_context(tmp_path):
    study = Study(tmp_path, identity={"site": "7", "context": "a project"})
    label = study.label(GONE)
    erase(study.settings, GONE)
    table = study.work / "key" / tombstones.NAME
    assert stat.S_IMODE(table.stat().st_mode) == 0o600
    assert not any(text in table.read_text() for text in ("7734421", label, "Whitlock"))
    key = load_or_make_key(study.settings.key)
    assert tombstones.read(table, key).of_person("MRN7734421")
    assert not tombstones.read(table, key).of_person("KX55102")
    with pytest.raises(UsageError, match="another key's"):
        tombstones.read(table, bytes(32))
    study.plan()
    assert len(study.planned) == 2


def test_a_second_erase_of_the_same_person_has_nothing_to_do(study):
    label = study.label(GONE)
    erase(study.settings, GONE)
    before = tree(study.release)
    for subject in (GONE, label):
        assert erase(study.settings, subject).files == 0
    assert tree(study.release) == before
    assert len(read_tsv(study.work / "key" / tombstones.NAME)) == 1


def test_nobody_and_two_people_are_refused_without_a_change(study):
    before = tree(study.release)
    with pytest.raises(UsageError, match="nobody in this study"):
        erase(study.settings, "MRN 7734422")
    row = {"participant_id": "sub-KX55102", "source_id": "SOMEBODY"}
    known = crosswalk.read(crosswalk.place(study.work))
    crosswalk.write(crosswalk.place(study.work), known, [dict.fromkeys(crosswalk.COLUMNS, "") | row])
    with pytest.raises(UsageError, match="two people"):
        erase(study.settings, "KX55102")
    assert tree(study.release) == before
    said = (study.work / "key" / lookup.ACCESS).read_text()
    assert said.count("refused") == 2
    assert "7734422" not in said


def test_r76_the_number_of_a_template_is_not_given_again(tmp_path):
    identity = {"scheme": "template", "template": "{n:03d}"}
    study = Study(tmp_path, identity=identity)
    labels = {one: study.label(one) for one in PEOPLE}
    for one in PEOPLE:
        if one != GONE:
            erase(study.settings, one)
    place = {"shape": SHAPE, "world_from_voxel": centred(SHAPE, (8, 8, 8))}
    for number in range(5):
        own = {
            "PatientID": f"NEW{number}",
            "PatientName": f"New^{number}",
            "StudyInstanceUID": f"1.3.{number}",
        }
        make_series(study.input / f"n{number}", **place, **own, SeriesInstanceUID=f"1.3.{number}.1")
    study.plan()
    assert study.label(GONE) == labels[GONE]
    given = {row["image"].split("_")[0].removeprefix("sub-") for row in study.planned}
    assert len(given) == 6
    assert not given & {labels[one] for one in PEOPLE if one != GONE}


def test_r76_the_last_person_takes_the_release_along(tmp_path):
    study = Study(tmp_path, people={GONE: PEOPLE[GONE]})
    erase(study.settings, GONE)
    assert not study.release.exists()
    with pytest.raises(EffaceError, match="none but those of people who were erased"):
        study.plan()


def test_r61_r76_random_labels_are_erased_by_label_or_id(tmp_path):
    study = Study(tmp_path, identity={"scheme": "random"})
    label = study.label(GONE)
    series = study.series(label)
    erase(study.settings, GONE)
    assert traces(study, label, series) == []
    study.plan()
    assert len(study.planned) == 2


def test_anonymous_studies_are_erased_by_label_and_say_that_scans_must_leave_the_input(tmp_path):
    study = Study(tmp_path, identity={"scheme": "hmac"}, mode="anonymous")
    label = study.label(GONE)
    for name in ("attributes.json", "identifiers.tsv", "series.tsv", "parts.json", "skipped.tsv"):
        (study.work / "index" / name).unlink()
    shutil.rmtree(study.work / "index" / "files")
    shutil.rmtree(study.work / "key")
    with pytest.raises(UsageError, match="expected a label"):
        erase(study.settings, GONE)
    result = erase(study.settings, label)
    assert traces(study, label, ()) == []
    assert any("no tombstone" in one for one in result.remains)
    assert not (study.work / "key" / tombstones.NAME).exists()


def test_a_series_of_two_people_goes_with_either(tmp_path):
    study = Study(tmp_path)
    place = {"shape": SHAPE, "world_from_voxel": centred(SHAPE, (8, 8, 8)), "StudyInstanceUID": "1.5"}
    for number, identifier in enumerate(("KX-55102", GONE)):
        own = {
            "PatientID": identifier,
            "SeriesInstanceUID": "1.5.1",
            "PatientName": "",
            "SOPInstanceUID": None,
        }
        make_series(study.input / f"mixed{number}", **place, **own | {"SOPInstanceUID": f"1.5.1.{number}"})
    study.plan()
    label = study.label(GONE)
    erase(study.settings, GONE)
    assert traces(study, label, ()) == []
    study.plan()
    assert traces(study, label, ()) == []
    assert study.label("KX-55102")


def test_what_a_person_has_to_do_is_said(tmp_path):
    study = Study(tmp_path)
    series = sorted(study.series(study.label(GONE)))
    others = sorted({row["series"] for row in study.planned} - set(series))
    rows = [{"series": one, "decision": "drop", "reason": "blurred"} for one in (others[0], series[0])]
    write_tsv(tmp_path / "overrides.tsv", rows, ("series", "decision", "reason"))
    (tmp_path / "scores.tsv").write_text("id\tscore\nMRN 7734421\t7\n")
    (tmp_path / "scores.yaml").write_text("id: id\n")
    table = {
        "name": "scores",
        "table": str(tmp_path / "scores.tsv"),
        "dictionary": str(tmp_path / "scores.yaml"),
    }
    study.changes = {"overrides": str(tmp_path / "overrides.tsv"), "phenotype": [table]}
    said = " | ".join(erase(study.settings, GONE).remains)
    assert "clinical tables: scores" in said
    assert "rows 3 of the overrides" in said
    for word in ("input", "backups", "models", "reports", "copies of the release"):
        assert word in said
    assert "7734421" in (tmp_path / "scores.tsv").read_text()


def test_a_run_that_is_at_work_is_not_disturbed(study):
    study.write("work/.snakemake/locks/0.input.lock", "x")
    before = tree(study.release)
    with pytest.raises(EffaceError, match="Snakemake is at work"):
        erase(study.settings, GONE)
    assert tree(study.release) == before


def outcome(study):
    """Return what an erasure leaves, but for times, which differ."""
    left = {f"work/{name}": data for name, data in tree(study.work).items()}
    left |= {f"release/{name}": data for name, data in tree(study.release).items()}
    return {name: data for name, data in left.items() if not name.endswith((lookup.ACCESS, tombstones.NAME))}


class Killed(BaseException):
    """As sudden as a kill: nothing catches it."""


CALLS = ("replace", "unlink", "rmdir", "utime")


def test_r76_a_fault_at_any_step_is_made_good_by_starting_again(tmp_path, monkeypatch):
    first = Study(tmp_path / "study")
    shutil.copytree(tmp_path / "study", tmp_path / "before")
    label = first.label(GONE)
    calls = 0

    def counted(call, last):
        def wrapped(*arguments, **options):
            nonlocal calls
            calls += 1
            if calls > last:
                raise Killed
            return call(*arguments, **options)

        return wrapped

    def disturbed(last):
        nonlocal calls
        calls = 0
        with monkeypatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, counted(getattr(os, name), last))
            erase(first.settings, GONE)

    disturbed(10**9)
    steps, wanted = calls, outcome(first)
    assert steps > 50
    for last in range(0, steps, 3):
        shutil.rmtree(tmp_path / "study")
        shutil.copytree(tmp_path / "before", tmp_path / "study")
        with pytest.raises(Killed):
            disturbed(last)
        # By the label or by the ID: the crosswalk may have lost the line by then.
        erase(first.settings, (GONE, label)[last % 2])
        assert outcome(first) == wanted, last
        assert traces(first, label, ()) == []
    assert last > steps - 4


def test_r76_a_kill_at_any_moment_is_made_good_by_starting_again(tmp_path):
    study = Study(tmp_path / "study")
    shutil.copytree(tmp_path / "study", tmp_path / "before", symlinks=True)
    label, context = study.label(GONE), multiprocessing.get_context("fork")
    started = time.perf_counter()
    erase(study.settings, GONE)
    whole, wanted = time.perf_counter() - started, outcome(study)
    killed = 0
    for moment in range(16):
        shutil.rmtree(tmp_path / "study")
        shutil.copytree(tmp_path / "before", tmp_path / "study")
        process = context.Process(target=erase, args=(study.settings, GONE))
        process.start()
        process.join(whole * moment / 12)
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        erase(study.settings, (GONE, label)[moment % 2])
        assert outcome(study) == wanted
    assert killed >= 4


def test_who_was_begun_before_is_erased_first(study):
    label, other = study.label(GONE), study.label("KX-55102")
    study.write(f"release/mine/sub-{label}.txt", "x")
    with pytest.raises(EffaceError):
        erase(study.settings, GONE)
    shutil.rmtree(study.release / "mine")
    erase(study.settings, other)
    assert traces(study, label, ()) == traces(study, other, (), ()) == []


def test_r76_the_line_about_the_erasure_has_no_label(study):
    label = study.label(GONE)
    lookup.lookup(study.settings, label)
    erase(study.settings, GONE)
    rows = read_tsv(study.work / "key" / lookup.ACCESS)
    assert [(row["action"], row["label"], row["outcome"]) for row in rows] == [
        ("lookup", "(erased)", "told"),
        ("erase", "(erased)", "begun"),
        ("erase", "(erased)", "done"),
    ]
    assert stat.S_IMODE(Path(study.work, "key", lookup.ACCESS).stat().st_mode) == 0o600
