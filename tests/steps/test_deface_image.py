import nibabel as nib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from deface_image import landing_of, main
from efface.tables import read_json, write_json
from heads import ATLAS_FOLDER, head_image

OUTPUTS = {
    "--out": "defaced.nii.gz",
    "--mask": "mask.nii.gz",
    "--check": "check.json",
    "--picture": "check.png",
    "--release-picture": "check_release.png",
    "--before": "before.nii.gz",
}


@pytest.fixture
def step(tmp_path):
    """Run the step on what lies in tmp_path and return its check."""

    def run(proof, *options):
        write_json(tmp_path / "proof.json", proof)
        arguments = [
            *("--image", tmp_path / "image.nii.gz", "--proof", tmp_path / "proof.json"),
            *("--sidecar", tmp_path / "image.json", "--atlas", ATLAS_FOLDER),
        ]
        arguments += options
        for option, name in OUTPUTS.items():
            arguments += [option, tmp_path / name]
        assert main([str(argument) for argument in arguments]) == 0
        return read_json(tmp_path / "check.json")

    return run


def test_a_proved_image_is_defaced_measured_and_pictured(tmp_path, step):
    voxels, world_from_voxel = head_image(spacing=(3, 3, 3))
    nib.save(nib.Nifti1Image(voxels, world_from_voxel), tmp_path / "image.nii.gz")
    write_json(tmp_path / "image.json", {"Modality": "MR"})
    check = step({"decision": "proved", "reasons": []})
    assert check["decision"] == "defaced" and "seconds" not in check
    assert all((tmp_path / name).stat().st_size for name in OUTPUTS.values())
    first = {name: (tmp_path / name).read_bytes() for name in OUTPUTS.values()}
    step({"decision": "proved", "reasons": []})
    assert first == {name: (tmp_path / name).read_bytes() for name in OUTPUTS.values()}


def test_r22_the_volume_before_is_kept_small_and_private_to_compare_with(tmp_path, step):
    voxels, world_from_voxel = head_image(spacing=(3, 3, 3))
    nib.save(nib.Nifti1Image(voxels, world_from_voxel), tmp_path / "image.nii.gz")
    write_json(tmp_path / "image.json", {"Modality": "MR"})
    step({"decision": "proved", "reasons": []})
    path = tmp_path / "before.nii.gz"
    before, mask = nib.load(path), np.asarray(nib.load(tmp_path / "mask.nii.gz").dataobj)
    assert path.stat().st_mode & 0o777 == 0o600
    assert before.get_data_dtype() == np.uint8 and np.array_equal(before.affine, world_from_voxel)
    shown = before.get_fdata()
    low, high = shown.min(), shown.max()
    assert np.abs(shown - np.clip(voxels, low, high)).max() <= (high - low) / 255, "8 bits of it"
    assert (shown[mask == 1] > low + (high - low) / 4).sum() > 500, "the face is in it"


def test_a_held_conversion_stays_held_with_its_reasons(tmp_path, step):
    (tmp_path / "image.nii.gz").touch()
    (tmp_path / "image.json").touch()
    check = step({"decision": "held", "reasons": ["one slice is missing"]})
    assert check["decision"] == "held" and check["reasons"] == ["one slice is missing"]
    assert all((tmp_path / name).stat().st_size == 0 for name in OUTPUTS.values() if name != "check.json")


def test_a_doubtful_head_gives_empty_files_that_no_one_takes_for_a_scan(tmp_path, step):
    noise = np.random.default_rng(3).rayleigh(100, (60, 60, 60)).astype(np.int16)
    nib.save(nib.Nifti1Image(noise, np.diag([3.0, 3, 3, 1])), tmp_path / "image.nii.gz")
    write_json(tmp_path / "image.json", {"Modality": "MR"})
    (tmp_path / "defaced.nii.gz").write_bytes(b"from an earlier run")
    check = step({"decision": "proved", "reasons": []})
    assert check["decision"] == "held" and check["reasons"]
    for name in ("defaced.nii.gz", "mask.nii.gz", "check_release.png", "before.nii.gz"):
        assert (tmp_path / name).stat().st_size == 0


def test_options_reach_the_defacing(tmp_path, step):
    voxels, world_from_voxel = head_image(spacing=(3, 3, 3))
    nib.save(nib.Nifti1Image(voxels, world_from_voxel), tmp_path / "image.nii.gz")
    write_json(tmp_path / "image.json", {"Modality": "MR"})
    program = "none=no-such-program {input} {output}"
    check = step(
        {"decision": "proved", "reasons": []},
        *(f"--method={program}", "--method=atlas", "--keep-ears", "--fill=noise", "--leader="),
    )
    assert (check["decision"], check["method"]) == ("defaced", "atlas")
    assert check["tried"] == {"none": ["the program cannot be started; install it or give its whole path"]}
    assert "ears" not in check["surviving_by_region"]
    mask, out = (np.asarray(nib.load(tmp_path / OUTPUTS[name]).dataobj) for name in ("--mask", "--out"))
    assert out[mask == 1].mean() > 1, "noise"


def test_only_a_leader_that_was_defaced_leads(tmp_path):
    pose = [[1, 0, 0, 5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    for decision, landing in (("defaced", pose), ("held", None), ("no_face", None)):
        write_json(tmp_path / "check.json", {"decision": decision, "image_from_template": pose})
        found = landing_of(str(tmp_path / "check.json"))
        assert found is None if landing is None else np.array_equal(found, landing)
    assert landing_of("") is None


@pytest.fixture
def magnitude(tmp_path, step):
    """Return the check and the mask of a defaced magnitude image, and the options that name them."""
    voxels, world_from_voxel = head_image(spacing=(3, 3, 3))
    nib.save(nib.Nifti1Image(voxels, world_from_voxel), tmp_path / "image.nii.gz")
    write_json(tmp_path / "image.json", {"Modality": "MR"})
    check = step({"decision": "proved", "reasons": []})
    for name in ("mask.nii.gz", "check.json"):
        (tmp_path / name).rename(tmp_path / f"twin_{name}")
    options = ("--twin-check", tmp_path / "twin_check.json", "--twin-mask", tmp_path / "twin_mask.nii.gz")
    return check, nib.load(tmp_path / "twin_mask.nii.gz"), options


def test_a_phase_image_takes_the_mask_of_its_magnitude(tmp_path, step, magnitude):
    """By itself it shows no head: it would be held."""
    check, mask, options = magnitude
    phase = np.random.default_rng(1).integers(1, 4096, mask.shape).astype(np.int16)
    image = nib.Nifti1Image(phase, mask.affine)
    image.header.set_slope_inter(2, -4096)
    nib.save(image, tmp_path / "image.nii.gz")
    found = step({"decision": "proved", "reasons": []}, *options)
    blank = mask.get_fdata() > 0
    defaced = nib.load(tmp_path / "defaced.nii.gz")
    stored = np.asarray(defaced.dataobj.get_unscaled())
    assert (stored[blank] == 2048).all() and np.array_equal(stored[~blank], phase[~blank])
    assert (defaced.dataobj.slope, defaced.dataobj.inter) == (2, -4096)
    for name in ("mask.nii.gz", "check.png", "before.nii.gz"):
        assert (tmp_path / name).stat().st_size
    assert found["decision"] == "defaced" and found["method"] == "mask of its magnitude image"
    assert found["face_surface_surviving"] == check["face_surface_surviving"]
    assert found["image_sha256"] != check["image_sha256"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda affine: affine + np.array([[0, 0, 0, 3.0], [0] * 4, [0] * 4, [0] * 4]), "other voxels"),
        (lambda affine: affine @ np.diag([-1.0, 1, 1, 1]), "other voxels"),
    ],
)
def test_a_mask_of_another_grid_is_not_taken(tmp_path, step, magnitude, change, reason):
    _, mask, options = magnitude
    nib.save(nib.Nifti1Image(np.ones(mask.shape, np.int16), change(mask.affine)), tmp_path / "image.nii.gz")
    found = step({"decision": "proved", "reasons": []}, *options)
    assert found["decision"] == "held" and reason in found["reasons"][0]
    assert (tmp_path / "defaced.nii.gz").stat().st_size == 0


def test_a_phase_image_is_held_with_its_magnitude(tmp_path, step, magnitude):
    _, _, options = magnitude
    write_json(tmp_path / "twin_check.json", {"decision": "held", "reasons": ["no nose"]})
    (tmp_path / "twin_mask.nii.gz").write_bytes(b"")
    found = step({"decision": "proved", "reasons": []}, *options)
    assert found["decision"] == "held" and "held" in found["reasons"][0]


@pytest.fixture
def with_corner_text(tmp_path):
    """Write a head with text in the air above its face, on every slice, and return it without the text."""
    voxels, world_from_voxel = head_image(spacing=(1.5, 1.5, 5), front_mm=180)
    page = Image.new("L", voxels.shape[:2])
    draw = ImageDraw.Draw(page)
    for row, line in enumerate(("ANDERSSON EVA", "19510203-1234")):
        draw.text((4, 2 + 15 * row), line, fill=255, font=ImageFont.load_default(12))
    ink = np.asarray(page).T[..., None] > 127
    burned_in = np.where(ink, voxels.max(), voxels).astype(np.int16)
    nib.save(nib.Nifti1Image(burned_in, world_from_voxel), tmp_path / "image.nii.gz")
    write_json(tmp_path / "image.json", {"Modality": "MR"})
    return burned_in, voxels, ink


def test_r45_corner_text_holds_the_image_and_says_where(tmp_path, step, with_corner_text):
    check = step({"decision": "proved", "reasons": []}, "--text")
    assert check["decision"] == "held", check
    assert check["text"]["searched"] and check["text"]["strings"] >= 2, check["reasons"]
    assert "(K13)" in check["reasons"][-1] and "ANDERSSON" not in str(check)
    for name in ("defaced.nii.gz", "mask.nii.gz", "check_release.png"):
        assert (tmp_path / name).stat().st_size == 0


def test_r45_r67_a_blanked_border_takes_the_text_and_leaves_the_head(tmp_path, step, with_corner_text):
    burned_in, clean, ink = with_corner_text
    check = step({"decision": "proved", "reasons": []}, "--text", "--blank", "top=0.16")
    assert check["decision"] == "defaced" and check["text"] == {"searched": True, "strings": 0}
    assert check["brain_voxels_changed"] == 0 and check["face_surface_surviving"] <= 0.05
    mask, out = (np.asarray(nib.load(tmp_path / OUTPUTS[name]).dataobj) for name in ("--mask", "--out"))
    assert (mask[:, :32] == 1).all() and not out[mask == 1].any()
    assert np.array_equal(out[mask == 0], burned_in[mask == 0]), "kept voxels stay as they are"
    assert (mask[np.broadcast_to(ink, mask.shape)] == 1).all()
    before = nib.load(tmp_path / "before.nii.gz").get_fdata()
    assert before[np.broadcast_to(ink, mask.shape)].min() > before.max() / 2, "what was blanked can be seen"
    nib.save(nib.Nifti1Image(clean, nib.load(tmp_path / "image.nii.gz").affine), tmp_path / "image.nii.gz")
    step({"decision": "proved", "reasons": []})
    plain = np.asarray(nib.load(tmp_path / "mask.nii.gz").dataobj)
    head = clean > 300
    head[:, :32] = False
    assert np.array_equal(mask[head], plain[head]), "of the head goes what goes without the text, too"


def test_r45_a_border_that_meets_the_head_is_refused(tmp_path, step, with_corner_text):
    check = step({"decision": "proved", "reasons": []}, "--blank", "top=0.16", "bottom=0.3")
    assert check["decision"] == "held"
    assert check["reasons"] == ["the border region to blank holds part of the head"]
    assert (tmp_path / "defaced.nii.gz").stat().st_size == 0


@pytest.mark.parametrize("share", ["top", "top=0", "top=2", "middle=0.1", "top=much"])
def test_a_border_that_is_none_is_refused(step, share, capsys):
    with pytest.raises(SystemExit):
        step({"decision": "proved", "reasons": []}, "--blank", share)
    assert "--blank" in capsys.readouterr().err


def test_r45_a_phase_image_is_blanked_where_its_magnitude_is(tmp_path, step):
    """Also when no face is in view, and the mask holds the border only."""
    image = nib.Nifti1Image(
        np.random.default_rng(1).integers(1, 4096, (60, 60, 40)).astype(np.int16), np.eye(4)
    )
    nib.save(image, tmp_path / "image.nii.gz")
    write_json(tmp_path / "image.json", {"Modality": "MR"})
    mask = np.zeros((60, 60, 40), np.uint8)
    mask[:, 54:] = 1
    nib.save(nib.Nifti1Image(mask, np.eye(4)), tmp_path / "twin_mask.nii.gz")
    write_json(
        tmp_path / "twin_check.json", {"decision": "no_face", "image_from_template": np.eye(4).tolist()}
    )
    step(
        {"decision": "proved", "reasons": []},
        *("--twin-check", tmp_path / "twin_check.json", "--twin-mask", tmp_path / "twin_mask.nii.gz"),
    )
    out = np.asarray(nib.load(tmp_path / "defaced.nii.gz").dataobj)
    assert not out[mask == 1].any() and out[mask == 0].all()


def test_r08_a_phase_image_that_is_a_page_is_held(tmp_path, step):
    page = np.zeros((60, 60, 40), np.int16)
    page[10:50, 20::8] = 900
    nib.save(nib.Nifti1Image(page, np.eye(4)), tmp_path / "image.nii.gz")
    write_json(tmp_path / "image.json", {"Modality": "MR"})
    write_json(tmp_path / "twin_check.json", {"decision": "no_face"})
    check = step(
        {"decision": "proved", "reasons": []},
        *("--twin-check", tmp_path / "twin_check.json", "--twin-mask", tmp_path / "none.nii.gz"),
    )
    assert check["decision"] == "held" and "(K12)" in check["reasons"][0]
