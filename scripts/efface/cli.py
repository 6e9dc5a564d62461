"""The command line: efface run, convert, deface, audit, review, lookup, erase and policy."""

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from efface import __version__, commands
from efface.errors import guarded, leave
from efface.settings import WORKFLOW

MINIMAL = WORKFLOW / "policies" / "minimal.yaml"


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="efface", description="Head scans to a dataset that can be shared.")
    parser.add_argument("--version", action="version", version=f"efface {__version__}")
    words = parser.add_subparsers(required=True, metavar="COMMAND")

    run = words.add_parser("run", help="the whole workflow: DICOM in, checked BIDS release out")
    run.add_argument("input", type=Path, metavar="INPUT", help="folder of DICOM files")
    run.add_argument("release", type=Path, metavar="RELEASE", help="folder of the published dataset")
    run.add_argument("--work", type=Path, help="private folder (RELEASE-work)")
    run.add_argument("--config", type=Path, help="configuration, as config.yaml")
    run.add_argument("--cores", default="all", help="how many cores to use (all)")
    run.epilog = "What follows -- goes to Snakemake as it is, as in: efface run INPUT RELEASE -- --dry-run"
    run.set_defaults(command=commands.run_workflow)

    convert = words.add_parser("convert", help="only the conversion, with its proof; images keep their faces")
    convert.add_argument("input", type=Path, metavar="DICOM_DIR", help="folder of DICOM files")
    convert.add_argument("out", type=Path, metavar="OUT_DIR", help="private folder for images and images.tsv")
    convert.add_argument("--task", default="unnamed", help="task label of functional series (unnamed)")
    convert.add_argument("--engine", choices=("dicom2nifti", "dcm2niix"), help="default: dicom2nifti")
    convert.add_argument("--policy", type=Path, default=MINIMAL, help="sidecar policy (minimal)")
    convert.set_defaults(command=commands.convert_folder)

    deface = words.add_parser("deface", help="remove the face from one image, and measure that it is gone")
    deface.add_argument("image", type=Path, metavar="IN.nii.gz")
    deface.add_argument("out", type=Path, metavar="OUT.nii.gz")
    deface.add_argument(
        "--modality", choices=("MR", "CT", "PT"), help="what the image is (guessed from its values)"
    )
    deface.add_argument("--keep-ears", action="store_true", help="leave the ears in the image")
    deface.add_argument("--fill", choices=("zero", "noise"), default="zero", help="what takes its place")
    deface.add_argument(
        "--method",
        action="append",
        help="atlas, quickshear or 'NAME=PROGRAM {input} {output}'; several are tried in this order",
    )
    deface.add_argument(
        "--atlas", type=Path, default=WORKFLOW / "atlas", help="folder of an atlas of your own"
    )
    deface.add_argument("--witness", action="store_true", help="ask a face detector too (efface[witness])")
    deface.add_argument("--text", action="store_true", help="hold an image with text in it (efface[text])")
    deface.add_argument("--mask", type=Path, help="write the mask of removed voxels")
    deface.add_argument("--report", type=Path, help="write the decision and the measures, in JSON")
    deface.add_argument("--picture", type=Path, help="write a picture of before and after, in PNG")
    deface.set_defaults(command=commands.deface_image)

    audit = words.add_parser("audit", help="look for what identifies in any BIDS dataset")
    audit.add_argument("dataset", type=Path, metavar="DATASET")
    audit.add_argument(
        "--source", type=Path, metavar="DICOM_DIR", help="look for the identifiers of these scans"
    )
    audit.add_argument("--allow", type=Path, help="table of findings that are false alarms, with reasons")
    audit.add_argument("--json", action="store_true", help="print findings in JSON")
    audit.set_defaults(command=commands.audit_dataset)

    review = words.add_parser("review", help="look at the images in a browser, and decide")
    review.add_argument("--by", default="", help="who looks (the login name)")
    review.add_argument("--port", type=int, default=0, help="of the page on this machine (any free one)")
    review.set_defaults(command=commands.review_images)
    lookup = words.add_parser("lookup", help="print the source ID that a label stands for; this is logged")
    lookup.add_argument("label", metavar="LABEL", help="of a subject, with or without sub-")
    lookup.set_defaults(command=commands.look_up)
    erase = words.add_parser("erase", help="remove a person from the release and from the work folder")
    erase.add_argument("subject", metavar="SUBJECT", help="source ID or label")
    erase.set_defaults(command=commands.erase_person)
    for command in (review, lookup, erase):
        command.add_argument(
            "--work", type=Path, default=Path("work"), help="private folder of the run (work)"
        )

    policy = words.add_parser("policy", help="what sidecars may say: two policies, or one and the standard")
    of_policy = policy.add_subparsers(required=True, metavar="WHAT")
    diff = of_policy.add_parser("diff", help="list what two policies keep or modify differently")
    for name in ("a", "b"):
        diff.add_argument(name, metavar=name.upper(), help="policy file, or minimal or research")
    diff.set_defaults(command=commands.diff_policies)
    compare = of_policy.add_parser("compare", help="compare a policy with DICOM PS3.15 Table E.1-1")
    compare.add_argument("a", metavar="A", help="policy file, or minimal or research")
    compare.add_argument("--tsv", action="store_true", help="print every row of the table, as TSV")
    compare.set_defaults(command=commands.compare_policy)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    # argparse gives what follows -- to the positional arguments, which are complete by then.
    end = argv.index("--") if "--" in argv else len(argv)
    args = parser().parse_args(argv[:end])
    args.snakemake = argv[end + 1 :]
    if args.snakemake and args.command is not commands.run_workflow:
        parser().error("only efface run takes arguments for Snakemake")
    return guarded(lambda: args.command(args))


def program() -> NoReturn:
    """Run the command of the command line."""
    leave(main())
