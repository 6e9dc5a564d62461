"""Mosaics without Siemens' CSA image header, and United Imaging's: the maker is right, the judge agrees."""

import struct
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage, generate_uid

from efface import dicom, tiles
from efface.convert import mosaic
from efface.convert.frames import WANTED
from efface.errors import Held

COUNT, ROWS, COLUMNS, SPACING, DISTANCE = 7, 6, 6, 2.0, 3.5
PIXELS = np.random.default_rng(0).integers(1, 3000, (COUNT, ROWS, COLUMNS)).astype(np.uint16)
TILT = np.array([[1, 0, 0], [0, 0.96, -0.28], [0, 0.28, 0.96]])  # rows, columns and normal of an oblique scan
PLANES = {
    "axial": np.eye(3),
    "oblique": TILT,
    "coronal": np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "sagittal": np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]]),
}


def layout(plane, reverse):
    """Return row, column, direction and first pixels of the tiles; Siemens numbers towards L, P, H."""
    row, column, normal = PLANES[plane]
    towards = normal * np.sign(normal[np.abs(normal).argmax()]) * (-1 if reverse else 1)
    centres = np.array([3.0, -20, 11]) + np.outer(np.arange(COUNT) - (COUNT - 1) / 2, towards * DISTANCE)
    return row, column, towards, centres - (row * COLUMNS + column * ROWS) * SPACING / 2


def picture(down, across):
    whole = np.zeros((down * ROWS, across * COLUMNS), np.uint16)
    for number, tile in enumerate(PIXELS):
        top, left = number // across * ROWS, number % across * COLUMNS
        whole[top : top + ROWS, left : left + COLUMNS] = tile
    return whole


def file_of(folder, whole, position, row, column, syntax=ExplicitVRLittleEndian, private=(), **attributes):
    """Write a picture as one classic object, with private elements (tag, VR, value)."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, generate_uid(entropy_srcs=["mosaic"])
    dataset.Modality, dataset.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    dataset.Rows, dataset.Columns = whole.shape
    dataset.ImagePositionPatient = [f"{value:.9g}" for value in position]
    dataset.ImageOrientationPatient = [f"{value:.9g}" for value in (*row, *column)]
    dataset.PixelSpacing, dataset.SpacingBetweenSlices = [SPACING, SPACING], DISTANCE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = whole.tobytes()
    for tag, vr, value in private:
        dataset.add_new(tag, vr, value)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
        if value is None:
            delattr(dataset, keyword)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(folder / "mosaic.dcm", enforce_file_format=True)
    return folder / "mosaic.dcm"


def protocol(plane, reverse, count=COUNT, written=COUNT, off_mm=0.0):
    """Return the text of a protocol, which has its slices in the order of their places, and no zeros."""
    _, _, towards, corners = layout(plane, False)
    centres = (
        corners + (PLANES[plane][0] * COLUMNS + PLANES[plane][1] * ROWS) * SPACING / 2 + off_mm * towards
    )
    lines = ["### ASCCONV BEGIN ###", f"sSliceArray.lSize = {count}"]
    for number, centre in enumerate(centres[:written]):
        start = f"sSliceArray.asSlice[{number}]."
        for axis, place, across in zip(("Sag", "Cor", "Tra"), centre, towards, strict=True):
            lines += [f"{start}sPosition.d{axis}\t = \t{place:.9g}"] * bool(place)
            lines += [f"{start}sNormal.d{axis}\t = \t{across:.9g}"] * bool(across)
        lines += [f"{start}d{way}FOV = {ROWS * SPACING}" for way in ("Phase", "Readout")]
    if reverse:
        axis = ("Sag", "Cor", "Tra")[np.abs(towards).argmax()]
        lines.append(f"sSliceArray.ucImageNumb{axis} = 0x1")
    return "\n".join([*lines, "### ASCCONV END ###"]).encode()


def csa(normal):
    """Return a CSA image header of two entries, the second of which is also part of another's text."""

    def entry(name, vr, texts):
        head = struct.pack("<64si4siii", name, len(texts), vr, 0, 6, 77)
        texts = [*texts, *[b""] * (6 - len(texts))]
        return head + b"".join(
            struct.pack("<4i", len(text), len(text), 77, len(text)) + text + bytes(-len(text) % 4)
            for text in texts
        )

    normal = [b"%.8f\0" % value for value in normal]
    return (
        b"SV10\4\3\2\1"
        + struct.pack("<2i", 3, 77)
        + entry(b"Remark", b"LO", [b"SliceNormalVector\0" + b"1" * 90])
        + entry(b"NumberOfImagesInMosaic", b"US", [b"%d       \0" % COUNT])
        + entry(b"SliceNormalVector", b"FD", normal)
    )


def siemens(folder, plane="axial", reverse=False, text=None, private=None, **attributes):
    """Write a mosaic; without `private`, its CSA series header is the only private element."""
    row, column, _, corners = layout(plane, reverse)
    whole = picture(3, 3)
    extra = np.array(whole.shape[::-1]) - (COLUMNS, ROWS)
    position = corners[0] - (row * extra[0] + column * extra[1]) * SPACING / 2
    if private is None:
        text = protocol(plane, reverse) if text is None else text
        private = [(0x00291020, "OB", b"SV10 what comes before\n" + text + b"\0what follows")]
    return file_of(
        folder, whole, position, row, column, private=private, Manufacturer="SIEMENS", **attributes
    )


def united(folder, plane="axial", reverse=False, count=COUNT, items=COUNT, order=1, down=3, **attributes):
    row, column, _, corners = layout(plane, reverse)
    described = []
    for number, corner in enumerate(corners[:items][::order]):
        item = Dataset()
        item.ImagePositionPatient = [f"{value:.9g}" for value in corner]
        item.AcquisitionDateTime = f"20200101120000.{number}"
        described.append(item)
    private = [
        (0x00650010, "LO", "Image Private Header"),
        (0x00651050, "DS", count),
        (0x00651051, "SQ", Sequence(described)),
    ]
    kind = ["ORIGINAL", "PRIMARY", "M", "VFRAME"]
    return file_of(
        folder,
        picture(down, 3),
        (0, 0, 0),
        row,
        column,
        private=private,
        Manufacturer="UIH",
        ImageType=kind,
        **attributes,
    )


def made(path):
    """Return the maker's frames and pixels."""
    dataset = dicom.read(path, (*WANTED, *mosaic.KEYWORDS))
    assert mosaic.is_mosaic(dataset)
    frames = mosaic.tiles_of(dataset, 4)
    assert [(frame.source, frame.number) for frame in frames] == [
        (4, number) for number in range(len(frames))
    ]
    return frames, mosaic.cut(pydicom.dcmread(path).pixel_array, frames[0].shape)


def judged(path):
    """Return what the judge predicts: the corners and the pixels."""
    file = pydicom.dcmread(path, specific_tags=[*tiles.TAGS])
    assert tiles.is_tiled(file)
    return tiles.corners(file), tiles.tile_pixels(file, pydicom.dcmread(path).pixel_array)


def agree(frames, corners):
    """Say whether maker and judge put each tile at the same place, as the proof does: a tenth of a voxel."""
    places = np.array([frame.position for frame in frames])
    return places.shape == corners.shape and np.abs(places - corners).max() < 0.1 * SPACING


@pytest.mark.parametrize("reverse", [False, True], ids=["forth", "back"])
@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("make", [siemens, united])
def test_both_read_each_tile_where_it_is(make, plane, reverse, tmp_path):
    path, corners = make(tmp_path, plane, reverse), layout(plane, reverse)[3]
    frames, cut = made(path)
    predicted, pixels = judged(path)
    np.testing.assert_allclose([frame.position for frame in frames], corners, atol=1e-5)
    np.testing.assert_allclose(predicted, corners, atol=1e-5)
    np.testing.assert_array_equal(cut[:COUNT], PIXELS)
    np.testing.assert_array_equal(pixels, PIXELS)


@pytest.mark.parametrize("reverse", [False, True], ids=["forth", "back"])
def test_the_csa_image_header_comes_first(reverse, tmp_path):
    _, _, towards, corners = layout("sagittal", reverse)
    private = [(0x00290010, "LO", "SIEMENS CSA HEADER"), (0x00291010, "OB", csa(towards))]
    path = siemens(tmp_path, "sagittal", reverse, private=private)
    frames, _ = made(path)
    np.testing.assert_allclose([frame.position for frame in frames], corners, atol=1e-5)
    np.testing.assert_allclose(judged(path)[0], corners, atol=1e-5)


@pytest.mark.parametrize(
    "damaged", [b"", b"SV10", b"SV10\4\3\2\1" + bytes(90), csa((1, 0, 0))[:-260], b"\xff" * 999]
)
def test_a_damaged_csa_image_header_is_as_good_as_none(damaged, tmp_path):
    private = [(0x00291010, "OB", damaged), (0x00291020, "OB", protocol("coronal", True))]
    path = siemens(tmp_path, "coronal", True, private=private)
    assert agree(made(path)[0], layout("coronal", True)[3])
    assert agree(made(path)[0], judged(path)[0])


@pytest.mark.parametrize("count", [struct.pack("<H", COUNT), b"%d " % COUNT], ids=["number", "text"])
def test_a_mosaic_of_syngo_mr_xa(count, tmp_path):
    private = [
        (0x00210010, "LO", "SIEMENS MR SDS 01"),
        (0x00210011, "LO", "SIEMENS MR SDI 02"),
        (0x00211019, "OB", protocol("oblique", True)),
        (0x00211101, "UN", count),
    ]
    path = siemens(tmp_path, "oblique", True, private=private)
    assert agree(made(path)[0], layout("oblique", True)[3])
    assert agree(made(path)[0], judged(path)[0])


def test_the_distance_may_be_known_from_the_protocol_alone(tmp_path):
    path = siemens(tmp_path, "oblique", SpacingBetweenSlices=None)
    assert agree(made(path)[0], layout("oblique", False)[3]) and agree(made(path)[0], judged(path)[0])


HELD = {
    "no protocol": (dict(private=[]), "without a usable description"),
    "one slice fewer": (
        dict(reverse=True, text=protocol("axial", True, COUNT - 1, COUNT - 1)),
        "do not lie where",
    ),
    "fewer than are written": (
        dict(text=protocol("axial", False, COUNT - 1)),
        "without a usable description",
    ),
    "more than are written": (dict(text=protocol("axial", False, COUNT, 5)), "without a usable description"),
    "another number in the header": (
        dict(private=[(0x0019100A, "US", 8), (0x00291020, "OB", protocol("axial", False))]),
        "without a usable description",
    ),
    "one slice further": (dict(text=protocol("axial", False, off_mm=DISTANCE)), "do not lie where"),
    "a little further": (dict(text=protocol("axial", False, off_mm=0.2)), "do not lie where"),
    "wrong spacing": (dict(SpacingBetweenSlices=DISTANCE + 0.05), "do not lie where"),
    "slices across": (dict(text=protocol("sagittal", False)), "across the plane"),
    "all at one place": (
        dict(
            text=b"### ASCCONV BEGIN ###\nsSliceArray.lSize = 7\n"
            + b"".join(b"sSliceArray.asSlice[%d].dThickness = 3\n" % number for number in range(COUNT))
            + b"### ASCCONV END ###"
        ),
        "across the plane",
    ),
    "does not divide": (dict(Rows=17, PixelData=bytes(17 * 18 * 2)), "does not divide"),
}


@pytest.mark.parametrize("fault", HELD)
def test_what_contradicts_itself_is_held(fault, tmp_path):
    changes, reason = HELD[fault]
    path = siemens(tmp_path, **changes)
    with pytest.raises(Held, match=reason) as caught:
        made(path)
    assert "mosaic.dcm" not in str(caught.value)


def test_both_refuse_what_has_no_description(tmp_path):
    for path in (siemens(tmp_path, private=[]), united(tmp_path, count=COUNT - 1), united(tmp_path, items=5)):
        with pytest.raises(Held, match="without a usable description"):
            made(path)
        with pytest.raises((ValueError, KeyError)):
            judged(path)


def test_the_judge_refuses_a_field_of_view_that_is_not_the_tiles(tmp_path):
    wrong = protocol("axial", False).replace(b"FOV = 12.0", b"FOV = 18.0")
    with pytest.raises(ValueError, match="field of view"):
        judged(siemens(tmp_path, text=wrong))


def test_the_numbering_that_the_protocol_states_must_agree(tmp_path):
    path = siemens(tmp_path, "axial", True, text=protocol("axial", False))
    assert not agree(made(path)[0], judged(path)[0])


def _reversed(frames):
    positions = [frame.position for frame in frames][::-1]
    return [replace(frame, position=position) for frame, position in zip(frames, positions, strict=True)]


def _mirrored(frames):
    turned = [frame.position + frame.row * frame.spacing[1] * (frame.shape[1] - 1) for frame in frames]
    return [
        replace(frame, position=place, row=-frame.row) for frame, place in zip(frames, turned, strict=True)
    ]


def _stretched(frames):
    first = frames[0].position
    return [replace(frame, position=first + (frame.position - first) * 1.03) for frame in frames]


@pytest.mark.parametrize("plant", [_reversed, _mirrored, _stretched, lambda frames: frames[:-1]])
@pytest.mark.parametrize("make", [siemens, united])
def test_the_judge_catches_what_a_wrong_maker_says(make, plant, tmp_path):
    path = make(tmp_path, "oblique")
    (frames, _), (corners, _) = made(path), judged(path)
    assert agree(frames, corners) and not agree(plant(frames), corners)


def test_a_tile_of_united_imaging_lies_where_its_item_says(tmp_path):
    path = united(tmp_path, "coronal", order=-1)
    assert agree(made(path)[0], layout("coronal", False)[3][::-1])
    assert agree(made(path)[0], judged(path)[0])


def test_united_imaging_leaves_out_rows_that_it_does_not_need(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.PIXELS", PIXELS[:6])
    frames, cut = made(united(tmp_path, count=6, items=6, down=2))
    assert frames[0].shape == (ROWS, COLUMNS) and judged(tmp_path / "mosaic.dcm")[1].shape == PIXELS.shape
    np.testing.assert_array_equal(cut, PIXELS)
    with pytest.raises(Held, match="one more row"):
        made(united(tmp_path, count=6, items=6, down=3))


def test_united_imaging_needs_no_place_of_the_picture_and_no_known_sequence(tmp_path):
    path = united(tmp_path, syntax=ImplicitVRLittleEndian, ImagePositionPatient=None)
    assert agree(made(path)[0], layout("axial", False)[3])
    assert agree(made(path)[0], judged(path)[0])


def test_another_makers_private_elements_are_not_read(tmp_path):
    with pytest.raises(Held, match="without a usable description"):
        path = united(tmp_path)
        dataset = pydicom.dcmread(path)
        dataset[0x00650010].value = "SOMEBODY ELSE"
        dataset.save_as(path)
        made(path)


def test_an_enhanced_object_is_no_mosaic_whatever_its_image_type_says(tmp_path):
    path = siemens(tmp_path, PerFrameFunctionalGroupsSequence=[Dataset()])
    assert not mosaic.is_mosaic(dicom.read(path, (*WANTED, *mosaic.KEYWORDS)))
    assert not tiles.is_tiled(pydicom.dcmread(path, specific_tags=[*tiles.TAGS]))
