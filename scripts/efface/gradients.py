"""The judge of .bval and .bvec: whether the two files say what each volume's header says.

It shares no code with the makers' reader, so that a mistake there cannot hide here. Directions are compared
in patient coordinates (LPS+), with their sign.
"""

import numpy as np
import pydicom

from efface import statements
from efface.statements import Unclear

TAGS = statements.TAGS
"""What a file must be read with to be judged."""

LARGEST_ANGLE = 0.2  # degrees
_NEEDS_DIRECTION = 10.0  # s/mm2


def weighting_of(file: pydicom.Dataset, number: int) -> tuple[float, np.ndarray | None] | None:
    """Return a frame's b-value (s/mm2) and unit gradient direction (3,) in patient coordinates (LPS+).

    The direction is None where there is none; all is None where the header says nothing of diffusion.

    Raises
    ------
    Unclear
        When the header contradicts itself, or a weighted frame has no direction and is not isotropic.
    """
    said = statements.stated(file, number)
    if said is None:
        return None
    b_value, vector, isotropic = said
    if not (np.isfinite(b_value) and b_value >= 0):
        raise Unclear("a frame's b-value is no number of 0 or more")
    if b_value == 0 or isotropic:
        return b_value, None
    length = 0.0 if vector is None else float(np.linalg.norm(vector))
    if length < statements.LENGTH and b_value < _NEEDS_DIRECTION:
        return b_value, None
    if not abs(length - 1) <= statements.LENGTH:
        raise Unclear("a frame is diffusion-weighted and has no gradient direction of length 1")
    return b_value, vector / length


def faults(
    said: list[tuple[float, np.ndarray | None] | None], bval_text: str, bvec_text: str, affine: np.ndarray
) -> list[str]:
    """Return what is wrong with an image's .bval and .bvec; nothing when they are right.

    Parameters
    ----------
    said : list
        `weighting_of` each volume, in order; None counts as b = 0 (Toshiba says nothing of such volumes).
    affine : (4, 4) array
        From voxels to world coordinates (RAS+, mm).
    """
    try:
        rows = [[float(word) for word in line.split()] for line in (bval_text + bvec_text).splitlines()]
        lines = len(bval_text.splitlines()), len(bvec_text.splitlines())
    except ValueError:
        return ["the b-values or the gradient directions are not numbers"]
    if lines != (1, 3):
        return ["the .bval file has not one line, or the .bvec file not three"]
    if any(len(row) != len(said) for row in rows):
        return ["the number of b-values or gradient directions is not that of the volumes"]
    b_values, written = np.array(rows[0]), np.array(rows[1:]).T
    if not np.isfinite(rows).all():
        return ["the b-values or the gradient directions are not finite"]
    if not any(said):
        return ["no volume says how it is diffusion-weighted"]
    found = []
    for (b_value, lps), b_written, vector in zip(
        (one or (0.0, None) for one in said), b_values, written, strict=True
    ):
        if not abs(b_written - b_value) <= max(1.0, 0.001 * b_value):
            found.append("a b-value is not the header's")
        if lps is None:
            if vector.any():
                found.append("a volume without a gradient direction has one")
        elif not vector.any():
            found.append("a volume with a gradient direction has none")
        elif not abs(np.linalg.norm(vector) - 1) < 1e-3:
            found.append("a gradient direction is not of length 1")
        elif not _angle(_lps_from_fsl(vector, affine), lps) <= LARGEST_ANGLE:
            found.append(f"a gradient direction is off by more than {LARGEST_ANGLE} degrees")
    return sorted(set(found))


def _lps_from_fsl(vector: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return a direction of .bvec in patient coordinates.

    FSL measures along the voxel axes as if they were left-handed: where they are not, the first is turned.
    """
    i, j, k = (affine[:3, axis] / np.linalg.norm(affine[:3, axis]) for axis in range(3))
    if np.cross(i, j) @ k > 0:
        i = -i
    right, anterior, superior = vector[0] * i + vector[1] * j + vector[2] * k
    return np.array([-right, -anterior, superior])


def _angle(one: np.ndarray, other: np.ndarray) -> float:
    """Return the angle between two directions in degrees, exact also for small ones."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(one, other)), one @ other)))
