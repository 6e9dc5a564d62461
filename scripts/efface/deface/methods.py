"""The methods: each gives a mask of the voxels to remove and nothing else; blanking and judging are ours."""

import shlex
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from efface.deface.external import changed_by
from efface.deface.scene import Scene
from efface.errors import EffaceError, UsageError
from efface.facemask import brain_beside, face_mask

BUFFER_MM = 4.0  # between the brain and quickshear's plane: as much as the atlas's own mask keeps
SLOPES = (30.0, 75.0)  # degrees: flatter edges lie under the brain, steeper ones before the forehead


def method(text: str) -> tuple[str, Callable[[Scene], np.ndarray]]:
    """Return the name and the function of a method.

    Parameters
    ----------
    text : str
        "atlas", "quickshear", or "NAME=PROGRAM ARGUMENTS" with {input} and {output} among the arguments.

    Raises
    ------
    UsageError
        When it is none of these.
    """
    name, named, line = text.partition("=")
    own = {"atlas": atlas, "quickshear": quickshear}
    if not named and name in own:
        return name, own[name]
    if name.isidentifier() and name not in own and "{input}" in line and "{output}" in line:
        with suppress(ValueError):  # a quotation mark that is never closed
            command = shlex.split(line)
            return name, lambda scene: changed_by(command, scene.image_path)
    raise UsageError("the method", expected="atlas, quickshear, or NAME=PROGRAM {input} {output}")


def atlas(scene: Scene) -> np.ndarray:
    """Return the atlas's face, and ears, carried to the image: (I, J, K) bool array."""
    voxel_from_atlas = scene.voxel_from_template @ scene.atlas.world_from_voxel
    # In CT the brain is as bright as muscle; in PET its edge is a blur that the atlas's margin covers.
    spared = brain_beside(scene.values, voxel_from_atlas, scene.atlas) if scene.modality == "MR" else None
    return face_mask(
        scene.values.shape,
        scene.world_from_voxel,
        scene.landing.image_from_template,
        scene.atlas,
        ears=scene.ears,
        spared=spared,
    )


def quickshear(scene: Scene) -> np.ndarray:
    """Return all that lies before and below a plane in front of the brain: (I, J, K) bool array.

    After Schimke & Hale, Quickshear Defacing for Neuroimages, HealthSec 2011: the brain is projected onto its
    sagittal plane, and an edge of the convex hull, lower front, is put off by a buffer. Their first edge
    depends on the size of the voxels; here it is the longest one of a face's slope. One plane that spares the
    brain cannot take brows and ears off: the judge accepts it where these are out of view.

    Raises
    ------
    EffaceError
        When the brain's outline has no such edge.
    """
    from scipy.spatial import ConvexHull  # slow to import, and rarely needed

    outline = np.argwhere(scene.atlas.brain.any(axis=0))
    corners = outline[ConvexHull(outline).vertices] @ scene.atlas.world_from_voxel[1:3, 1:3].T
    corners = corners + scene.atlas.world_from_voxel[1:3, 3]
    edges = np.roll(corners, -1, axis=0) - corners  # counter-clockwise: lower edges point to the front
    slopes = np.degrees(np.arctan2(edges[:, 1], edges[:, 0]))
    fit = (slopes >= SLOPES[0]) & (slopes <= SLOPES[1])
    if not fit.any():
        raise EffaceError("the brain's outline", expected="a lower front edge", found="none")
    longest = np.argmax(np.where(fit, np.hypot(*edges.T), 0))
    (y, z), (along_y, along_z) = corners[longest], edges[longest]
    # A plane is a row that gives the distance of a point; through a matrix it moves from frame to frame.
    plane = np.array([0, along_z, -along_y, along_y * z - along_z * y])
    plane = plane @ np.linalg.inv(scene.landing.image_from_template)
    i, j, k, rest = plane / np.linalg.norm(plane[:3]) @ scene.world_from_voxel
    I, J, K = np.ogrid[tuple(slice(size) for size in scene.values.shape)]  # noqa: E741
    return i * I + j * J + k * K + rest > BUFFER_MM
