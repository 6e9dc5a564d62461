"""Two pages: a private one for whoever decides, which shows faces, and a public one, which does not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

from efface.evidence import Image

_TEMPLATES = Path(__file__).parents[2] / "workflow" / "templates"
_DECISIONS = ("release", "held", "dropped")


def private_page(
    outcome: Sequence[Mapping[str, str]],
    findings: Sequence[Mapping[str, str]],
    shown: Sequence[Image],
    release: str,
    waiting: int = 0,
    queue: Sequence[Mapping[str, str]] = (),
    cells: Sequence[Mapping[str, str]] = (),
    profiles: Mapping[str, str] | None = None,
) -> str:
    """Return the page for whoever decides: every series, every image before and after, every finding.

    Parameters
    ----------
    waiting : int
        Decisions of people that publishing waits for.
    queue, cells : sequence of mapping
        Rows of the tables of what a person should look at, and of how many people share what is told.
    profiles : mapping of str to str
        By image, who has looked at its scanner.
    """
    in_doubt = {image.name for image in shown if image.face_in_doubt}
    rows = [dict(row) | {"todo": todo(row, row["image"] in in_doubt)} for row in outcome]
    rows = [row | {"profile": (profiles or {}).get(row["image"], "–")} for row in rows]
    rows.sort(key=lambda row: (_DECISIONS.index(row["decision"]), row["image"], row["series"]))
    return _render(
        "private.html",
        verdict=verdict(outcome, findings, waiting),
        counts=_counts(outcome),
        rows=rows,
        findings=findings,
        blocking=_blocking(findings),
        images=shown,
        release=release,
        queue=Counter(row["kind"] for row in queue),
        cells=next((row for row in cells if row["kind"] == "all columns"), None),
    )


def public_page(
    outcome: Sequence[Mapping[str, str]],
    findings: Sequence[Mapping[str, str]],
    shown: Sequence[Image],
    name: str,
    record: Mapping[str, object],
    waiting: int = 0,
) -> str:
    """Return the page to publish: the release record in words, and defaced pictures.

    It holds no series key, no reason for a decision, no path and nothing of an image that is not released.

    Parameters
    ----------
    name : str
        Of the dataset.
    record : mapping
        What the staged release_record.json holds.
    """
    passed = verdict(outcome, findings, waiting)[0] == "released"
    released = [image for image in shown if image.decision == "release"] if passed else []
    return _render(
        "public.html",
        name=name,
        record=record,
        passed=passed,
        counts=_counts(outcome),
        images=released,
        allowed=sum(row["severity"] == "allowed" for row in findings),
    )


def verdict(
    outcome: Sequence[Mapping[str, str]], findings: Sequence[Mapping[str, str]], waiting: int = 0
) -> tuple[str, str]:
    """Return one word and one sentence: what came of the run."""
    blocking = _blocking(findings)
    count = _counts(outcome)
    if blocking:
        return (
            "refused",
            f"Nothing is published: {blocking} finding{'s' * (blocking != 1)} of the audit must go first.",
        )
    if waiting:
        decisions = f"{waiting} decision{'s' * (waiting != 1)}"
        return "waiting", f"Nothing is published yet: it waits for {decisions}; run efface review."
    if not count["release"]:
        return "empty", "Nothing is published: no image may be released."
    images = f"{count['release']} image{'s' * (count['release'] != 1)} released."
    held = f" {count['held']} held: a person must decide." if count["held"] else ""
    return "released", f"The audit found nothing that blocks. {images}{held}"


def _blocking(findings: Sequence[Mapping[str, str]]) -> int:
    return sum(row["severity"] not in ("warn", "allowed") for row in findings)


def todo(row: Mapping[str, str], face_in_doubt: bool = False) -> str:
    """Return what a person can do about a row of the outcome."""
    if row["decision"] == "release":
        return "look at its picture"
    if row["decision"] == "dropped":
        return "nothing: a rule"
    if not row["series"]:
        return "put readable files in their place"
    if face_in_doubt:
        return "look at its picture; it stays held"
    return "decide: keep or drop"


def _counts(outcome: Sequence[Mapping[str, str]]) -> dict[str, int]:
    count = Counter(row["decision"] for row in outcome)
    return {decision: count[decision] for decision in _DECISIONS}


def _render(template: str, **content: object) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(content)
