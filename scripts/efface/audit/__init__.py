"""The last look at a dataset before anybody else sees it: byte by byte, and trusting nobody.

A judge: it shares no code with the steps that made the dataset.
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from efface.audit import content, faces, filesystem, order, rare
from efface.audit.filesystem import files_below
from efface.audit.finding import ALLOWED, BLOCK, COLUMNS, WARN, Finding, in_order
from efface.audit.manifest import unlisted
from efface.audit.search import Search
from efface.audit.validator import validated
from efface.audit.words import Piece

__all__ = ["ALLOWED", "BLOCK", "COLUMNS", "WARN", "Finding", "audit", "files_below"]


def audit(
    dataset: Path | str,
    identifiers: Iterable[Mapping[str, str]] = (),
    *,
    policy: Mapping[str, Mapping] | None = None,
    checks: Path | str | None = None,
    released: Collection[str] | None = None,
    days: Mapping[str, str] | None = None,
    validate: bool = True,
) -> list[Finding]:
    """Return what keeps a dataset from being published, and what a person should look at; empty when clean.

    Parameters
    ----------
    dataset : Path
        A BIDS dataset, anybody's.
    identifiers : iterable of mapping
        Values that must not be found, with the keys kind, attribute and value.
    policy : mapping of str to mapping, optional
        The allow-list of sidecar keys, each with its rule. Without it, keys known to leak are looked for.
    checks : Path, optional
        Folder of the records that faces were removed, `{image}.json`: the dataset is not published yet.
        Without it faces are not judged, and what the file system tells is.
    released : collection of str, optional
        The names of the images that were decided to be released: these and no others must be there.
    days : mapping of str to str, optional
        Label of a participant to the true day of the first session, from `private.order`.
    validate : bool
        Run the BIDS validator too.
    """
    dataset, rows = Path(dataset), list(identifiers)
    below, paths = list(files_below(dataset)), []
    images = [path for path, kind in below if not kind and faces.is_image(path)]
    # First, so that the validator's memory and that of the search do not add up.
    findings = set(validated(dataset)) if images and validate else set()
    search = Search(dataset, rows, policy)
    for path, kind in below:
        findings.update(search.pieces(path, content.path_pieces(path)))
        if (dataset / path).is_symlink():
            target = Piece("where the link leads", "data", str((dataset / path).readlink()))
            findings.update(search.pieces(path, [target]))
        if kind:
            findings.add(Finding("files", BLOCK, path, "", kind, "put a plain file there, or nothing"))
            continue
        paths.append(path)
        findings.update(search.file(path))
    findings.update(unlisted(dataset, paths, search.sha256))
    findings.update(search.digests.unreleased(dataset, paths))
    findings.update(rare.told(images))
    people = sorted({path.split("/")[0] for path in images if path.startswith("sub-")})
    findings.update(order.told(dataset, people, days))
    if checks is not None:
        findings.update(faces.unproven(dataset, images, Path(checks), search.sha256))
    else:
        findings.update(filesystem.told(dataset, paths))
    if released is not None:
        findings.update(faces.undecided(images, released))
    if not images:
        findings.add(
            Finding("files", WARN, "", "", "nothing to release", "see the reasons in the table of series")
        )
    return in_order(findings)
