import numpy as np
import pytest
from nibabel.affines import apply_affine

from efface import grid, poses
from efface.register import STEP_MM, _levels
from heads import ATLAS, BRAIN, CHIN, EPI, EYES, HEAD, INVERTED, NOSE, head_image, moved

LANDMARKS = np.array([*EYES, NOSE, CHIN, *BRAIN], float)
POINTS, CLASSES = poses.template_points(ATLAS, poses.around(ATLAS))


def scorer_of(motion=None, head=HEAD):
    voxels, world_from_voxel = head_image(motion, head=head)
    image, world_from_image = grid.coarse(voxels.astype(np.float32), world_from_voxel, STEP_MM)
    image = _levels(image)
    return poses.Scorer(image, world_from_image, POINTS, CLASSES), image, world_from_image


@pytest.fixture(scope="module")
def upright():
    return scorer_of()[0]


def test_points_are_few_mixed_and_know_the_brain():
    assert len(POINTS) == len(CLASSES) > poses.MANY
    few, whole = (CLASSES[:count] >= poses.LEVELS for count in (poses.FEW, None))
    assert abs(few.mean() - whole.mean()) < 0.05 and 0.1 < whole.mean() < 0.9
    assert CLASSES.min() >= 0 and CLASSES.max() < 2 * poses.LEVELS
    inside = apply_affine(np.linalg.inv(ATLAS.world_from_voxel), POINTS).round().astype(int)
    assert np.array_equal(ATLAS.brain[tuple(inside.T)] > 0, CLASSES >= poses.LEVELS)
    again, _ = poses.template_points(ATLAS, poses.around(ATLAS))
    assert np.array_equal(again, POINTS)


@pytest.mark.parametrize("head", [HEAD, INVERTED, EPI], ids=["T1w", "inverted", "EPI"])
def test_the_right_pose_tells_most(head):
    scorer = scorer_of(head=head)[0]
    right = scorer.information(np.eye(4))
    others = [
        moved(shift_mm=(0, 15, 0)),
        moved(shift_mm=(0, 0, -15)),
        moved(20),
        moved(roll_degrees=20),
        moved(yaw_degrees=25),
        moved(180),
        moved(size=1.2),
        moved(size=0.8),
    ]
    assert right > 1.05 * max(scorer.information(pose) for pose in others)


def test_a_pose_that_sees_too_little_tells_nothing(upright):
    assert upright.information(moved(shift_mm=(0, 0, 190))) == 0
    assert upright.information(moved(shift_mm=(900, 0, 0))) == 0


def test_many_places_are_scored_as_each_alone(upright):
    lines = [np.array([-10.0, 0.0]), np.array([0.0, 20.0, 40.0]), np.array([-20.0])]
    together = upright.at(np.eye(3), lines)
    assert together.shape == (2, 3, 1)
    for index in np.ndindex(together.shape):
        centre = np.array([line[k] for line, k in zip(lines, index, strict=True)])
        alone = upright.information(poses.posed(np.eye(3), centre), poses.FEW)
        assert together[index] == pytest.approx(alone, abs=1e-9)


def test_chunks_do_not_show(upright, monkeypatch):
    lines = [np.linspace(-20, 20, 3)] * 3
    whole = upright.at(np.eye(3), lines)
    monkeypatch.setattr(poses, "CHUNK", 3 * poses.FEW)
    assert np.array_equal(upright.at(np.eye(3), lines), whole)


def test_a_climb_finds_the_head_again_and_never_goes_down(upright):
    start = moved(12, (10, -14, 12), yaw_degrees=8, size=0.93)
    bits, pose = upright.climbed(start)
    assert bits >= upright.information(start, poses.MANY)
    assert poses.is_head(pose[:3, :3]) and poses.apart(pose, np.eye(4))[0] < 8
    away = apply_affine(pose, LANDMARKS) - LANDMARKS
    assert np.linalg.norm(away, axis=1).max() < 14


@pytest.mark.parametrize(
    "motion",
    [
        moved(),
        moved(45, (20, -50, 70)),
        moved(yaw_degrees=40),
        moved(roll_degrees=-40),
        moved(size=0.7),
        moved(180),
    ],
    ids=["upright", "pitch", "yaw", "roll", "small", "backwards"],
)
def test_the_search_gives_a_pose_near_the_head_and_upright_ones_always(motion):
    scorer, image, world_from_image = scorer_of(motion)
    found = poses.search(scorer, image, world_from_image)
    assert len(found) == 2 + poses.CLIMBERS
    assert all(np.array_equal(pose[:3, :3], np.eye(3)) for pose in found[:2])
    climbed = [scorer.climbed(pose) for pose in found]
    best = max(climbed, key=lambda item: item[0])[1]
    shift, degrees = poses.apart(best, motion)
    assert shift < 15 and degrees < 15


@pytest.mark.parametrize(
    ("linear", "yes"),
    [
        (np.eye(3), True),
        (0.7 * np.eye(3), True),
        (1.25 * np.eye(3), True),
        (0.9 * poses.LEAST_SIZE * np.eye(3), False),
        (1.1 * poses.MOST_SIZE * np.eye(3), False),
        (np.diag([1, 1, 1.1 * poses.MOST_STRETCH]), False),
        (np.diag([1, 1, 0.0]), False),
    ],
)
def test_what_is_still_a_head(linear, yes):
    assert poses.is_head(linear) is yes
    assert poses.is_head(linear @ poses.turn(40, -20, 70)) is yes


@pytest.mark.parametrize("turns", [(30, 0, 0), (0, -50, 0), (0, 0, 110), (0, 180, 0)])
def test_the_angle_of_a_pose_is_that_of_its_rotation_alone(turns):
    pose = poses.posed(poses.turn(*turns) @ np.diag([1.2, 0.9, 1.0]), np.array([5.0, 6, 7]))
    assert poses.angle(pose) == pytest.approx(max(map(abs, turns)), abs=1e-4)


def test_turns_go_the_way_that_motions_do():
    assert np.allclose(
        poses.turn(20, -30, 40), moved(20, roll_degrees=-30, yaw_degrees=40)[:3, :3], atol=1e-12
    )


def test_a_pose_is_put_by_the_middle_of_the_head():
    pose = poses.posed(poses.turn(10, 20, 30), np.array([1.0, 2, 3]))
    assert np.allclose(apply_affine(pose, poses.CENTRE), [1, 2, 3])


def test_there_are_24_turns_of_the_axes_and_no_mirror():
    turns = poses.axis_turns()
    assert np.array_equal(turns[0], np.eye(3))
    assert len({turn.tobytes() for turn in np.round(turns) + 0.0}) == 24
    assert all(np.linalg.det(turn) == pytest.approx(1) for turn in turns)


def test_how_far_two_poses_are_apart():
    shift, degrees = poses.apart(np.eye(4), moved(shift_mm=(3, 4, 0)))
    assert (shift, degrees) == (pytest.approx(5), pytest.approx(0, abs=1e-4))
    a, b = moved(10, (1, 2, 3)), moved(-25, (9, 9, 9), yaw_degrees=30)
    assert np.allclose(poses.apart(a, b), poses.apart(b, a))
    turned = poses.posed(poses.turn(0, 40, 0), poses.CENTRE)
    assert poses.apart(np.eye(4), turned) == (pytest.approx(0), pytest.approx(40))


def test_only_poses_that_differ_are_kept_the_best_of_each():
    far = moved(shift_mm=(2 * poses.NEAR_MM, 0, 0))
    turned = poses.posed(poses.turn(2 * poses.NEAR_DEGREES, 0, 0), poses.CENTRE)
    near = moved(shift_mm=(poses.NEAR_MM / 3, 0, 0))
    given = [(0.4, far), (0.5, near), (0.9, np.eye(4)), (0.6, turned)]
    kept = poses.distinct(given)
    assert [bits for bits, _ in kept] == [0.9, 0.6, 0.4]
    assert poses.same(near, np.eye(4)) and not poses.same(far, turned)
