"""One image is defaced: a template finds the head, a method its voxels to remove, and a judge looks."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from efface import burned, grid, nifti, ocr, picture, sight
from efface.atlas import Atlas, read_atlas
from efface.deface.attempt import Attempt, Watch, held, judged, look, read_in, record
from efface.deface.blank import border
from efface.deface.methods import method
from efface.deface.scene import Scene, Volume, readable, write_like
from efface.errors import EffaceError, UsageError
from efface.register import Template, register
from efface.witness import available, testify

__all__ = ["METHODS", "deface_file", "held"]

MODALITIES = ("MR", "CT", "PT")
METHODS = ("atlas",)
SMALLEST_MM = 40.0  # a field of view thinner than this shows too little of a head to find out where it is


def deface_file(
    image_path: Path | str,
    out_path: Path | str,
    *,
    atlas_folder: Path | str,
    modality: str | None = None,
    methods: Sequence[str] = METHODS,
    ears: bool = True,
    fill: str = "zero",
    leader: np.ndarray | None = None,
    witness: bool = False,
    mask_path: Path | str | None = None,
    picture_path: Path | str | None = None,
    release_picture_path: Path | str | None = None,
    before_path: Path | str | None = None,
    filled: Sequence[int] = (),
    blank: Mapping[str, float] | None = None,
    text: bool = False,
) -> dict:
    """Write the defaced image, unless it must be held, and return what was found.

    Parameters
    ----------
    image_path, out_path : NIfTI files; the data type, the scaling and the grid of the first stay
    modality : "MR", "CT" or "PT"; when not given, values as low as -500 make it a CT, else it is MR
    methods : as `deface.methods.method` reads them; the first one that the judge accepts is taken
    ears : whether ears are to go
    fill : "zero", or "noise" like that of the image's own air, where there is some
    leader : (4, 4) array, where the template lies in another image of the session, in the same world
    witness : whether a face detector is asked too; it warns, it does not decide
    mask_path, release_picture_path : what is written beside a defaced image
    picture_path : before and after, also of an image that is held; private
    before_path : the volume before anything was removed, small, where something was; private
    filled : planes K that hold no scan; for looking only, not for writing, their neighbours bridge them
    blank : shares of top, bottom, left and right of the slices that become air first (`blank.border`)
    text : whether text that can be read in the finished image holds it

    Returns
    -------
    check : dict
        decision (defaced, no_face or held), reasons, brain_voxels_changed, face_surface_surviving (0-1, the
        worst region, or None), registration_score (bits), method, tried (the reasons against methods tried in
        vain), image_from_template and further measures. A held image has the first method's reasons. text:
        searched, and how many strings were read.
    """
    named = [method(text) for text in methods]
    if witness and not available():
        raise UsageError(
            "the witness", expected="dlib and its models", found="none", todo="install efface[witness]"
        )
    if text and not ocr.available():
        raise UsageError(
            "the search for text", expected="rapidocr-onnxruntime", found="none", todo="install efface[text]"
        )
    out_path = Path(out_path)
    draft_path = out_path.with_name(f".draft.{os.getpid()}.{out_path.name}")
    # Beside this thread the template is made ready while the image is read, and the judge looks at the image
    # while a method finds its mask, and at the outcome while it is written.
    try:
        with ThreadPoolExecutor(2) as beside:
            preparing = beside.submit(_prepared, atlas_folder)
            image = nifti.read(image_path)
            volume = Volume(nifti.stored(image), *nifti.scaling(image), filled)
            stored = volume.stored
            if (
                stored.ndim not in (3, 4)
                or not np.issubdtype(stored.dtype, np.number)
                or np.iscomplexobj(stored)
            ):
                return held(["the image is not a volume, or a series of volumes, of real numbers"])
            if reason := burned.flat(stored):
                return held([reason])
            values = volume.values()
            if modality is None:
                modality = "CT" if values.min() < -500 else "MR"
            if modality not in MODALITIES:
                raise EffaceError("modality", expected=" or ".join(MODALITIES), found="another")
            edge = border(stored.shape, image.affine, blank or {})
            original = values
            if edge.any():
                if burned.in_head(values, edge, image.affine, modality):
                    return held(["the border region to blank holds part of the head"])
                volume = volume.without(edge, modality, fill)
                values = volume.values()
            low, high = grid.box_mm(stored.shape, image.affine)
            if min(high - low) < SMALLEST_MM or values.max() <= values.min():
                return held(["too little of a head is in view to find out where its face is"])
            atlas, template = preparing.result()
            lighting = beside.submit(sight.light, values, modality)
            starts = () if leader is None else (leader,)
            landing = register(readable(values, modality), image.affine, template, starts)
            scene = Scene(values, image.affine, modality, landing, atlas, ears, leader, Path(image_path))
            lit = lighting.result()
            watch = Watch(lit, beside.submit(look, scene, lit))

            def draft(defaced: Volume) -> Future:
                return beside.submit(write_like, draft_path, image, defaced.stored)

            made, tried = _first_accepted(named, scene, volume, fill, picture_path, watch, draft)
        check = record(made, landing) | {"tried": tried}
        face = check["decision"] == "defaced"
        if text:  # also in an image that is held: text before a face can make it so
            check |= read_in(made.defaced if face else volume, modality, check["reasons"])
        if check["decision"] == "held":
            return check
        if face:
            draft_path.replace(out_path)
        else:
            write_like(out_path, image, volume.stored)
    finally:
        draft_path.unlink(missing_ok=True)
    if witness:
        check |= testify(values, made.after, scene.voxel_from_template, made.found.threshold)
    if mask_path:
        header = nifti.header(made.mask.shape, np.dtype(np.uint8), image.affine)
        nifti.write(mask_path, (made.mask & face | edge).astype(np.uint8), header)
    if before_path and (face or edge.any()):
        picture.write_small(before_path, original, image.affine)
    if release_picture_path:
        shown = [made.after if face else values]
        picture.write(
            release_picture_path, picture.picture(shown, scene.voxel_from_template, made.found.threshold)
        )
    return check


def _prepared(atlas_folder: Path | str) -> tuple[Atlas, Template]:
    """Return the atlas in a folder, and it made ready for images."""
    atlas = read_atlas(atlas_folder)
    return atlas, Template(atlas)


def _first_accepted(
    named: list[tuple[str, Callable[[Scene], np.ndarray]]],
    scene: Scene,
    volume: Volume,
    fill: str,
    picture_path: Path | str | None,
    watch: Watch,
    draft: Callable[[Volume], Future],
) -> tuple[Attempt, dict[str, list[str]]]:
    """Return the attempt that the judge accepts, else the first one, and why others failed; picture it."""
    first, tried = None, {}
    for name, give in named:
        made = judged(name, give, scene, volume, fill, watch=watch, draft=draft)
        if made.found and picture_path and (first is None or first.found is None or not made.reasons):
            both = [scene.values, made.after]
            seen = picture.picture(both, scene.voxel_from_template, made.found.threshold, made.mask)
            picture.write(picture_path, seen)
        if not made.reasons:
            return made, tried
        tried[name] = made.reasons
        # The next attempt needs the memory.
        made = replace(made, mask=None, defaced=None, after=None)
        first = first or made
    return first, tried
