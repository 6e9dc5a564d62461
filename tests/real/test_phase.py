"""Real scans: phase encoding, readout and slice times are those that the headers tell."""

import numpy as np
import pydicom
import pytest

from efface import dicom
from efface.convert import convert_series, frames, phase

CASES = "conversion_cases"
ENCODED = {  # folder: where phase advances to (patient), effective echo spacing and total readout time in ms
    f"{CASES}/mosaic_axial_head_first": ("A", 0.5, 31.5),
    f"{CASES}/mosaic_coronal_reversed": ("L", 0.279998, 17.639865),
    f"{CASES}/mosaic_sagittal_mirrored": ("P", 0.279998, 17.639865),
    f"{CASES}/mosaic_slice_timing": ("P", 0.324999, 20.474967),
    f"{CASES}/multi_echo_bold": ("A", 0.260001, 16.380042),
    f"{CASES}/enhanced_agfa_4_files": ("P", 0.270002, 17.010109),
    f"{CASES}/enhanced_siemens_bold_20_files": ("P", 0.540003, 34.020218),
    f"{CASES}/enhanced_siemens_one_volume_per_file": ("P", 0.640002, 40.320103),
    f"{CASES}/enhanced_siemens_phase_negative_intercept": ("P", None, None),
    f"{CASES}/two_echo_pd_t2": ("P", None, None),
    "siemens_mosaic/ep2d_Asc_2": ("P", 0.324999, 20.474967),
    "siemens_xa30_enhanced/25_asl_2d_tra": ("P", 0.399995, 25.199677),
    "siemens_xa30_enhanced/8_gre_field_mapping": ("P", None, None),
    "ge_epi/mr_0004": (None, 0.388, 24.444),
    f"{CASES}/ge_b0map_real_and_magnitude": (None, None, None),
    f"{CASES}/canon_dwi": (None, None, None),
    f"{CASES}/philips_dwi_enhanced": (None, None, None),
    f"{CASES}/siemens_dwi_classic": (None, None, None),
    f"{CASES}/siemens_dwi_mosaic": (None, None, None),
    "philips_ingenia_T1_classic": (None, None, None),
    "siemens_xa30_enhanced/5_anat-T1w_acq-tfl": (None, None, None),
}
TIMES = {  # folder: ms of the first planes, upwards along the world axis across them, and of the last
    f"{CASES}/mosaic_axial_head_first": ([0, 67.5, 135, 202.5], 2612.5),
    f"{CASES}/mosaic_coronal_reversed": ([2437.5, 2367.5, 2295, 2222.5], 0),
    f"{CASES}/mosaic_sagittal_mirrored": ([2437.5, 2365, 2295, 2222.5], 0),
    f"{CASES}/mosaic_slice_timing": ([0, 75, 150, 222.5], 2605),
    f"{CASES}/enhanced_agfa_4_files": ([0, 47.5, 97.5, 145], 1170),
    f"{CASES}/enhanced_siemens_bold_20_files": ([0, 535, 90, 625], 447.5),
    f"{CASES}/enhanced_siemens_one_volume_per_file": ([160, 0, 320, 160], 320),
    "siemens_mosaic/ep2d_Asc_2": ([0, 75, 150, 222.5], 2605),
    "siemens_xa30_enhanced/25_asl_2d_tra": ([0, 37.5, 77.5, 115], 422.5),
    "ge_epi/mr_0004": ([], None),  # its timer stands at 0
}


def images_in(folder):
    """Return the files of a folder that hold images."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return [path for path in files if "Rows" in pydicom.dcmread(path, force=True, specific_tags=["Rows"])]


def affines(row, column):
    """Yield world_from_voxel (RAS+) with the frame's rows as they are stored, and reversed."""
    for sign in (1, -1):
        world_from_voxel = np.eye(4)
        world_from_voxel[:3, :3] = (
            np.diag([-1, -1, 1]) @ np.array([row, sign * column, np.cross(row, column)]).T
        )
        yield world_from_voxel


@pytest.mark.parametrize("folder", ENCODED)
def test_phase_encoding(folder, real_scans):
    towards, spacing_ms, total_ms = ENCODED[folder]
    keywords = [keyword for keyword in frames.WANTED if keyword != "PixelData"]
    header = dicom.read(images_in(real_scans / folder)[0], (*keywords, *phase.WANTED))
    frame = frames.frames_of(header)[0]
    for world_from_voxel in affines(frame.row, frame.column):
        found = phase.phase_encoding(header, 0, frame.row, frame.column, world_from_voxel)
        assert ("PhaseEncodingDirection" in found) == (towards is not None)
        if towards:
            said = found["PhaseEncodingDirection"]
            advance = world_from_voxel[:3, "ijk".index(said[0])] * (-1 if said.endswith("-") else 1)
            axis = int(np.abs(advance).argmax())
            assert ("LPF", "RAH")[int(advance[axis] > 0)][axis] == towards
        for key, expected_ms in (("EffectiveEchoSpacing", spacing_ms), ("TotalReadoutTime", total_ms)):
            assert (1000 * found[key] if key in found else None) == pytest.approx(expected_ms, abs=1e-5)


@pytest.mark.parametrize("folder", TIMES)
def test_slice_times(folder, real_scans):
    first_ms, last_ms = TIMES[folder]
    conversion = convert_series(images_in(real_scans / folder), {})
    across = conversion.world_from_voxel[:3, 2]
    upwards = across[np.abs(across).argmax()] > 0
    times_ms = 1000 * np.array(conversion.slice_times_s)[:: 1 if upwards else -1]
    assert len(times_ms) == (conversion.voxels.shape[2] if first_ms else 0)
    np.testing.assert_allclose(times_ms[: len(first_ms)], first_ms, atol=2.6)  # one tick of a Siemens clock
    assert not first_ms or times_ms[-1] == pytest.approx(last_ms, abs=2.6)
