from copy import deepcopy

import numpy as np
import pytest

from efface import measure as judge
from efface.anatomy import tissue_threshold
from efface.deface.blank import blanked
from efface.facemask import brain_beside, face_mask
from efface.measure import Stand, measure
from efface.sight import Template
from heads import ATLAS, EPI, HEAD, INVERTED, head_image, moved, sphere, with_long_poles

TEMPLATE = Template(ATLAS.regions, ATLAS.head, ATLAS.brain)
RIGHT = Stand(information=2 * judge.LEAST_INFORMATION, rival=judge.LEAST_INFORMATION / 2, turned_degrees=3.0)
CONTRASTS = {"T1w": HEAD, "inverted": INVERTED, "EPI": EPI}
IMAGES = {name: head_image(head=head)[0].astype(np.float32) for name, head in CONTRASTS.items()}
# A ratio of two images: where there is no signal it is anything.
IMAGES["MP2RAGE"] = np.where(
    IMAGES["T1w"] < 60, np.random.default_rng(4).uniform(0, 1000, IMAGES["T1w"].shape), IMAGES["T1w"]
).astype(np.float32)
WORLD_FROM_VOXEL = head_image()[1]
SHAPE = IMAGES["T1w"].shape
MIRRORED = np.diag([1, -1, 1, 1.0])
SWAPPED = np.eye(4)[[1, 0, 2, 3]]
SKIN_STAYS = "part of the face's skin would survive"
IN_FRONT = "tissue would stay in front of the face"
INTO_BRAIN = "the mask would reach into the brain"
NO_NOSE = "no nose stands out where one should; was the face removed before?"


def judged(mask, template=None, contrast="T1w", **given):
    """Return the measures of a mask, with the template where it is right or where `template` puts it."""
    before = given.pop("before", IMAGES[contrast])
    after = given.pop("after", None)
    after = blanked(before, mask, np.float32(0)) if after is None else after
    put = np.eye(4) if template is None else template
    voxel_from_grid = np.linalg.inv(WORLD_FROM_VOXEL) @ put @ ATLAS.world_from_voxel
    options = {"modality": "MR", "stand": RIGHT} | given
    return measure(before, after, voxel_from_grid, TEMPLATE, **options)


def mask_at(motion=None, **options):
    return face_mask(SHAPE, WORLD_FROM_VOXEL, np.eye(4) if motion is None else motion, ATLAS, **options)


def faulty(name):
    """Return a mask that is right but for what its name says."""
    return {
        "forward": lambda: mask_at(moved(shift_mm=(0, 25, 0))),
        "a little forward": lambda: mask_at(moved(shift_mm=(0, 9, 0))),
        "down": lambda: mask_at(moved(shift_mm=(0, 0, -40))),
        "aside": lambda: mask_at(moved(shift_mm=(40, 0, 0))),
        "chin down": lambda: mask_at(moved(-20)),
        "rolled": lambda: mask_at(moved(roll_degrees=40)),
        "yawed": lambda: mask_at(moved(yaw_degrees=40)),
        "on the back of the head": lambda: mask_at(MIRRORED),
        "on one half": lambda: mask_at() & (np.arange(SHAPE[0]) > SHAPE[0] // 2)[:, None, None],
        "without ears": lambda: mask_at(ears=False),
        "a thin shell": lambda: mask_at() & (np.indices(SHAPE)[1] < 22),
        "nothing": lambda: np.zeros(SHAPE, bool),
    }[name]()


@pytest.fixture(scope="module")
def right():
    """Return the measures of the right mask on the T1w."""
    return judged(mask_at())


def test_a_right_mask_has_nothing_against_it(right):
    assert right.reasons == []
    assert right.worst < judge.MOST_SURVIVING and right.brain_voxels_changed == 0 and right.face_in_view
    assert set(right.surviving) == {"eyes", "nose", "mouth and chin", "ears"}


@pytest.mark.parametrize("contrast", ["inverted", "EPI", "MP2RAGE"])
def test_a_right_mask_has_nothing_against_it_in_other_contrasts(contrast):
    found = judged(mask_at(), contrast=contrast)
    assert found.reasons == []
    assert found.brain_voxels_changed == 0


LEAVING_SKIN = (
    *("forward", "down", "aside", "chin down", "rolled", "yawed"),
    *("on the back of the head", "on one half", "without ears", "a thin shell"),
)


@pytest.mark.parametrize(
    ("contrast", "name"),
    [
        *(("T1w", name) for name in LEAVING_SKIN),
        ("inverted", "rolled"),
        ("MP2RAGE", "forward"),
        ("MP2RAGE", "rolled"),
    ],
)
def test_a_mask_that_leaves_skin_is_caught(contrast, name):
    found = judged(faulty(name), contrast=contrast)
    assert SKIN_STAYS in found.reasons and found.worst > 2 * judge.MOST_SURVIVING


def test_an_untouched_face_survives_whole_and_stands_in_front():
    found = judged(faulty("nothing"))
    assert found.worst == 1 and found.in_front > 20 * judge.MOST_IN_FRONT and found.masked_tissue == 0
    assert IN_FRONT in found.reasons


def test_a_mask_that_leaves_the_tip_of_the_nose_is_caught():
    assert IN_FRONT in judged(faulty("a little forward")).reasons


def test_ears_that_were_to_stay_may_stay():
    found = judged(mask_at(ears=False), ears=False)
    assert found.reasons == [] and "ears" not in found.surviving


@pytest.mark.parametrize(
    ("contrast", "level"), [("T1w", 1.5), ("inverted", 8.0)], ids=lambda value: str(value)
)
def test_noise_that_looks_like_tissue_is_no_air(contrast, level):
    before, mask = IMAGES[contrast], mask_at()
    mean = level * tissue_threshold(before, "MR")
    drawn = np.random.default_rng(5).rayleigh(mean * np.sqrt(2 / np.pi), np.count_nonzero(mask))
    found = judged(mask, contrast=contrast, after=blanked(before, mask, drawn.astype(np.float32)))
    assert {SKIN_STAYS, IN_FRONT} & set(found.reasons)


def test_noise_like_air_is_air():
    mask = mask_at()
    drawn = np.random.default_rng(5).rayleigh(4.0, np.count_nonzero(mask)).astype(np.float32)
    assert judged(mask, after=blanked(IMAGES["T1w"], mask, drawn)).reasons == []


@pytest.mark.parametrize(
    ("contrast", "motion"),
    [
        ("T1w", moved(shift_mm=(0, -20, 0))),
        ("T1w", moved(size=0.7)),
        ("inverted", moved(shift_mm=(0, -12, 0))),
        ("EPI", moved(shift_mm=(0, 0, 20))),
        ("EPI", moved(20)),
    ],
    ids=["T1w back", "T1w small", "inverted back", "EPI up", "EPI chin up"],
)
def test_a_mask_in_the_brain_is_caught(contrast, motion):
    found = judged(mask_at(motion), contrast=contrast)
    assert found.brain_voxels_changed > 0
    assert INTO_BRAIN in found.reasons


@pytest.mark.parametrize(
    ("contrast", "place"), [("T1w", (6, 52, -14)), ("inverted", (18, 72, 4)), ("EPI", (-37, 34, -28))]
)
def test_a_bite_out_of_the_brain_is_caught(contrast, place):
    bite = sphere(SHAPE, WORLD_FROM_VOXEL, place, 9.0)
    assert INTO_BRAIN in judged(mask_at() | bite, contrast=contrast).reasons


def test_a_cut_pole_of_a_distorted_brain_is_caught():
    before = head_image(head=with_long_poles())[0].astype(np.float32)
    spared = brain_beside(before, np.linalg.inv(WORLD_FROM_VOXEL) @ ATLAS.world_from_voxel, ATLAS)
    assert INTO_BRAIN in judged(mask_at(), before=before).reasons
    assert judged(mask_at(spared=spared), before=before).reasons == []


OFF = {
    "forward": moved(shift_mm=(0, 9, 0)),
    "back": moved(shift_mm=(0, -9, 0)),
    "up": moved(shift_mm=(0, 0, 12)),
    "aside": moved(shift_mm=(10, 0, 0)),
    "chin up": moved(15),
    "chin down": moved(-15),
    "upside down": moved(180),
    "rolled": moved(roll_degrees=20),
    "yawed": moved(yaw_degrees=20),
    "mirrored": MIRRORED,
    "swapped axes": SWAPPED,
    "small": moved(size=0.85),
    "large": moved(size=1.18),
}


@pytest.mark.parametrize(
    ("contrast", "name"),
    [
        *(("T1w", name) for name in OFF),
        *(("inverted", name) for name in ("chin down", "large")),
        *(("EPI", name) for name in ("forward", "rolled", "yawed", "swapped axes", "small", "large")),
    ],
)
def test_a_template_in_the_wrong_place_is_caught(contrast, name):
    reasons = judged(mask_at(OFF[name]), OFF[name], contrast).reasons
    assert reasons


def test_a_head_without_a_nose_where_one_should_be_is_caught():
    flat = IMAGES["T1w"].copy()
    y = WORLD_FROM_VOXEL[1, 3] + WORLD_FROM_VOXEL[1, 1] * np.arange(SHAPE[1])
    flat[:, y > 78, :] = 0
    assert NO_NOSE in judged(mask_at(), before=flat).reasons


def reasons_of(right, **stand):
    """Return what is said of the right mask when the registration stands otherwise."""
    found = deepcopy(right)
    judge._judge(found, Stand(**vars(RIGHT) | stand))
    return found.reasons


LOW, HIGH = judge.LEAST_INFORMATION / 2, 2 * judge.LEAST_INFORMATION
CHANCE = {"information": LOW, "rival": 0.0}
TIE = {"information": HIGH, "rival": HIGH}
NEAR = tuple(0.9 * np.array(judge.NEAR_LEADER))
BY_CHANCE = ["the head template does not fit this image better than by chance"]
ELSEWHERE = ["the head lies elsewhere than in the T1w image of its session"]


@pytest.mark.parametrize("poor", [CHANCE, TIE], ids=["chance", "tie"])
def test_a_leader_vouches_for_a_landing_that_has_a_rival_but_not_for_one_by_chance(right, poor):
    assert reasons_of(right, **poor) == BY_CHANCE
    # The leader's landing is one of the starts: to be near it is no proof where nothing fits.
    assert reasons_of(right, **poor, from_leader=NEAR) == ([] if poor is TIE else BY_CHANCE)
    for far in ((1.1 * judge.NEAR_LEADER[0], 0.0), (0.0, 1.1 * judge.NEAR_LEADER[1])):
        assert reasons_of(right, **poor, from_leader=far) == BY_CHANCE


def test_a_leader_that_disagrees_is_heard_however_well_the_template_fits(right):
    far = judge.FAR_FROM_LEADER
    for from_leader in ((1.1 * far[0], 0.0), (0.0, 1.1 * far[1])):
        assert reasons_of(right, from_leader=from_leader) == ELSEWHERE
    assert reasons_of(right, from_leader=NEAR) == []


def test_the_stand_given_is_the_stand_judged():
    far = (2 * judge.FAR_FROM_LEADER[0], 0.0)
    stand = Stand(LOW, HIGH, judge.MOST_TURNED + 1, far)
    turned_head = ["the image shows a head that is turned against what its header says"]
    assert judged(mask_at(), stand=stand).reasons == BY_CHANCE + ELSEWHERE + turned_head


def test_a_turned_head_is_caught(right):
    assert len(reasons_of(right, turned_degrees=judge.MOST_TURNED + 1)) == 1
    assert reasons_of(right, turned_degrees=judge.MOST_TURNED - 1) == []


def test_where_no_brain_is_in_view_nothing_vouches_for_it():
    voxels, world_from_voxel = head_image(top_mm=-30)
    before = voxels.astype(np.float32)
    voxel_from_grid = np.linalg.inv(world_from_voxel) @ ATLAS.world_from_voxel
    found = measure(before, before, voxel_from_grid, TEMPLATE, modality="MR", stand=RIGHT)
    assert found.brain_ml < judge.LEAST_BRAIN_ML
    assert "no brain was found that the mask could be checked against" in found.reasons


def test_a_face_that_is_out_of_view_needs_no_mask():
    voxels, world_from_voxel = head_image(bottom_mm=16.0)
    before = voxels.astype(np.float32)
    voxel_from_grid = np.linalg.inv(world_from_voxel) @ ATLAS.world_from_voxel
    found = measure(before, before, voxel_from_grid, TEMPLATE, modality="MR", stand=RIGHT)
    assert found.reasons == [] and not found.face_in_view and found.worst is None
    assert found.masked_tissue == 0


def test_nothing_bright_is_no_tissue():
    assert tissue_threshold(np.zeros((20, 20, 20), np.float32), "MR") == float("inf")
