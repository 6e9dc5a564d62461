"""The leader of a session: the T1w whose landing starts and checks the defacing of the other images."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from efface.classify import Attributes


def leaders(images: Iterable[tuple[Mapping, int, Attributes]]) -> dict[str, str]:
    """Return the leader of each image that has one; a leader has none itself, so there are no circles.

    It is of the same subject, session and FrameOfReferenceUID: only these images share their coordinates
    (DICOM PS3.3 C.7.4.1).

    Parameters
    ----------
    images : iterable of (record, files, attributes)
        The plan's record of an image; the number of files of its series, and what their headers say.
    """
    together = defaultdict(list)
    for record, files, attributes in images:
        frames = attributes.get("FrameOfReferenceUID", ())
        if len(frames) == 1 and frames[0]:
            size = cubes(attributes, files) if record["suffix"] == "T1w" else 0.0
            together[record["subject"], record["session"], frames[0]].append((-size, record["image"]))
    found = {}
    for group in together.values():
        size, best = min(group)
        if size:
            found |= {image: best for _, image in group if image != best}
    return found


def cubes(attributes: Mapping[str, Sequence[str]], files: int) -> float:
    r"""Return how many cubes of its voxels' longest edge fill an image; 0 when the header does not say.

    The more, the finer it is and the more it shows: neither thick slices of fine pixels nor a slab get far.

    >>> fine = {"Rows": ["256"], "Columns": ["256"], "PixelSpacing": ["1\\1"], "SliceThickness": ["1"]}
    >>> cubes(fine, 160) > cubes(fine | {"SliceThickness": ["5"]}, 160)
    True
    """

    def first(keyword: str) -> str:
        return next((value for value in attributes.get(keyword, ()) if value), "")

    try:
        edges = [abs(float(edge)) for edge in first("PixelSpacing").split("\\")]
        edges.append(abs(float(first("SpacingBetweenSlices") or first("SliceThickness"))))
        count = int(first("Rows")) * int(first("Columns")) * int(first("NumberOfFrames") or 1) * files
        return count * math.prod(edges) / max(edges) ** len(edges)
    except (ValueError, ZeroDivisionError):
        return 0.0
