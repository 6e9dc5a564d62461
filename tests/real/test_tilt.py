"""Real CT under a tilted gantry: upright, and as each slice's own header predicts."""

import numpy as np
import pydicom
import pytest

from efface.convert import tilt
from efface.errors import Held
from efface.resampled import Shown, faults


@pytest.fixture
def ct(real_scans, request):
    """Return a series' slices along their normal."""
    files = [
        path for path in (real_scans / request.param).rglob("*") if path.is_file() and path.name != "LICENSE"
    ]
    slices = [pydicom.dcmread(path, force=True) for path in files]
    normal = np.cross(*np.reshape(slices[0].ImageOrientationPatient, (2, 3)).astype(float))
    return sorted(slices, key=lambda one: float(np.array(one.ImagePositionPatient, float) @ normal))


def plan_of(ct):
    first = ct[0]
    row, column = np.reshape(first.ImageOrientationPatient, (2, 3)).astype(float)
    positions = np.array([one.ImagePositionPatient for one in ct], float)
    thickness = np.array([one.get("SliceThickness") or np.nan for one in ct], float)
    spacing = tuple(map(float, first.PixelSpacing))
    return tilt.upright(positions, row, column, spacing, (first.Rows, first.Columns), thickness)


@pytest.mark.parametrize(
    ("ct", "shape", "step_mm"),
    [
        ("ge_ct_human", (512, 611, 37), 4.002),  # two blocks: 4 and 7 mm
        ("conversion_cases/ct_gantry_tilt_4_slices", (512, 521, 4), 4.851),
    ],
    indirect=["ct"],
)
def test_a_tilted_scan_becomes_upright_as_its_headers_predict(ct, shape, step_mm):
    slope, intercept = float(ct[0].RescaleSlope), float(ct[0].RescaleIntercept)
    air = tilt.stored_air(slope, intercept)
    voxels, world_from_voxel = tilt.resampled([one.pixel_array for one in ct], plan_of(ct), air)
    assert voxels.shape == shape and voxels.dtype == ct[0].pixel_array.dtype
    assert np.isclose(np.linalg.norm(world_from_voxel[:3, 2]), step_mm, atol=1e-3)
    rows_mm, columns_mm = map(float, ct[0].PixelSpacing)
    shown = [
        Shown(
            np.array(one.ImagePositionPatient, float),
            np.array(one.ImageOrientationPatient[:3], float) * columns_mm,
            np.array(one.ImageOrientationPatient[3:], float) * rows_mm,
            one.pixel_array * slope + intercept,
            float(one.get("SliceThickness") or np.nan),
        )
        for one in ct
    ]
    as_written = world_from_voxel.astype(np.float32).astype(float)  # as NIfTI keeps it
    assert faults(shown, voxels * slope + intercept, as_written, slope / 2) == []
    turned = voxels[:, ::-1] * slope + intercept
    assert "planes hold values" in faults(shown, turned, as_written, slope / 2)[0]


@pytest.mark.parametrize("ct", ["conversion_cases/ct_uneven_increment"], indirect=True)
def test_a_gap_in_a_real_scan_is_refused(ct):
    with pytest.raises(Held, match="the distances between slices leave gaps"):
        plan_of(ct)
