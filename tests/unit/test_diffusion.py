"""Gradient tables: each vendor's statement becomes one direction in patient coordinates, then FSL's."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from efface.convert.diffusion import WANTED, Weighting, table, texts, weighting
from efface.errors import Held
from weighted import AXIAL, CORONAL, SAGITTAL, SLANTED, canon, enhanced, ge, header, siemens, siemens_csa, uih

LEFT, POSTERIOR, SUPERIOR = np.eye(3)
RIGHT, ANTERIOR, INFERIOR = -np.eye(3)
TURN = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])  # about the z axis


def direction(dataset, number=0):
    return np.array(weighting(dataset, number).direction)


def test_the_frames_of_a_multi_frame_object_are_read_in_the_standards_way():
    dataset = enhanced((0.0, "NONE", None), (900.0, "DIRECTIONAL", SLANTED), (900.0, "ISOTROPIC", None))
    assert weighting(dataset, 0) == Weighting(0.0, None)
    assert weighting(dataset, 1) == Weighting(900.0, tuple(SLANTED))
    assert weighting(dataset, 2) == Weighting(900.0, None, computed=True)


def test_attributes_at_the_top_are_in_patient_coordinates():
    dataset = header(
        "TOSHIBA_MEC", CORONAL, DiffusionBValue=800.0, DiffusionGradientOrientation=[0.0, 0.6, -0.8]
    )
    assert weighting(dataset) == Weighting(800.0, (0.0, 0.6, -0.8))


def test_siemens_own_elements_are_read_as_numbers_and_as_unknown_bytes():
    assert weighting(siemens(1000, SLANTED)) == Weighting(1000.0, tuple(SLANTED))
    unknown = header("SIEMENS")
    unknown.add_new(0x0019100C, "UN", b"1000 ")
    unknown.add_new(0x0019100E, "UN", np.array(SLANTED, "<f8").tobytes())
    assert weighting(unknown) == Weighting(1000.0, tuple(SLANTED))


def test_siemens_older_files_say_it_in_the_csa_header():
    dataset = siemens_csa(B_value=["1000"], DiffusionGradientDirection=["0.36", "0.48", "0.80"])
    assert weighting(dataset) == Weighting(1000.0, tuple(SLANTED))
    dataset[0x00291010].value = b"SV10\4\3\2\1" + b"\xff" * 90
    with pytest.raises(Held, match="CSA header"):
        weighting(dataset)


def test_a_block_of_another_creator_is_not_read():
    dataset = siemens(1000, SLANTED)
    dataset.add_new(0x00190010, "LO", "SOMEBODY ELSE")
    assert weighting(dataset) is None


def test_the_sequences_name_tells_the_b_value_where_nothing_else_does():
    assert weighting(header("SIEMENS", SequenceName="*ep_b0")) == Weighting(0.0, None)
    assert weighting(header("SIEMENS", SequenceName="*ep_b1000t")) == Weighting(1000.0, None, computed=True)
    with pytest.raises(Held, match="no gradient direction"):
        weighting(header("SIEMENS", SequenceName="*ep_b1000#3"))


def test_a_trace_weighted_image_is_computed():
    dataset = siemens(1000, ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"])
    assert weighting(dataset) == Weighting(1000.0, None, computed=True)


def test_a_b_matrix_gives_the_direction_only_if_it_has_one():
    matrix = 1000 * np.outer(SLANTED, SLANTED)
    dataset = siemens(1000)
    dataset.add_new(0x00191027, "FD", matrix[np.triu_indices(3)].tolist())
    assert direction(dataset) == pytest.approx(SLANTED, abs=1e-6)
    dataset[0x00191027].value = [300.0, 0.0, 0.0, 300.0, 0.0, 300.0]
    with pytest.raises(Held, match="no gradient direction"):
        weighting(dataset)


@pytest.mark.parametrize(
    ("orientation", "axis", "frequency", "phase", "slices"),
    [
        (AXIAL, "COL", RIGHT, ANTERIOR, SUPERIOR),
        (AXIAL, "ROW", POSTERIOR, RIGHT, SUPERIOR),
        (SAGITTAL, "COL", POSTERIOR, INFERIOR, LEFT),
        (SAGITTAL, "ROW", SUPERIOR, POSTERIOR, LEFT),
        (CORONAL, "COL", RIGHT, INFERIOR, POSTERIOR),
        (CORONAL, "ROW", INFERIOR, LEFT, POSTERIOR),
    ],
)
def test_ge_vectors_are_along_frequency_phase_and_slice(orientation, axis, frequency, phase, slices):
    expected = 0.36 * frequency + 0.48 * phase + 0.8 * slices
    assert direction(ge(1000, SLANTED, orientation, axis)) == pytest.approx(expected)


def test_ge_vectors_turn_with_the_slices():
    straight = direction(ge(1000, SLANTED, AXIAL))
    turned = np.concatenate([TURN @ AXIAL[:3], TURN @ AXIAL[3:]])
    assert direction(ge(1000, SLANTED, turned)) == pytest.approx(TURN @ straight)


def test_ge_phase_runs_along_columns_unless_the_acquisition_matrix_says_otherwise():
    assert weighting(ge(1000, SLANTED, axis="")) == weighting(ge(1000, SLANTED, axis="COL"))
    rows = ge(1000, SLANTED, axis="", AcquisitionMatrix=[0, 128, 128, 0])
    assert weighting(rows) == weighting(ge(1000, SLANTED, axis="ROW"))


def test_ge_adds_a_billion_and_makes_shells_by_shorter_vectors():
    assert weighting(ge(1000000800, SLANTED)).b_value == 800
    short = weighting(ge(3000, np.array(SLANTED) * np.sqrt(1 / 3)))
    assert short.b_value == 1000
    assert short.direction == pytest.approx(weighting(ge(3000, SLANTED)).direction, abs=1e-5)


def test_ge_zeros_are_b_0_only_in_the_table_of_a_tensor():
    with pytest.raises(Held, match="no gradient direction"):
        weighting(ge(1000, [0, 0, 0]))
    dataset = ge(1000, [0, 0, 0])
    dataset.add_new(0x00431030, "SS", 16)
    assert weighting(dataset) == Weighting(0.0, None)


def test_ge_slices_half_way_to_coronal_are_held():
    half = np.sqrt(0.5)
    with pytest.raises(Held, match="half-way to coronal"):
        weighting(ge(1000, SLANTED, [1, 0, 0, 0, half, half]))


def test_two_statements_of_one_direction_must_agree():
    agreed = ge(1000, [1, 0, 0], DiffusionBValue=1000.0, DiffusionGradientOrientation=[1.0, 0.0, 0.0])
    assert weighting(agreed).direction == (1, 0, 0)  # the standard's sign
    agreed.DiffusionGradientOrientation = [0.6, 0.8, 0.0]
    with pytest.raises(Held, match="disagree about a gradient direction"):
        weighting(agreed)


def test_philips_own_elements_are_in_patient_coordinates():
    dataset = header("Philips Medical Systems", CORONAL)
    dataset.add_new(0x20011003, "UN", b"\x00\x00zD")
    for tag, part in zip((0x200510B0, 0x200510B1, 0x200510B2), (0.0, -0.6, 0.8), strict=True):
        dataset.add_new(tag, "FL", part)
    assert weighting(dataset).b_value == 1000
    assert direction(dataset) == pytest.approx([0, -0.6, 0.8])


def test_philips_isotropic_images_are_computed():
    dataset = header("Philips Medical Systems")
    dataset.add_new(0x20011003, "FL", 1000.0)
    dataset.add_new(0x20011004, "CS", "I")
    assert weighting(dataset) == Weighting(1000.0, None, computed=True)


def test_united_imaging_vectors_are_along_row_column_and_normal():
    assert direction(uih(1001.3, SLANTED, CORONAL)) == pytest.approx([0.36, 0.8, -0.48])
    assert weighting(uih(1.25, [0, 0, 0])) == Weighting(1.25, None)


def test_canon_comments_are_along_phase_frequency_and_slice():
    turned = np.concatenate([TURN @ AXIAL[:3], TURN @ AXIAL[3:]])
    expected = TURN @ [-0.48, -0.36, 0.8]
    assert direction(canon("b=1500(0.360,0.480,0.800)", turned)) == pytest.approx(expected)


@pytest.mark.parametrize("comment", ["b=1500", "b=1500(a,b,c)", "x b=1500(0.360,0.480,0.800)", ""])
def test_other_comments_are_no_directions(comment):
    with pytest.raises(Held, match="no gradient direction"):
        weighting(canon(comment))


def test_canon_is_held_where_the_frame_is_not_known():
    for changed in ({"orientation": SAGITTAL}, {"InPlanePhaseEncodingDirection": "ROW"}):
        with pytest.raises(Held, match="frame of Canon"):
            weighting(canon("b=1500(0.360,0.480,0.800)", **changed))


def test_what_says_nothing_and_what_says_nonsense():
    assert weighting(header("SIEMENS")) is None
    assert weighting(Dataset()) is None
    for vector in ([0, 0, 0], [1, 1, 1], [0.5, 0, 0]):
        with pytest.raises(Held):
            weighting(siemens(1000, [float(part) for part in vector]))
    assert weighting(siemens(0, SLANTED)) == Weighting(0.0, None)


def test_a_refusal_quotes_no_header():
    damaged = siemens(1000, SLANTED)
    tag = pydicom.tag.Tag(0x0019100C)
    del damaged[tag]
    damaged._dict[tag] = pydicom.dataelem.RawDataElement(tag, "UN", 6, b"SECRET", 0, False, True)
    for dataset in (damaged, canon("b=1500(SECRET)")):
        with pytest.raises(Held) as refusal:
            weighting(dataset)
        assert "SECRET" not in str(refusal.value)


def test_what_is_wanted_is_enough(tmp_path):
    path = tmp_path / "file.dcm"
    dataset = siemens(1000, SLANTED, SOPClassUID="1.2.840.10008.5.1.4.1.1.4", SOPInstanceUID="1.2.3")
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    read = pydicom.dcmread(path, specific_tags=list(WANTED))
    assert weighting(read) == Weighting(1000.0, tuple(SLANTED))


def test_a_table_is_in_the_images_own_axes():
    weightings = [Weighting(0.0, None), Weighting(1000.0, (1.0, 0.0, 0.0)), None]
    b_values, vectors = table(weightings, np.diag([-2.0, -2, 3, 1]))  # axes along left, posterior, superior
    assert b_values.tolist() == [0, 1000, 0]
    assert vectors.tolist() == [[0, 0, 0], [-1, 0, 0], [0, 0, 0]]  # right-handed: the first sign turns
    assert table(weightings, np.diag([-2.0, 2, 3, 1]))[1][1].tolist() == [1, 0, 0]


def test_a_table_takes_no_computed_volume_and_not_nothing():
    with pytest.raises(Held, match="computed"):
        table([Weighting(0.0, None), Weighting(1000.0, None, computed=True)], np.eye(4))
    with pytest.raises(Held, match="no volume"):
        table([None, None], np.eye(4))


def test_the_texts_have_no_negative_zero_and_enough_digits():
    vectors = np.array([[-0.0, -1e-9, 1.0], [1 / 3, -2 / 3, 2 / 3]])
    b_values, directions = texts(np.array([1.25, 1000.0]), vectors)
    assert b_values == "1.25 1000\n"
    assert directions == "0 0.333333\n0 -0.666667\n1 0.666667\n"
