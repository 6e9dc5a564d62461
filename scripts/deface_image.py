"""Deface one image and write the check of it; an image that is held gives empty files, which are no scan."""

import argparse
from pathlib import Path

import numpy as np

from efface.deface import METHODS, deface_file, held
from efface.deface.like import deface_like
from efface.errors import guarded, leave
from efface.files import replacing, sha256
from efface.tables import read_json, write_json

SIDES = ("top", "bottom", "left", "right")


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    program = argparse.ArgumentParser(description=__doc__)
    program.add_argument(
        "--image", type=Path, required=True, help="the converted image (.nii.gz), or an empty file"
    )
    program.add_argument("--proof", type=Path, required=True, help="the conversion's record: proved or held")
    program.add_argument(
        "--sidecar", type=Path, required=True, help="the image's sidecar, which names the Modality"
    )
    program.add_argument("--atlas", type=Path, required=True, help="folder of the head atlas")
    program.add_argument(
        "--leader", default="", help="the check of the session's T1w, whose landing starts this one"
    )
    program.add_argument(
        "--twin-check", default="", help="the check of its magnitude image, of a phase image"
    )
    program.add_argument("--twin-mask", default="", help="the mask of its magnitude image")
    program.add_argument(
        "--method", action="append", default=[], help="atlas, quickshear or NAME=PROGRAM {input} {output}"
    )
    program.add_argument("--keep-ears", action="store_true", help="leave the ears in the image")
    program.add_argument("--fill", choices=("zero", "noise"), default="zero", help="what the face becomes")
    program.add_argument("--witness", action="store_true", help="ask a face detector too")
    program.add_argument(
        "--blank", type=border_share, nargs="*", default=[], help="border regions to blank, such as top=0.1"
    )
    program.add_argument("--text", action="store_true", help="hold an image in which text can be read")
    program.add_argument("--out", type=Path, required=True, help="the defaced image")
    program.add_argument("--mask", type=Path, required=True, help="the voxels that were blanked")
    program.add_argument("--check", type=Path, required=True, help="what was measured, and the decision")
    program.add_argument("--picture", type=Path, required=True, help="before and after; private")
    program.add_argument("--release-picture", type=Path, required=True, help="after only")
    program.add_argument(
        "--before", type=Path, required=True, help="the volume before anything was removed; private"
    )
    return program


def border_share(argument: str) -> tuple[str, float]:
    """Return a side of the slices, and the share of them that is blanked there."""
    side, _, share = argument.partition("=")
    if side not in SIDES or not 0 < float(share) <= 1:
        raise ValueError
    return side, float(share)


def landing_of(leader: str) -> np.ndarray | None:
    """Return where the template lies in the image of a check, (4, 4); None unless that was defaced."""
    check = read_json(leader) if leader else {}
    return np.array(check["image_from_template"]) if check.get("decision") == "defaced" else None


def main(argv: list[str] | None = None) -> int:
    """Write all outputs, also when the image is held."""
    options = parser().parse_args(argv)
    outputs = (options.out, options.mask, options.picture, options.release_picture, options.before)
    for path in (*outputs, options.check):
        path.unlink(missing_ok=True)
    proof = read_json(options.proof)
    proved = proof["decision"] == "proved"
    modality = read_json(options.sidecar).get("Modality") if proved else None
    if not proved:
        check = held(proof["reasons"])
    elif options.twin_check:
        check = deface_like(
            options.image,
            options.out,
            check=read_json(options.twin_check),
            mask_path=options.twin_mask,
            own_mask_path=options.mask,
            modality=modality,
            fill=options.fill,
            text=options.text,
            picture_path=options.picture,
            before_path=options.before,
        )
    else:
        check = deface_file(
            options.image,
            options.out,
            atlas_folder=options.atlas,
            modality=modality,
            methods=options.method or METHODS,
            ears=not options.keep_ears,
            fill=options.fill,
            leader=landing_of(options.leader),
            witness=options.witness,
            mask_path=options.mask,
            picture_path=options.picture,
            release_picture_path=options.release_picture,
            before_path=options.before,
            filled=proof.get("filled", ()),
            blank=dict(options.blank),
            text=options.text,
        )
    if options.out.exists():
        check["image_sha256"] = sha256(options.out)  # the gate compares: a check is of these bytes only
    for path in outputs:
        if not path.exists():
            with replacing(path) as empty:
                empty.touch()
    write_json(options.check, check)
    return 0


if __name__ == "__main__":
    leave(guarded(main))
