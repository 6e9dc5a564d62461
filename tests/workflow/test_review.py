"""A run that waits for a person, and the person: a real browser on the page of efface review."""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
import yaml
from playwright.sync_api import expect, sync_playwright

from efface import nifti, review
from efface.files import sha256
from efface.tables import read_json, read_tsv, write_tsv
from study import tree

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync""".split()
START = "import sys; from efface.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def browser():
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.fail(f"install a browser: none of {', '.join(BROWSERS)} is on the PATH")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()


class Study:
    """One person's first visit with three images, in the mode pilot."""

    def __init__(self, demo, folder):
        (self.visit,) = demo.dicom.glob("CD_*/DICOM/PA000001/ST000001")
        self.workflow, self.base = demo.workflow, demo.elsewhere()
        self.release, self.work, self.config = folder / "release", folder / "work", folder / "study.yaml"
        self.decisions = self.work / "review" / "review.tsv"

    def run(self, **changes):
        self.config.write_text(yaml.safe_dump(self.base | {"review": {"mode": "pilot"}} | changes))
        folders = (self.visit, self.release, "--work", self.work)
        return self.workflow.efface("run", *folders, "--config", self.config, "--cores", "2")

    def decided(self):
        return [(row["item"], row["decision"], row["flags"]) for row in review.read(self.decisions)]


@pytest.fixture(scope="module")
def study(demo, tmp_path_factory):
    """Return a study that has run once and waits."""
    made = Study(demo, tmp_path_factory.mktemp("review"))
    made.result = made.run()
    return made


@pytest.fixture
def opened(study, browser):
    """Return the page of a server of its own, what went wrong on it, and whom it asked."""
    command = [sys.executable, "-c", START, "review", "--work", str(study.work), "--by", "A. Looker"]
    environment = os.environ | {"PYTHONPATH": str(study.workflow.folder / "scripts")}
    server = subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        address = re.search(r"http://\S+", server.stdout.readline())[0]
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.wrong, page.asked = [], set()
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.on("console", lambda said: said.type == "error" and page.wrong.append(said.text))
        page.on("request", lambda request: page.asked.add(request.url.split("/")[2]))
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        page.address = address
        yield page
        assert page.wrong == [] and page.asked == {address.split("/")[2]}
        context.close()
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
    finally:
        server.kill()


def ready(page, item):
    """Wait until an image is seen."""
    page.wait_for_selector(f'body[data-ready="{item}"]')


def seen(page, view, side="after"):
    """Return the address of a picture, when it has been drawn."""
    expect(page.locator(".frame[aria-busy=true]")).to_have_count(0)
    image = page.locator(f"[data-view={view}] [data-side={side}] img")
    assert image.evaluate("(image) => image.complete && image.naturalWidth") > 0
    return image.get_attribute("src")


def test_r22_before_and_after_can_be_looked_at_from_all_sides(study, opened):
    """Slices by wheel, slider and click, the head by dragging and by arrows; both sides together."""
    page, first = opened, read_tsv(study.work / "review" / "required.tsv")[0]["item"]
    ready(page, first)
    for view in ("head", "sagittal", "coronal", "axial"):
        assert seen(page, view, "before") != seen(page, view, "after")
    letters = page.locator("[data-view=axial] [data-side=after] span:visible").all_text_contents()
    assert letters == ["after", "R", "L", "A", "P"]
    frame = page.locator("[data-view=axial] [data-side=before]")

    old = seen(page, "axial")
    frame.hover()
    page.mouse.wheel(0, 120)
    expect(page.locator("[data-view=axial] [data-side=after] img")).not_to_have_attribute("src", old)
    up, down = (int(re.search(r"axial/(\d+)", src)[1]) for src in (old, seen(page, "axial")))
    assert down == up - 3
    assert f"axial/{down}?" in seen(page, "axial", "before")
    page.locator("#at-axial").press("ArrowRight")
    assert f"axial/{down + 1}?" in seen(page, "axial")

    old = seen(page, "sagittal"), seen(page, "coronal")
    box = frame.bounding_box()
    page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + 0.4 * box["height"])
    assert seen(page, "sagittal") != old[0] and seen(page, "coronal") != old[1]

    old, head = seen(page, "head"), page.locator("[data-view=head] [data-side=after]").bounding_box()
    page.mouse.move(head["x"] + 50, head["y"] + 50)
    page.mouse.down()
    page.mouse.move(head["x"] + 150, head["y"] + 80)
    page.mouse.up()
    turned = seen(page, "head")
    assert turned != old and turned.split("?")[1] == seen(page, "head", "before").split("?")[1]
    page.keyboard.press("ArrowLeft")
    assert seen(page, "head") != turned
    page.keyboard.press("h")
    assert "turn=25&tilt=0" in seen(page, "head")

    page.get_by_role("button", name="dim").click()
    assert seen(page, "axial") != seen(page, "axial", "before")
    page.keyboard.press("z")
    expect(page.locator("[data-view=axial]")).to_be_hidden()
    sides = [
        page.locator(f"[data-view=head] [data-side={side}]").bounding_box() for side in ("before", "after")
    ]
    assert sides[0]["y"] == sides[1]["y"] and sides[0]["x"] + sides[0]["width"] <= sides[1]["x"]
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("a")
    assert study.decided() == [], "no key decides behind the help"
    page.keyboard.press("Escape")

    expect(page.locator("#measures")).to_contain_text("Brain voxels changed")
    expect(page.locator("#sidecar")).to_contain_text("MagneticFieldStrength")
    with page.expect_popup() as popup:
        page.get_by_role("link", name="private report").click()
    expect(popup.value.locator("h1")).to_have_text("Private report")
    assert popup.value.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") == "1180px"


def test_volumes_of_a_series_can_be_stepped_through(study, opened):
    page = opened
    names = [row["item"] for row in read_tsv(study.work / "review" / "required.tsv")]
    (bold,) = (name for name in names if name.endswith("_bold"))
    page.locator(f'[data-item="{bold}"]').click()
    ready(page, bold)
    assert "volume" not in seen(page, "axial")
    page.locator("#volume").press("ArrowRight")
    assert "volume=0" in seen(page, "axial")
    for other in (name for name in names[:3] if name != bold):
        page.locator(f'[data-item="{other}"]').click()
        ready(page, other)
        expect(page.locator("#volumes")).to_be_hidden()


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768)])
def test_the_page_fits_its_window(opened, size):
    """Nothing to scroll for before a decision, and nothing beside the window."""
    opened.set_viewport_size({"width": size[0], "height": size[1]})
    assert opened.evaluate("document.documentElement.scrollWidth") <= size[0]
    for place in ("#decide", "#views", "#list"):
        box = opened.locator(place).bounding_box()
        assert box["x"] + box["width"] <= size[0] and box["y"] + box["height"] <= size[1], place
    last = opened.locator("[data-view=axial] [data-side=after]").bounding_box()
    assert last["y"] + last["height"] <= opened.locator("#decide").bounding_box()["y"]


def test_r15_r22_publishing_waits_for_decisions_and_heeds_them(study, opened):
    assert study.result.code == 1 and "3 images without one" in study.result.said, study.result.said
    assert not study.release.exists()
    page = opened
    names = [row["item"] for row in read_tsv(study.work / "review" / "required.tsv")][:3]
    progress = page.locator("#progress")
    expect(progress).to_have_text("0 of 3 decided, 0 rejected")

    ready(page, names[0])
    page.keyboard.press("a")
    ready(page, names[1])
    assert study.decided() == [(names[0], "accept", "")]
    page.keyboard.press("u")
    ready(page, names[0])
    assert study.decided() == []
    page.keyboard.press("a")
    ready(page, names[1])

    page.keyboard.press("n")
    page.keyboard.type("a ring in the lip")
    assert study.decided() == [(names[0], "accept", "")], "letters of a note are no keys"
    page.keyboard.press("Enter")
    page.keyboard.press("1")
    ready(page, names[2])
    assert study.decided() == [(names[0], "accept", ""), (names[1], "reject", "jewellery")]
    (row,) = (one for one in review.read(study.decisions) if one["item"] == names[1])
    assert (row["note"], row["by"]) == ("a ring in the lip", "A. Looker")
    assert row["image_sha256"] == sha256(study.work / "defaced" / f"{names[1]}.nii.gz")
    page.keyboard.press("a")
    ready(page, "sign-off")
    expect(progress).to_have_text("3 of 3 decided, 1 rejected – none is open")
    assert [row[1] for row in study.decided()] == ["accept", "reject", "accept"]
    unsigned = study.run()
    assert unsigned.code == 1 and "no sign-off of pilot and dpo" in unsigned.said, unsigned.said

    for sign, name in (("pilot", ""), ("dpo", "B. Officer")):
        box = page.locator(f"[data-sign={sign}]")
        if name:
            box.get_by_role("checkbox").click()
            expect(page.locator("#alert")).to_have_text("A sign-off needs a name.")
            box.get_by_role("textbox").fill(name)
        box.get_by_role("checkbox").click()
        expect(page.locator('[data-item="sign-off"]')).to_contain_text("1 of 2" if not name else "2 of 2")
    assert [row["by"] for row in review.read(study.decisions)[-2:]] == ["A. Looker", "B. Officer"]

    published = study.run()
    assert published.code == 3, published.said
    there = "\n".join(tree(study.release))
    assert names[0] in there and names[2] in there and names[1] not in there
    outcome = {row["image"]: row for row in read_tsv(study.work / "outcome.tsv")}
    assert outcome[names[1]]["decision"] == "held" and "jewellery" in outcome[names[1]]["reason"]
    assert b"ring in the lip" not in b"".join(tree(study.release).values())

    before = tree(study.release)
    config = study.base.get("deface", {}) | {"fill": "noise"}
    changed = study.run(deface=config)
    assert changed.code == 1 and "image" in changed.said and "without one" in changed.said, changed.said
    assert tree(study.release) == before, "what was published stands"
    other = [
        name for name in names if read_json(study.work / "check" / f"{name}.json")["decision"] == "defaced"
    ]
    open_now = {
        row["item"] for row in read_tsv(study.work / "review" / "required.tsv") if not row["decision"]
    }
    assert set(other) <= open_now
    page.locator("[data-filter=all]").click()
    page.locator(f'[data-item="{names[0]}"]').click()
    ready(page, names[0])
    expect(page.locator("#state")).to_have_text("open")

    written = study.decisions.read_bytes()
    path = study.work / "defaced" / f"{names[2]}.nii.gz"
    image = nifti.read(path)
    nifti.write(path, nifti.stored(image) + 1, image.header)  # behind the workflow's back
    page.locator(f'[data-item="{names[2]}"]').click()
    ready(page, names[2])
    expect(page.locator("#alert")).to_contain_text("not the one that was listed")
    page.keyboard.press("a")
    expect(page.locator("#state")).to_have_text("open")
    assert study.decisions.read_bytes() == written


def test_the_anonymous_mode_waits_too_and_then_forgets(demo, tmp_path):
    """Decided in the table, by hand; what leads back stays until the release stands, and then goes."""
    study = Study(demo, tmp_path)
    del study.base["key"]
    anonymous = {"mode": "anonymous", "identity": {"scheme": "random"}}
    first = study.run(**anonymous)
    assert first.code == 1 and "3 images without one" in first.said, first.said
    rows = read_tsv(study.work / "review" / "required.tsv", review.REQUIRED)
    decided = [row | {"decision": "accept", "by": "A. Looker"} for row in rows]
    write_tsv(study.decisions, decided, review.REQUIRED)
    second = study.run(**anonymous)
    assert second.code == 0, second.said
    assert sorted(row["item"] for row in rows if row["series"]) == sorted(
        name.rpartition("/")[2].removesuffix(".nii.gz")
        for name in tree(study.release)
        if name.endswith(".nii.gz")
    )
    left = {path.name for path in study.work.rglob("*") if path.is_file()}
    assert not left & {"secret", "identifiers.tsv", "attributes.json", "crosswalk.tsv", "queue.tsv"}
    third = study.run(**anonymous)
    assert third.code == 0 and "Nothing to be done" in (study.work / "logs" / "snakemake.log").read_text()
