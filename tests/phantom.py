"""A small head made of ellipsoids, and DICOM series of it: one slice a file, with true geometry."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

# Centre and half axes (mm, RAS+, origin between the ears), and the value inside; later ones lie on top.
_PARTS = (
    ((0, -10, 5), (78, 98, 96), 300),  # scalp and face
    ((0, 78, -42), (13, 26, 18), 280),  # nose
    ((0, 66, -82), (28, 26, 16), 290),  # chin
    ((0, -30, -90), (52, 52, 60), 220),  # neck
    ((0, -12, 18), (70, 88, 76), 40),  # skull
    ((0, -12, 20), (64, 82, 68), 200),  # grey matter
    ((0, -12, 22), (50, 66, 52), 260),  # white matter
    ((9, -10, 24), (6, 26, 10), 70),  # a ventricle at the right and a larger one at the left
    ((-10, -10, 24), (8, 28, 12), 70),
    ((32, 66, -18), (13, 13, 13), 60),  # eyes
    ((-32, 66, -18), (13, 13, 13), 60),
)

_MR = {
    "SOPClassUID": MRImageStorage,
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"],
    "Manufacturer": "SIEMENS",
    "ManufacturerModelName": "TrioTim",
    "ScanningSequence": ["GR", "IR"],
    "SequenceVariant": ["SP", "MP"],
    "ScanOptions": "IR",
    "MRAcquisitionType": "3D",
    "RepetitionTime": 2300,
    "EchoTime": 2.98,
    "InversionTime": 900,
    "FlipAngle": 9,
    "MagneticFieldStrength": 3,
}
_CT = {
    "SOPClassUID": CTImageStorage,
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "Manufacturer": "GE MEDICAL SYSTEMS",
    "ManufacturerModelName": "LightSpeed VCT",
    "KVP": 120,
    "ConvolutionKernel": "STANDARD",
    "RescaleSlope": 1,
    "RescaleIntercept": -1024,
    "RescaleType": "HU",
}
_PT = {
    "SOPClassUID": PositronEmissionTomographyImageStorage,
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "Manufacturer": "SIEMENS",
    "ManufacturerModelName": "Biograph 40",
    "Units": "BQML",
    "SeriesType": ["STATIC", "IMAGE"],
    "DecayCorrection": "START",
    "CorrectedImage": ["DECY", "ATTN", "SCAT"],
    "ActualFrameDuration": 300000,
    "RescaleSlope": 2.5,
    "RescaleIntercept": 0,
}
_KINDS = {"MR": _MR, "CT": _CT, "PT": _PT}


def head_at(world: np.ndarray) -> np.ndarray:
    """Return the head's value at world points (RAS+, mm): (..., 3) to (...) uint16, 4 in the air."""
    values = np.full(world.shape[:-1], 4, np.uint16)
    for centre, half_axes, value in _PARTS:
        values[(((world - centre) / half_axes) ** 2).sum(-1) < 1] = value
    return values


def centred(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> np.ndarray:
    """Return the (4, 4) world_from_voxel (RAS+, mm) of a grid along the world's axes around its origin."""
    world_from_voxel = np.diag([*map(float, spacing), 1.0])
    world_from_voxel[:3, 3] = -0.5 * (np.array(shape) - 1) * spacing
    return world_from_voxel


def on_grid(shape: tuple[int, int, int], world_from_voxel: np.ndarray) -> np.ndarray:
    """Return the head on a grid: `shape` uint16."""
    voxels = np.moveaxis(np.indices(shape, dtype=float), 0, -1)
    return head_at(voxels @ world_from_voxel[:3, :3].T + world_from_voxel[:3, 3])


def head(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> np.ndarray:
    """Return the head on a grid along the world's axes (RAS+, spacing in mm): `shape` uint16."""
    return on_grid(shape, centred(shape, spacing))


def make_series(
    folder: Path | str,
    *,
    shape: tuple[int, int, int],
    world_from_voxel: np.ndarray,
    n_volumes: int = 1,
    modality: str = "MR",
    voxels: np.ndarray | None = None,
    **attributes,
) -> list[Path]:
    """Write one series of the head (or of `voxels`) as classic DICOM and return its files in order.

    Parameters
    ----------
    shape : (I, J, K)
        I columns, J rows, K slices.
    world_from_voxel : (4, 4) array
        To world coordinates (RAS+, mm); its third axis is perpendicular to the first two.
    n_volumes : int
        Volumes, one after the other, with temporal positions; each differs a little from the others.
    modality : "MR", "CT" or "PT"
    voxels : (I, J, K) or (I, J, K, n_volumes) integer array, optional
        Stored values to write in place of the head.
    **attributes
        DICOM keywords that replace what is here by default; None takes one away. Series of one study need
        the same StudyInstanceUID, FrameOfReferenceUID and PatientID: by default these are fixed, and the
        SeriesInstanceUID comes from the folder's name.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    world_from_voxel = np.asarray(world_from_voxel, float)
    if voxels is None:
        still = on_grid(shape, world_from_voxel)
        volumes = np.stack([still + (still > 4) * np.uint16(3 * v) for v in range(n_volumes)], -1)
    else:
        volumes = np.asarray(voxels).reshape(*shape, n_volumes)
        if volumes.dtype not in (np.uint16, np.int16):
            volumes = volumes.astype(np.int16 if volumes.min() < 0 else np.uint16)
    lps_from_voxel = _LPS_FROM_RAS @ world_from_voxel
    spacing = np.linalg.norm(lps_from_voxel[:3, :3], axis=0)
    axes = lps_from_voxel[:3, :3] / spacing
    common = _common(folder.name, modality, shape, spacing, axes, volumes.dtype)
    files = []
    for volume in range(n_volumes):
        for slice_ in range(shape[2]):
            number = volume * shape[2] + slice_ + 1
            dataset = Dataset()
            dataset.update(common)
            dataset.InstanceNumber = number
            position = lps_from_voxel @ [0, 0, slice_, 1]
            dataset.ImagePositionPatient = [f"{value:.8g}" for value in position[:3]]
            if n_volumes > 1:
                dataset.TemporalPositionIdentifier = volume + 1
                dataset.NumberOfTemporalPositions = n_volumes
            for keyword, value in attributes.items():
                setattr(dataset, keyword, value)
                if value is None:
                    delattr(dataset, keyword)
            dataset.SOPInstanceUID = generate_uid(
                entropy_srcs=[str(dataset.get("SeriesInstanceUID")), str(number)]
            )
            dataset.PixelData = np.ascontiguousarray(volumes[:, :, slice_, volume].T).tobytes()
            files.append(_write(folder / f"{number:05d}.dcm", dataset))
    return files


def _common(name, modality, shape, spacing, axes, dtype) -> Dataset:
    """Return what all slices of a series share."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.Modality = modality
    dataset.PatientName = "Phantom^Ellipsoid"
    dataset.PatientID = "PHANTOM-0001"
    dataset.PatientBirthDate = "19700101"
    dataset.PatientSex = "O"
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["series", name])
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = "20150520"
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = "101112.130000"
    dataset.SeriesNumber = 1
    dataset.PatientPosition = "HFS"
    dataset.ImageOrientationPatient = [f"{value:.8g}" for value in axes[:, :2].T.ravel()]
    dataset.PixelSpacing = [f"{spacing[1]:.8g}", f"{spacing[0]:.8g}"]
    dataset.SliceThickness = f"{spacing[2]:.8g}"
    dataset.Columns, dataset.Rows = shape[:2]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = int(dtype == np.int16)
    for keyword, value in _KINDS[modality].items():
        setattr(dataset, keyword, value)
    return dataset


def _write(path: Path, dataset: Dataset) -> Path:
    """Write one object as a DICOM file with its meta group."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return path
