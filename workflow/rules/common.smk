"""The checked configuration and the helpers of all rule files. No rules here."""

import ast
import json
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

REPOSITORY = Path(workflow.basedir)
SCRIPTS = REPOSITORY / "scripts"
WORKFLOW = REPOSITORY / "workflow"
ENVIRONMENT = str(REPOSITORY / "envs" / "efface.yaml")

sys.path.insert(0, str(SCRIPTS))

from efface.errors import EffaceError
from efface.files import private_folder
from efface.publish import timeless
from efface.schemes import crosswalk_is_kept
from efface.tables import read_json, read_tsv
from efface.tombstones import refuse_unfinished

# A job on a cluster reads these files again: what the study names was checked when the run began.
if workflow.is_main_process:
    from efface.study import checked, save
else:
    from efface.settings import settings as checked

try:
    settings = checked(config)
except EffaceError as error:
    raise WorkflowError(str(error)) from None

# Everything in the work folder is readable by its owner only; publishing sets the release's modes itself.
os.umask(0o077)
private_folder(settings.work)
try:
    refuse_unfinished(settings.work)
except EffaceError as error:
    raise WorkflowError(str(error)) from None
if workflow.is_main_process:
    save(settings)
# The input's path may hold a name: steps get it from the environment, where no log, report or cluster shows it.
# The controller's own programs come first in PATH so that an environment need not be activated.
os.environ |= {
    "EFFACE_INPUT": str(Path(settings.input).resolve()),
    "PATH": f"{Path(sys.executable).parent}:{os.getenv('PATH', os.defpath)}",
}


ANONYMOUS = settings.config["mode"] == "anonymous"
TABLES = settings.tables()
ERASED = f"{settings.work}/key/erased.tsv"
CROSSWALK = f"{settings.work}/key/crosswalk.tsv"
SECOND_KEY = list(filter(None, [settings.config["identity"]["second_key"]]))
ALLOW = list(filter(None, [settings.config["allow"]]))
SCANNERS = list(filter(None, [settings.config["scanners"]]))


def passing(path):
    """Mark an output that leads from a label to a person: in the anonymous mode it goes when it has served."""
    return temp(path) if ANONYMOUS else path


def crosswalk():
    """Return the crosswalk as an output of the plan: kept, gone when tables were imported, or none."""
    scheme = settings.config["identity"]["scheme"]
    if crosswalk_is_kept(settings.config["mode"], scheme):
        return {"crosswalk": update(CROSSWALK)}
    return {"crosswalk": temp(CROSSWALK)} if TABLES else {}


def crosswalk_path(wildcards, output):
    """Return where the plan writes the crosswalk, or nothing."""
    return output.get("crosswalk", "")


def step(name):
    """Return the inputs of a step: its program and every module of the library that it imports."""
    program = SCRIPTS / f"{name}.py"
    return {
        "script": str(program),
        "modules": sorted(map(str, imported(program) - {program})),
    }


def imported(program):
    """Return the file of a program and those of its own modules that it imports, directly or not."""
    found, waiting = set(), [program]
    while waiting:
        source = waiting.pop()
        if source in found:
            continue
        found.add(source)
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [
                    node.module,
                    *(f"{node.module}.{alias.name}" for alias in node.names),
                ]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                stem = SCRIPTS.joinpath(*name.split("."))
                candidates = (stem.with_suffix(".py"), stem / "__init__.py")
                waiting += [path for path in candidates if path.is_file()]
    return found


def folder_of(name):
    """Return a params function: the folder that the output or input of this name lies in."""

    def folder(wildcards, input, output):
        files = output.get(name) or input.get(name)
        return str(Path(files if isinstance(files, str) else files[0]).parent)

    return folder


def planned(wildcards):
    """Return the plan's rows, once there is a plan."""
    return read_tsv(checkpoints.plan_images.get().output.images)


def series_files(wildcards):
    """Return the list of files of the series that an image comes from."""
    series = {row["image"]: row["series"] for row in planned(wildcards)}[
        wildcards.image
    ]
    return f"{settings.work}/index/files/{series}.txt"


def clinical_table(wildcards):
    """Return a clinical table and its dictionary."""
    return dict(zip(("table", "dictionary"), TABLES[wildcards.table]))


def leader_check(wildcards):
    """Return the check of the image that leads this one through its session, if one does."""
    records = Path(checkpoints.plan_images.get().output.records)
    leader = read_json(records / f"{wildcards.image}.json")["leader"]
    return [f"{settings.work}/check/{leader}.json"] if leader else []


def twin_file(pattern):
    """Return an input function: the pattern for the magnitude image of a phase image, nothing for others."""

    def file(wildcards):
        records = Path(checkpoints.plan_images.get().output.records)
        twin = read_json(records / f"{wildcards.image}.json")["twin"]
        return [pattern.format(image=twin)] if twin else []

    return file


def deface_options(wildcards):
    """Return how faces are removed as options; a function, for Snakemake leaves the braces in its words alone."""
    chosen = settings.config["deface"]
    methods = [f"--method={text}" for text in settings.methods()]
    ears = ["--keep-ears"] if chosen["ears"] == "keep" else []
    witness = ["--witness"] if chosen["witness"] else []
    text = settings.config["text"]
    borders = [f"{side}={share}" for side, share in sorted(text["blank"].items())]
    blank = ["--blank", *borders] if borders else []
    search = ["--text"] if text["ocr"] else []
    return [*methods, *ears, *witness, *blank, *search, f"--fill={chosen['fill']}"]


def of_images(pattern):
    """Return an input function: the pattern for every image of the plan."""
    return lambda wildcards: [
        pattern.format(image=row["image"]) for row in planned(wildcards) if row["image"]
    ]


def first_series(queue):
    """Return the table that names the first series of new scanners where a sample is looked at, else nothing."""
    return [queue] if settings.config["review"]["mode"] == "scale" else []


def decisions(wildcards):
    """Return the table of people's decisions, once there is one."""
    table = f"{settings.work}/review/review.tsv"
    return [table] if Path(table).exists() else []


def waiting_for_people(*files):
    """Return what the anonymous mode may only forget when people have decided: without it every label is a new one."""
    return (
        list(files) if ANONYMOUS and settings.config["review"]["mode"] != "none" else []
    )


def published(wildcards):
    """Return what publishing makes, or nothing when no image may be released."""
    outcome = read_tsv(checkpoints.stage_bids.get().output.outcome)
    released = any(row["decision"] == "release" for row in outcome)
    return [f"{settings.release}/MANIFEST.tsv"] if released else []
