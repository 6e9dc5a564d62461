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

from efface.anatomy import STEP_MM, skin_of, tissue_of, without_noise
from efface.fit import Fit
from efface.sight import Light, Look, Template, light, look, sampled
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
NASAL = np.s_[40:61, 92:, :70]  # of the template's grid, x = +-20, y from 44, z to -30: mucosa may shine
STRETCH_MM = 16.0  # that a distorted brain reaches beyond the template's
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
    new = sampled(after, voxel_from_grid, template.head.shape, blend=not lit.noisy)
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
    found.brain_voxels_changed = _cut(old, template, changed, removed, grid_from_voxel, edge_mm)
    _judge(found, stand)
    return found


def _cut(
    old: Look,
    template: Template,
    changed: np.ndarray,
    removed: np.ndarray,
    grid_from_voxel: np.ndarray,
    edge_mm: float,
) -> int:
    """Return how many of the image's own voxels were removed within the brain, by rays or by brightness."""
    deep = np.zeros(changed.shape, bool)
    if old.bright is not None:
        # Where the field of view ends, the brain does not.
        deep = ndimage.distance_transform_edt(old.bright | ~old.seen, sampling=STEP_MM) > edge_mm
        # Eyes and muscles may shine and hang together with it; they lie in the face or further away.
        near = ndimage.distance_transform_edt(template.brain == 0, sampling=STEP_MM) <= STRETCH_MM
        deep &= old.seen & near & (template.regions == 0)
        deep[NASAL] = False
    if not (deep[changed].any() or old.brain.holds(np.argwhere(changed), edge_mm).any()):
        return 0
    own = apply_affine(grid_from_voxel, np.argwhere(removed))
    bright = ndimage.map_coordinates(deep.astype(np.uint8), own.T, order=0) > 0
    return int((old.brain.holds(own, edge_mm) | bright).sum())


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
        found.reasons.append("no nose stands out where one should; was the face removed before?")
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
