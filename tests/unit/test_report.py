import html
from html.parser import HTMLParser

import pytest
from PIL import Image

import staged
from efface import evidence, report
from efface.tables import read_tsv, write_json

BLOCK = {
    "check": "rule",
    "severity": "block",
    "file": "README.md",
    "where": "line 3",
    "what": "x",
    "advice": "y",
}
WARN = BLOCK | {"severity": "warn"}


class Page(HTMLParser):
    """The tags of a page, checked for balance, and the addresses that it loads."""

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses, self.without_text, self.ids = [], [], 0, []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)
        self.addresses += [attrs[name] for name in ("src", "href") if name in attrs]
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.without_text += tag == "img" and not attrs.get("alt")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def work(tmp_path):
    staged.dataset(tmp_path)
    for name in (f"{staged.IMAGE}.png", f"{staged.IMAGE}_release.png"):
        Image.new("L", (8, 8), len(name)).save(tmp_path / "check" / name)
    (tmp_path / "check" / "sub-4f2a9c_ses-1_T2w.png").touch()
    (tmp_path / "check" / "sub-4f2a9c_ses-1_T2w.json").touch()
    check = {
        "decision": "defaced",
        "reasons": [],
        "face_surface_surviving": 0.01234567,
        "brain_voxels_changed": 0,
    }
    write_json(tmp_path / "check" / f"{staged.IMAGE}.json", check | {"registration_score": None})
    write_json(
        tmp_path / "proof" / f"{staged.IMAGE}.json", {"decision": "proved", "reasons": [], "frames": 176}
    )
    return tmp_path


def pages(work, *findings):
    outcome = read_tsv(work / "outcome.tsv")
    passed = report.verdict(outcome, findings)[0] == "released"
    shown = evidence.images(outcome, work / "check", work / "proof", work / "bids", passed)
    private = report.private_page(outcome, findings, shown, "/srv/<release>")
    return private, report.public_page(outcome, findings, shown, "Demo heads", staged.record())


def test_pages_load_nothing_from_elsewhere(work):
    for text in pages(work, WARN):
        page = Page(text)
        assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)
        assert {address[1:] for address in page.addresses if address[0] == "#"} <= set(page.ids)
        assert page.without_text == 0
        assert "url(" not in text
        assert "<script" not in text


def test_private_page_has_every_series_with_reason_and_advice(work):
    private, _ = pages(work)
    for text in ("q3xk7mzd", "b2wv5tne", "m7yc4hsa", "1 of 20 slice positions is missing", "a dose report"):
        assert text in private
    for text in ("look at its picture", "decide: keep or drop", "nothing: a rule"):
        assert text in private
    assert "/srv/&lt;release&gt;" in private


def test_private_page_has_measures_with_bounds_and_the_sidecar(work):
    private, _ = pages(work)
    for text in ("0.01235", "at most 0.05", "not measured", "176", "MagneticFieldStrength"):
        assert text in private
    assert private.count("<img") == 1
    assert "stopped before it was defaced" in private


def test_doubt_about_a_face_is_not_for_an_override(work):
    name = "sub-4f2a9c_ses-1_T2w"
    write_json(work / "proof" / f"{name}.json", {"decision": "proved", "reasons": []})
    write_json(work / "check" / f"{name}.json", {"decision": "held", "reasons": ["doubt"]})
    private, _ = pages(work)
    assert "it stays held" in private
    assert "decide: keep or drop" not in private


def test_private_page_shows_findings_escaped(work):
    private, _ = pages(work, BLOCK | {"what": "<b>bold</b>"})
    assert "&lt;b&gt;bold" in private
    assert "Nothing is published: 1 finding" in private


def test_r01_the_public_page_prints_each_key_with_its_reason_and_each_risk(work):
    _, public = pages(work, WARN)
    told, record = " ".join(html.unescape(public).split()), staged.record()
    for kept in record["policy"]["kept"]:
        assert f"<code>{kept['key']}</code></td><td>{kept['reason']}" in told
    for risk in record["residual_risks"]:
        assert f"<li>{risk}</li>" in told


def test_public_page_has_nothing_private(work):
    _, public = pages(work, WARN)
    face = evidence._data_address(work / "check" / f"{staged.IMAGE}.png")
    assert evidence._data_address(work / "check" / f"{staged.IMAGE}_release.png") in public
    for private in (
        "q3xk7mzd",
        "b2wv5tne",
        "m7yc4hsa",
        "T2w",
        "slice positions",
        "/srv",
        str(work),
        face,
        "README.md",
    ):
        assert private not in public
    assert "it cannot exclude it" in public
    assert "1 image of 1 person" in " ".join(public.split())


def test_public_page_of_a_refused_dataset_shows_no_picture(work):
    _, public = pages(work, BLOCK)
    assert "This dataset is not released." in public
    assert "<img" not in public
    assert staged.IMAGE not in public


def test_pages_do_not_change(work):
    assert pages(work, WARN) == pages(work, WARN)


@pytest.mark.parametrize(
    ("decisions", "findings", "word"),
    [
        (["release"], [], "released"),
        (["release", "held"], [WARN], "released"),
        (["release"], [BLOCK], "refused"),
        (["held"], [], "empty"),
        ([], [WARN], "empty"),
    ],
)
def test_verdict(decisions, findings, word):
    assert report.verdict([{"decision": decision} for decision in decisions], findings)[0] == word
