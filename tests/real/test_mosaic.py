"""Real mosaics: what the protocol says of the tiles is what the CSA image header says."""

import warnings

import numpy as np
import pydicom
import pytest

from efface import dicom, tiles
from efface.convert import mosaic
from efface.convert.frames import WANTED
from efface.convert.private import SIEMENS_CSA, csa_values

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from nibabel.nicom import csareader
    from nibabel.nicom.dicomwrappers import MosaicWrapper

FOLDERS = {  # folder: how many tiles, and where they follow to
    "conversion_cases/mosaic_axial_head_first": (40, "feet"),
    "conversion_cases/mosaic_coronal_reversed": (35, "back"),
    "conversion_cases/mosaic_sagittal_mirrored": (35, "left"),
    "conversion_cases/mosaic_slice_timing": (36, "feet"),
    "conversion_cases/multi_echo_bold": (30, "head"),
    "siemens_mosaic/ep2d_Asc_2": (36, "head"),
    "siemens_trio_T1_T2_ASLmosaic": (12, "head"),
}
TOWARDS = {"feet": (0, 0, -1), "head": (0, 0, 1), "back": (0, 1, 0), "left": (1, 0, 0)}


def mosaics_in(folder):
    found = [path for path in sorted(folder.iterdir()) if path.is_file()]
    kinds = {path: pydicom.dcmread(path, force=True, specific_tags=["ImageType"]) for path in found}
    return [path for path, header in kinds.items() if "MOSAIC" in (header.get("ImageType") or ())]


def maker(path):
    return dicom.read(path, (*WANTED, *mosaic.KEYWORDS))


def judge(path):
    return pydicom.dcmread(path, specific_tags=[*tiles.TAGS])


def positions(dataset):
    return np.array([frame.position for frame in mosaic.tiles_of(dataset)])


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_protocol_says_what_the_csa_image_header_says(folder, real_scans):
    count, direction = FOLDERS[folder]
    paths = mosaics_in(real_scans / folder)
    assert paths
    for path in paths:
        header, bare, file, bare_file = maker(path), maker(path), judge(path), judge(path)
        del bare[SIEMENS_CSA], bare_file[SIEMENS_CSA]
        stated = positions(header)
        assert stated.shape == (count, 3) and (stated[-1] - stated[0]) @ TOWARDS[direction] > 0
        for other in (positions(bare), tiles.corners(file), tiles.corners(bare_file)):
            np.testing.assert_allclose(other, stated, atol=1e-4)
        assert tiles.tile_shape(file) == tiles.tile_shape(bare_file)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_judge_reads_as_nibabel_does(folder, real_scans):
    path = mosaics_in(real_scans / folder)[0]
    file, wrapper = pydicom.dcmread(path), MosaicWrapper(pydicom.dcmread(path))
    places = np.outer(np.arange(wrapper.n_mosaic), wrapper.affine[:3, 2]) + wrapper.affine[:3, 3]
    np.testing.assert_allclose(tiles.corners(file), places, atol=1e-6)
    np.testing.assert_array_equal(
        tiles.tile_pixels(file, file.pixel_array), np.moveaxis(wrapper.get_unscaled_data(), 2, 0)
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_entry_of_a_csa_image_header_is_read_as_nibabel_does(folder, real_scans):
    header = maker(mosaics_in(real_scans / folder)[0])
    for name, entry in csareader.read(header[SIEMENS_CSA].value)["tags"].items():
        assert csa_values(header, name) == dicom.numbers(entry["items"]), name


def test_a_mosaic_without_a_csa_image_header(real_scans):
    for path in mosaics_in(real_scans / "conversion_cases/siemens_dwi_mosaic"):
        header, file = maker(path), judge(path)
        frames = mosaic.tiles_of(header)
        assert len(frames) == 40 and frames[0].shape == (192, 192)
        step = frames[1].position - frames[0].position
        assert step[2] < 0 and np.linalg.norm(step) == pytest.approx(2.5, abs=1e-4)
        np.testing.assert_allclose(tiles.corners(file), positions(header), atol=1e-4)
