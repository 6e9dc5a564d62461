"""Diffusion weighting: what a frame says of it, and the .bval and .bvec of an image.

Directions are brought into patient coordinates first, whatever frame a vendor gives them in, and from there
into the image's own axes: nothing then depends on how planes and volumes are stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pydicom

from efface.convert import vendors
from efface.errors import Held

WANTED = vendors.WANTED
"""What a file must be read with for its weighting to be understood."""

_RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0])
_LOW_B = 10.0  # s/mm2: below it imaging gradients prevail; United Imaging gives b = 1.25 without a direction
_AGREE_DEGREES = 1.0  # between two statements of one direction, in different frames


@dataclass(frozen=True)
class Weighting:
    """How a frame is weighted.

    Parameters
    ----------
    b_value : float
        s/mm2.
    direction : (3,) tuple or None
        Unit vector in patient coordinates (LPS+); None where there is none (b = 0).
    computed : bool
        Whether the scanner made the frame from others (isotropic, trace-weighted).
    """

    b_value: float
    direction: tuple[float, float, float] | None
    computed: bool = False


def weighting(dataset: pydicom.Dataset, number: int = 0) -> Weighting | None:
    """Return how a frame is weighted, None where the header says nothing of diffusion.

    GE and Philips say b = 0 of many images that are no diffusion images.

    Raises
    ------
    Held
        When a weighted frame has no usable direction, or its header contradicts itself.
    """
    try:
        return _weighting(dataset, number)
    except Held:
        raise
    except Exception as error:  # pydicom quotes the value that it could not parse
        raise Held(f"a frame's diffusion weighting cannot be read ({type(error).__name__})") from None


def _weighting(dataset: pydicom.Dataset, number: int) -> Weighting | None:
    public = vendors.public(dataset, number)
    private = vendors.private(dataset, number, public)
    said = [private, public] if private.leads else [public, private]
    b_value = next((one.b_value for one in said if one.b_value is not None), None)
    if b_value is None:
        return None
    if b_value < 0:
        raise Held("a diffusion b-value", expected="0 or more", found="less")
    if b_value == 0:
        return Weighting(0.0, None)
    if public.isotropic or private.isotropic:
        return Weighting(b_value, None, computed=True)
    vectors = [one.vector for one in (public, private) if one.vector is not None]
    if not vectors:
        if b_value < _LOW_B:
            return Weighting(b_value, None)
        raise Held("a diffusion-weighted frame has no gradient direction", todo="drop the series if computed")
    if len(vectors) == 2 and private.other_frame and _degrees(*vectors) > _AGREE_DEGREES:
        raise Held(
            "two attributes disagree about a gradient direction", todo="check the series at the scanner"
        )
    length = np.linalg.norm(vectors[0])
    if abs(length - 1) > vendors.ROUNDING:
        raise Held("a gradient direction", expected="a unit vector", found="another length")
    # Rounded, so that all frames of a volume say the same.
    return Weighting(b_value, tuple(float(part) for part in np.round(vectors[0] / length, 9)))


def _degrees(one: np.ndarray, other: np.ndarray) -> float:
    """Return the angle between two lines: in a vendor's own frame a gradient's sign is a convention."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(one, other)), abs(one @ other))))


def table(
    weightings: Sequence[Weighting | None], world_from_voxel: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the b-values and the gradient directions of an image's volumes, in its own axes as FSL has them.

    FSL: components along the voxel axes, the first with its sign turned where the affine's determinant is
    positive (BIDS, "Diffusion imaging data"; FSL's FAQ on bvecs).

    Parameters
    ----------
    weightings : sequence of Weighting or None
        None counts as b = 0: Toshiba says nothing of volumes without diffusion gradients.
    world_from_voxel : (4, 4) array
        To world coordinates (RAS+, mm).

    Returns
    -------
    b_values : (N,) array
        s/mm2.
    vectors : (N, 3) array
        Unit vectors, zeros where there is no direction.

    Raises
    ------
    Held
        When no volume says anything, or one is computed from others.
    """
    if not any(weightings):
        raise Held("no volume says how it is diffusion-weighted")
    if any(one and one.computed for one in weightings):
        raise Held("a volume computed from others is among diffusion-weighted ones", todo="split the series")
    axes = world_from_voxel[:3, :3] / np.linalg.norm(world_from_voxel[:3, :3], axis=0)
    left, _, right = np.linalg.svd(axes)  # exactly at right angles
    voxel_from_lps = (left @ right).T @ _RAS_FROM_LPS
    if np.linalg.det(axes) > 0:
        voxel_from_lps[0] *= -1
    b_values = np.array([one.b_value if one else 0.0 for one in weightings])
    directions = np.array([one.direction if one and one.direction else (0.0, 0.0, 0.0) for one in weightings])
    return b_values, directions @ voxel_from_lps.T


def texts(b_values: np.ndarray, vectors: np.ndarray) -> tuple[str, str]:
    r"""Return what .bval and .bvec hold: one row, and three rows, of numbers between single spaces.

    >>> texts(np.array([0, 1000.0]), np.array([[0, 0, 0], [-1e-9, 0.6, -0.8]]))
    ('0 1000\n', '0 0\n0 0.6\n0 -0.8\n')
    """
    return _line(b_values, 2), "".join(_line(row, 6) for row in np.transpose(vectors))


def _line(values: np.ndarray, digits: int) -> str:
    rounded = np.round(values, digits) + 0.0  # adding 0 turns -0 into 0
    return " ".join(f"{value:.{digits}f}".rstrip("0").rstrip(".") for value in rounded) + "\n"
