"""One volume from ordered planes, by dicom2nifti.

dicom2nifti gets datasets that hold nothing but geometry and stored values, already in order: it cannot take a
vendor's path, reorder by InstanceNumber, rescale to float64, or see a name. What it returns is proved later.
"""

import logging

import numpy as np
import pydicom
from dicom2nifti import convert_dicom
from dicom2nifti.exceptions import ConversionError, ConversionValidationError
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import DSfloat

from efface.convert.frames import Frame
from efface.errors import Held

NAME = "dicom2nifti"
FEWEST_PLANES = 4  # that it takes
logging.getLogger("dicom2nifti").setLevel(logging.CRITICAL)  # its warnings quote positions


def assemble(
    like: Frame, positions: list[np.ndarray], planes: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return a volume's stored values and its affine.

    Parameters
    ----------
    like : Frame
        Any of the frames: their orientation and spacing are alike.
    positions : list of (3,) arrays
        Of each plane's first pixel (LPS+, mm), in order.
    planes : list of (rows, columns) integer arrays

    Returns
    -------
    voxels : (columns, rows, planes) array in the planes' dtype
    world_from_voxel : (4, 4) array
        To world coordinates (RAS+, mm).

    Raises
    ------
    Held
        When dicom2nifti refuses.
    """
    slices = [
        _slice(like, position, plane, number)
        for number, (position, plane) in enumerate(zip(positions, planes, strict=True), 1)
    ]
    try:
        image = convert_dicom.dicom_array_to_nifti(slices, None, reorient_nifti=False)["NII"]
    except (ConversionError, ConversionValidationError) as error:
        raise Held(f"dicom2nifti refuses the series ({error})") from None
    return np.asanyarray(image.dataobj), np.asarray(image.affine, float)


def _slice(frame: Frame, position: np.ndarray, plane: np.ndarray, number: int) -> pydicom.Dataset:
    def decimals(values) -> list[DSfloat]:
        return [DSfloat(float(value), validation_mode=pydicom.config.IGNORE) for value in values]

    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Modality = "MR"
    dataset.InstanceNumber = number
    dataset.ImagePositionPatient = decimals(position)
    dataset.ImageOrientationPatient = decimals([*frame.row, *frame.column])
    dataset.PixelSpacing = decimals(frame.spacing)
    dataset.Rows, dataset.Columns = plane.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = plane.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(plane.dtype.kind == "i")
    dataset.PixelData = np.ascontiguousarray(plane, plane.dtype.newbyteorder("<")).tobytes()
    return dataset
