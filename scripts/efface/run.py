"""The workflow on one study, started and watched: configuration, progress, what went wrong, exit code."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from efface import tombstones
from efface.errors import HELD, REFUSED, EffaceError, UsageError
from efface.files import alone, private_folder
from efface.publish import blocking, refuse_foreign
from efface.review import waiting
from efface.settings import REPOSITORY, Settings, resolved
from efface.study import checked, save
from efface.tables import read_tsv

_STEPS_DONE = re.compile(r"(\d+) of (\d+) steps \(")
_ROOM = 1 << 20  # bytes: with less a step cannot even write its log
_STYLES = {"released": "green", "refused": "red", "waiting": "yellow", "held": "yellow", "dropped": "dim"}


def study(folder: Path, release: Path, work: Path | None, config: Path | None) -> Settings:
    """Return the settings of a run: a configuration file with the folders of the command line.

    Paths in the file are relative to the file's folder.
    """
    chosen = {}
    if config:
        try:
            chosen = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
        except (OSError, yaml.YAMLError):
            raise UsageError("the configuration", expected="a YAML file", found="none at that path") from None
        if not isinstance(chosen, dict):
            raise UsageError("the configuration", expected="keys and values", found=type(chosen).__name__)
        chosen = resolved(chosen, config.parent)
    chosen |= {"input": str(folder.resolve()), "release": str(release.resolve())}
    chosen["work"] = str((work or Path(f"{release}-work")).resolve())
    chosen.setdefault("dataset", {"name": "Head scans"})
    return checked(chosen)


def run(chosen: Settings, cores: str, arguments: list[str], console: Console) -> int:
    """Run the workflow, print what became of every series and return the exit code."""
    if not (REPOSITORY / "Snakefile").is_file():
        raise UsageError("the workflow is not beside the library", todo="install efface with pip install -e")
    _ready(chosen)
    work = Path(chosen.work)
    started = time.time()
    common = ["--directory", work, "--configfile", save(chosen), "--cores", cores]
    with alone(work) as lock:
        if any((work / ".snakemake" / "locks").glob("*")):  # nobody runs, so a run was killed
            _snakemake([*common, "--unlock"], work, console, lock)
        code = _snakemake([*common, *arguments], work, console, lock)
    outcome = work / "outcome.tsv"
    fresh = outcome.is_file() and (code == 0 or outcome.stat().st_mtime >= started)
    rows = read_tsv(outcome) if fresh else []
    if rows:
        said = {"release": "released" if code == 0 else "waiting" if _waits(work) else "refused"}
        console.print(
            series_table([row | {"decision": said.get(row["decision"], row["decision"])} for row in rows])
        )
    if code != 0:
        for line in _refusals(work, started) or [_unsaid(work)]:
            print(f"efface: {line}", file=sys.stderr)
        return REFUSED
    if not rows:
        return 0  # a dry run, or another target that the caller named
    return _verdict(chosen, rows, console)


def _ready(chosen: Settings) -> None:
    """Refuse before hours of work what would fail at the end."""
    if not Path(chosen.input).is_dir():
        raise UsageError("the input", expected="a folder of DICOM files", found="no such folder")
    release = Path(chosen.release)
    refuse_foreign(release)
    # Publishing renames within the parent, so both must be writable.
    parent = next(folder for folder in release.absolute().parents if folder.exists())
    if not all(os.access(folder, os.W_OK | os.X_OK) for folder in (parent, release) if folder.exists()):
        raise EffaceError(
            "the release cannot be written", expected="a folder that you may write to", todo="choose another"
        )
    tombstones.refuse_unfinished(private_folder(chosen.work))


def _snakemake(arguments: list, work: Path, console: Console, lock: int) -> int:
    program = [sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile"]
    log = private_folder(work / "logs") / "snakemake.log"
    command = [str(part) for part in [*program, *arguments]]
    with (
        log.open("w", encoding="utf-8") as stream,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, pass_fds=[lock]
        ) as process,
    ):
        bar = progress.add_task("Reading headers", total=None)
        for line in process.stdout:
            stream.write(line)
            if steps := _STEPS_DONE.search(line):
                done, total = map(int, steps.groups())
                progress.update(bar, completed=done, total=total, description="Working")
        return process.wait()


def _refusals(work: Path, since: float) -> list[str]:
    """Return what the steps of this run said when they refused, each line once."""
    logs = sorted(path for path in (work / "logs").rglob("*.log") if path.stat().st_mtime >= since - 1)
    lines = [line for path in logs for line in path.read_text("utf-8", "replace").splitlines()]
    return list(dict.fromkeys(line.removeprefix("efface: ") for line in lines if line.startswith("efface: ")))


def _waits(work: Path) -> bool:
    """Return whether nothing but people's decisions keeps the dataset from being published."""
    blocks = blocking(read_tsv(work / "audit" / "findings.tsv"))
    return not blocks and bool(waiting(read_tsv(work / "review" / "required.tsv")))


def _unsaid(work: Path) -> str:
    """Return what to say when no step could say why it failed."""
    if shutil.disk_usage(work).free < _ROOM:
        return "the disk of the work folder is full: free space and start again"
    return f"the workflow failed: see {work}/logs/snakemake.log"


def series_table(rows: list[dict[str, str]]) -> Table:
    """Return what became of every series as a table to print."""
    table = Table("Series", "Modality", "Files", "Image", "Decision", "Reason")
    for row in rows:
        cells = [
            row[column] or "-" for column in ("series", "modality", "files", "image", "decision", "reason")
        ]
        table.add_row(*cells, style=_STYLES.get(row["decision"]))
    return table


def _verdict(chosen: Settings, rows: list[dict[str, str]], console: Console) -> int:
    count = {decision: sum(row["decision"] == decision for row in rows) for decision in ("release", "held")}
    report = f"{chosen.work}/report/index.html"
    if count["release"]:
        console.print(f"Released {count['release']} images: {chosen.release}", soft_wrap=True)
    else:
        console.print("Nothing is released: no series may be.", soft_wrap=True)
    console.print(f"Report with faces, private: {report}", soft_wrap=True)
    console.print(f"Report to share: {chosen.work}/report/release_report.html", soft_wrap=True)
    table = Path(chosen.work, "audit", "findings.tsv")
    if table.is_file() and (found := read_tsv(table)):
        console.print(f"Findings that do not block, {len(found)}: {table}", soft_wrap=True)
    queue = Path(chosen.work, "review", "queue.tsv")
    if queue.is_file() and (rows := read_tsv(queue)):
        console.print(f"{len(rows)} things to look at, private: {queue}", soft_wrap=True)
    if count["held"]:
        advice = "see the reasons above; docs/overrides.md says how a person decides"
        console.print(f"{count['held']} held: {advice}", soft_wrap=True)
        return HELD
    return 0 if count["release"] else REFUSED
