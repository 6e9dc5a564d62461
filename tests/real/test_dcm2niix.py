"""Another engine behind the same proof: what dcm2niix makes is proved, and what it doubts is held."""

import pytest

from efface.cli import main
from efface.convert import dcm2niix
from efface.errors import Held, UsageError
from efface.tables import read_tsv

CASES = "conversion_cases"
PROVED = ["mosaic_sagittal_mirrored", "multi_echo_bold", "canon_dwi", "enhanced_siemens_bold_20_files"]
PROVED += [
    "siemens_dwi_classic",
    "two_echo_pd_t2",
    "philips_fieldmap_four_image_types",
    "ct_gantry_tilt_4_slices",
]


def converted(source, out):
    main(["convert", str(source), str(out), "--engine", "dcm2niix"])
    return read_tsv(out / "images.tsv")


@pytest.mark.parametrize("case", PROVED)
def test_its_images_are_proved(case, real_scans, tmp_path):
    rows = converted(real_scans / CASES / case, tmp_path / "out")
    assert {row["decision"] for row in rows} == {"proved"}, rows


def test_its_warnings_are_holds(real_scans, tmp_path):
    files = sorted((real_scans / CASES / "ct_uneven_increment").glob("*.dcm"))
    with pytest.raises(Held, match="dcm2niix warns of the distances between slices"):
        dcm2niix.assemble(files)


def test_a_series_of_which_it_makes_several_images_is_held(real_scans):
    files = sorted(path for path in (real_scans / CASES / "multi_echo_bold").iterdir() if path.is_file())
    with pytest.raises(Held, match="dcm2niix"):
        dcm2niix.assemble(files)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Warning: Interslice distance varies in this volume", "the distances between slices"),
        ("Warning: Missing images? Expected 3 images", "missing slices"),
        ("Warning: Note these images have gantry tilt of 14 degrees", "a tilted gantry"),
        ("Error: something new about Smith^Ada", "something else"),
    ],
)
def test_a_warning_is_named_without_its_words(line, reason):
    with pytest.raises(Held, match=f"warns of {reason}") as caught:
        dcm2niix._check_words(f"Found 4 DICOM file(s)\n{line}\n")
    assert "Smith" not in str(caught.value)


def test_a_warning_about_what_is_not_taken_from_it_is_none():
    dcm2niix._check_words("Warning: Empty protocol name(s) (0018,1030)\nConvert 4 DICOM as /a/Smith\n")


def test_without_the_program_the_engine_is_refused(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(UsageError, match="efface\\[dcm2niix\\]"):
        dcm2niix.program()
