"""Who must look at what, what a decision is bound to, and what it lets pass."""

import hashlib
import stat
import threading

import pytest

from efface.errors import EffaceError, UsageError
from efface.review import (
    COLUMNS,
    FLAGS,
    Candidate,
    decide,
    policy_digest,
    read,
    refuse,
    rejected,
    sample,
    standing,
    waiting,
)
from efface.tables import write_tsv

POLICY = "b" * 64


def order(candidate):
    return hashlib.sha256(candidate.image.encode()).digest()


def digest(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


def cohort(count, scanners=1):
    return [
        Candidate(f"sub-{n:04d}_ses-1_T1w", f"series{n}", f"scanner {n % scanners}", digest(n))
        for n in range(count)
    ]


def decision(candidate, decision="accept", flags="", policy=POLICY, by="A. Looker", **more):
    row = dict.fromkeys(COLUMNS, "") | {"item": candidate.image, "image_sha256": candidate.sha256}
    return row | {"policy_sha256": policy, "decision": decision, "flags": flags, "by": by} | more


def sign(item, decision="accept", policy=POLICY):
    row = dict.fromkeys(COLUMNS, "")
    return row | {"item": item, "policy_sha256": policy, "decision": decision, "by": "B. Signer"}


BOTH = [sign("pilot"), sign("dpo")]


def digests(candidates):
    return {f"sub-x/ses-1/anat/{one.image}.nii.gz": one.sha256 for one in candidates}


def test_without_a_mode_nothing_waits_and_a_rejection_still_counts():
    one, other = cohort(2)
    rows = standing([one, other], [decision(one, "reject")], POLICY, order=order)
    assert [row["why"] for row in rows] == ["", ""]
    assert waiting(rows) == []
    assert rejected(rows) == {one.image: "rejected in review"}


def test_r22_r55_publishing_waits_for_each_image_of_a_pilot():
    images = cohort(3)
    made = [decision(one) for one in images[:2]]
    rows = standing(images, [*made, *BOTH], POLICY, mode="pilot", order=order)
    assert [row["item"] for row in waiting(rows)] == [images[2].image]
    with pytest.raises(EffaceError, match="1 image without one"):
        refuse(rows, digests(images))
    rows = standing(images, [*made, decision(images[2]), *BOTH], POLICY, mode="pilot", order=order)
    refuse(rows, digests(images))


def test_r15_a_pilot_is_published_when_it_is_signed():
    images = cohort(2)
    made = [decision(one) for one in images]
    for missing in range(2):
        signs = [one for n, one in enumerate(BOTH) if n != missing]
        rows = standing(images, made + signs, POLICY, mode="pilot", order=order)
        with pytest.raises(EffaceError, match=f"no sign-off of {BOTH[missing]['item']}"):
            refuse(rows, digests(images))
    rows = standing(images, [*made, sign("pilot"), sign("dpo", "reject")], POLICY, mode="pilot", order=order)
    with pytest.raises(EffaceError, match="no sign-off of dpo"):
        refuse(rows, digests(images))


@pytest.mark.parametrize(
    ("count", "scanners", "least"), [(1000, 1, 10), (1000, 25, 25), (1001, 3, 11), (1, 1, 1)]
)
def test_r16_the_sample_is_one_in_a_hundred_and_holds_every_scanner(count, scanners, least):
    images = cohort(count, scanners)
    chosen = sample(images, 0.01, order)
    assert len(chosen) == least
    assert {one.scanner for one in images if one.image in chosen} == {one.scanner for one in images}
    assert sample(images[::-1], 0.01, order) == chosen
    assert count == 1 or sample(images, 0.01, lambda one: order(one)[::-1]) != chosen


def test_r16_an_image_of_the_sample_that_nobody_looked_at_blocks():
    images = cohort(300, 2)
    asked = [one for one in images if one.image in sample(images, 0.01, order)]
    assert len(asked) == 3
    made = [decision(one) for one in asked[1:]]
    rows = standing(images, made + BOTH, POLICY, mode="scale", order=order)
    assert [row["item"] for row in waiting(rows)] == [asked[0].image]
    rows = standing(images, [*made, decision(asked[0]), *BOTH], POLICY, mode="scale", order=order)
    refuse(rows, digests(images))


def test_r13_in_the_mode_scale_the_first_series_of_a_new_scanner_are_looked_at():
    images = cohort(300, 2)
    new = {one.series for one in images[7:17:2]}
    rows = standing(images, BOTH, POLICY, mode="scale", new=new, order=order)
    asked = {row["series"] for row in waiting(rows)}
    assert new <= asked and len(asked) <= len(new) + 3
    assert waiting(standing(images, [], POLICY, new=new, order=order)) == []


def test_a_rejection_in_the_sample_asks_for_all_of_its_scanner():
    images = cohort(200, 2)
    asked = [one for one in images if one.image in sample(images, 0.01, order)]
    made = [decision(one, "reject" if one is asked[0] else "accept") for one in asked]
    rows = standing(images, made + BOTH, POLICY, mode="scale", order=order)
    open_rows = waiting(rows)
    assert {row["scanner"] for row in open_rows} == {asked[0].scanner}
    assert {row["why"] for row in open_rows} == {"an image of its scanner was rejected"}
    assert len(open_rows) == 100 - sum(one.scanner == asked[0].scanner for one in asked)


def test_r47_a_flag_drops_the_series():
    head, phase = (
        Candidate(f"sub-1_ses-1_part-{part}_T2w", "one", "a", digest(part)) for part in ("mag", "phase")
    )
    other = Candidate("sub-1_ses-1_T1w", "two", "a", digest("T1w"))
    images = [head, phase, other]
    made = [decision(head, "reject", "jewellery"), decision(other)]
    rows = standing(images, made + BOTH, POLICY, mode="pilot", order=order)
    gone = rejected(rows)
    assert gone == {
        head.image: "rejected in review: jewellery",
        phase.image: "another image of its series was rejected in review: jewellery",
    }
    assert waiting(rows) == []
    refuse(rows, digests([other]))
    with pytest.raises(EffaceError, match="1 other or rejected"):
        refuse(rows, digests([other, phase]))


@pytest.mark.parametrize("mode", ["none", "scale"])
@pytest.mark.parametrize("changed", ["image", "policy"])
def test_what_was_rejected_is_not_released_because_it_changed(mode, changed):
    """A void rejection must be made again or taken back, also where nobody else would look."""
    images = cohort(300)
    asked = sample(images, 0.01, order)
    place = next(n for n, one in enumerate(images) if one.image not in asked)
    bad, policy = images[place], "c" * 64 if changed == "policy" else POLICY
    made = [decision(bad, "reject", "jewellery")]
    if changed == "image":
        images[place] = Candidate(bad.image, bad.series, bad.scanner, digest("changed"))
    made += [sign(one["item"], policy=policy) for one in BOTH]
    made += [decision(one, policy=policy) for one in images if one.image in asked]
    rows = standing(images, made, policy, mode=mode, order=order)
    assert [(row["item"], row["why"]) for row in waiting(rows)] == [(bad.image, "rejected before it changed")]
    accepted = decision(images[place], policy=policy)
    rows = standing(images, [*made, accepted], policy, mode=mode, order=order)
    assert waiting(rows) == []


@pytest.mark.parametrize("changed", ["image", "policy"])
def test_r78_a_change_voids_the_decision(changed):
    (image,) = cohort(1)
    made = [decision(image), *BOTH]
    policy = "c" * 64 if changed == "policy" else POLICY
    if changed == "image":
        image = Candidate(image.image, image.series, image.scanner, digest("changed"))
    rows = standing([image], made, policy, mode="pilot", order=order)
    asked = [row["item"] for row in waiting(rows)]
    assert asked == [image.image] + ["pilot", "dpo"] * (changed == "policy")


def test_r78_the_digest_of_the_policy_knows_all_that_sidecars_show(tmp_path):
    policy, registry = tmp_path / "policy.yaml", tmp_path / "scanners.yaml"
    policy.write_text("keys: {EchoTime: {reason: needed}}\n")
    registry.write_text("- {manufacturer: Acme, model: One, software: '1', values: {ScanOptions: [FS]}}\n")
    first = policy_digest(policy, 4, registry)
    assert policy_digest(policy, 4) == first  # values that were seen publish nothing
    assert policy_digest(policy, 5) != first
    registry.write_text("- {manufacturer: Acme, private: [{key: GradientMode, creator: ACME}]}\n")
    assert policy_digest(policy, 4, registry) != first
    policy.write_text("keys: {EchoTime: {reason: needed too}}\n")
    assert policy_digest(policy, 4) != first


def test_an_image_that_is_not_the_one_decided_on_is_refused():
    images = cohort(2)
    rows = standing(images, [decision(one) for one in images] + BOTH, POLICY, mode="pilot", order=order)
    staged = digests(images)
    staged[next(iter(staged))] = digest("another")
    with pytest.raises(EffaceError, match="1 other"):
        refuse(rows, staged)
    with pytest.raises(EffaceError, match="1 other"):
        refuse(rows, digests([*images, Candidate("sub-9_ses-1_T1w", "", "", digest(9))]))


def test_a_decision_is_on_disk_at_once_and_replaces_the_one_before(tmp_path):
    path = tmp_path / "review" / "review.tsv"
    one, other = cohort(2)
    decide(path, decision(one, note="earring\tleft\nside"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read(path)[0]["note"] == "earring\tleft\nside"
    decide(path, decision(other))
    decide(path, decision(one, "reject", "face, jewellery"))
    assert [(row["item"], row["decision"], row["flags"]) for row in read(path)] == [
        (other.image, "accept", ""),
        (one.image, "reject", "jewellery, face"),
    ]
    decide(path, decision(one, ""))
    assert [row["item"] for row in read(path)] == [other.image]


def test_two_who_decide_at_once_lose_nothing(tmp_path):
    images = cohort(24)
    threads = [
        threading.Thread(target=decide, args=(tmp_path / "review.tsv", decision(one))) for one in images
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {row["item"] for row in read(tmp_path / "review.tsv")} == {one.image for one in images}


def test_a_table_edited_by_hand_works(tmp_path):
    """As a spreadsheet leaves it: a mark of byte order, line ends, columns that were added, open rows."""
    one, other = cohort(2)
    lines = ["\t".join((*COLUMNS, "why")), "\t".join((*decision(one, "Accept ").values(), "pilot"))]
    lines.append("\t".join((*decision(other, "", "Jewellery; text").values(), "pilot")))
    lines.append("\t".join((*decision(other, "", by="").values(), "pilot")))
    path = tmp_path / "review.tsv"
    path.write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())
    assert [(row["decision"], row["flags"]) for row in read(path)] == [
        ("accept", ""),
        ("reject", "jewellery, text"),
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decision": "yes"}, "row 2, decision"),
        ({"decision": "accept", "flags": "face"}, "reject beside a flag"),
        ({"flags": "nose", "decision": "reject"}, "row 2, flags"),
        ({"by": ""}, "'by' is missing"),
        ({"image_sha256": ""}, "'image_sha256' is missing"),
        ({"image_sha256": "0123"}, "row 2, image_sha256"),
        ({"item": "Tova"}, "row 2, item"),
        ({"item": "dpo"}, "row 2"),
        ({"policy_sha256": ""}, "'policy_sha256' is missing"),
    ],
)
def test_a_row_that_is_no_decision_is_refused(tmp_path, change, said):
    (one,) = cohort(1)
    write_tsv(tmp_path / "review.tsv", [decision(one) | change], COLUMNS)
    with pytest.raises(UsageError, match=said):
        read(tmp_path / "review.tsv")


def test_two_decisions_on_one_image_are_refused(tmp_path):
    (one,) = cohort(1)
    write_tsv(tmp_path / "review.tsv", [decision(one), decision(one, "reject")], COLUMNS)
    with pytest.raises(UsageError, match="row 3: expected one decision"):
        read(tmp_path / "review.tsv")


def test_flags_are_those_of_the_schema():
    import yaml

    from efface.review import _SCHEMA

    pattern = yaml.safe_load(_SCHEMA.read_text())["properties"]["flags"]["pattern"]
    assert pattern.count("|".join(FLAGS)) == 2
