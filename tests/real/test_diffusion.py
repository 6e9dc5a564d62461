"""Real diffusion series of each vendor: what the maker writes is what the judge reads, and what is known."""

import numpy as np
import pydicom
import pytest

from efface import dicom
from efface.convert.diffusion import WANTED, table, texts, weighting
from efface.gradients import TAGS, faults, weighting_of

# folder: b-values, and one direction (LPS+) of each series as its header gives it, or as it follows from it.
SERIES = {
    "canon_dwi": ({0: 1, 1500: 12}, None),
    "ge_dwi_classic": ({0: 1, 1000: 1}, (-1, 0, 0)),
    "philips_dwi_classic": ({0: 1, 1000: 3}, (-0.000765, 0.0000205, 0.9999997)),
    "philips_dwi_enhanced": ({0: 1, 1300: 3}, None),
    "siemens_dwi_classic": ({0: 1, 1000: 1}, (0.825602, -0.389021, -0.408709)),
    "siemens_dwi_mosaic": ({0: 1, 1000: 1}, (0.825752, -0.389285, -0.408156)),
}
AFFINES = (np.diag([-2.0, 2, 3, 1]), np.diag([2.0, 2, 3, 1]))  # left-handed and right-handed


def frames(folder):
    """Yield each frame's weighting, as the maker and as the judge read it."""
    for path in sorted(folder.rglob("*.dcm")):
        dataset, file = dicom.read(path, WANTED), pydicom.dcmread(path, specific_tags=list(TAGS))
        for number in range(len(dataset.get("PerFrameFunctionalGroupsSequence") or [None])):
            yield weighting(dataset, number), weighting_of(file, number)


@pytest.mark.parametrize("name", SERIES)
def test_the_gradients_of_a_real_series(real_scans, name):
    counts, known = SERIES[name]
    found = dict(frames(real_scans / "conversion_cases" / name))
    assert {b: sum(one.b_value == b for one in found) for b in counts} == counts
    assert len(found) == sum(counts.values())
    if known:
        assert any(one.direction and np.allclose(one.direction, known, atol=1e-5) for one in found)
    for affine in AFFINES:
        b_values, vectors = table(list(found), affine)
        said = list(found.values())
        assert faults(said, *texts(b_values, vectors), affine) == []
        assert faults(said, *texts(b_values, vectors * [1, -1, 1]), affine) != [] or name == "ge_dwi_classic"
        assert faults(said, *texts(b_values, -vectors), affine) != []


def test_canon_turns_its_directions_with_the_slices(real_scans):
    """The series lies at 20 degrees: (0, -0.895, 0.445) has no part along the slices' columns."""
    directions = [one.direction for one, _ in frames(real_scans / "conversion_cases" / "canon_dwi")]
    expected = 0.895 * np.array([0.93990386, 0.34143931, 0]) + [0, 0, 0.445]
    wanted = expected / np.linalg.norm(expected)
    assert any(one and np.allclose(one, wanted, atol=1e-4) for one in directions)
