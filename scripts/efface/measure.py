"""The judge of a defaced image: the face is gone, the brain whole, and the template lay on the head.

It looks at the image before and after on the template's grid, and finds head, skin and brain by itself: no
code of the makers and none of their masks takes part, only where the template has its head, its brain, and
eyes, nose, mouth and ears.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from scipy import ndimage

from efface.anatomy import (
    STEP_MM,
    has_noise_for_air,
    head_of,
    largest,
    skin_of,
    tissue_of,
    tissue_threshold,
    without_noise,
)
from efface.brain import Brain, brain_of, prepare
from efface.fit import COARSE, LEAST_OVERLAP, Fit, fit, nose_mm, overlap_of
from efface.wrap import torn

REGIONS = {1: "eyes", 2: "nose", 3: "mouth and chin", 4: "ears"}
# Bounds. Each is set between what right landings give and what planted faults give (docs/defacing.md).
LEAST_INFORMATION = 0.45  # bits
LEAST_LEAD = 1.05  # information over the best rival pose
MOST_TURNED = 65.0  # degrees: nobody lies in a scanner so far from what the header says
NEAR_LEADER = (10.0, 10.0)  # mm and degrees: as near as two scans of one session may well lie
FAR_FROM_LEADER = (20.0, 20.0)
MOST_SURVIVING = 0.05  # of a region's skin
MOST_IN_FRONT = 50  # voxels of 8 mm3 of tissue where the face was
LEAST_SKIN = 60  # voxels of 8 mm3: less skin is no part of a face
LEAST_BRAIN_ML = 300  # a slab of 5 cm has more; less is a brain that was not found
EDGE_MM = {"MR": 4.0, "CT": 4.0, "PT": 10.0}  # to which the brain's edge is known
LEAST_NOSE_MM = 6.0  # that a nose stands out of the cheeks
FACE_PLANE, BROWS = 110, 73  # layers of the template's grid: y = 80, just behind the corneas, and z = -24
SKIN_MM = 2.0  # a surface this near to the old skin still shows its shape
SKIN_DEPTH_MM = 10.0  # below the template's skin: what a ray meets first deeper than that is no skin


@dataclass
class Measures:
    """What was measured, and why the image must be held, if it must."""

    reasons: list[str] = field(default_factory=list)
    face_in_view: bool = False
    surviving: dict[str, float] = field(default_factory=dict)
    in_front: int = 0
    masked_tissue: int = 0
    fit: Fit = field(default_factory=Fit)
    nose_mm: float | None = None
    brain_ml: int = 0
    brain_voxels_changed: int = 0
    torn: bool = False
    threshold: float = 0.0

    @property
    def worst(self) -> float | None:
        """The largest share of skin that survives in a region; None when no region is in view."""
        return max(self.surviving.values(), default=None)


@dataclass(frozen=True)
class Template:
    """Where the template has what, on its own grid: (X, Y, Z) uint8 arrays.

    Attributes
    ----------
    regions : numbered as in REGIONS
    head : 1 head, 2 air, 0 not seen
    brain : 1 brain
    """

    regions: np.ndarray
    head: np.ndarray
    brain: np.ndarray


@dataclass(frozen=True)
class Stand:
    """What the registration says of itself.

    Attributes
    ----------
    information, rival : bits, of the landing and of the best pose elsewhere
    turned_degrees : of the head, from upright
    from_leader : mm and degrees to where another image of the session has its head, if there is one
    """

    information: float
    rival: float
    turned_degrees: float
    from_leader: tuple[float, float] | None = None


@dataclass(frozen=True)
class Look:
    """What the judge sees of an image before anything is removed, on the template's grid.

    Attributes
    ----------
    values : (X, Y, Z) float array
    seen, tissue, skin : (X, Y, Z) bool arrays
    brain : by its reach along rays
    brain_ml : its volume
    fit : how the template lies
    threshold : values above it are tissue
    noisy : whether the air is bright noise
    nose_mm : how far a nose stands out of the cheeks, None when out of view
    """

    values: np.ndarray
    seen: np.ndarray
    tissue: np.ndarray
    skin: np.ndarray
    brain: Brain
    brain_ml: int
    fit: Fit
    threshold: float
    noisy: bool
    nose_mm: float | None


@dataclass(frozen=True)
class Light:
    """How bright an image is, wherever its head may be.

    Attributes
    ----------
    noisy : whether the air is bright noise
    threshold : values above it are tissue; of a noisy image it is found where the head is
    """

    noisy: bool
    threshold: float


def light(before: np.ndarray, modality: str) -> Light:
    """Return how bright an image is; the parameters are those of `measure`."""
    prepare()
    noisy = modality == "MR" and has_noise_for_air(before)
    return Light(noisy, float("nan") if noisy else tissue_threshold(before, modality))


def look(
    before: np.ndarray, voxel_from_grid: np.ndarray, template: Template, modality: str, lit: Light
) -> Look:
    """Return what the judge sees of an image; the parameters are those of `measure`."""
    seen = _in_view(before.shape, voxel_from_grid, template.head.shape)
    noisy = lit.noisy
    values = _sampled(before, voxel_from_grid, seen.shape, blend=not noisy)
    clear = without_noise(values) if noisy else values
    threshold = tissue_threshold(clear, modality) if noisy else lit.threshold
    tissue = tissue_of(clear, threshold, seen)
    skin = skin_of(tissue, seen)
    # What noise leaves in the air is no head, but may hide a face: it counts as skin.
    solid = largest(tissue) if noisy else tissue
    head = head_of(solid, seen)
    every = (slice(None, None, COARSE),) * 3
    scalp_shows = overlap_of(head[every], seen[every], template.head[every]) >= LEAST_OVERLAP
    brain = brain_of(clear, threshold, head, seen, modality, scalp_shows=scalp_shows)
    inside = brain.on_grid(seen[every].shape, COARSE) & seen[every]
    brain_ml = round(inside.sum() * (COARSE * STEP_MM) ** 3 / 1000)
    # In PET the brain's edge is a blur.
    lies = fit(head, inside if modality != "PT" else None, seen, (template.head, template.brain))
    nose = nose_mm(skin_of(solid, seen) if noisy else skin, seen)
    return Look(values, seen, tissue, skin, brain, brain_ml, lies, threshold, noisy, nose)


def measure(
    before: np.ndarray,
    after: np.ndarray,
    voxel_from_grid: np.ndarray,
    template: Template,
    *,
    modality: str,
    stand: Stand,
    ears: bool = True,
    lit: Light | None = None,
    looked: Callable[[], Look] | None = None,
) -> Measures:
    """Return the measures of one defaced image.

    Parameters
    ----------
    before, after : (I, J, K) float arrays
        Values (CT in HU) before and after defacing.
    voxel_from_grid : (4, 4) array
        From indices of the template's grid to indices of the image.
    modality : "MR", "CT" or "PT"
    ears : bool
        Whether ears were to be removed.
    lit : what `light` gives for `before`, when that is known already
    looked : gives what `look` gives for `before`, when somebody looks already
    """
    lit = lit or light(before, modality)
    new = _sampled(after, voxel_from_grid, template.head.shape, blend=not lit.noisy)
    removed = before != after
    # Where the scalp gives no signal, the first tissue that a ray meets lies deep: it shows no face.
    near = ndimage.binary_dilation(template.head != 1, iterations=round(SKIN_DEPTH_MM / STEP_MM))
    old = looked() if looked else look(before, voxel_from_grid, template, modality, lit)
    new_tissue = tissue_of(without_noise(new) if old.noisy else new, old.threshold, old.seen)
    found = Measures(threshold=old.threshold, nose_mm=old.nose_mm, brain_ml=old.brain_ml, fit=old.fit)
    shown = ndimage.binary_dilation(skin_of(new_tissue, old.seen), iterations=round(SKIN_MM / STEP_MM))
    for number, name in REGIONS.items():
        skin = old.skin & near & (template.regions == number)
        if skin.sum() >= LEAST_SKIN and (ears or name != "ears"):
            found.surviving[name] = round(float(shown[skin].mean()), 4)
    found.face_in_view = bool(found.surviving)
    found.in_front = int((new_tissue & np.isin(template.regions, (1, 2, 3)))[:, FACE_PLANE:, :BROWS].sum())
    changed = old.values != new
    found.masked_tissue = int((old.tissue & changed).sum())
    # Only MR wraps: its phase and its slices come round again.
    found.torn = modality == "MR" and not old.noisy and torn(before, removed, old.threshold)
    grid_from_voxel = np.linalg.inv(voxel_from_grid)
    # Nor is an edge known better than to one and a half voxels of the image.
    edge_mm = max(EDGE_MM[modality], 1.5 * STEP_MM * float(voxel_sizes(grid_from_voxel).max()))
    if old.brain.holds(np.argwhere(changed), edge_mm).any():
        own = apply_affine(grid_from_voxel, np.argwhere(removed))
        found.brain_voxels_changed = int(old.brain.holds(own, edge_mm).sum())
    _judge(found, stand)
    return found


def _sampled(
    volume: np.ndarray, voxel_from_grid: np.ndarray, shape: tuple[int, ...], *, blend: bool
) -> np.ndarray:
    """Return a volume on the template's grid; unless blended, the nearest voxels, as noisy as they were."""
    # Volumes come in Fortran order: read along their first axis, or memory is jumped about in.
    turned = ndimage.affine_transform(
        volume.T, voxel_from_grid[2::-1, 2::-1], voxel_from_grid[2::-1, 3], shape[::-1], order=int(blend)
    )
    return np.ascontiguousarray(turned.T)


def _in_view(size: tuple[int, ...], voxel_from_grid: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return which voxels of the template's grid lie within an image of some size."""
    x, y, z = np.ogrid[tuple(slice(count) for count in shape)]
    inside = np.ones(shape, bool)
    for (a, b, c, d), last in zip(voxel_from_grid[:3].astype(np.float32), size, strict=True):
        place = (a * x + b * y + d) + c * z
        inside &= (place >= 0) & (place <= last - 1)
    return inside


def _judge(found: Measures, stand: Stand) -> None:
    """Put into words what lies outside its bound."""
    led = stand.from_leader is not None and np.less_equal(stand.from_leader, NEAR_LEADER).all()
    leads = stand.information >= LEAST_LEAD * stand.rival
    if stand.information < LEAST_INFORMATION or not (leads or led):
        found.reasons.append("the head template does not fit this image better than by chance")
    if stand.from_leader is not None and np.greater(stand.from_leader, FAR_FROM_LEADER).any():
        found.reasons.append("the head lies elsewhere than in the T1w image of its session")
    if stand.turned_degrees > MOST_TURNED:
        found.reasons.append("the image shows a head that is turned against what its header says")
    found.reasons += found.fit.faults()
    # Where the scalp does not show, nor does the nose.
    if found.fit.scalp_shows and found.nose_mm is not None and found.nose_mm < LEAST_NOSE_MM:
        found.reasons.append("no nose stands out where one should")
    if found.worst is not None and found.worst > MOST_SURVIVING:
        found.reasons.append("part of the face's skin would survive")
    if found.in_front > MOST_IN_FRONT:
        found.reasons.append("tissue would stay in front of the face")
    if found.torn:
        found.reasons.append("the image wraps around, and what is removed on one side goes on at the other")
    if found.brain_ml < LEAST_BRAIN_ML:
        found.reasons.append("no brain was found that the mask could be checked against")
    if found.brain_voxels_changed:
        found.reasons.append("the mask would reach into the brain")
