import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from efface import deface as defacing
from efface.cli import main
from efface.deface import deface_file
from efface.deface.blank import air, blanked, noise
from efface.deface.external import changed_by
from efface.deface.methods import BUFFER_MM, method, quickshear
from efface.deface.scene import Scene, _bridged
from efface.errors import EffaceError, UsageError
from efface.grid import carried
from efface.settings import OWN_METHODS, settings
from efface.tables import read_json
from heads import ATLAS, ATLAS_FOLDER, CHIN, EYES, NOSE, at, head_image, moved


def save(path, voxels, world_from_voxel, slope=None, intercept=None):
    image = nib.Nifti1Image(voxels, world_from_voxel)
    image.header.set_slope_inter(slope, intercept)
    image.header["descrip"] = b"planted"
    nib.save(image, path)
    return path


def deface(tmp_path, voxels, world_from_voxel, **options):
    path = save(tmp_path / "in.nii.gz", voxels, world_from_voxel)
    return deface_file(path, tmp_path / "out.nii.gz", atlas_folder=ATLAS_FOLDER, **options)


def test_a_head_loses_its_face_and_nothing_else(tmp_path):
    voxels, world_from_voxel = head_image(moved(12, (5, 20, -10)))
    check = deface(tmp_path, voxels, world_from_voxel, modality="MR", mask_path=tmp_path / "mask.nii.gz")
    assert check["decision"] == "defaced" and check["reasons"] == []
    assert check["brain_voxels_changed"] == 0 and check["face_surface_surviving"] < 0.05
    out, mask = (nib.load(tmp_path / name) for name in ("out.nii.gz", "mask.nii.gz"))
    blank = np.asarray(mask.dataobj) > 0
    assert out.get_data_dtype() == voxels.dtype and np.allclose(out.affine, world_from_voxel)
    assert np.array_equal(np.asarray(out.dataobj)[~blank], voxels[~blank])
    assert not np.asarray(out.dataobj)[blank].any()
    assert b"planted" not in out.header.binaryblock


def test_every_volume_of_a_series_loses_the_same_voxels(tmp_path):
    voxels, world_from_voxel = head_image(spacing=(3, 3, 4))
    series = np.stack([voxels, voxels + 7, voxels // 2], -1)
    check = deface(tmp_path, series, world_from_voxel, modality="MR")
    out = np.asarray(nib.load(tmp_path / "out.nii.gz").dataobj)
    changed = out != series
    assert check["decision"] == "defaced" and out.shape == series.shape
    assert not out[changed].any() and (changed[..., 1] >= changed[..., 0]).all()


def test_the_same_image_gives_the_same_bytes(tmp_path):
    voxels, world_from_voxel = head_image(spacing=(3, 3, 3))
    outputs = []
    for _ in range(2):
        deface(tmp_path, voxels, world_from_voxel, modality="MR")
        outputs.append((tmp_path / "out.nii.gz").read_bytes())
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize("kind", ["noise", "empty", "thin", "lying header"])
def test_doubt_writes_no_image(tmp_path, kind):
    voxels, world_from_voxel = head_image()
    if kind == "noise":
        voxels = np.random.default_rng(3).rayleigh(100, voxels.shape).astype(np.int16)
    elif kind == "empty":
        voxels = np.zeros_like(voxels)
    elif kind == "thin":
        voxels = voxels[:, :, 40:44]
    else:
        world_from_voxel = world_from_voxel @ np.diag([1, -1, -1, 1.0])
    check = deface(tmp_path, voxels, world_from_voxel, modality="MR")
    assert check["decision"] == "held" and check["reasons"]
    assert not (tmp_path / "out.nii.gz").exists()


def test_a_head_without_its_face_in_view_is_passed_with_the_proof(tmp_path):
    voxels, world_from_voxel = head_image(bottom_mm=16.0, top_mm=90.0)
    check = deface(tmp_path, voxels, world_from_voxel, modality="MR")
    assert check["decision"] == "no_face" and check["face_surface_surviving"] is None
    assert np.array_equal(np.asarray(nib.load(tmp_path / "out.nii.gz").dataobj), voxels)


@pytest.mark.parametrize(
    ("stored", "slope", "intercept", "modality", "value"),
    [
        (np.array([0, 900], np.int16), 1, 0, "MR", 0),
        (np.array([0, 4000], np.uint16), 1, -1024, "CT", 0),
        (np.array([-2000, 900], np.int16), 1, 0, "CT", -1024),
        (np.array([-800, 900], np.int16), 1, 0, "CT", -800),
        (np.array([5, 250], np.uint8), 2, 10, "MR", 0),
        (np.array([0.5, 2.5], np.float32), 1, 0, "PT", 0),
        (np.array([-300, 300], np.int16), 0.5, 100, "MR", -200),
    ],
)
def test_air_is_the_nearest_stored_value(stored, slope, intercept, modality, value):
    assert air(stored, slope, intercept, modality) == value
    assert air(stored, slope, intercept, modality).dtype == stored.dtype


def test_blanking_leaves_the_input_alone():
    voxels = np.arange(8, dtype=np.int16).reshape(2, 2, 2)
    out = blanked(voxels, voxels > 4, np.int16(0))
    assert voxels.sum() == 28 and out.sum() == 10


def test_filled_planes_are_bridged_wherever_they_lie():
    ramp = np.broadcast_to(np.arange(10, dtype=np.float32), (2, 2, 10)).copy()
    torn = ramp.copy()
    torn[:, :, [3, 4, 8]] = -99
    assert np.allclose(_bridged(torn, [3, 4, 8]), ramp)


PROGRAM = """
import sys
import nibabel as nib, numpy as np
what, mask, given, made = sys.argv[1:]
image = nib.load(given)
voxels = np.array(image.dataobj)
print("Smithson", file=sys.stderr)
if what == "fail":
    sys.exit(4)
if what == "blank":
    voxels[np.load(mask)] = 0
if what == "crop":
    voxels = voxels[1:]
if what != "forget":
    nib.save(nib.Nifti1Image(voxels.astype(np.float32), image.affine), made)
nib.save(nib.Nifti1Image(np.zeros_like(voxels), image.affine), given)
if what == "sleep":
    __import__("time").sleep(60)
"""


@pytest.fixture
def program(tmp_path):
    """Return a function that gives the words of a command: what the program does, and with which mask."""
    (tmp_path / "program.py").write_text(PROGRAM)

    def words(what, mask=None):
        if mask is not None:
            np.save(tmp_path / f"{what}.npy", mask)
        return [
            sys.executable,
            str(tmp_path / "program.py"),
            what,
            str(tmp_path / f"{what}.npy"),
            "{input}",
            "{output}",
        ]

    return words


def test_a_program_gives_the_mask_of_what_it_changed(tmp_path, program):
    voxels = np.arange(1, 61, dtype=np.int16).reshape(3, 4, 5)
    path = save(tmp_path / "in.nii.gz", voxels, np.diag([2, 2, 3, 1.0]), slope=0.5, intercept=-3)
    before = path.read_bytes()
    assert np.array_equal(changed_by(program("blank", voxels > 40), path), voxels > 40)
    series = save(tmp_path / "series.nii", np.stack([voxels, 0 * voxels], -1), np.eye(4))
    assert np.array_equal(changed_by(program("blank", voxels > 40), series), voxels > 40)
    assert path.read_bytes() == before, "a program that writes into its input harms a copy only"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("copy", "expected changed voxels, found none"),
        ("crop", "another grid"),
        ("fail", "exit code 0, found 4"),
        ("forget", "an image as its output, found none"),
        ("sleep", "takes too long"),
        ("absent", "cannot be started"),
    ],
)
def test_a_program_that_does_not_deface_is_a_reason(tmp_path, program, what, said, capfd):
    path = save(tmp_path / "in.nii.gz", np.arange(1, 61, dtype=np.int16).reshape(3, 4, 5), np.eye(4))
    command = ["no-such-program", "{input}", "{output}"] if what == "absent" else program(what)
    with pytest.raises(EffaceError, match=said):
        changed_by(command, path, timeout_s=3 if what == "sleep" else 60)
    assert "Smithson" not in "".join(capfd.readouterr()), "what a program prints may quote a header"


def face_of(voxels, world_from_voxel):
    """Return the atlas's face and ears on an image in which the template has not moved."""
    drawn = (ATLAS.face > 0) | (ATLAS.ears > 0)
    return carried(drawn, np.linalg.inv(ATLAS.world_from_voxel) @ world_from_voxel, voxels.shape)


def named(name, words):
    return f"{name}=" + " ".join(words)


def test_the_first_method_that_the_judge_accepts_is_taken_and_why_not_the_others_is_kept(tmp_path, program):
    voxels, world_from_voxel = head_image(spacing=(3, 3, 3))
    mask = face_of(voxels, world_from_voxel)
    brain = carried(ATLAS.brain, np.linalg.inv(ATLAS.world_from_voxel) @ world_from_voxel, voxels.shape) > 0
    methods = [
        named("idle", program("copy")),
        named("butcher", program("blank", mask | brain)),
        "quickshear",
        named("careful", program("blank2", mask)).replace("blank2 ", "blank ", 1),
        "atlas",
    ]
    check = deface(tmp_path, voxels, world_from_voxel, modality="MR", methods=methods)
    assert (check["decision"], check["method"]) == ("defaced", "careful")
    assert list(check["tried"]) == ["idle", "butcher", "quickshear"]
    assert check["tried"]["idle"] == ["the program's output: expected changed voxels, found none"]
    assert "the mask would reach into the brain" in check["tried"]["butcher"]
    assert check["tried"]["quickshear"] == ["part of the face's skin would survive"], "ears stay"
    out = np.asarray(nib.load(tmp_path / "out.nii.gz").dataobj)
    assert np.array_equal(out != voxels, mask & (voxels != 0))


def test_when_no_method_is_accepted_the_image_is_held_with_the_first_ones_reasons(tmp_path, program):
    voxels, world_from_voxel = head_image(spacing=(3, 3, 3))
    everything = np.ones(voxels.shape, bool)
    methods = [named("butcher", program("blank", everything)), named("idle", program("copy"))]
    check = deface(tmp_path, voxels, world_from_voxel, methods=methods, picture_path=tmp_path / "seen.png")
    assert (check["decision"], check["method"]) == ("held", "butcher")
    assert check["reasons"] == check["tried"]["butcher"] and check["brain_voxels_changed"] > 0
    assert list(check["tried"]) == ["butcher", "idle"]
    assert (tmp_path / "seen.png").exists() and not (tmp_path / "out.nii.gz").exists()


@pytest.mark.parametrize(
    "text",
    [
        "atlas2",
        "",
        "x=p {input}",
        "a b=p {input} {output}",
        "atlas=p {input} {output}",
        "x=p ' {input} {output}",
    ],
)
def test_what_is_no_method_is_refused(text):
    with pytest.raises(UsageError, match="the method"):
        method(text)


@pytest.mark.parametrize("spacing", [(2.5, 2.5, 2.5), (1.5, 1.5, 6.0), (6.0, 2.0, 2.0)])
@pytest.mark.parametrize("pitch", [0.0, 25.0])
def test_quickshear_counts_in_millimetres_and_keeps_the_brain(spacing, pitch):
    motion = moved(pitch, (5, 20, -10))
    voxels, world_from_voxel = head_image(motion, spacing)
    landing = SimpleNamespace(image_from_template=motion)
    mask = quickshear(Scene(voxels, world_from_voxel, "MR", landing, ATLAS, True, None, Path()))
    atlas_from_voxel = np.linalg.inv(ATLAS.world_from_voxel) @ np.linalg.inv(motion) @ world_from_voxel
    brain = carried(ATLAS.brain, atlas_from_voxel, voxels.shape) > 0
    for landmark in (*EYES, NOSE, CHIN):
        assert mask[at(landmark, motion, world_from_voxel)]
    points = [
        np.argwhere(which) @ world_from_voxel[:3, :3].T + world_from_voxel[:3, 3] for which in (mask, brain)
    ]
    assert not (mask & brain).any()
    nearest = min(np.linalg.norm(points[1] - point, axis=1).min() for point in points[0][::997])
    assert nearest > BUFFER_MM - max(spacing) / 2


@pytest.mark.parametrize("shape", [(64, 64, 64), (64, 64, 64, 3)])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_noise_is_drawn_from_the_images_own_air(shape, dtype):
    voxels = np.random.default_rng(1).rayleigh(20, shape).astype(dtype)
    voxels[16:48, 16:48, 16:48] += 900
    voxels[:8, :8, :8] += 300  # a shoulder in a corner
    voxels[56:, 56:, 56:] = 0  # a corner that was not scanned
    mask = np.zeros(shape[:3], bool)
    mask[:, 40:, :32] = True
    drawn = noise(voxels, mask, 1.0, 0.0, "MR")
    assert drawn.dtype == dtype and drawn.shape == (mask.sum(), *shape[3:])
    assert abs(drawn.mean() - 25) < 1 and abs(drawn.std() - 13) < 1 and drawn.max() < 120
    assert np.array_equal(drawn, noise(voxels, mask, 1.0, 0.0, "MR"))
    assert np.array_equal(blanked(voxels, mask, drawn)[~mask], voxels[~mask])


def test_air_without_noise_is_filled_with_air():
    voxels = np.zeros((40, 40, 40), np.int16)
    voxels[5:35, 5:35, 5:35] = 700
    assert noise(voxels, voxels > 0, 1.0, 0.0, "MR") is None
    assert noise(voxels, np.ones(voxels.shape, bool), 1.0, 0.0, "MR") is None
    assert noise(voxels - 1024, voxels > 0, 1.0, 0.0, "CT") is None


def test_noise_in_ct_is_air_and_not_padding():
    voxels = np.random.default_rng(1).normal(24, 9, (40, 40, 40)).astype(np.int16)
    voxels[10:30, 10:30, 10:30] = 1060
    voxels[:, :4] = -2000
    mask = np.zeros(voxels.shape, bool)
    mask[:, 25:] = True
    drawn = noise(voxels, mask, 1.0, -1024.0, "CT")
    assert abs(drawn.mean() - 24) < 1 and drawn.min() > -30 and drawn.max() < 100


def test_a_head_that_is_filled_with_noise_is_accepted_and_keeps_the_rest(tmp_path):
    voxels, world_from_voxel = head_image(spacing=(3, 3, 3))
    outs = []
    for _ in range(2):
        check = deface(tmp_path, voxels, world_from_voxel, fill="noise", mask_path=tmp_path / "mask.nii.gz")
        outs.append((tmp_path / "out.nii.gz").read_bytes())
    assert check["decision"] == "defaced" and outs[0] == outs[1]
    out, mask = (np.asarray(nib.load(tmp_path / name).dataobj) for name in ("out.nii.gz", "mask.nii.gz"))
    assert np.array_equal(out[mask == 0], voxels[mask == 0])
    assert 3 < out[mask == 1].mean() < 8, "the phantom's noise has a mean of 5"


def test_the_leaders_landing_is_a_start_and_the_witness_is_heard(tmp_path, monkeypatch):
    voxels, world_from_voxel = head_image(spacing=(3, 3, 3))
    seen = []

    def register(values, world, atlas, starts):
        seen.append(starts)
        return genuine(values, world, atlas, starts)

    genuine = defacing.register
    monkeypatch.setattr(defacing, "register", register)
    monkeypatch.setattr(defacing, "available", lambda: True)
    monkeypatch.setattr(defacing, "testify", lambda *given: {"face_detector_after": len(given)})
    check = deface(tmp_path, voxels, world_from_voxel, leader=np.eye(4), witness=True)
    assert check["face_detector_after"] == 4
    assert np.array_equal(seen, [[np.eye(4)]])
    assert np.allclose(check["image_from_template"], np.eye(4), atol=4), "the head has not moved"


def test_a_witness_that_is_not_installed_is_not_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(defacing, "available", lambda: False)
    with pytest.raises(UsageError, match="witness"):
        deface(tmp_path, *head_image(spacing=(6, 6, 6)), witness=True)


def test_the_command_takes_the_same_options_and_reports(tmp_path):
    path = save(tmp_path / "in.nii.gz", *head_image(spacing=(3, 3, 3)))
    files = [str(path), str(tmp_path / "out.nii.gz"), f"--report={tmp_path / 'report.json'}"]
    methods = ["--method=none=no-such-program {input} {output}", "--method=atlas"]
    assert main(["deface", *files, *methods, "--keep-ears", "--fill=noise", f"--atlas={ATLAS_FOLDER}"]) == 0
    report = read_json(tmp_path / "report.json")
    assert (report["decision"], report["method"], report["reasons"]) == ("defaced", "atlas", [])
    assert report["brain_voxels_changed"] == 0 and report["face_surface_surviving"] < 0.05
    assert report["registration_score"] > 0 and report["seconds"] > 0
    assert list(report["tried"]) == ["none"] and "ears" not in report["surviving_by_region"]
    (tmp_path / "out.nii.gz").unlink()
    assert main(["deface", *files, "--method=quickshear"]) == 3
    assert read_json(tmp_path / "report.json")["decision"] == "held"
    assert not (tmp_path / "out.nii.gz").exists()
    assert main(["deface", *files, "--method=neural"]) == 2


def configured(tmp_path, **chosen):
    folders = {"input": str(tmp_path / "in"), "release": str(tmp_path / "out"), "work": str(tmp_path / "w")}
    return settings(folders | {"dataset": {"name": "Heads"}, "deface": chosen})


def test_the_configuration_names_methods_as_the_step_reads_them(tmp_path):
    assert configured(tmp_path).methods() == ["atlas"]
    assert [method(name)[0] for name in OWN_METHODS] == list(OWN_METHODS)
    words = ["py deface", "{input}", "--outfile", "{output}"]
    chosen = configured(tmp_path, methods=["pydeface", "atlas"], commands={"pydeface": words})
    assert [method(text)[0] for text in chosen.methods()] == ["pydeface", "atlas"]
    assert chosen.methods()[0] == "pydeface='py deface' '{input}' --outfile '{output}'"


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"methods": ["pydeface"]}, "deface.methods: expected some of atlas, quickshear"),
        ({"methods": []}, "deface.methods"),
        ({"commands": {"pydeface": ["pydeface", "{input}"]}}, "deface.commands.pydeface"),
        ({"commands": {"atlas": ["a", "{input}", "{output}"]}}, "deface.commands"),
        ({"fill": "nois"}, "expected one of zero, noise"),
        ({"atlas": "nowhere"}, "deface.atlas"),
        ({"ear": "keep"}, "did you mean 'ears'"),
    ],
)
def test_wrong_settings_of_defacing_are_refused(tmp_path, chosen, said):
    with pytest.raises(UsageError, match=said):
        configured(tmp_path, **chosen)


def test_the_command_does_not_wait_for_pydicom_nor_hide_it():
    code = """
import sys
from efface.commands import _import_nibabel_alone
_import_nibabel_alone()
import efface.deface
assert "pydicom" not in sys.modules
import pydicom
"""
    subprocess.run([sys.executable, "-c", code], check=True)
