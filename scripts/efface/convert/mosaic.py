"""Siemens mosaics: one picture that holds all planes of a volume as tiles, row by row."""

import math
import warnings

import numpy as np
import pydicom

from efface.convert.frames import SIEMENS_CSA, Frame
from efface.dicom import numbers
from efface.errors import Held

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nibabel calls its DICOM readers experimental; the result is proved
    from nibabel.nicom import csareader

KEYWORDS = ("SpacingBetweenSlices",)


def is_mosaic(dataset: pydicom.Dataset) -> bool:
    """Say whether the file's picture is a mosaic."""
    return "MOSAIC" in (dataset.get("ImageType") or ())


def csa_values(dataset: pydicom.Dataset, name: str) -> list[float]:
    """Return the numbers of one entry in Siemens' CSA image header, an empty list when it is not there."""
    if SIEMENS_CSA not in dataset:
        return []
    try:
        return numbers(csareader.read(dataset[SIEMENS_CSA].value)["tags"][name]["items"])
    except Exception:  # a damaged header makes nibabel's reader raise anything
        return []


def tiles(dataset: pydicom.Dataset, whole: Frame) -> list[Frame]:
    """Return the tiles of a mosaic as frames; a tile's `number` is its place in the picture.

    ImagePositionPatient is where the corner would be if the whole picture were one slice around the true
    centre; hence the shift (nibabel's notes on DICOM mosaics). The tiles follow the CSA header's
    SliceNormalVector, which is not always the cross product of row and column.

    Raises
    ------
    Held
        When the CSA header does not say how many tiles there are and which way they follow.
    """
    count = int((csa_values(dataset, "NumberOfImagesInMosaic") or [0])[0])
    normal = np.array(csa_values(dataset, "SliceNormalVector"))
    distance = (numbers(dataset.get("SpacingBetweenSlices")) or [0])[0]
    if count < 1 or normal.shape != (3,) or abs(abs(normal @ whole.normal) - 1) > 1e-3 or distance <= 0:
        raise Held(
            "a mosaic without a usable description",
            expected="NumberOfImagesInMosaic, SliceNormalVector and SpacingBetweenSlices",
        )
    side = math.ceil(math.sqrt(count))
    rows, columns = whole.shape[0] // side, whole.shape[1] // side
    if (rows * side, columns * side) != whole.shape:
        raise Held("a mosaic's picture does not divide into its tiles")
    shift = (
        whole.row * whole.spacing[1] * (whole.shape[1] - columns) / 2
        + whole.column * whole.spacing[0] * (whole.shape[0] - rows) / 2
    )
    # The sign of SliceNormalVector counts; its direction is that of the planes.
    along = whole.normal * np.sign(normal @ whole.normal) * distance
    return [
        Frame(
            **{
                **vars(whole),
                "number": tile,
                "position": whole.position + shift + tile * along,
                "shape": (rows, columns),
            }
        )
        for tile in range(count)
    ]


def cut(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the tiles of a picture: (rows, columns) to (tiles, tile rows, tile columns).

    >>> cut(np.arange(4).reshape(2, 2), (1, 1)).ravel().tolist()
    [0, 1, 2, 3]
    """
    down, across = picture.shape[0] // shape[0], picture.shape[1] // shape[1]
    return picture.reshape(down, shape[0], across, shape[1]).swapaxes(1, 2).reshape(-1, *shape)
