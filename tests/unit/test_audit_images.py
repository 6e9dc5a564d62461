"""Images in the audit: read once and block by block, and yet nothing in them is missed."""

import gzip
import hashlib
import tracemalloc

import numpy as np
import pytest

import staged
from efface import nifti
from efface.audit import audit, faces, volume
from efface.audit.voxels import SHORTEST, SHORTEST_NOISY, VoxelBytes

BLOCK = 4096
ROWS = [
    {"kind": "name", "attribute": "PatientName", "value": "ÅKERSTRÖM^TOVA LINNEA"},
    {"kind": "id", "attribute": "PatientID", "value": "QX7704129983"},
    {"kind": "uid", "attribute": "SeriesInstanceUID", "value": "1.3.46.670589.11.8407.5.0.20190414101530123"},
    {"kind": "text", "attribute": "StudyDescription", "value": "Иванова Тамара Ильинична"},
    {"kind": "id", "attribute": "AccessionNumber", "value": "KZ4401770412998357QX"},
]
LONG = ROWS[-1]["value"]  # no part of it is looked for by itself


def rows_in(data, identifiers=ROWS, *, noisy=False, block=BLOCK):
    """Return the numbers of the rows that are found in data that comes in blocks."""
    blocks = (data[start : start + block] for start in range(0, len(data), block))
    return {row.number for row in VoxelBytes(identifiers).rows(blocks, lambda: noisy)}


def noise(kind, count=4 * BLOCK):
    """Return bytes as voxels of a kind have them in the background or in tissue."""
    dice = np.random.default_rng(7)
    values = {
        "16 bits": dice.normal(300, 90, count // 2).clip(0).astype("<i2"),
        "16 bits, values of digits": dice.integers(48, 58, count // 2).astype("<i2"),
        "16 bits, values of digits, big-endian": dice.integers(48, 58, count // 2).astype(">i2"),
        "16 bits, all values": dice.integers(0, 1 << 16, count // 2).astype("<u2"),
        "float": dice.normal(300, 90, count // 4).astype("<f4"),
        "8 bits, values of digits": dice.integers(48, 58, count).astype("u1"),
    }
    return values[kind].tobytes()


@pytest.mark.parametrize("offset", [0, 1, 2, 3, 5, 14, 15, *range(BLOCK - 20, BLOCK + 2, 3), -1])
@pytest.mark.parametrize(
    "kind",
    ["16 bits", "16 bits, values of digits", "16 bits, all values", "float", "8 bits, values of digits"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_value_is_found_wherever_it_lies(kind, offset, encoding):
    data, value = bytearray(noise(kind)), LONG.encode(encoding)
    noisy = kind.startswith("8 bits")
    assert rows_in(bytes(data), noisy=noisy) == set()
    start = offset if offset >= 0 else len(data) - len(value)
    data[start : start + len(value)] = value
    assert rows_in(bytes(data), noisy=noisy) == {5}


@pytest.mark.parametrize(
    ("text", "encoding", "row"),
    [
        *(
            ("åkerström", "utf-8", 1),
            ("Åkerström", "utf-8", 1),
            ("ÅKERSTRÖM", "utf-8", 1),
            ("ÅKERSTRÖM", "latin-1", 1),
        ),
        *(("akerstrom", "latin-1", 1), ("AkerStrom", "latin-1", 1), ("qx7704129983", "utf-8", 2)),
        *(("Иванова Тамара Ильинична", "utf-8", 4), ("ИВАНОВА ТАМАРА ИЛЬИНИЧНА", "utf-16-le", 4)),
        ("иванова тамара ильинична", "utf-16-be", 4),
    ],
)
def test_capital_and_small_letters_and_other_scripts_are_found(text, encoding, row):
    assert row in rows_in(noise("16 bits")[:999] + text.encode(encoding) + bytes(40))


def test_capitals_are_found_when_all_that_is_looked_for_are_letters():
    # Small letters are the larger bytes: what is too small for a value must be judged by its capitals.
    (name,) = rows = [{"kind": "name", "attribute": "PatientName", "value": "zwyxvutszz"}]
    for text in (name["value"], name["value"].upper()):
        assert rows_in(bytes(50) + text.encode() + bytes(50), rows) == {1}


def test_short_values_count_only_where_noise_is_not_letters():
    data = bytes(100) + b"QX7704129983" + bytes(100)
    assert SHORTEST <= len("QX7704129983") < SHORTEST_NOISY
    assert (rows_in(data), rows_in(data, noisy=True)) == ({2}, set())


def test_search_agrees_with_a_plain_one():
    dice = np.random.default_rng(3)
    letters = np.frombuffer(b"ab12", np.uint8)
    values = {bytes(dice.choice(letters, dice.integers(8, 14))).decode() for _ in range(300)}
    rows = [{"kind": "id", "attribute": "AccessionNumber", "value": value} for value in sorted(values)]
    data = bytes(dice.choice(letters, 60_000))
    plain = {number for number, row in enumerate(rows, 1) if row["value"].encode() in data}
    assert 40 < len(plain) < len(rows)
    assert rows_in(data, rows, block=1000) == plain


def test_nothing_to_look_for_is_not_found_and_the_stream_is_read():
    blocks = iter([b"akerstrom" * 9] * 3)
    assert list(VoxelBytes([]).rows(blocks, lambda: False)) == []
    assert next(blocks, None) is None


@pytest.fixture
def bids(tmp_path):
    return staged.dataset(tmp_path)


def image(bids, name=staged.IMAGE):
    return bids / staged.FOLDER / f"{name}.nii.gz"


@pytest.mark.parametrize(
    "change",
    [
        lambda packed: packed,
        lambda packed: packed[: len(packed) // 2],
        lambda packed: packed[:10] + b"\xff" + packed[11:],  # no such block (RFC 1951, 3.2.3)
        lambda packed: packed + b"x" * (volume.packed.CHUNK * 3),
        lambda packed: b"x" + packed,
    ],
    ids=["as it is", "cut off", "damaged", "with bytes after it", "with bytes before it"],
)
def test_digest_is_of_the_whole_file_even_of_a_damaged_one(bids, change):
    path = image(bids)
    voxels = np.random.default_rng(1).integers(0, 256, (100, 90, 80), np.uint8)
    nifti.write(path, voxels, nifti.header(voxels.shape, voxels.dtype, np.eye(4)))
    path.write_bytes(change(path.read_bytes()))
    assert path.stat().st_size > volume.packed.CHUNK
    read = volume.Volume()
    assert all(read.sha256 == "" for _ in read.blocks(path))
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_image_is_the_one_that_was_checked_by_the_bytes_that_were_searched(bids, monkeypatch):
    monkeypatch.setattr(faces, "sha256", lambda path: pytest.fail("read a second time"))
    options = {
        "checks": bids.parent / "check",
        "validate": False,
        "policy": {key: {} for key in staged.ALLOWED},
    }
    assert audit(bids, staged.IDENTIFIERS, **options) == []
    path = image(bids)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1, mtime=0))
    (finding,) = audit(bids, staged.IDENTIFIERS, **options)
    assert (finding.check, finding.what) == ("faces", "the image is not the one that was checked")


@pytest.mark.parametrize("place", ["after the voxels", "after the gzip trailer"])
def test_text_behind_an_image_is_found_across_blocks(bids, place):
    path, foreign = image(bids), bytearray(volume.packed.CHUNK * 2)
    raw = gzip.decompress(path.read_bytes())
    # The reader's blocks end at multiples of the chunk, of the packed file or of what is in it.
    before = len(raw) if place == "after the voxels" else path.stat().st_size
    start = volume.packed.CHUNK - before % volume.packed.CHUNK - 4
    foreign[start : start + 9] = b"Akerstrom"
    if place == "after the voxels":
        path.write_bytes(gzip.compress(raw + foreign, mtime=0))
    else:
        path.write_bytes(path.read_bytes() + foreign)
    found = {
        one.where for one in audit(bids, staged.IDENTIFIERS, validate=False) if one.check == "identifier"
    }
    assert found == {"around the voxels"}


def masked(bids, voxels):
    """Write a mask, and return what the audit says of the faces of the dataset."""
    path = image(bids, staged.MASK)
    nifti.write(path, voxels, nifti.header(voxels.shape, voxels.dtype, np.eye(4)))
    return faults(bids)


def faults(bids):
    names = [f"{staged.FOLDER}/{name}.nii.gz" for name in (staged.IMAGE, staged.MASK)]
    return [one.what for one in faces.unproven(bids, names, bids.parent / "check")]


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "f8"])
def test_a_mask_holds_0_and_1_to_its_last_voxel(bids, dtype, monkeypatch):
    monkeypatch.setattr(volume.packed, "CHUNK", 1001)  # so that blocks end within voxels
    voxels = np.zeros((31, 37, 13), dtype)
    voxels[::2] = 1
    assert masked(bids, voxels) == []
    voxels[-1, -1, -1] = 2
    assert masked(bids, voxels) == ["a mask with other values than 0 and 1"]
    voxels[-1, -1, -1] = 0.5 if dtype[0] == "f" else 255
    assert masked(bids, voxels) == ["a mask with other values than 0 and 1"]


def test_a_big_endian_mask_is_read_as_its_header_says(bids):
    path = image(bids, staged.MASK)
    for order, said in ((">", []), ("<", ["a mask with other values than 0 and 1"])):
        head = nifti.header((20, 24, 16), np.dtype("i2"), np.eye(4)).as_byteswapped(">")
        voxels = np.ones((20, 24, 16), f"{order}i2")
        path.write_bytes(gzip.compress(head.binaryblock + bytes(4) + voxels.tobytes(), mtime=0))
        assert faults(bids) == said


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw[:-1],
        lambda raw: raw[:200],
        lambda raw: raw[:70] + b"\x80\0\x18\0" + raw[74:],  # RGB24
        lambda raw: raw[:70] + b"\4\0" + raw[72:],  # 16 bits by its type, 8 by its size
        lambda raw: raw[:40] + b"\0" + raw[41:],
        lambda raw: raw[:344] + b"n+2\0" + raw[348:],
    ],
    ids=["a voxel less", "no voxels", "colours", "two sizes", "no dimensions", "another format"],
)
def test_a_mask_that_is_not_whole_is_not_passed(bids, change):
    path = image(bids, staged.MASK)
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes())), mtime=0))
    assert faults(bids) == ["the mask is not readable"]


def test_memory_does_not_grow_with_the_image(bids):
    shape = (512, 512, 256)
    voxels = np.zeros(shape, np.uint8)
    for name in (staged.IMAGE, staged.MASK):
        nifti.write(image(bids, name), voxels, nifti.header(shape, voxels.dtype, np.eye(4)))
    size = voxels.nbytes
    del voxels
    tracemalloc.start()
    try:
        audit(bids, staged.IDENTIFIERS, validate=False, checks=bids.parent / "check")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < size / 3
