"""The series of one visit: signal, grid, and header without anything that identifies."""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage

from . import head
from .people import Person

# The atlas's head, seen from the scanner's isocentre (RAS+, mm).
_ISOCENTRE_IN_HEAD = np.array([0.0, -2.0, -22.0])
_ECHO_PLANAR_VOLUMES = 6
REPETITION_TIME_S = 2.0


@dataclass(frozen=True)
class Scan:
    """One series: frames in the order of InstanceNumber, each a dataset of what it alone has, and its pixels.

    `frames` holds (ImagePositionPatient, ImageOrientationPatient, extra attributes, (rows, columns) array).
    """

    number: int
    kind: str
    header: Dataset
    frames: tuple[tuple[np.ndarray, np.ndarray, dict, np.ndarray], ...]


def scans(person: Person, visit: int, subject: head.Head) -> list[Scan]:
    """Return the image series of one visit: localizer, T1w, T2w, bold."""
    rng = np.random.default_rng([person.number, visit])
    head_from_scanner = _pose(person, visit)

    def scanned(volume, shape, scanner_from_voxel, noise):
        world_from_voxel = head_from_scanner @ scanner_from_voxel
        return head.sample(volume, shape, world_from_voxel, noise=noise, rng=rng)

    sagittal_axes = [(0, -1, 0), (0, 0, -1), (-1, 0, 0)]
    coronal_axes, axial_axes = [(-1, 0, 0), (0, 0, -1), (0, -1, 0)], [(-1, 0, 0), (0, -1, 0), (0, 0, 1)]
    # Columns run from front to back and rows downwards in sagittal slices; right to left in axial ones.
    sagittal = _grid((168, 168, 124), (1.4, 1.4, 1.5), sagittal_axes, (0, 10, -1))
    axial = _grid((256, 256, 32), (0.9, 0.9, 5.5), axial_axes, (0, 0, 20))
    echo_planar = _grid((64, 64, 24), (3.6, 3.6, 5.0), axial_axes, (0, 0, 18))

    scouts = []
    for axes in (axial_axes, sagittal_axes, coronal_axes):
        grid = _grid((128, 128, 3), (2.2, 2.2, 20.0), axes, (0, 0, -6))
        scouts += _slices(scanned(subject.t1, (128, 128, 3), grid, 40), grid)
    t1w = _slices(scanned(subject.t1, (168, 168, 124), sagittal, 18), sagittal)
    t2w = _slices(scanned(subject.t2, (256, 256, 32), axial, 16), axial)
    bold = []
    for volume in range(_ECHO_PLANAR_VOLUMES):
        still = scanned(subject.epi * np.float32(1 + 0.004 * volume), (64, 64, 24), echo_planar, 9)
        ghost = 0.03 * np.roll(
            still, 32, axis=1
        )  # the Nyquist ghost lies half a field away in phase direction
        timing = {
            "TemporalPositionIdentifier": volume + 1,
            "NumberOfTemporalPositions": _ECHO_PLANAR_VOLUMES,
            "AcquisitionNumber": volume + 1,
        }
        bold += _slices((still + ghost).astype(np.uint16), echo_planar, timing)
    return [
        Scan(1, "localizer", _header(person, "localizer", (2.2, 2.2, 8.0)), tuple(scouts)),
        Scan(2, "T1w", _header(person, "T1w", (1.4, 1.4, 1.5)), tuple(t1w)),
        Scan(3, "T2w", _header(person, "T2w", (0.9, 0.9, 5.0), gap_mm=0.5), tuple(t2w)),
        Scan(4, "bold", _header(person, "bold", (3.6, 3.6, 4.5), gap_mm=0.5), tuple(bold)),
    ]


def _pose(person: Person, visit: int) -> np.ndarray:
    """Return head_from_scanner (4, 4): how the head lay at this visit."""
    when = person.visits[visit]
    turn = np.eye(3)
    for axis, degrees in enumerate(when.turn_deg):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        i, j = [k for k in range(3) if k != axis]
        one = np.eye(3)
        one[i, i], one[j, j], one[i, j], one[j, i] = c, c, -s, s
        turn = turn @ one
    head_from_scanner = np.eye(4)
    head_from_scanner[:3, :3] = turn
    head_from_scanner[:3, 3] = _ISOCENTRE_IN_HEAD - turn @ when.shift_mm
    return head_from_scanner


def _grid(shape, spacing_mm, axes, centre_mm) -> np.ndarray:
    """Return scanner_from_voxel (4, 4; RAS+, mm): unit `axes` of columns, rows, slices around a centre."""
    grid = np.eye(4)
    grid[:3, :3] = np.array(axes, float).T * spacing_mm
    grid[:3, 3] = centre_mm - grid[:3, :3] @ (np.array(shape) - 1) / 2
    return grid


def _slices(voxels: np.ndarray, scanner_from_voxel: np.ndarray, extra: dict | None = None) -> list:
    """Return the frames of a volume (columns, rows, slices), their geometry in LPS (PS3.3 C.7.6.2)."""
    lps_from_voxel = np.diag([-1, -1, 1, 1]) @ scanner_from_voxel
    axes = lps_from_voxel[:3, :3] / np.linalg.norm(lps_from_voxel[:3, :3], axis=0)
    orientation = axes[:, :2].T.ravel()
    return [
        ((lps_from_voxel @ [0, 0, k, 1])[:3], orientation, extra or {}, voxels[:, :, k].T)
        for k in range(voxels.shape[2])
    ]


_SEQUENCES = {
    "localizer": {"ScanningSequence": "GR", "SequenceVariant": "SP", "MRAcquisitionType": "2D",
                  "RepetitionTime": "8.6", "EchoTime": "4.0", "FlipAngle": "20"},
    "T1w": {"ScanningSequence": ["GR", "IR"], "SequenceVariant": ["SP", "MP"], "MRAcquisitionType": "3D",
            "RepetitionTime": "2300", "EchoTime": "2.98", "InversionTime": "900", "FlipAngle": "9"},
    "T2w": {"ScanningSequence": "SE", "SequenceVariant": "SK", "MRAcquisitionType": "2D",
            "RepetitionTime": "5200", "EchoTime": "96", "FlipAngle": "150", "EchoTrainLength": 15},
    "bold": {"ScanningSequence": "EP", "SequenceVariant": "SK", "MRAcquisitionType": "2D",
             "RepetitionTime": f"{1000 * REPETITION_TIME_S:g}", "EchoTime": "30", "FlipAngle": "77"},
}  # fmt: skip
# What the two vendors write differently for the same physics, as seen in their headers.
_DIALECTS = {
    "siemens": {
        "localizer": {"ImageType": ["ORIGINAL", "PRIMARY", "M", "NORM"], "SequenceName": "*fl2d1"},
        "T1w": {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"], "SequenceName": "*tfl3d1_16ns",
                "ScanOptions": "IR"},
        "T2w": {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"], "SequenceName": "*tse2d1_15",
                "SequenceVariant": ["SK", "SP", "OSP"]},
        "bold": {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"], "SequenceName": "*epfid2d1_64",
                 "ScanOptions": "FS"},
    },
    "ge": {
        "localizer": {"ImageType": ["ORIGINAL", "PRIMARY", "OTHER"], "ScanOptions": "FAST_GEMS"},
        "T1w": {"ImageType": ["ORIGINAL", "PRIMARY", "OTHER"], "ScanningSequence": "GR",
                "SequenceVariant": ["SS", "SP", "MP"], "ScanOptions": ["FAST_GEMS", "IR_GEMS"]},
        "T2w": {"ImageType": ["ORIGINAL", "PRIMARY", "OTHER"], "ScanOptions": ["FAST_GEMS", "FR_GEMS"]},
        "bold": {"ImageType": ["ORIGINAL", "PRIMARY", "OTHER"], "ScanningSequence": ["EP", "GR"],
                 "SequenceVariant": "SS", "ScanOptions": ["EPI_GEMS", "PFF"]},
    },
}  # fmt: skip


def _header(person: Person, kind: str, voxel_mm: tuple[float, float, float], gap_mm: float = 0) -> Dataset:
    """Return what the slices of an image series share: sequence, vendor, pixel format."""
    hospital = person.hospital
    dataset = Dataset()
    dataset.SOPClassUID = MRImageStorage
    dataset.Modality = "MR"
    dataset.Manufacturer, dataset.ManufacturerModelName = hospital.manufacturer, hospital.model
    for keyword, value in (_SEQUENCES[kind] | _DIALECTS[hospital.vendor][kind]).items():
        setattr(dataset, keyword, value)
    dataset.MagneticFieldStrength = "3"
    dataset.ImagedNucleus = "1H"
    dataset.NumberOfAverages = "1"
    dataset.InPlanePhaseEncodingDirection = "COL"
    dataset.BodyPartExamined = "BRAIN"
    dataset.PatientPosition = "HFS"
    dataset.PixelSpacing = [f"{voxel_mm[1]:g}", f"{voxel_mm[0]:g}"]
    dataset.SliceThickness = f"{voxel_mm[2]:g}"
    dataset.SpacingBetweenSlices = f"{voxel_mm[2] + gap_mm:g}"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.WindowCenter, dataset.WindowWidth = "500", "1000"
    return dataset
