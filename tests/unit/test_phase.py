"""Phase encoding in the image's own axes, from what each vendor writes; nothing where nobody tells."""

import itertools
import struct

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from efface.convert.phase import phase_encoding
from efface.errors import Held

ROW, COLUMN = np.array([0.8, 0.6, 0.0]), np.array([-0.6, 0.8, 0.0])
RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0])


def affine(*axes):
    """Return a (4, 4) world_from_voxel with its axes along directions (LPS+), 2, 3 and 4 mm apart."""
    world_from_voxel = np.eye(4)
    world_from_voxel[:3, :3] = RAS_FROM_LPS @ np.column_stack(axes) * (2, 3, 4)
    return world_from_voxel


AS_STORED = affine(ROW, COLUMN, np.cross(ROW, COLUMN))
ROWS_FLIPPED = affine(ROW, -COLUMN, np.cross(ROW, COLUMN))


def made(maker, **attributes):
    header = Dataset()
    header.Manufacturer = maker
    header.Rows = header.Columns = 64
    header.MRAcquisitionType = "2D"
    header.ScanningSequence = ["EP", "GR"]
    header.InPlanePhaseEncodingDirection = "COL"
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    return header


def private(header, creator, **elements):
    """Add private elements, named by group and element: _0021111C=("IS", 1)."""
    for name, (vr, value) in elements.items():
        tag = int(name[1:], 16)
        if creator:
            header.add_new((tag >> 16, (tag >> 8) & 0xFF), "LO", creator)
        header.add_new(tag, vr, value)
    return header


def siemens(positive=1, **attributes):
    header = made("SIEMENS", **attributes)
    private(header, "SIEMENS MR HEADER", _00191028=("FD", 31.25))
    return private(header, "SIEMENS MR SDI 02", _0021111C=("IS", positive))


def csa(**entries):
    """Return a CSA2 header with entries of texts."""
    out = b"SV10\4\3\2\1" + struct.pack("<II", len(entries), 77)
    for name, texts in entries.items():
        out += struct.pack("<64si4siii", name.encode(), len(texts), b"DS", 3, len(texts), 77)
        for text in texts:
            data = text.encode() + b"\0"
            out += struct.pack("<4i", len(data), len(data), 77, len(data)) + data + b"\0" * (-len(data) % 4)
    return out


def ge(order=None, spacing_us=388, share=None, options=(), matrix=(64, 0, 0, 64), **attributes):
    header = made(
        "GE MEDICAL SYSTEMS", ScanOptions=list(options), AcquisitionMatrix=list(matrix), **attributes
    )
    private(header, "GEMS_PARM_01", _0043102C=("SS", spacing_us))
    if share:
        private(header, "GEMS_PARM_01", _00431083=("DS", [str(share), "1"]))
    if order:
        header.RectilinearPhaseEncodeReordering = order
    return header


def uih(**elements):
    return private(made("UIH"), "Image Private Header", **elements)


def direction(header, row=ROW, column=COLUMN, world_from_voxel=AS_STORED):
    return phase_encoding(header, 0, row, column, world_from_voxel).get("PhaseEncodingDirection")


@pytest.mark.parametrize(
    ("encoded", "positive", "stored", "flipped"),
    [("COL", 1, "j", "j-"), ("COL", 0, "j-", "j"), ("ROW", 1, "i", "i"), ("ROW", 0, "i-", "i-")],
)
def test_the_polarity_is_that_of_the_written_rows(encoded, positive, stored, flipped):
    header = siemens(positive, InPlanePhaseEncodingDirection=encoded)
    assert direction(header) == stored
    assert direction(header, world_from_voxel=ROWS_FLIPPED) == flipped


@pytest.mark.parametrize("encoded", ["ROW", "COLUMN"])
@pytest.mark.parametrize("positive", [0, 1])
def test_any_order_of_axes_leads_back_to_the_same_direction(encoded, positive):
    header = siemens(positive, InPlanePhaseEncodingDirection=encoded)
    expected = (ROW if encoded == "ROW" else COLUMN) * (1 if positive else -1)
    directions = np.array([ROW, COLUMN, np.cross(ROW, COLUMN)])
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            world_from_voxel = affine(*(directions[list(order)] * np.array(signs)[:, None]))
            said = direction(header, world_from_voxel=world_from_voxel)
            axis = world_from_voxel[:3, "ijk".index(said[0])] * (-1 if said.endswith("-") else 1)
            np.testing.assert_allclose(RAS_FROM_LPS @ axis / np.linalg.norm(axis), expected, atol=1e-12)


def test_an_image_on_another_grid_says_nothing():
    oblique = affine([1, 0, 0], [0, np.sqrt(0.5), np.sqrt(0.5)], [0, -np.sqrt(0.5), np.sqrt(0.5)])
    header = siemens()
    assert phase_encoding(header, 0, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), oblique) == {}


def test_siemens_readout_is_that_of_the_written_matrix():
    found = phase_encoding(siemens(), 0, ROW, COLUMN, AS_STORED)
    assert found["EffectiveEchoSpacing"] == 0.0005 and found["TotalReadoutTime"] == 0.0315
    wide = siemens(Columns=128, InPlanePhaseEncodingDirection="ROW")
    assert phase_encoding(wide, 0, ROW, COLUMN, AS_STORED)["EffectiveEchoSpacing"] == 0.00025


def test_a_mosaics_lines_are_those_of_its_tiles():
    header = siemens(Rows=384, Columns=384, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    assert "TotalReadoutTime" not in phase_encoding(header, 0, ROW, COLUMN, AS_STORED)
    private(header, "SIEMENS MR HEADER", _0019100A=("US", 35))
    assert phase_encoding(header, 0, ROW, COLUMN, AS_STORED)["TotalReadoutTime"] == 0.0315
    private(header, "SIEMENS MR HEADER", _0019100A=("US", 24))
    assert "TotalReadoutTime" not in phase_encoding(header, 0, ROW, COLUMN, AS_STORED)  # 384 / 5


def test_siemens_csa_header():
    header = made("SIEMENS")
    entries = {"PhaseEncodingDirectionPositive": ["0"], "BandwidthPerPixelPhaseEncode": ["31.25"]}
    private(header, "SIEMENS CSA HEADER", _00291010=("OB", csa(**entries)))
    found = phase_encoding(header, 0, ROW, COLUMN, AS_STORED)
    assert found["PhaseEncodingDirection"] == "j-" and found["EffectiveEchoSpacing"] == 0.0005


def test_enhanced_siemens_tells_by_frame():
    header = made("Siemens Healthineers", EchoPlanarPulseSequence="YES")
    del header.ScanningSequence, header.InPlanePhaseEncodingDirection
    shared, geometry, frames = Dataset(), Dataset(), []
    geometry.InPlanePhaseEncodingDirection = "COLUMN"
    shared.MRFOVGeometrySequence = Sequence([geometry])
    header.SharedFunctionalGroupsSequence = Sequence([shared])
    for positive in (1, 0):
        inner = private(Dataset(), "SIEMENS MR SDI 02", _0021111C=("IS", positive), _00211153=("FD", 31.25))
        frames.append(private(Dataset(), "SIEMENS MR SDI 02", _002111FE=("SQ", Sequence([inner]))))
    header.PerFrameFunctionalGroupsSequence = Sequence(frames)
    found = [phase_encoding(header, number, ROW, COLUMN, AS_STORED) for number in (0, 1)]
    assert [one["PhaseEncodingDirection"] for one in found] == ["j", "j-"]
    assert found[0]["TotalReadoutTime"] == 0.0315
    header.EchoPlanarPulseSequence = "NO"
    assert phase_encoding(header, 0, ROW, COLUMN, AS_STORED) == {
        "PhaseEncodingAxis": "j",
        "PhaseEncodingDirection": "j",
    }


def test_elements_whose_type_was_lost_are_read():
    header = made("SIEMENS")
    private(header, None, _00191028=("UN", struct.pack("<d", 31.25)), _0021111C=("UN", b"1 "))
    found = phase_encoding(header, 0, ROW, COLUMN, AS_STORED)
    assert found["PhaseEncodingDirection"] == "j" and found["TotalReadoutTime"] == 0.0315
    header[0x00191028].value = b"31.25"
    assert "TotalReadoutTime" not in phase_encoding(header, 0, ROW, COLUMN, AS_STORED)


def test_private_numbers_mean_nothing_with_another_maker_or_creator():
    header = siemens()
    header.Manufacturer = "Philips Medical Systems"
    assert phase_encoding(header, 0, ROW, COLUMN, AS_STORED) == {"PhaseEncodingAxis": "j"}
    header = private(made("SIEMENS"), "SOMEBODY ELSE", _0021111C=("IS", 1), _00191028=("FD", 31.25))
    assert phase_encoding(header, 0, ROW, COLUMN, AS_STORED) == {"PhaseEncodingAxis": "j"}


@pytest.mark.parametrize("maker", ["Philips", "CANON_MEC", "TOSHIBA_MEC", "Hitachi", ""])
def test_who_does_not_tell_the_polarity(maker):
    header = made(maker, RectilinearPhaseEncodeReordering="LINEAR")
    assert phase_encoding(header, 0, ROW, COLUMN, AS_STORED) == {"PhaseEncodingAxis": "j"}


@pytest.mark.parametrize(
    ("order", "encoded", "expected"),
    [
        ("LINEAR", "COL", "j-"),
        ("REVERSE_LINEAR", "COL", "j"),
        ("LINEAR", "ROW", "i-"),
        ("REVERSE_LINEAR", "ROW", "i"),
        ("CENTRIC", "COL", None),
        (None, "COL", None),
    ],
)
def test_polarity_of_ge(order, encoded, expected):
    assert direction(ge(order, InPlanePhaseEncodingDirection=encoded)) == expected


@pytest.mark.parametrize(
    ("spacing_us", "share", "options", "lines", "written", "spacing_s", "total_s"),
    [  # the accelerated ones as published with dcm_qa_ge and in dcm2niix's notes on GE
        (388, 1, ("EPI_GEMS", "PFF"), 64, 64, 0.000388, 0.024444),
        (388, None, ("EPI_GEMS",), 64, 64, 0.000388, 0.024444),
        (636, 0.666667, ("EPI_GEMS", "ACC_GEMS", "PFF"), 128, 128, 0.000435685, 0.055332),
        (964, 0.5, ("EPI_GEMS", "ACC_GEMS", "PFF"), 128, 256, 0.000238165, 0.060732),
        (964, 0.333333, ("EPI_GEMS", "ACC_GEMS", "PFF"), 128, 256, 0.000162557, 0.041452),
        (960, 0.666667, ("EPI_GEMS", "ACC_GEMS", "PFF"), 128, 256, 0.000327529, 0.08352),
        (500, 0.666667, ("EPI_GEMS", "ACC_GEMS", "PFF"), 96, 96, 0.000331579, 0.0315),  # 64 lines, not 68
        (600, 0.5, ("EPI_GEMS", "ASSET_GEMS"), 100, 100, 0.000296970, 0.0294),
    ],
)
def test_readout_of_ge(spacing_us, share, options, lines, written, spacing_s, total_s):
    header = ge(None, spacing_us, share, options, (lines, 0, 0, lines), Rows=written, Columns=written)
    found = phase_encoding(header, 0, ROW, COLUMN, AS_STORED)
    assert found["EffectiveEchoSpacing"] == pytest.approx(spacing_s, abs=1e-9)
    assert found["TotalReadoutTime"] == pytest.approx(total_s, abs=1e-9)


@pytest.mark.parametrize(
    "header",
    [
        ge(options=["EPI_GEMS", "ARC_GEMS"]),  # accelerated, and nobody says how much
        ge(spacing_us=0),
        ge(matrix=(64, 0, 0, 0)),
        ge(share=1.5),
        ge(ScanningSequence="GR"),
    ],
    ids=["acceleration", "spacing", "matrix", "share", "sequence"],
)
def test_ge_without_one_of_the_parts(header):
    assert phase_encoding(header, 0, ROW, COLUMN, AS_STORED) == {"PhaseEncodingAxis": "j"}


def test_ges_reversed_volumes_are_held():
    header = private(
        ge("LINEAR"), "GEMS_ACQU_01", _0019109C=("LO", "ABCD/epi_pepolar"), _001910B3=("FL", 2.0)
    )
    with pytest.raises(Held, match="epi_pepolar"):
        direction(header)
    header[0x001910B3].value = 0.0
    assert direction(header) == "j-"


@pytest.mark.parametrize(
    ("flag", "displayed", "encoded", "expected"),
    [
        (0, None, "COL", "j"),
        (1, None, "COL", "j-"),
        (1, None, "ROW", None),
        (None, "A->P", "COL", "j"),
        (None, "P->A", "COL", "j-"),
        (None, "R->L", "ROW", "i"),
        (None, "L->R", "ROW", "i-"),
        (None, "H->F", "COL", None),
        (0, "A->P", "COL", "j"),
        (1, "L->R", "ROW", "i-"),
        (0, "P->A", "COL", None),
        (None, "A->Q", "COL", None),
    ],
)
def test_polarity_of_united_imaging(flag, displayed, encoded, expected):
    elements = {"_00651058": ("IS", flag)} if flag is not None else {}
    elements |= {"_00651005": ("SH", displayed)} if displayed else {}
    header = uih(**elements)
    header.InPlanePhaseEncodingDirection = encoded
    assert direction(header) == expected
    assert "TotalReadoutTime" not in phase_encoding(header, 0, ROW, COLUMN, AS_STORED)


@pytest.mark.parametrize(
    "attributes",
    [
        {"InPlanePhaseEncodingDirection": "OTHER"},
        {"InPlanePhaseEncodingDirection": None},
        {"ImageType": ["DERIVED", "SECONDARY", "MPR"]},
        {"MRAcquisitionType": "3D", "ScanningSequence": ["GR", "IR"]},
    ],
)
def test_what_has_no_one_direction(attributes):
    assert phase_encoding(siemens(**attributes), 0, ROW, COLUMN, AS_STORED) == {}


def test_a_3d_echo_planar_scan_has_a_direction():
    assert direction(siemens(MRAcquisitionType="3D")) == "j"


@pytest.mark.parametrize("bandwidth_hz", [0, -31.25, 1e-3, 1e6, float("nan")])
def test_an_impossible_bandwidth_gives_no_readout(bandwidth_hz):
    header = siemens()
    header[0x00191028].value = bandwidth_hz
    assert "TotalReadoutTime" not in phase_encoding(header, 0, ROW, COLUMN, AS_STORED)


def test_damage_is_left_out_or_held_without_a_quote():
    header = siemens()
    header.add_new(0x0021111C, "UN", b"Norrvik\xff")
    assert direction(header) is None
    header.Rows = "Norrvik"
    with pytest.raises(Held) as caught:
        direction(header)
    assert "Norrvik" not in str(caught.value)
