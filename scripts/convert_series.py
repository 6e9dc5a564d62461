"""Convert one series to one image with its sidecar, and prove it; what cannot be proved is held."""

import argparse
from pathlib import Path

from efface import nifti, policy, privates, proof, scanners, sidecar, tables
from efface.convert import ENGINES, convert_series, diffusion
from efface.errors import Held, guarded, leave
from efface.files import replacing
from efface.settings import FURTHER


def parser() -> argparse.ArgumentParser:
    """Return the command line of the step."""
    line = argparse.ArgumentParser(description=__doc__)
    line.add_argument("--plan", type=Path, required=True, help="what the image is to be (JSON)")
    line.add_argument("--files", type=Path, required=True, help="the series' files, one path a line")
    line.add_argument("--input", type=Path, required=True, help="the folder that those paths are relative to")
    line.add_argument("--policy", type=Path, required=True, help="what a sidecar may say (YAML)")
    line.add_argument("--level", type=int, default=FURTHER, help="keys of a higher level are left out (6)")
    line.add_argument("--scanners", default="", help="what a person has allowed of scanners (YAML)")
    line.add_argument("--out", type=Path, required=True, help="the image to write (.nii.gz); empty when held")
    line.add_argument(
        "--sidecar", type=Path, required=True, help="its sidecar to write (JSON); empty when held"
    )
    line.add_argument("--bval", type=Path, required=True, help="b-values to write; empty when there are none")
    line.add_argument(
        "--bvec", type=Path, required=True, help="directions to write; empty when there are none"
    )
    line.add_argument(
        "--engine", choices=ENGINES, default=ENGINES[0], help="what puts the voxels together (dicom2nifti)"
    )
    line.add_argument("--unchecked", action="store_true", help="let metadata lack what BIDS requires")
    line.add_argument("--proof", type=Path, required=True, help="the verdict to write (JSON)")
    return line


def main(argv: list[str] | None = None) -> int:
    """Run the step: exit code 0, also when the image is held."""
    args = parser().parse_args(argv)
    plan, rules = tables.read_json(args.plan), policy.load(args.policy, args.level)
    listed = args.files.read_text(encoding="utf-8", errors="surrogateescape")
    files = [args.input / name for name in listed.split("\n") if name]
    allowed = _allowed(args.scanners, plan.get("profile"))
    wanted = (*rules.keywords, *(tag for rule in allowed for tag in privates.wanted(rule)))
    try:
        with proof.beside(files, plan) as prove:
            conversion = convert_series(files, plan, wanted, args.engine)
            description = sidecar.describe(conversion, plan, rules, complete=not args.unchecked)
            description |= sidecar.private(conversion, allowed)
            nifti.write(args.out, conversion.voxels, conversion.header(), level=1)
            gradients = ("", "")
            if conversion.b_values is not None:
                gradients = diffusion.texts(conversion.b_values, conversion.b_vectors)
            verdict = prove(args.out, gradients) | {"engine": conversion.engine}
    except Held as held:
        verdict = {"decision": "held", "reasons": [str(held)]}
    if verdict["decision"] == "proved":
        tables.write_json(args.sidecar, description)
    else:
        gradients = ("", "")
        for path in (args.out, args.sidecar):
            with replacing(path) as empty:
                empty.touch()
    for path, text in zip((args.bval, args.bvec), gradients, strict=True):
        with replacing(path) as beside:
            beside.write_text(text, encoding="ascii")
    tables.write_json(args.proof, verdict)
    return 0


def _allowed(registry: str, place: int | None) -> tuple[scanners.Private, ...]:
    """Return the private elements that the profile at some place of the registry allows."""
    return scanners.read(registry).profiles[place].private if registry and place is not None else ()


if __name__ == "__main__":
    leave(guarded(main))
