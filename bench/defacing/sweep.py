"""The sweep: what becomes of disturbed copies of one head whose landmarks are drawn by hand."""

import json
import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib

from defacing.brains import brain_of, voxels_of
from defacing.case import Case
from defacing.disturb import cases
from defacing.found import Found, judge
from defacing.heads import Head
from defacing.peers import THREADS, command
from defacing.skin import LANDMARKS
from efface.errors import HELD


@dataclass(frozen=True)
class Outcome:
    """What became of a case: the kind is right, wrong, held, or held lie."""

    kind: str
    decision: str
    found: Found | None
    seconds: float | None


def sweep(head: Head, folder: Path, only: tuple[str, ...]) -> int:
    """Print a line a case and the totals; return how many are wrong.

    Parameters
    ----------
    head : one of LANDMARKS
    folder : for files in between
    only : what the names of the cases start with
    """
    image, brain = nib.load(head.path), voxels_of(brain_of(head, folder))
    print("| case | outcome | decision | brain voxels changed | worst skin | seconds |\n" + "|---" * 6 + "|")
    counts = Counter({"right": 0, "wrong": 0, "held": 0, "held lie": 0})
    for case in cases(image, brain, LANDMARKS[head.name], only):
        outcome = _outcome(case, head, folder)
        counts[outcome.kind] += 1
        changed, worst = "-", "-"
        if outcome.found:
            changed = "-" if case.brain is None else outcome.found.brain_changed
            region, share = outcome.found.worst()
            worst = f"{region} {share:.1%}"
        cells = [case.name, outcome.kind, outcome.decision, changed, worst, outcome.seconds or "-"]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    print("\n" + ", ".join(f"{number} {kind}" for kind, number in counts.items()))
    return counts["wrong"]


def _outcome(case: Case, head: Head, folder: Path) -> Outcome:
    """Return what becomes of one case."""
    source, out, mask = (folder / f"case_{part}.nii.gz" for part in ("in", "out", "mask"))
    report = folder / "case_out.json"
    for path in (out, mask, report):
        path.unlink(missing_ok=True)
    nib.save(case.image, source)
    ours = [*command("efface", source, out, head.modality, None), "--mask", mask]
    done = subprocess.run(
        ours, env=os.environ | THREADS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    if not report.exists():
        return Outcome("wrong", f"exit {done.returncode}", None, None)
    check = json.loads(report.read_text())
    decision, seconds = check["decision"], check["seconds"]
    # A held image leaves no file and its own exit code; any other leaves a file and 0.
    if (decision == "held", done.returncode) not in ((True, HELD), (False, 0)):
        return Outcome("wrong", f"{decision}, exit {done.returncode}", None, seconds)
    if (decision == "held") == out.exists():
        return Outcome("wrong", f"{decision}, {'a' if out.exists() else 'no'} file", None, seconds)
    if decision == "held":
        return Outcome("held lie" if case.lies else "held", decision, None, seconds)
    found = judge(case, out, mask)
    return Outcome("wrong" if found.wrong else "right", decision, found, seconds)
