"""How an image was phase-encoded: along which voxel axis, which way, and how long its readout took."""

import math
import re

import numpy as np
import pydicom

from efface.convert import mosaic
from efface.convert.private import SIEMENS_CSA, csa_values, made_by, private_numbers, private_text
from efface.dicom import frame_value, numbers
from efface.errors import Held

# Siemens: vendor's dictionary of the creators SIEMENS MR HEADER (0019), SIEMENS MR SDI 02 (0021).
_SIEMENS_BANDWIDTH, _SIEMENS_TILES = 0x00191028, 0x0019100A
_XA_FRAME, _XA_TILES, _XA_POSITIVE, _XA_BANDWIDTH = 0x002111FE, 0x00211101, 0x0021111C, 0x00211153
# GE: GEMS_ACQU_01 (0019) and GEMS_PARM_01 (0043) of its conformance statements.
_GE_SEQUENCE, _GE_REVERSED = 0x0019109C, 0x001910B3
_GE_SPACING, _GE_ASSET = 0x0043102C, 0x00431083
_UIH_DISPLAYED, _UIH_REVERSED = 0x00651005, 0x00651058
WANTED = (
    *("Manufacturer", "ImageType", "Rows", "Columns", "MRAcquisitionType", "ScanningSequence", "ScanOptions"),
    *("EchoPlanarPulseSequence", "InPlanePhaseEncodingDirection", "RectilinearPhaseEncodeReordering"),
    *("AcquisitionMatrix", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *(0x00190010, 0x00210010, 0x00210011, 0x00290010, 0x00430010, 0x00650010),  # creators: they tell types
    *(SIEMENS_CSA, _SIEMENS_BANDWIDTH, _SIEMENS_TILES, _XA_FRAME, _XA_TILES, _XA_POSITIVE, _XA_BANDWIDTH),
    *(_GE_SEQUENCE, _GE_REVERSED, _GE_SPACING, _GE_ASSET, _UIH_DISPLAYED, _UIH_REVERSED),
)
"""What a file must be read with for its phase encoding."""

_TOWARDS = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "H": (2, 1), "F": (2, -1)}  # LPS+
_ALONG = 0.9  # cosine: the rows and columns of the written image are those of the DICOM's frames
_SPACING_S = (1e-5, 0.02)  # of echo trains; anything else is not the number that it is taken for


def phase_encoding(
    header: pydicom.Dataset, number: int, row: np.ndarray, column: np.ndarray, world_from_voxel: np.ndarray
) -> dict[str, object]:
    """Return what a frame's header tells of its phase encoding, in BIDS's terms and in the image's own axes.

    Parameters
    ----------
    number : int
        The frame of a multi-frame file, from 0.
    row, column : (3,) arrays
        Unit vectors (LPS+) along which the column index and the row index grow (PS3.3 C.7.6.2.1.1).
    world_from_voxel : (4, 4) array
        Of the written image (RAS+, mm).

    Returns
    -------
    dict
        PhaseEncodingAxis ("i", "j", "k"); PhaseEncodingDirection, with "-" where phase advances against the
        axis, if the header tells that; of echo trains EffectiveEchoSpacing and TotalReadoutTime in seconds,
        as FSL and BIDS define them: for the written matrix, as if without partial Fourier. Empty where
        nothing is told, and for 3D scans that are not echo-planar: they encode phase along two axes.

    Raises
    ------
    Held
        When GE's sequence stores volumes with their rows reversed and no header says so.
    """
    try:
        _check_pepolar(header)
        image_type = frame_value(header, "MRImageFrameTypeSequence.FrameType", number)
        types = {str(part) for part in image_type or header.get("ImageType") or ()}
        echo_planar = _is_echo_planar(header)
        encoded = _encoded(header, number)
        # Reformatted planes keep the attributes of those they were made from.
        if not encoded or "MPR" in types or (header.get("MRAcquisitionType") == "3D" and not echo_planar):
            return {}
        along = np.asarray(row if encoded == "ROW" else column, float)
        axis, sign = _voxel_axis(along, world_from_voxel)
        if not axis:
            return {}
        found: dict[str, object] = {"PhaseEncodingAxis": axis}
        if polarity := _polarity(header, number, encoded, along):
            found["PhaseEncodingDirection"] = axis + ("-" if polarity * sign < 0 else "")
        return found | (_readout(header, number, encoded) if echo_planar else {})
    except Held:
        raise
    except Exception as error:  # pydicom quotes the value that it could not parse
        raise Held(f"the phase encoding cannot be read ({type(error).__name__})") from None


def _check_pepolar(header: pydicom.Dataset) -> None:
    """Refuse GE's research sequence for field maps but in its plain mode (0).

    The other modes reverse the rows of every other volume, or of all, without a word in the geometry.
    """
    unusual = made_by(header, "ge") and "epi_pepolar" in private_text(header, _GE_SEQUENCE).lower()
    if unusual and private_numbers(header, _GE_REVERSED, "f") != [0]:
        raise Held(
            "GE's sequence epi_pepolar stores volumes with reversed rows and no attribute says which",
            todo="drop the series, or give its volumes as separate series with true positions",
        )


def _is_echo_planar(header: pydicom.Dataset) -> bool:
    sequence = header.get("ScanningSequence") or ()
    several = [sequence] if isinstance(sequence, str) else sequence
    return "EP" in several or header.get("EchoPlanarPulseSequence") == "YES"


def _encoded(header: pydicom.Dataset, number: int) -> str | None:
    """Return ROW or COL: the lines along which phase is encoded (PS3.3 C.8.3.1, C.8.13.5.3)."""
    paths = ("MRFOVGeometrySequence.InPlanePhaseEncodingDirection", "InPlanePhaseEncodingDirection")
    said = next((value for path in paths if (value := frame_value(header, path, number))), None)
    return {"ROW": "ROW", "COL": "COL", "COLUMN": "COL"}.get(str(said))


def _voxel_axis(along: np.ndarray, world_from_voxel: np.ndarray) -> tuple[str, int]:
    """Return the voxel axis that lies along a direction (LPS+), and 1 or -1: with or against it.

    >>> _voxel_axis(np.array([0.0, 1.0, 0.0]), np.diag([-2.0, 2.0, 3.0, 1.0]))
    ('j', -1)
    """
    axes = np.asarray(world_from_voxel, float)[:3, :3]
    cosines = (along * (-1, -1, 1)) @ (axes / np.linalg.norm(axes, axis=0))
    nearest = int(np.abs(cosines).argmax())
    if abs(cosines[nearest]) < _ALONG:
        return "", 0
    return "ijk"[nearest], 1 if cosines[nearest] > 0 else -1


def _polarity(header: pydicom.Dataset, number: int, encoded: str, along: np.ndarray) -> int:
    """Return 1 where phase advances as the picture's index grows, -1 where against it, 0 where nobody says.

    Philips and Canon do not say.
    """
    if made_by(header, "siemens"):
        values = csa_values(header, "PhaseEncodingDirectionPositive")
        values = values or _first_of_siemens(header, number, _XA_POSITIVE, "")
        return {(1,): 1, (0,): -1}.get(tuple(values), 0)
    if made_by(header, "ge"):
        # LINEAR is GE's pepolar 0: A >> P is REVERSE_LINEAR (dcm_qa_ge, and dcm2niix's pull request 677).
        return {"LINEAR": -1, "REVERSE_LINEAR": 1}.get(str(header.get("RectilinearPhaseEncodeReordering")), 0)
    return _polarity_uih(header, encoded, along) if made_by(header, "uih") else 0


def _polarity_uih(header: pydicom.Dataset, encoded: str, along: np.ndarray) -> int:
    """Return the polarity where United Imaging's two private statements do not contradict each other.

    (0065,1005) names where phase advances to ("A->P"); (0065,1058) is 1 where that is against the columns.
    What it means along rows is disputed, so there it counts only as a second voice.
    """
    flags = private_numbers(header, _UIH_REVERSED)
    by_flag = {(0,): 1, (1,): -1}.get(tuple(flags), 0)
    by_text = 0
    if said := re.fullmatch("([LRPAHF])->([LRPAHF])", private_text(header, _UIH_DISPLAYED)):
        (start, _), (axis, sign) = _TOWARDS[said[1]], _TOWARDS[said[2]]
        if start == axis == int(np.abs(along).argmax()):
            by_text = int(sign * np.sign(along[axis]))
    if by_flag and by_text:
        return by_flag if by_flag == by_text else 0
    return by_text or (by_flag if encoded == "COL" else 0)


def _readout(header: pydicom.Dataset, number: int, encoded: str) -> dict[str, float]:
    lines = _written_lines(header, encoded)
    total_s = 0.0
    if lines < 2:
        return {}
    if made_by(header, "siemens"):
        bandwidth_hz = (
            private_numbers(header, _SIEMENS_BANDWIDTH, "d")
            or csa_values(header, "BandwidthPerPixelPhaseEncode")
            or _first_of_siemens(header, number, _XA_BANDWIDTH, "d")
        )
        if len(bandwidth_hz) == 1 and bandwidth_hz[0] > 0:
            total_s = (lines - 1) / (bandwidth_hz[0] * lines)
    elif made_by(header, "ge"):
        total_s = _readout_ge_s(header)
    spacing_s = total_s / (lines - 1)
    if not _SPACING_S[0] <= spacing_s <= _SPACING_S[1]:
        return {}
    return {"EffectiveEchoSpacing": round(spacing_s, 9), "TotalReadoutTime": round(total_s, 9)}


def _readout_ge_s(header: pydicom.Dataset) -> float:
    """Return the time from the first to the last acquired line, 0 where a part of it is not told.

    Echo spacing (0043,102C) in microseconds has the shots in it, not the acceleration (ASSET, ARC); lines are
    acquired in pairs, in fours with partial Fourier (GE's own account: dcm2niix's pull request 480).
    """
    spacing_us = private_numbers(header, _GE_SPACING, "h")
    inverse_factor = private_numbers(header, _GE_ASSET)[:1]
    options = header.get("ScanOptions") or ()
    options = [options] if isinstance(options, str) else options
    accelerated = {"ACC_GEMS", "ASSET_GEMS", "ARC_GEMS"} & set(options)
    lines = [count for count in numbers(header.get("AcquisitionMatrix"))[2:] if count > 0]
    if len(spacing_us) != 1 or len(lines) != 1 or (accelerated and not inverse_factor):
        return 0.0
    share = inverse_factor[0] if inverse_factor else 1.0
    if not 0 < share <= 1:
        return 0.0
    step = 4 if "PFF" in options else 2
    # 1/3 is written as 0.333333: a hair above a multiple is the multiple.
    acquired = math.ceil(lines[0] * share / step - 1e-3) * step
    return (acquired - 1) * spacing_us[0] * 1e-6


def _written_lines(header: pydicom.Dataset, encoded: str) -> int:
    """Return how many pixels one plane has along the phase encoding, 0 where a mosaic does not tell."""
    pixels = int(header.get("Rows" if encoded == "COL" else "Columns") or 0)
    if not mosaic.is_mosaic(header):
        return pixels
    tiles = (
        csa_values(header, "NumberOfImagesInMosaic")
        or private_numbers(header, _SIEMENS_TILES, "H")
        or private_numbers(header, _XA_TILES, "H")
    )
    side = math.ceil(math.sqrt(tiles[0])) if tiles and tiles[0] >= 1 else 0
    return pixels // side if side and pixels % side == 0 else 0


def _first_of_siemens(header: pydicom.Dataset, number: int, tag: int, packed: str) -> list[float]:
    """Return the numbers of an element of syngo XA: of the frame, of all frames, or of a classic file."""
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or ()
    groups = [
        *per_frame[number : number + 1],
        *(header.get("SharedFunctionalGroupsSequence") or ())[:1],
        header,
    ]
    for group in groups:
        inner = group[_XA_FRAME].value if _XA_FRAME in group else ()
        for item in (*(inner if isinstance(inner, pydicom.Sequence) else ())[:1], group):
            if found := private_numbers(item, tag, packed):
                return found
    return []
