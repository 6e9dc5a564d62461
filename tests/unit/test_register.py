import numpy as np
import pytest

from efface.measure import LEAST_INFORMATION, LEAST_LEAD, MOST_TURNED
from efface.register import Template, register
from heads import ATLAS, BRAIN, CHIN, EPI, EYES, INVERTED, NOSE, head_image, moved

TEMPLATE = Template(ATLAS)
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
    landing = register(voxels.astype(np.float32), world_from_voxel, TEMPLATE)
    assert worst_mm(landing, motion) < 5
    assert landing.information > max(LEAST_INFORMATION, landing.rival)


@pytest.mark.parametrize("size", [0.7, 1.25])
def test_a_child_and_a_giant_land_as_well(size):
    motion = moved(size=size)
    voxels, world_from_voxel = head_image(motion)
    landing = register(voxels.astype(np.float32), world_from_voxel, TEMPLATE)
    assert worst_mm(landing, motion) < 5
    assert landing.information > max(LEAST_INFORMATION, LEAST_LEAD * landing.rival)


@pytest.mark.parametrize("size", [0.6, 0.65])
def test_a_small_head_lands_as_exactly_for_its_size(size):
    motion = moved(10, size=size)
    voxels, world_from_voxel = head_image(motion, (1.5, 1.5, 1.5))
    landing = register(voxels.astype(np.float32), world_from_voxel, TEMPLATE)
    assert worst_mm(landing, motion) < 1.5 * size


@pytest.mark.parametrize(
    ("head", "motion"),
    [(INVERTED, moved()), (EPI, moved()), (EPI, moved(15, (0, 10, -20), yaw_degrees=10))],
    ids=["inverted", "only the brain", "only the brain, turned"],
)
def test_another_contrast_lands_as_well(head, motion):
    voxels, world_from_voxel = head_image(motion, head=head)
    landing = register(voxels.astype(np.float32), world_from_voxel, TEMPLATE)
    # Where the scalp is dark the brain alone says how large the head is.
    assert worst_mm(landing, motion) < (10 if head is EPI else 6)
    assert landing.information > max(LEAST_INFORMATION, LEAST_LEAD * landing.rival)


@pytest.mark.parametrize("turn", [{"roll_degrees": 40}, {"yaw_degrees": -40}, {"pitch_degrees": 55}])
def test_a_head_that_is_turned_truly_lands(turn):
    motion = moved(**turn)
    voxels, world_from_voxel = head_image(motion)
    landing = register(voxels.astype(np.float32), world_from_voxel, TEMPLATE)
    assert worst_mm(landing, motion) < 6
    assert abs(landing.turned_degrees - abs(*turn.values())) < 5


def test_a_start_leads_where_the_search_does_not_get_and_that_is_known():
    motion = moved(62, roll_degrees=45, yaw_degrees=65)  # between all turns that are searched
    voxels, world_from_voxel = head_image(motion)
    values = voxels.astype(np.float32)
    led = register(values, world_from_voxel, TEMPLATE, [motion @ moved(6, (8, -6, 0))])
    assert worst_mm(led, motion) < 6 and led.information > LEAST_LEAD * led.rival
    alone = register(values, world_from_voxel, TEMPLATE)
    assert worst_mm(alone, motion) < 6 or alone.information < LEAST_LEAD * alone.rival


def test_a_wrong_start_does_no_harm():
    voxels, world_from_voxel = head_image()
    landing = register(voxels.astype(np.float32), world_from_voxel, TEMPLATE, [moved(180), moved(size=0.7)])
    assert worst_mm(landing, moved()) < 5


def test_a_header_that_denies_the_head_is_found_out():
    voxels, world_from_voxel = head_image()
    landing = register(voxels.astype(np.float32), world_from_voxel @ np.diag([1, -1, -1, 1.0]), TEMPLATE)
    assert landing.turned_degrees > MOST_TURNED


def test_noise_has_no_head():
    noise = np.random.default_rng(1).rayleigh(100, (80, 80, 80)).astype(np.float32)
    assert register(noise, np.diag([2.5, 2.5, 2.5, 1]), TEMPLATE).information < LEAST_INFORMATION


def test_the_same_image_lands_the_same_to_the_last_bit():
    voxels, world_from_voxel = head_image(moved(10))
    one, two = (register(voxels.astype(np.float32), world_from_voxel, TEMPLATE, [moved(5)]) for _ in range(2))
    assert np.array_equal(one.image_from_template, two.image_from_template)
    assert (one.information, one.rival, one.turned_degrees) == (
        two.information,
        two.rival,
        two.turned_degrees,
    )
