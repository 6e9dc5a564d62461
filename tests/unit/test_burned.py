"""burned: pages of text, and text in images; the border regions that are blanked."""

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from efface import burned, nifti, ocr
from efface.convert import convert_series
from efface.deface import deface_file
from efface.deface.blank import border
from efface.errors import Held, UsageError
from heads import ATLAS_FOLDER, head_image
from phantom import centred, make_series
from text import AXES

LINES = ("ANDERSSON EVA", "19510203-1234", "ID 884213")
REPORT = ("Patient Name: ANDERSSON EVA", "Exam no: 7781", "Dose Report", "1  Scout  -  -  -",
          "2  Helical  41.2  DLP 884.50  Head 16", "Total DLP 912.31 mGy-cm")  # fmt: skip


def written(shape, lines, size, left=4, top=4):
    """Return a page with lines of text: (I, J) float, 1 where the ink is."""
    page = Image.new("L", shape)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    for number, line in enumerate(lines):
        draw.text((left, top + int(1.3 * size) * number), line, fill=255, font=font)
    return np.asarray(page, np.float32).T / 255


def with_text(voxels, size=14, *, value=None, slices=slice(None), left=4, top=4):
    """Return a copy with three lines of text, by default as bright as the brightest voxels."""
    ink = written(voxels.shape[:2], LINES, size, left, top)[..., None]
    copy = voxels.astype(np.float32)
    copy[:, :, slices] += ink * ((voxels.max() if value is None else value) - copy[:, :, slices])
    return copy


@pytest.fixture(scope="module")
def head():
    """Return a head in slices with some air before its face: (I, J, K) int16."""
    voxels, _ = head_image(spacing=(1.2, 1.2, 9), front_mm=180)
    return voxels


def report(**how):
    """Return the page of a dose report as a CT of four slices, in HU."""
    page = written((512, 512), REPORT, 18, **how)
    return np.stack([page * 2000 - 1024] * 4, axis=-1)


PAGES = {
    "two levels": lambda: np.where(report() > 0, 1000, -1024),
    "grey edges": report,
    "black on white": lambda: -report(),
    "noise of a lossy compression": lambda: report() + np.random.default_rng(1).normal(0, 4, (512, 512, 4)),
    "a box in reverse": lambda: np.where(np.indices((512, 512, 4))[1] < 60, 976 - 1024 - report(), report()),
    "four volumes": lambda: np.stack([report()] * 4, axis=-1),
}


@pytest.mark.parametrize("page", PAGES)
def test_r08_a_picture_of_text_is_held(page):
    assert "(K12)" in burned.flat(PAGES[page]())


def test_r08_a_dose_report_that_became_an_image_is_held(tmp_path):
    voxels = np.round(report()).astype(np.int16)
    nifti.write(tmp_path / "page.nii.gz", voxels, nifti.header(voxels.shape, voxels.dtype, np.eye(4)))
    check = deface_file(tmp_path / "page.nii.gz", tmp_path / "out.nii.gz", atlas_folder=ATLAS_FOLDER)
    assert check["decision"] == "held" and "picture of text" in check["reasons"][0]
    assert not (tmp_path / "out.nii.gz").exists()


def scans(head):
    """Return images that hold few levels, mostly one value or little information, and no text."""
    noise = np.random.default_rng(2)
    blank = np.where(head > 200, head, 0)
    lonely = head.copy()
    lonely[3, 3] = 30000
    wide = np.pad(blank, ((200, 200), (200, 200), (0, 0)))
    return {
        "head": head,
        "8 bits": (head // 8).astype(np.uint8),
        "CT head": np.clip(head * 3 - 1024, -1024, 2000),
        "reformatted": np.moveaxis(head, 2, 0),
        "few levels": head // 150,
        "without its background": blank,
        "small in a wide field of view": wide,
        "mask": (blank > 0).astype(np.uint8),
        "one bright line through all slices": lonely,
        "phase": noise.integers(-4096, 4096, head.shape),
        "PET": ndimage.gaussian_filter(noise.poisson(head / 40.0).astype(float), 2),
        "four volumes": np.stack([head] * 4, axis=-1),
    }


def test_r08_scans_pass_however_flat(head):
    told = {name: burned.flat(voxels) for name, voxels in scans(head).items()}
    assert not any(told.values()), told


def test_r08_half_of_the_slices_decide(head):
    page = written(head.shape[:2], REPORT, 12) * 2000
    for pages, held in ((0.4, False), (0.6, True)):
        voxels = head[:, :, 3:23].copy()
        voxels[:, :, : round(20 * pages)] = page[..., None]
        assert bool(burned.flat(voxels)) is held


@pytest.mark.parametrize("turn", AXES)
def test_r45_corner_text_is_found_whichever_way_the_axes_run(head, turn, monkeypatch):
    """One slice that no sampling hits: only the projections show it."""
    monkeypatch.setattr(burned, "SAMPLED", 2)
    monkeypatch.setattr(burned, "STANDING_OUT", 0)
    found = burned.words(AXES[turn](with_text(head, slices=slice(12, 13))), "MR")
    assert found.strings >= 2 and "(K13)" in found.reason


CASES = {
    "small": {"size": 8},
    "faint on the air": {"size": 14, "value": 60},
    "faint, on one slice": {"size": 14, "value": 60, "slices": slice(15, 16)},
    "over the brain": {"size": 14, "left": 40, "top": 140},
}


@pytest.mark.parametrize("case", CASES)
def test_r14_text_is_found_in_an_image(head, case):
    assert burned.words(with_text(head, **CASES[case]), "MR").reason


def test_r14_text_on_the_air_of_a_ct_is_found(head):
    """At -820 HU among values to 2000: a window that shows bone does not show it."""
    ct = np.clip(head * 3.0 - 1024, -1024, 2000)
    assert burned.words(with_text(ct, value=-820), "CT").reason
    stored = with_text(ct, value=-820) + 1024
    assert burned.words(stored, "CT", 1, -1024).reason, "the values that a CT stores are scaled"


def test_text_in_one_volume_of_a_series_is_found(head):
    few = head[:, :, 12:16]
    volumes = np.stack([few] * 5, axis=-1).astype(np.float32)
    assert not burned.words(volumes, "MR").reason
    volumes[..., 3] = with_text(few, 12)
    assert burned.words(volumes, "MR").reason


def test_an_image_without_text_shows_none_and_the_answer_is_always_the_same(head):
    first, again = burned.words(head, "MR"), burned.words(head, "MR")
    assert not first.reason and first.strings == again.strings


def test_the_reason_says_where_and_never_what(head):
    found = burned.words(with_text(head, left=20, top=10, slices=slice(0, 3)), "MR")
    assert "slices k = 0" in found.reason and "at i = " in found.reason
    assert not any(word in found.reason for line in LINES for word in line.split())
    (i, i_end), (j, j_end) = found.box
    assert 15 <= i <= 25 and i_end <= 160 and 5 <= j <= 20 and j_end <= 75


def test_a_single_short_string_is_no_text_and_a_long_one_is():
    corners = np.array([[1, 1], [9, 1], [9, 4], [1, 4]])
    for strings, held in (
        ([("ABC", 0.99, corners)], False),
        ([("ABC", 0.99, corners), ("123", 0.8, corners)], True),
        ([("19510203", 0.95, corners)], True),
        ([("19510203", 0.85, corners)], False),
    ):
        found = burned.Found()
        burned._add(found, strings, 3)
        assert bool(found.reason) is held


def test_the_search_without_its_extra_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(ocr, "available", lambda: False)
    with pytest.raises(UsageError, match=r"install efface\[text\]"):
        deface_file(tmp_path / "in.nii.gz", tmp_path / "out.nii.gz", atlas_folder=ATLAS_FOLDER, text=True)


LPS, PIL = np.diag([-1.0, -1, 1, 1]), np.array([[0, 0, -1.0, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("affine", "side", "place"),
    [
        (LPS, "top", np.s_[:, :2]),
        (LPS, "bottom", np.s_[:, 18:]),
        (LPS, "left", np.s_[:1]),
        (LPS, "right", np.s_[9:]),
        (PIL, "top", np.s_[:, :2]),
        (PIL, "left", np.s_[:1]),
        (np.eye(4), "top", np.s_[:, 18:]),
        (np.eye(4), "left", np.s_[9:]),
        (PIL[:, [1, 0, 2, 3]], "top", np.s_[:1]),
        (LPS[:, [1, 0, 2, 3]], "left", np.s_[:, :2]),
        (np.diag([-1.0, 1, -1, 1])[:, [0, 2, 1, 3]], "top", np.s_[:, :2]),
    ],
)
def test_r45_a_border_lies_where_the_slice_is_displayed(affine, side, place):
    region = border((10, 20, 3), affine, {side: 0.1})
    wanted = np.zeros((10, 20, 3), bool)
    wanted[place] = True
    assert np.array_equal(region, wanted)


def test_r45_a_converted_series_is_blanked_where_its_rows_and_columns_say(tmp_path):
    """The first rows of the DICOM slice are its top, of axial and of sagittal slices."""
    for name, affine in (("axial", LPS), ("sagittal", PIL)):
        grid = affine.copy()
        grid[:3, 3] = -grid[:3, :3] @ (16, 12, 5)
        voxels = np.full((32, 24, 10), 100)
        voxels[:, :3], voxels[:4] = 500, 700
        files = make_series(tmp_path / name, shape=voxels.shape, world_from_voxel=grid, voxels=voxels)
        made = convert_series(files, {})
        region = border(made.voxels.shape, made.world_from_voxel, {"top": 3 / 24, "left": 4 / 32})
        assert (made.voxels[region] != 100).all() and (made.voxels[~region] == 100).all()


def test_r45_a_border_that_holds_part_of_the_head_is_known():
    voxels, affine = head_image(spacing=(2.5, 2.5, 2.5), front_mm=180)
    values = voxels.astype(np.float32)
    for share, holds in ((0.2, False), (0.3, True)):
        region = border(values.shape, affine, {"top": share})
        assert burned.in_head(values, region, affine, "MR") is holds
        assert burned.in_head(with_text(values, 10), region, affine, "MR") is holds


@pytest.mark.parametrize("keyword", ["ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing"])
def test_r07_k09_a_series_without_a_place_in_space_is_held(tmp_path, keyword):
    grid = centred((24, 24, 8), (4, 4, 4))
    files = make_series(tmp_path / "s", shape=(24, 24, 8), world_from_voxel=grid)
    assert convert_series(files, {}).voxels.shape == (24, 24, 8)
    for path in files:
        header = pydicom.dcmread(path)
        del header[keyword]
        header.save_as(path)
    with pytest.raises(Held, match=f"a frame has no {keyword}"):
        convert_series(files, {})


def test_k14_an_overlay_is_not_drawn_into_the_image(tmp_path):
    grid = centred((24, 24, 8), (4, 4, 4))
    plain = make_series(tmp_path / "a", shape=(24, 24, 8), world_from_voxel=grid)
    files = make_series(tmp_path / "b", shape=(24, 24, 8), world_from_voxel=grid)
    for path in files:
        header = pydicom.dcmread(path)
        header.add_new(0x60000010, "US", 24)
        header.add_new(0x60000011, "US", 24)
        header.add_new(0x60000040, "CS", "G")
        header.add_new(0x60000050, "SS", [1, 1])
        header.add_new(0x60000100, "US", 1)
        header.add_new(0x60000102, "US", 0)
        header.add_new(0x60003000, "OW", np.packbits(np.ones(24 * 24, np.uint8)).tobytes())
        header.save_as(path)
    assert np.array_equal(convert_series(files, {}).voxels, convert_series(plain, {}).voxels)
