"""Disturbed copies of one head whose anatomy is known."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import nibabel as nib
import numpy as np

from defacing import changes
from defacing.case import Case, undisturbed
from defacing.contrasts import contrasts
from defacing.skin import outside


def cases(
    image: nib.Nifti1Image,
    brain: np.ndarray | None,
    landmarks: dict[str, tuple[float, float, float]],
    only: tuple[str, ...] = ("",),
) -> Iterator[Case]:
    """Yield the disturbed heads whose name starts with one of `only`, each made when it is asked for.

    Parameters
    ----------
    image : (I, J, K) image of an upright head, its header true
    brain : (I, J, K) bool array on the image's grid, from a method independent of the one to be judged
    landmarks : points on the skin by their names in REGIONS_MM, in world coordinates (RAS+, mm)
    """
    head = undisturbed(image, brain, landmarks)
    for name, make in _makers(head):
        if name.startswith(only):
            yield replace(make(), name=name)


def _makers(head: Case) -> Iterator[tuple[str, Callable[[], Case]]]:
    """Yield the name and the making of each case."""
    yield "undisturbed", lambda: head
    for order in itertools.permutations(range(3)):
        for flips in itertools.product((1, -1), repeat=3):
            axes = np.column_stack([order, flips])
            if (axes == [[0, 1], [1, 1], [2, 1]]).all():
                continue
            name = "".join(
                nib.orientations.ornt2axcodes(
                    nib.io_orientation(nib.orientations.inv_ornt_aff(axes, (2, 2, 2)))
                )
            )
            yield f"axes_true_{name}", lambda axes=axes: changes.ordered(head, axes, lies=False)
            yield f"axes_lying_{name}", lambda axes=axes: changes.ordered(head, axes, lies=True)
    for axis, turn in enumerate(("pitch", "roll", "yaw")):
        for degrees in (-60, -45, -30, -15, 15, 30, 45, 60):
            motion = changes.about_the_middle(head, changes.rotation(axis, degrees))
            yield f"scan_{turn}{degrees:+}", lambda motion=motion: changes.scanned_moved(head, motion)
            yield f"header_{turn}{degrees:+}", lambda motion=motion: changes.placed(head, motion)
    for axis, letter in enumerate("xyz"):
        motion = np.eye(4)
        motion[axis, 3] = 150.0
        yield f"offset_{letter}", lambda motion=motion: changes.placed(head, motion)
    yield "nocodes_RAS", lambda: changes.without_codes(head)
    mirrored = np.array([[0, -1], [1, 1], [2, 1]])
    yield "nocodes_LAS", lambda: changes.without_codes(changes.ordered(head, mirrored, lies=False))
    for size in (0.6, 0.75, 0.85, 1.15, 1.3):
        yield (
            f"size_{size}",
            lambda size=size: changes.placed(head, changes.about_the_middle(head, size * np.eye(3))),
        )
    for axis, letter in enumerate("xyz"):
        stretch = np.where(np.arange(3) == axis, 1.1, 1.0)
        yield f"stretch_{letter}", lambda stretch=stretch: changes.stretched(head, stretch)
    for axis, plane in enumerate(("sagittal", "coronal", "axial")):
        for thick_mm in (2, 3, 4, 5, 6):
            yield f"slices_{plane}_{thick_mm}", lambda axis=axis, mm=thick_mm: changes.sliced(head, axis, mm)
    yield from contrasts(head)
    yield from _fields_of_view(head)
    gains = (1.0, 0.9, 1.1)
    yield (
        "volumes",
        lambda: replace(head, voxels=np.stack([changes.stored(head.voxels * g) for g in gains], -1)),
    )
    yield "dtype_float32", lambda: replace(head, voxels=head.voxels.astype(np.float32) / 7)
    bytes_ = head.voxels * (255.0 / np.percentile(head.voxels, 99.9))
    yield "dtype_uint8", lambda: replace(head, voxels=np.clip(bytes_, 0, 255).astype(np.uint8))
    yield (
        "dtype_slope",
        lambda: replace(head, voxels=changes.stored(100 * bytes_ - 9000), scale=(0.013, 117.0)),
    )


def _fields_of_view(head: Case) -> Iterator[tuple[str, Callable[[], Case]]]:
    """Yield the cases that cut something off, counted from the head's own ends, or wrap it around."""
    places = np.argwhere(~outside(head.tissue, head.spacing_mm))
    low, high = places.min(0), places.max(0) + 1
    ends = {"left": (0, 0), "back": (1, 0), "front": (1, 1), "bottom": (2, 0), "top": (2, 1)}
    for side, mm in (
        ("top", 40), ("bottom", 40), ("bottom", 70), ("front", 15), ("front", 30), ("back", 60), ("left", 40)
    ):  # fmt: skip
        axis, upper = ends[side]
        planes = round(mm / head.spacing_mm[axis])
        keep = slice(0, high[axis] - planes) if upper else slice(low[axis] + planes, None)
        yield f"cut_{side}_{mm}", lambda axis=axis, keep=keep: changes.cut(head, axis, keep)
    # Forward, the nose comes out behind the head; up, the top of the head comes out below the neck.
    for name, axis, mm in (
        ("nose_behind", 1, 30), ("back_before", 1, -8), ("top_below", 2, 40), ("mouth_above", 2, -40),
        ("sideways", 0, 20),
    ):  # fmt: skip
        # Wrapped by so much of the head itself, whatever air there is beside it.
        air = head.voxels.shape[axis] - high[axis] if mm > 0 else low[axis]
        shift = int(np.sign(mm)) * (round(abs(mm) / head.spacing_mm[axis]) + int(air))
        yield f"wrap_{name}", lambda axis=axis, shift=shift: changes.wrapped(head, axis, shift)
