"""The step that lists who must look at which image."""

import pytest

import ask_review
import publish_release
import staged
from efface.review import REQUIRED, decide, rejected
from efface.tables import read_json, read_tsv, write_json, write_tsv

NAMES = ("T1w", "T2w", "FLAIR", "PDw")


@pytest.fixture
def work(tmp_path):
    """Return a work folder with four images of two scanners; one is held, two are parts of a series."""
    rows = []
    for place, suffix in enumerate(NAMES):
        image, series = f"sub-a_ses-1_{suffix}", ("q3xk7mzd", "b2wv5tne", "m7yc4hsa.1", "m7yc4hsa.2")[place]
        rows.append({"series": series, "decision": "convert", "image": image, "reason": ""})
        write_json(tmp_path / "plan" / "images" / f"{image}.json", {"scanner": f"scanner {place // 2}"})
        write_json(tmp_path / "proof" / f"{image}.json", {"decision": "proved", "reasons": []})
        check = {"decision": "held" if suffix == "T2w" else "defaced", "reasons": ["x"]}
        write_json(tmp_path / "check" / f"{image}.json", check | {"image_sha256": f"{place}" * 64})
    rows.append({"series": "z2wv5tne", "decision": "dropped", "image": "", "reason": "a dose report"})
    columns = ("series", "modality", "files", "decision", "reason", "image")
    write_tsv(tmp_path / "plan" / "images.tsv", rows, columns)
    (tmp_path / "policy.yaml").write_text("keys: {EchoTime: {reason: x}}\n")
    return tmp_path


def run(work, mode="pilot", *more):
    arguments = {"plan": work / "plan", "proofs": work / "proof", "checks": work / "check"}
    arguments |= {"policy": work / "policy.yaml", "level": 4, "mode": mode}
    arguments |= {"decisions": work / "review.tsv", "required": work / "required.tsv"}
    ask_review.main([*(f"--{name}={value}" for name, value in arguments.items()), *more])
    rows = read_tsv(work / "required.tsv", REQUIRED)
    return rows, rejected(rows)


def test_images_that_may_be_released_are_listed(work):
    rows, gone = run(work)
    assert [row["item"].rpartition("_")[2] for row in rows] == ["FLAIR", "PDw", "T1w", "pilot", "dpo"]
    assert {row["scanner"] for row in rows} == {"scanner 0", "scanner 1", ""}
    assert gone == {}


def test_a_rejected_part_takes_its_series_along(work):
    rows, _ = run(work)
    decide(work / "review.tsv", rows[0] | {"decision": "reject", "flags": "face", "by": "A. Looker"})
    _, gone = run(work)
    assert [image.rpartition("_")[2] for image in gone] == ["FLAIR", "PDw"]
    assert gone["sub-a_ses-1_FLAIR"] == "rejected in review: face"


@pytest.mark.parametrize("key", [True, False])
def test_r16_the_sample_is_the_same_again_and_another_under_another_key(work, key):
    def sampled(name):
        (work / name).write_text(name[0] * 64)
        rows, _ = run(work, "scale", *[f"--key={work / name}"] * key)
        return [row["item"] for row in rows if row["why"] == "in the sample"]

    samples = [sampled(f"{digit}key") for digit in "0123456789"]
    assert all(len(one) == 2 for one in samples)
    assert sampled("0key") == samples[0]
    assert (len({tuple(one) for one in samples}) == 1) is not key


def test_r13_the_queue_names_series_of_new_scanners(work):
    queue = [{"kind": "scanner", "series": "m7yc4hsa.1"}, {"kind": "text", "series": "q3xk7mzd"}]
    write_tsv(work / "queue.tsv", queue, ("kind", "series"))
    rows, _ = run(work, "scale", f"--queue={work / 'queue.tsv'}")
    assert {row["series"] for row in rows if row["why"] == "of a new scanner"} <= {"m7yc4hsa"}
    assert {row["why"] for row in rows if row["series"] == "m7yc4hsa"} >= {"of a new scanner"}


def test_r22_publishing_reads_the_table(tmp_path, capsys):
    """The whole gate: open, decided, and decided on other bytes."""
    bids = staged.dataset(tmp_path)
    digests = {path: staged.sha256(path) for path in bids.rglob("*") if path.is_file()}
    rows = [{"path": path.relative_to(bids).as_posix(), "sha256": one} for path, one in digests.items()]
    write_tsv(tmp_path / "staged.tsv", rows, ("path", "sha256"))
    write_tsv(tmp_path / "findings.tsv", [], ("severity", "file"))
    images = [path for path in digests if path.name.endswith(".nii.gz")]
    items = [
        dict.fromkeys(REQUIRED, "")
        | {"item": path.name.removesuffix(".nii.gz"), "image_sha256": digests[path], "why": "pilot"}
        for path in images
    ]
    arguments = {"bids": bids, "staged": tmp_path / "staged.tsv", "findings": tmp_path / "findings.tsv"}
    arguments |= {"outcome": tmp_path / "outcome.tsv", "release": tmp_path / "release"}
    arguments |= {"review": tmp_path / "required.tsv", "record": tmp_path / "record.json"}
    line = [f"--{name}={value}" for name, value in arguments.items()]

    def publish(rows):
        write_tsv(tmp_path / "required.tsv", rows, REQUIRED)
        return publish_release.guarded(lambda: publish_release.main(line))

    assert publish(items) == 1
    assert "2 images without one" in capsys.readouterr().err
    accepted = [row | {"decision": "accept"} for row in items]
    assert publish([accepted[0] | {"image_sha256": "0" * 64}, *accepted[1:]]) == 1
    assert "1 other or rejected" in capsys.readouterr().err
    assert not (tmp_path / "release").exists()
    assert publish(accepted) == 0
    assert read_json(tmp_path / "record.json")["looked_at"] == 2
