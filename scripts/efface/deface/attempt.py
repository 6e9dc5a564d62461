"""One attempt: a method gives a mask, masked voxels become air, and the judge looks."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from efface import burned, measure, sight
from efface.atlas import Atlas
from efface.deface.scene import Scene, Volume
from efface.errors import EffaceError
from efface.poses import apart
from efface.register import Landing


@dataclass(frozen=True)
class Attempt:
    """What came of one method: only a reason, or a mask, the defaced volume and what the judge measured.

    Attributes
    ----------
    method : its name
    reasons : why it is not accepted; empty when it is
    mask : (I, J, K) bool array
    defaced : the volume without the masked voxels
    after : (I, J, K) float32 array, its values
    found : the judge's measures
    """

    method: str
    reasons: list[str]
    mask: np.ndarray | None = None
    defaced: Volume | None = None
    after: np.ndarray | None = None
    found: measure.Measures | None = None


@dataclass(frozen=True)
class Watch:
    """The judge's view of an image before any method: what `sight.light` gave and what `look` will give."""

    lit: sight.Light
    looking: Future


def look(scene: Scene, lit: sight.Light) -> sight.Look:
    """Return what the judge sees of an image before any method is tried."""
    template = scene.voxel_from_template @ scene.atlas.world_from_voxel
    return sight.look(scene.values, template, _drawn(scene.atlas), scene.modality, lit)


def judged(
    name: str,
    method: Callable[[Scene], np.ndarray],
    scene: Scene,
    volume: Volume,
    fill: str,
    *,
    watch: Watch,
    draft: Callable[[Volume], Future],
) -> Attempt:
    """Return what comes of a method on one image.

    Parameters
    ----------
    fill : "zero" or "noise"
    watch : what the judge sees before
    draft : begins to write the defaced volume, for nothing when the judge objects
    """
    try:
        mask = method(scene)
    except EffaceError as error:
        return Attempt(name, [str(error)])
    defaced = volume.without(mask, scene.modality, fill)
    writing = draft(defaced)
    after = defaced.values()
    landing, drawn = scene.landing, scene.atlas
    from_leader = None if scene.leader is None else apart(landing.image_from_template, scene.leader)
    found = measure.measure(
        scene.values, after, scene.voxel_from_template @ drawn.world_from_voxel,
        _drawn(drawn), modality=scene.modality, ears=scene.ears, lit=watch.lit, looked=watch.looking.result,
        stand=measure.Stand(landing.information, landing.rival, landing.turned_degrees, from_leader),
    )  # fmt: skip
    writing.result()
    return Attempt(name, found.reasons, mask, defaced, after, found)


def _drawn(atlas: Atlas) -> sight.Template:
    """Return what the judge gets to know of the atlas: not its masks."""
    return sight.Template(atlas.regions, atlas.head, atlas.brain)


def record(made: Attempt, landing: Landing) -> dict:
    """Return the check of an attempt, as it is written."""
    if made.found is None:
        return held(made.reasons) | {"method": made.method}
    found = made.found
    if made.reasons:
        decision = "held"
    elif not found.face_in_view and not found.masked_tissue:
        decision = "no_face"
    else:
        decision = "defaced"
    return {
        "decision": decision,
        "reasons": made.reasons,
        "brain_voxels_changed": found.brain_voxels_changed,
        "face_surface_surviving": found.worst,
        "registration_score": round(landing.information, 3),
        "method": made.method,
        "surviving_by_region": found.surviving,
        "tissue_in_front": found.in_front,
        "head_overlap": found.fit.overlap,
        "brain_overlap": found.fit.brain_overlap,
        "offset_mm": list(found.fit.offset_mm),
        "offset_degrees": list(found.fit.offset_degrees),
        "offset_size": found.fit.offset_size,
        "nose_mm": found.nose_mm,
        "brain_ml": found.brain_ml,
        "registration_rival": round(landing.rival, 3),
        "turned_degrees": round(landing.turned_degrees, 1),
        "image_from_template": landing.image_from_template.tolist(),
    }


def held(reasons: list[str]) -> dict:
    """Return the record of an image that is held before anything could be measured."""
    return {
        "decision": "held",
        "reasons": list(reasons),
        "brain_voxels_changed": 0,
        "face_surface_surviving": None,
        "registration_score": 0.0,
        "method": None,
    }


def read_in(volume: Volume, modality: str, reasons: list[str]) -> dict:
    """Return what the search for text in a finished volume adds to a check that has these reasons."""
    hu = (volume.slope, volume.intercept) if modality == "CT" else (1, 0)
    found = burned.words(volume.stored, modality, *hu)
    said = {"text": {"searched": True, "strings": found.strings}}
    return said | ({"decision": "held", "reasons": [*reasons, found.reason]} if found.reason else {})
