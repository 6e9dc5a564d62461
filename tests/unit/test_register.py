import numpy as np
import pytest

from efface.measure import LEAST_INFORMATION, MOST_TURNED
from efface.register import register
from heads import ATLAS, BRAIN, CHIN, EYES, NOSE, head_image, moved

LANDMARKS = np.array([*EYES, NOSE, CHIN, *BRAIN], float)


def worst_mm(landing, motion):
    """Return how far the worst landmark lies from where it was put."""
    difference = landing.image_from_template - motion
    return np.linalg.norm(LANDMARKS @ difference[:3, :3].T + difference[:3, 3], axis=1).max()


@pytest.mark.parametrize(
    ("motion", "spacing"),
    [
        (moved(), (2.5, 2.5, 2.5)),
        (moved(20, (30, -60, 40)), (2.5, 2.5, 2.5)),
        (moved(-25, (0, 0, -90)), (2, 2, 5)),
    ],
)
def test_the_template_lands_where_the_head_is(motion, spacing):
    voxels, world_from_voxel = head_image(motion, spacing)
    landing = register(voxels.astype(np.float32), world_from_voxel, ATLAS)
    assert worst_mm(landing, motion) < 5
    assert landing.information > max(LEAST_INFORMATION, landing.rival)


def test_inverted_contrast_lands_as_well():
    voxels, world_from_voxel = head_image()
    inverted = np.where(voxels > 60, 900 - voxels, voxels).astype(np.float32)
    assert worst_mm(register(inverted, world_from_voxel, ATLAS), moved()) < 6


def test_a_header_that_denies_the_head_is_found_out():
    voxels, world_from_voxel = head_image()
    landing = register(voxels.astype(np.float32), world_from_voxel @ np.diag([1, -1, -1, 1.0]), ATLAS)
    assert landing.turned_degrees > MOST_TURNED


def test_noise_has_no_head():
    noise = np.random.default_rng(1).rayleigh(100, (80, 80, 80)).astype(np.float32)
    assert register(noise, np.diag([2.5, 2.5, 2.5, 1]), ATLAS).information < LEAST_INFORMATION


def test_the_same_image_lands_the_same_to_the_last_bit():
    voxels, world_from_voxel = head_image(moved(10))
    twice = [register(voxels.astype(np.float32), world_from_voxel, ATLAS) for _ in range(2)]
    assert np.array_equal(twice[0].image_from_template, twice[1].image_from_template)
