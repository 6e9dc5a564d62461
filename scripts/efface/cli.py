"""The command line: efface run, convert, deface, audit, review, lookup, erase and policy."""

import argparse
import csv
import getpass
import json
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

from efface import __version__
from efface.errors import HELD, REFUSED, UsageError, guarded, leave
from efface.files import private_folder
from efface.settings import WORKFLOW, policy_file
from efface.tables import read_json, read_tsv, write_json, write_tsv

MINIMAL = WORKFLOW / "policies" / "minimal.yaml"
_WIDE = 200  # when nobody sees a terminal, a table's cells are not broken into lines


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="efface", description="Head scans to a dataset that can be shared.")
    parser.add_argument("--version", action="version", version=f"efface {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="the whole workflow: DICOM in, checked BIDS release out")
    run.add_argument("input", type=Path, metavar="INPUT", help="folder of DICOM files")
    run.add_argument("release", type=Path, metavar="RELEASE", help="folder of the published dataset")
    run.add_argument("--work", type=Path, help="private folder (RELEASE-work)")
    run.add_argument("--config", type=Path, help="configuration, as config.yaml")
    run.add_argument("--cores", default="all", help="how many cores to use (all)")
    run.epilog = "What follows -- goes to Snakemake as it is, as in: efface run INPUT RELEASE -- --dry-run"
    run.set_defaults(command=_run)

    convert = commands.add_parser(
        "convert", help="only the conversion, with its proof; images keep their faces"
    )
    convert.add_argument("input", type=Path, metavar="DICOM_DIR", help="folder of DICOM files")
    convert.add_argument("out", type=Path, metavar="OUT_DIR", help="private folder for images and images.tsv")
    convert.add_argument("--task", default="unnamed", help="task label of functional series (unnamed)")
    convert.add_argument("--engine", choices=("dicom2nifti", "dcm2niix"), help="default: dicom2nifti")
    convert.add_argument("--policy", type=Path, default=MINIMAL, help="sidecar policy (minimal)")
    convert.set_defaults(command=_convert)

    deface = commands.add_parser("deface", help="remove the face from one image, and measure that it is gone")
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
    deface.set_defaults(command=_deface)

    audit = commands.add_parser("audit", help="look for what identifies in any BIDS dataset")
    audit.add_argument("dataset", type=Path, metavar="DATASET")
    audit.add_argument(
        "--source", type=Path, metavar="DICOM_DIR", help="look for the identifiers of these scans"
    )
    audit.add_argument("--allow", type=Path, help="table of findings that are false alarms, with reasons")
    audit.add_argument("--json", action="store_true", help="print findings in JSON")
    audit.set_defaults(command=_audit)

    review = commands.add_parser("review", help="look at the images in a browser, and decide")
    review.add_argument("--by", default="", help="who looks (the login name)")
    review.add_argument("--port", type=int, default=0, help="of the page on this machine (any free one)")
    review.set_defaults(command=_review)
    lookup = commands.add_parser("lookup", help="print the source ID that a label stands for; this is logged")
    lookup.add_argument("label", metavar="LABEL", help="of a subject, with or without sub-")
    lookup.set_defaults(command=_lookup)
    erase = commands.add_parser("erase", help="remove a person from the release and from the work folder")
    erase.add_argument("subject", metavar="SUBJECT", help="source ID or label")
    erase.set_defaults(command=_erase)
    for command in (review, lookup, erase):
        command.add_argument(
            "--work", type=Path, default=Path("work"), help="private folder of the run (work)"
        )

    policy = commands.add_parser(
        "policy", help="what sidecars may say: two policies, or one and the standard"
    )
    of_policy = policy.add_subparsers(required=True, metavar="WHAT")
    diff = of_policy.add_parser("diff", help="list what two policies keep or modify differently")
    for name in ("a", "b"):
        diff.add_argument(name, metavar=name.upper(), help="policy file, or minimal or research")
    diff.set_defaults(command=_policy_diff)
    compare = of_policy.add_parser("compare", help="compare a policy with DICOM PS3.15 Table E.1-1")
    compare.add_argument("a", metavar="A", help="policy file, or minimal or research")
    compare.add_argument("--tsv", action="store_true", help="print every row of the table, as TSV")
    compare.set_defaults(command=_policy_compare)
    return parser


def _run(args: argparse.Namespace) -> int:
    from efface.run import run, study

    os.umask(0o077)
    if args.cores != "all" and not (args.cores.isdigit() and int(args.cores)):
        raise UsageError("--cores", expected="a number or all")
    chosen = study(args.input, args.release, args.work, args.config)
    return run(chosen, args.cores, args.snakemake, _console())


def _console():
    """Return a console as wide as the terminal, or wide enough for a table."""
    from rich.console import Console  # most commands print no table

    return Console() if sys.stdout.isatty() else Console(width=_WIDE)


def _convert(args: argparse.Namespace) -> int:
    # The steps are programs, and functions too: the workflow and this command run the same ones.
    import convert_series
    import index_series
    import plan_images
    from efface.run import series_table

    os.umask(0o077)
    out = private_folder(args.out)
    index, plan, key = out / "index", out / "plan", out / "key"
    rules, crosswalk = WORKFLOW / "modalities.yaml", out / "crosswalk.tsv"
    study = json.dumps({"task": args.task, "participants": {"age_conflict": "birth_date"}})
    index_series.main([f"--input={args.input}", f"--key={key}", f"--out={index}"])
    planning = [f"--index={index}", f"--key={key}", f"--modalities={rules}", f"--study={study}"]
    planning += [f"--vocabulary={WORKFLOW / 'vocabulary.yaml'}", "--unnamed"]
    plan_images.main([*planning, f"--out={plan}", f"--crosswalk={crosswalk}"])
    rows = []
    for row in read_tsv(plan / "images.tsv"):
        name = row["image"]
        if name:
            files, proof = index / "files" / f"{row['series']}.txt", plan / "proof" / f"{name}.json"
            image, sidecar = out / f"{name}.nii.gz", out / f"{name}.json"
            given = [f"--plan={plan / 'images' / name}.json", f"--files={files}", f"--input={args.input}"]
            gradients = [out / f"{name}.bval", out / f"{name}.bvec"]
            made = [f"--out={image}", f"--sidecar={sidecar}", f"--proof={proof}"]
            made += [f"--bval={gradients[0]}", f"--bvec={gradients[1]}"]
            engine = [f"--engine={args.engine}"] if args.engine else []
            convert_series.main([*given, f"--policy={args.policy}", *made, *engine, "--unchecked"])
            verdict = read_json(proof)
            row["decision"] = verdict["decision"]
            row["reason"] = "; ".join(verdict["reasons"]) or row["reason"]
            if verdict["decision"] != "proved":
                image.unlink()
                sidecar.unlink()
            for empty in (path for path in gradients if not path.stat().st_size):
                empty.unlink()
        rows.append(row)
    rows += [
        {"files": 1, "decision": "held", "reason": one["reason"]}
        for one in read_tsv(index / "skipped.tsv")
        if one["held"]
    ]
    write_tsv(out / "images.tsv", rows, plan_images.COLUMNS)
    _console().print(series_table(rows))
    return HELD if any(row["decision"] == "held" for row in rows) else 0


def _deface(args: argparse.Namespace) -> int:
    from efface.deface import METHODS, deface_file

    started = time.perf_counter()
    check = deface_file(
        args.image,
        args.out,
        atlas_folder=args.atlas,
        modality=args.modality,
        methods=args.method or METHODS,
        ears=not args.keep_ears,
        fill=args.fill,
        witness=args.witness,
        text=args.text,
        mask_path=args.mask,
        picture_path=args.picture,
    )
    if args.report:
        write_json(args.report, check | {"seconds": round(time.perf_counter() - started, 2)})
    print(f"{check['decision']}: {'; '.join(check['reasons']) or args.out}")
    return HELD if check["decision"] == "held" else 0


def _audit(args: argparse.Namespace) -> int:
    from efface.audit import ALLOWED, allow, audit
    from efface.index import index, looked_for

    if not args.dataset.is_dir():
        raise UsageError("the dataset", expected="a folder", found="no such folder")
    identifiers = []
    if args.source:
        series, _ = index(args.source, os.cpu_count() or 1)
        identifiers = [one._asdict() for found in looked_for(series).values() for one in found]
    found = allow.apply(audit(args.dataset, identifiers), allow.read(args.allow) if args.allow else [])
    findings = [finding._asdict() for finding in found]
    if args.json:
        print(json.dumps(findings, indent=2, ensure_ascii=False))
    else:
        for one in findings:
            place = f"{one['file']}, {one['where']}" if one["where"] else one["file"]
            print(f"{one['severity']}: {place}: {one['what']} ({one['check']}); {one['advice']}")
        print(f"{len(findings)} findings")
    return REFUSED if any(finding.severity != ALLOWED for finding in found) else 0


def _review(args: argparse.Namespace) -> int:
    from efface.server import serve
    from efface.study import standing

    os.umask(0o077)
    serve(standing(args.work), args.port, args.by or getpass.getuser(), lambda said: print(said, flush=True))
    return 0


def _lookup(args: argparse.Namespace) -> int:
    from efface.lookup import lookup
    from efface.study import standing

    os.umask(0o077)
    print(lookup(standing(args.work), args.label))
    return 0


def _erase(args: argparse.Namespace) -> int:
    from efface.erase import erase
    from efface.study import standing

    os.umask(0o077)
    print(erase(standing(args.work), args.subject))
    return 0


def _policy(named: str):
    from efface.policy import load

    path = Path(policy_file(named))
    if not path.is_file():
        raise UsageError("the policy", expected="a file, or minimal or research", found="none of that name")
    return load(path)


def _policy_diff(args: argparse.Namespace) -> int:
    from efface.profile import DIFFERENCES, diff

    _print_rows(diff(_policy(args.a), _policy(args.b)), DIFFERENCES)
    return 0


def _policy_compare(args: argparse.Namespace) -> int:
    from efface.profile import COMPARISON, against_standard, counts

    rows = against_standard(_policy(args.a))
    if args.tsv:
        writer = csv.DictWriter(sys.stdout, COMPARISON, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return 0
    kept = [row for row in rows if row["ours"] != "removed"]
    _print_rows(kept, COMPARISON)
    said = ", ".join(f"{number} {relation}" for relation, number in counts(rows).items())
    print(f"{len(rows)} attributes of Table E.1-1: {said}; {len(rows) - len(kept)} removed")
    return 0


def _print_rows(rows: list[dict[str, str]], columns: tuple[str, ...]) -> None:
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        table.add_row(*(row[column] for column in columns))
    _console().print(table)


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    # argparse gives what follows -- to the positional arguments, which are complete by then.
    end = argv.index("--") if "--" in argv else len(argv)
    args = parser().parse_args(argv[:end])
    args.snakemake = argv[end + 1 :]
    if args.snakemake and args.command is not _run:
        parser().error("only efface run takes arguments for Snakemake")
    return guarded(lambda: args.command(args))


def program() -> NoReturn:
    """Run the command of the command line."""
    leave(main())
