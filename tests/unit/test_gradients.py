"""The judge of gradient tables: what is right passes in every orientation, each planted fault is caught."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from pydicom.dataset import Dataset

from efface.convert.diffusion import table, texts, weighting
from efface.errors import Held
from efface.gradients import Unclear, faults, weighting_of
from weighted import AXIAL, CORONAL, SAGITTAL, SLANTED, canon, enhanced, ge, header, siemens, siemens_csa, uih

ROTATION = nib.eulerangles.euler2mat(0.2, -0.1, 0.3)
OBLIQUE = nib.affines.from_matvec(ROTATION * [2, 2, 3], [4, 5, 6])
DIRECTIONS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0, 0.8], [0.36, -0.48, 0.8], [-0.8, 0.6, 0]])


def philips(b_value, vector):
    dataset = header("Philips Medical Systems")
    dataset.add_new(0x20011003, "FL", b_value)
    for tag, part in zip((0x200510B0, 0x200510B1, 0x200510B2), vector, strict=True):
        dataset.add_new(tag, "FL", part)
    return dataset


def files():
    return [siemens(0), *(siemens(1000, vector) for vector in DIRECTIONS), siemens(700, DIRECTIONS[3])]


def written(affine):
    b_values, vectors = table([weighting(file) for file in files()], affine)
    return b_values, vectors, [weighting_of(file, 0) for file in files()]


def judged(b_values, vectors, said, affine=OBLIQUE):
    return faults(said, *texts(b_values, vectors), affine)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
def test_all_48_orders_of_the_axes_are_right(order, signs):
    turn = np.zeros((4, 4))
    turn[order, range(3)] = signs
    turn[3, 3] = 1
    affine = OBLIQUE @ turn
    assert judged(*written(affine), affine) == []
    b_values, vectors, said = written(affine)
    # Taken for another image's axes, it is wrong.
    assert judged(b_values, vectors, said, affine @ np.diag([-1, -1, 1, 1])) != []


COUNT = ["the number of b-values or gradient directions is not that of the volumes"]
OFF = ["a gradient direction is off by more than 0.2 degrees"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda b, v: (b, v * [-1, 1, 1]), OFF),
        (lambda b, v: (b, v[:, [1, 0, 2]]), OFF),
        (lambda b, v: (b, -v), OFF),
        (lambda b, v: (b, v @ nib.eulerangles.euler2mat(0, 0, np.radians(0.5)).T), OFF),
        (lambda b, v: (b[:-1], v[:-1]), COUNT),
        (lambda b, v: (b, v * 0.9), ["a gradient direction is not of length 1"]),
        (lambda b, v: (b, v * 0), ["a volume with a gradient direction has none"]),
        (lambda b, v: (b + np.eye(8)[1] * 5, v), ["a b-value is not the header's"]),
        (lambda b, v: (b, v + (v == 0).all(axis=1)[:, None] * [1, 0, 0]),
         ["a volume without a gradient direction has one"]),
    ],
    ids=["mirrored", "swapped", "sign", "half a degree", "missing", "short", "zeros", "b", "b 0"],
)  # fmt: skip
def test_each_planted_fault_is_named(change, expected):
    b_values, vectors, said = written(OBLIQUE)
    assert judged(b_values, vectors, said) == []
    assert judged(*change(b_values, vectors), said) == expected


def test_volumes_shifted_by_one_are_caught():
    b_values, vectors, said = written(OBLIQUE)
    found = judged(np.roll(b_values, 1), np.roll(vectors, 1, axis=0), said)
    assert "a b-value is not the header's" in found and OFF[0] in found


@pytest.mark.parametrize(
    ("bval", "bvec", "expected"),
    [
        ("0 1000\n", "0 1\n0 0\n", "not one line"),
        ("0 1000\n", "0 1\n0 0\n0\n", "number of b-values"),
        ("0 x\n", "0 1\n0 0\n0 0\n", "not numbers"),
        ("0 1000\n", "0 nan\n0 0\n0 0\n", "not finite"),
    ],
)
def test_files_that_cannot_be_understood_are_faults(bval, bvec, expected):
    said = [(0.0, None), (1000.0, np.array([1.0, 0, 0]))]
    found = faults(said, bval, bvec, np.diag([-1.0, 1, 1, 1]))
    assert len(found) == 1 and expected in found[0]


def test_nothing_said_is_a_fault():
    assert faults([None, None], "0 0\n", "0 0\n0 0\n0 0\n", np.eye(4)) != []


@pytest.mark.parametrize(
    "file",
    [
        *(ge(1000, SLANTED, plane, axis) for plane in (AXIAL, SAGITTAL, CORONAL) for axis in ("COL", "ROW")),
        ge(1000, SLANTED, np.concatenate([ROTATION[:, 0], ROTATION[:, 1]])),
        ge(1000, SLANTED, np.concatenate([ROTATION[:, 1], -ROTATION[:, 2]]), "ROW"),
        ge(3000, np.array(SLANTED) / 2), ge(1000000500, SLANTED, axis=""), ge(0, [0, 0, 0]),
        uih(1001.5, SLANTED, CORONAL), uih(1.25, [0, 0, 0]), philips(900.0, SLANTED),
        canon("b=1500(0.360,0.480,0.800)", np.concatenate([ROTATION[:, 0], ROTATION[:, 1]])),
        enhanced((1300.0, "DIRECTIONAL", SLANTED)), enhanced((1300.0, "ISOTROPIC", None)),
        siemens(1000, ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"]),
        siemens_csa(B_value=["1000"], DiffusionGradientDirection=["0.36", "0.48", "0.80"]),
        siemens_csa(B_value=["0"], DiffusionGradientDirection=[]),
        siemens_csa(B_value=["900"], B_matrix=["900", "0", "0", "0", "0", "0"]),
        header("SIEMENS", SequenceName="*ep_b0"), header("SIEMENS"), Dataset(),
    ],
)  # fmt: skip
def test_the_judge_reads_what_the_maker_reads(file):
    made, said = weighting(file), weighting_of(file, 0)
    if said is None:
        assert made is None
        return
    b_value, direction = said
    assert made.b_value == pytest.approx(b_value, abs=0.5)
    assert (made.direction is None) == (direction is None)
    if direction is not None:
        assert made.direction == pytest.approx(direction, abs=1e-6)


@pytest.mark.parametrize(
    "file",
    [
        siemens(1000), siemens(1000, [0.5, 0, 0]), siemens(-5, SLANTED), ge(1000, [0, 0, 0]),
        canon("b=1500(0.360,0.480,0.800)", SAGITTAL), canon("text"),
        ge(1000, [1, 0, 0], DiffusionBValue=1000.0, DiffusionGradientOrientation=[0.6, 0.8, 0.0]),
        ge(1000, SLANTED, [1, 0, 0, 0, np.sqrt(0.5), np.sqrt(0.5)]),
    ],
)  # fmt: skip
def test_the_judge_takes_nothing_on_trust(file):
    with pytest.raises(Unclear):
        weighting_of(file, 0)
    with pytest.raises(Held):
        weighting(file)
