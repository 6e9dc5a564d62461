"""What each command of the command line does; modules that are slow to import wait for their command."""

import csv
import getpass
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace as Namespace

from efface.errors import HELD, REFUSED, UsageError
from efface.files import private_folder
from efface.settings import WORKFLOW, policy_file
from efface.tables import read_json, read_tsv, write_json, write_tsv

_WIDE = 200  # when nobody sees a terminal, a table's cells are not broken into lines


def run_workflow(args: Namespace) -> int:
    """Take a folder of DICOM the whole way; return the exit code, as all of these do."""
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


def convert_folder(args: Namespace) -> int:
    """Convert a folder of DICOM, with the proof, and print what became of every series."""
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


def deface_image(args: Namespace) -> int:
    """Deface one image and print the decision."""
    _import_nibabel_alone()
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


def _import_nibabel_alone() -> None:
    """Import nibabel without pydicom: for DICOM in NIfTI headers it would load all decoders, for 0.3 s."""
    if not {"nibabel", "pydicom"} & sys.modules.keys():
        sys.modules["pydicom"] = None
        import nibabel  # noqa: F401

        del sys.modules["pydicom"]


def audit_dataset(args: Namespace) -> int:
    """Print what identifies in a dataset."""
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


def review_images(args: Namespace) -> int:
    """Serve the page on which a person decides."""
    from efface.server import serve
    from efface.study import standing

    os.umask(0o077)
    serve(standing(args.work), args.port, args.by or getpass.getuser(), lambda said: print(said, flush=True))
    return 0


def look_up(args: Namespace) -> int:
    """Print the source ID behind a label."""
    from efface.lookup import lookup
    from efface.study import standing

    os.umask(0o077)
    print(lookup(standing(args.work), args.label))
    return 0


def erase_person(args: Namespace) -> int:
    """Erase a person and print what is left to do."""
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


def diff_policies(args: Namespace) -> int:
    """Print what two policies keep or modify differently."""
    from efface.profile import DIFFERENCES, diff

    _print_rows(diff(_policy(args.a), _policy(args.b)), DIFFERENCES)
    return 0


def compare_policy(args: Namespace) -> int:
    """Print how a policy goes beside DICOM's own profile."""
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
