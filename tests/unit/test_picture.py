import numpy as np
from PIL import Image

from efface import picture
from heads import head_image

VOXELS, WORLD_FROM_VOXEL = head_image()
VALUES = VOXELS.astype(np.float32)
VOXEL_FROM_WORLD = np.linalg.inv(WORLD_FROM_VOXEL)


def test_the_png_holds_pixels_and_nothing_else(tmp_path):
    picture.write(tmp_path / "a.png", picture.picture([VALUES], VOXEL_FROM_WORLD, 60.0))
    data, chunks, place = (tmp_path / "a.png").read_bytes(), [], 8
    while place < len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        chunks.append(data[place + 4 : place + 8])
        place += 12 + length
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}


def test_the_same_head_gives_the_same_bytes(tmp_path):
    for name in "ab":
        picture.write(tmp_path / name, picture.picture([VALUES], VOXEL_FROM_WORLD, 60.0))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_row_for_each_volume_and_the_mask_outlined():
    one = picture.picture([VALUES], VOXEL_FROM_WORLD, 60.0)
    two = picture.picture([VALUES, VALUES], VOXEL_FROM_WORLD, 60.0, VALUES > 300)
    assert two.height == 2 * one.height and two.width == one.width
    small = np.asarray(two.resize((two.width // 2, two.height // 2), Image.Resampling.NEAREST)).astype(int)
    assert (small[..., 0] - small[..., 2] > 80).any()


def test_the_render_shows_the_nose_from_the_front():
    seen = np.zeros((80, 80, 80), np.float32)
    seen[20:60, 20:60, 20:60] = 100
    flat = picture._render(seen, 50.0, 0.0)
    seen[36:44, 60:68, 36:44] = 100
    nosed = picture._render(seen, 50.0, 0.0)
    assert (flat != nosed).any() and not (flat[:, :, 0] == 0).all()
