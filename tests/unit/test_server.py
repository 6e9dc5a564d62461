"""The page of the review: who may come in, what is shown, and what is written."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import staged
from conftest import REPOSITORY
from efface import nifti, review
from efface.desk import Desk
from efface.errors import UsageError
from efface.files import sha256
from efface.server import Gate, page
from efface.settings import settings
from efface.tables import read_tsv, write_json, write_tsv

IMAGE, OTHER = staged.IMAGE, "sub-4f2a9c_ses-1_T2w"
AFFINE = np.diag([4.0, 4.0, 5.0, 1.0])


def volume(path, seed):
    voxels = np.random.default_rng(seed).normal(300, 120, (20, 24, 16)).clip(0).astype(np.int16)
    nifti.write(path, voxels, nifti.header(voxels.shape, voxels.dtype, AFFINE))
    return voxels


@pytest.fixture
def config(tmp_path):
    """Return the configuration of a study whose work folder asks for two images and both signatures."""
    work = tmp_path / "work"
    bids = staged.dataset(work)
    for place, name in enumerate((IMAGE, OTHER)):
        volume(work / "defaced" / f"{name}.nii.gz", place)
    volume(work / "check" / f"{IMAGE}_before.nii.gz", 7)
    (work / "check" / f"{OTHER}_before.nii.gz").touch()
    check = json.loads((work / "check" / f"{IMAGE}.json").read_text())
    write_json(work / "check" / f"{OTHER}.json", check | {"decision": "no_face"})
    write_json(work / "nifti" / f"{OTHER}.json", {"Modality": "CT", "EchoTime": 0.1})
    config = {"input": str(tmp_path / "dicom"), "release": str(tmp_path / "release"), "work": str(work)}
    config |= {"dataset": {"name": "x"}, "policy": str(work / "policy.yaml"), "review": {"mode": "pilot"}}
    policy = review.policy_digest(work / "policy.yaml", settings(config).config["level"])
    rows = [
        {"item": name, "image_sha256": sha256(work / "defaced" / f"{name}.nii.gz"), "series": name[-3:]}
        | {"policy_sha256": policy, "why": "pilot: every image", "scanner": "Acme / 1 / 2"}
        for name in (IMAGE, OTHER)
    ]
    rows += [{"item": item, "policy_sha256": policy, "why": "sign-off"} for item in review.SIGN_OFFS]
    write_tsv(work / "review" / "required.tsv", rows, review.REQUIRED)
    (work / "report").mkdir()
    (work / "report" / "index.html").write_text("<style>p { color: red }</style><p>private</p>")
    assert bids.is_dir()
    return config


@pytest.fixture
def work(config, tmp_path):
    return tmp_path / "work"


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def stranger(config, gate):
    """Return a browser that has not come in."""
    return page(Desk(settings(config), "A. Looker"), gate).test_client()


@pytest.fixture
def browser(stranger, gate):
    """Return a browser that has come in."""
    assert stranger.get(f"/enter?token={gate.token}").status_code == 200
    return stranger


@pytest.fixture
def post(browser, gate, work):
    """Send a decision as the page does."""

    def send(item=IMAGE, decision="accept", flags="", note="", by="", digest=None, **headers):
        path = work / "defaced" / f"{item}.nii.gz"
        body = {"item": item, "decision": decision, "flags": flags, "note": note, "by": by}
        body["image_sha256"] = digest if digest is not None else sha256(path) if path.exists() else ""
        headers = {"X-CSRF": gate.csrf, "Origin": "http://localhost"} | headers
        return browser.post("/decision", json=body, headers=headers)

    return send


def decided(work):
    return {
        row["item"]: (row["decision"], row["flags"]) for row in review.read(work / "review" / "review.tsv")
    }


PLACES = ("/", "/items", "/review.js", "/review.css", "/report", f"/image/{IMAGE}", "/nothing", "/decision")


@pytest.mark.parametrize("place", PLACES)
def test_nobody_sees_anything_without_having_come_in(stranger, place):
    assert stranger.get(place).status_code == 403
    assert stranger.get(place, headers={"Cookie": "efface=x"}).status_code == 403


def test_the_token_works_once(stranger, gate):
    token = gate.token
    assert stranger.get("/enter").status_code == 403
    assert stranger.get("/enter?token=wrong").status_code == 403
    assert stranger.head(f"/enter?token={token}").status_code == 403, (
        "a preview of the link does not use it up"
    )
    first = stranger.get(f"/enter?token={token}")
    assert first.status_code == 200 and stranger.get("/").status_code == 200
    cookie = first.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and token not in cookie
    again = stranger.get(f"/enter?token={token}")
    assert again.status_code == 403 and "Set-Cookie" not in again.headers


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.7:80", "[::1]", ""])
def test_under_another_name_nothing_is_served(browser, host):
    assert browser.get("/items", base_url="http://localhost").status_code == 200
    answer = browser.get("/items", headers={"Host": host})
    assert answer.status_code == 403 and b"sub-" not in answer.data


@pytest.mark.parametrize(
    "headers",
    [
        {"X-CSRF": ""},
        {"X-CSRF": "wrong"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:81"},
        {"Origin": "null"},
        {"Origin": ""},
    ],
)
def test_only_the_page_itself_can_write(post, work, headers):
    assert post(**headers).status_code == 403
    assert not (work / "review" / "review.tsv").exists()
    assert post().status_code == 200


def test_nothing_from_elsewhere_may_run_and_nothing_is_kept(browser):
    for place in ("/", "/items", "/report", "/nothing", f"/image/{IMAGE}"):
        headers = browser.get(place).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy
        assert "unsafe" not in policy and "http" not in policy
        assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
    text = browser.get("/").get_data(as_text=True)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=\"/review.js\")|https?://", text)
    for part in ("/review.js", "/review.css"):
        assert not re.search(r"https?://|@import|eval\(|innerHTML", browser.get(part).get_data(as_text=True))


def test_the_report_keeps_its_look(browser):
    answer = browser.get("/report")
    assert answer.get_data(as_text=True).endswith("<p>private</p>")
    assert "style-src 'sha256-" in answer.headers["Content-Security-Policy"]


def test_an_image_is_told_in_words_and_numbers(browser):
    about = browser.get(f"/image/{IMAGE}").json
    assert about["sides"] == ["before", "after"] and not about["changed"] and about["volumes"] == 1
    assert [plane["count"] for plane in about["planes"]] == [20, 24, 16]
    assert about["planes"][2]["mm"] == [80, 96] and about["planes"][0]["mm"] == [96, 80]
    assert ["Brain voxels changed", "0", "at most 0"] in about["measures"]
    assert ["MagneticFieldStrength", "3"] in about["sidecar"]
    assert next(iter(about["windows"])) == "usual"
    other = browser.get(f"/image/{OTHER}").json
    assert other["sides"] == ["after"] and other["decision"] == "no_face"
    assert ["EchoTime", "0.1"] in other["sidecar"], "not staged: as it was converted"


def test_r47_of_ct_bone_can_be_seen_and_jewellery_flagged(browser, post, work):
    assert "bone" in browser.get(f"/image/{OTHER}").json["windows"]
    assert post(OTHER, "reject", "jewellery").status_code == 200
    assert decided(work) == {OTHER: ("reject", "jewellery")}
    rows = read_tsv(work / "review" / "required.tsv")
    rows = [
        row | dict(zip(("decision", "flags"), decided(work).get(row["item"], ("", "")), strict=True))
        for row in rows
    ]
    assert review.rejected(rows) == {OTHER: "rejected in review: jewellery"}


def test_pictures_show_the_files(browser, work):
    about = browser.get(f"/image/{IMAGE}").json
    base = f"/image/{IMAGE}/{about['sha256']}"
    voxels = nifti.stored(nifti.read(work / "defaced" / f"{IMAGE}.nii.gz"))
    low, high = 100, 500
    answer = browser.get(f"{base}/after/coronal/3?low={low}&high={high}")
    expected = np.round(np.clip((voxels[::-1, 3, ::-1].T - low) / (high - low), 0, 1) * 255)
    assert np.array_equal(np.asarray(Image.open(BytesIO(answer.data))), expected)
    before = browser.get(f"{base}/before/coronal/3?low={low}&high={high}").data
    assert before.startswith(b"\x89PNG") and before != answer.data
    head = browser.get(f"{base}/after/head?turn=20&tilt=5&level={about['level']}").data
    assert np.asarray(Image.open(BytesIO(head))).max() > 0


@pytest.mark.parametrize(
    "place",
    [
        "/image/sub-4f2a9c_ses-1_FLAIR",
        "/image/pilot",
        "/image/..%2Fcheck%2Fx",
        f"/image/{IMAGE}/DIGEST/after/axial/16",
        f"/image/{IMAGE}/DIGEST/after/oblique/1",
        f"/image/{IMAGE}/DIGEST/inside/axial/1",
        "/image/sub-none/DIGEST/after/axial/1",
    ],
)
def test_what_was_not_asked_for_is_not_found(browser, work, place):
    digest = sha256(work / "defaced" / f"{IMAGE}.nii.gz")
    assert browser.get(place.replace("DIGEST", digest)).status_code == 404


def test_r22_r55_a_decision_is_on_disk_at_once_for_its_owner_only(post, work, browser):
    assert post(note="a  note\twith\nlines").json["decision"] == "accept"
    (row,) = review.read(work / "review" / "review.tsv")
    assert (row["item"], row["by"], row["note"]) == (IMAGE, "A. Looker", "a note with lines")
    assert row["image_sha256"] == sha256(work / "defaced" / f"{IMAGE}.nii.gz") and row["date"]
    assert stat.S_IMODE((work / "review" / "review.tsv").stat().st_mode) == 0o600
    shown = {row["item"]: row["decision"] for row in browser.get("/items").json}
    assert shown == {IMAGE: "accept", OTHER: "", "pilot": "", "dpo": ""}


def test_a_decision_is_changed_and_taken_back(post, work):
    post()
    post(decision="reject", flags="text, face")
    assert decided(work) == {IMAGE: ("reject", "text, face")}
    assert post(decision="").json["decision"] == ""
    assert decided(work) == {}


@pytest.mark.parametrize(
    "said",
    [
        {"decision": "maybe"},
        {"flags": "face"},
        {"decision": "", "flags": "face"},
        {"decision": "reject", "flags": "ugly"},
        {"item": "dpo", "by": " "},
    ],
)
def test_what_is_no_decision_is_refused_and_not_written(post, work, said):
    answer = post(**said)
    assert answer.status_code == 409 and "nothing was written" in answer.json["error"]
    assert decided(work) == {}


def test_a_signature_bears_the_name_of_who_signs(post, work):
    assert post("dpo", by="B. Officer").status_code == 200
    (row,) = review.read(work / "review" / "review.tsv")
    assert (row["item"], row["decision"], row["by"], row["image_sha256"]) == (
        "dpo",
        "accept",
        "B. Officer",
        "",
    )


def test_an_image_that_changed_since_it_was_shown_is_refused(browser, post, work):
    about = browser.get(f"/image/{IMAGE}").json
    volume(work / "defaced" / f"{IMAGE}.nii.gz", 99)
    old = browser.get(f"/image/{IMAGE}/{about['sha256']}/after/axial/1")
    assert old.status_code == 409 and "changed" in old.json["error"]
    assert post(digest=about["sha256"]).status_code == 409
    assert browser.get(f"/image/{IMAGE}").json["changed"]
    now = post()  # of the new bytes, which nobody has listed
    assert now.status_code == 409 and "efface run" in now.json["error"] and decided(work) == {}


def test_another_policy_asks_for_another_look(post, work):
    (work / "policy.yaml").write_text("keys: {PatientName: {reason: x}}\n")
    answer = post()
    assert answer.status_code == 409 and "policy" in answer.json["error"] and decided(work) == {}


@pytest.mark.parametrize("body", [[], "x", {"item": IMAGE}, {"item": 3, "decision": "accept"}])
def test_what_no_page_sends_is_refused(browser, gate, body):
    headers = {"X-CSRF": gate.csrf, "Origin": "http://localhost"}
    assert browser.post("/decision", json=body, headers=headers).status_code == 400
    long = {name: "x" * 70000 for name in ("item", "image_sha256", "decision", "flags", "note", "by")}
    assert browser.post("/decision", json=long, headers=headers).status_code == 413


def test_a_table_that_was_broken_by_hand_is_told(browser, work):
    (work / "review" / "review.tsv").write_text("item\tdecision\nx\taccept\n")
    answer = browser.get("/items")
    assert answer.status_code == 409 and "table" in answer.json["error"]


START = """
import json, sys
from efface.server import serve
from efface.settings import settings
serve(settings(json.loads(sys.argv[1])), int(sys.argv[2]), "A. Looker", lambda said: print(said, flush=True))
"""


def test_it_is_served_to_this_machine_only_without_a_log_and_ends_with_ctrl_c(config):
    command = [sys.executable, "-c", START, json.dumps(config), "0"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "scripts")}
    running = subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        lines = [running.stdout.readline() for _ in range(3)]
        address = re.search(r"http://127\.0\.0\.1:(\d+)/enter\?token=\S+", lines[0])
        port = int(address[1])
        assert f"ssh -L {port}:127.0.0.1:{port}" in lines[1]
        assert urllib.request.urlopen(address[0]).status == 200
        for place in (address[0], f"http://127.0.0.1:{port}/image/{IMAGE}"):
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(place)
        lines = Path("/proc/net/tcp").read_text().splitlines()
        listening = [line.split() for line in lines if line.split()[3] == "0A"]
        assert [row[1][:8] for row in listening if row[1].endswith(f":{port:04X}")] == ["0100007F"]
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", port), timeout=2)
        taken = subprocess.run(
            [*command[:-1], str(port)], env=environment, text=True, capture_output=True, timeout=60
        )
        assert "--port" in taken.stderr and taken.returncode
        running.send_signal(signal.SIGINT)
        rest = running.communicate(timeout=20)[0]
        assert running.returncode == 0 and rest == "", rest
    finally:
        running.kill()


def test_without_a_list_it_says_what_to_do(config, work):
    (work / "review" / "required.tsv").unlink()
    with pytest.raises(UsageError, match="run efface run first"):
        Desk(settings(config), "x")
