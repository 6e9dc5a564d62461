import numpy as np
import pytest

from efface import witness
from heads import ATLAS, HEAD

VOXEL_FROM_FRAME = np.linalg.inv(ATLAS.world_from_voxel)
THRESHOLD = 40.0  # of the template's 0-255
FACE_FRONT, FACE_TOP, FACE_BOTTOM = 58.0, 0.0, -115.0  # mm in the template's frame: what a face is cut out by


@pytest.fixture
def dlib_at_hand():
    if not witness.available():
        pytest.skip("dlib and its models are not installed (efface[witness])")


def ball(radius_mm, centre=(0, 40, -40)):
    """Return an invented head as round as a ball, on the template's grid."""
    world = np.moveaxis(np.indices(HEAD.shape), 0, -1) * 2.0 + ATLAS.world_from_voxel[:3, 3]
    away = np.linalg.norm(world - centre, axis=-1)
    return np.clip((radius_mm - away) * 50 + 50, 0, 200).astype(np.float32)


def cut_off():
    """Return the template's head with its face cut off."""
    y = ATLAS.world_from_voxel[1, 3] + 2.0 * np.arange(HEAD.shape[1])
    z = ATLAS.world_from_voxel[2, 3] + 2.0 * np.arange(HEAD.shape[2])
    without = HEAD.copy()
    without[:, (y > FACE_FRONT)[:, None] & ((z > FACE_BOTTOM) & (z < FACE_TOP))[None]] = 0
    return without


def test_a_view_shows_the_head_as_who_stands_before_it_sees_it():
    small = ball(30, (0, 40, -100)) + ball(20, (60, 40, 40))
    left, front, right = witness.depth_renders(small, VOXEL_FROM_FRAME, 50.0)
    assert front.dtype == np.uint8 and front.shape == left.shape == right.shape and front.shape[2] == 3
    height, width = front.shape[:2]
    lit = np.argwhere(front[..., 0] > 100)
    # What lies up and on the head's right is seen at the top and on the left.
    upper, lower = lit[lit[:, 0] < height / 2], lit[lit[:, 0] > height / 2]
    assert upper[:, 1].max() < width / 2 and abs(lower[:, 1].mean() - width / 2) < 8
    assert not np.array_equal(left, right)


def test_a_ball_is_brightest_where_it_faces_the_lamp():
    front = witness.depth_renders(ball(60), VOXEL_FROM_FRAME, 50.0)[1][..., 0].astype(float)
    rows, columns = np.nonzero(front)
    row, column = round(rows.mean()), round(columns.mean())
    assert front[row - 40, column] > front[row, column] > front[row + 40, column] > 0
    assert abs(front[row, column - 40] - front[row, column + 40]) < 5


def test_air_is_black_and_no_face():
    views = witness.depth_renders(np.zeros(HEAD.shape, np.float32), VOXEL_FROM_FRAME, 50.0)
    assert not np.any(views)
    assert witness.faces(views) == [0.0, 0.0, 0.0]


def test_without_its_models_the_witness_says_that_it_is_not_there(monkeypatch):
    monkeypatch.setattr(witness, "find_spec", lambda name: None)
    assert witness.available() is False


def test_the_detector_sees_a_face_and_none_where_it_was_cut_off(dlib_at_hand):
    scores = witness.testify(HEAD, cut_off(), VOXEL_FROM_FRAME, THRESHOLD)
    assert scores["face_detector_before"] > 0.5 > witness.FIRES == scores["face_detector_after"]


def test_an_invented_ball_is_no_face(dlib_at_hand):
    assert witness.faces(witness.depth_renders(ball(80), VOXEL_FROM_FRAME, 50.0)) == [0.0, 0.0, 0.0]


def test_an_embedding_knows_a_turned_head_from_another(dlib_at_hand):
    left, front, _ = witness.depth_renders(HEAD, VOXEL_FROM_FRAME, THRESHOLD)
    wide = np.diag([0.75, 1.0, 1.0, 1.0])
    other = witness.depth_renders(HEAD, VOXEL_FROM_FRAME @ wide, THRESHOLD)[1]
    known, turned, stranger = map(witness.embedding, (front, left, other))
    assert known.shape == (128,)
    assert np.linalg.norm(known - turned) < np.linalg.norm(known - stranger)
    assert witness.embedding(np.zeros_like(front)) is None
