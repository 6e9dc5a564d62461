"""Whether an image's header tells of more places than one."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from efface import nifti
from efface.errors import EffaceError

_APART_MM = 1.0


def doubts(path: Path) -> Iterator[str]:
    """Yield what is doubtful about where an image says it lies (nifti1.h, methods 2 and 3).

    Of two transforms that differ, one may be left from the scanner's own frame, which is the same for all
    scans of a visit, and for none of another.
    """
    try:
        head = nifti.read(path).header
        qform, sform = head.get_qform(coded=True)[0], head.get_sform(coded=True)[0]
    except (EffaceError, ValueError, *nifti.BROKEN):
        return  # told of elsewhere
    if qform is None or sform is None:
        return
    shape = head.get_data_shape()[:3]
    corners = np.array([[*corner, 1] for corner in itertools.product(*((0, n - 1) for n in shape))])
    if np.abs(corners @ (qform - sform).T).max() > _APART_MM:
        yield "qform and sform place the image differently"
