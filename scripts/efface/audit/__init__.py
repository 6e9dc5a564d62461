"""The last look at a dataset before anybody else sees it: byte by byte, and trusting nobody.

A judge: it shares no code with the steps that made the dataset.
"""

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from efface.audit import content, faces, layout, metadata, rules
from efface.audit.finding import BLOCK, COLUMNS, WARN, Finding
from efface.audit.manifest import unlisted
from efface.audit.validator import validated
from efface.audit.volume import Volume
from efface.audit.voxels import VoxelBytes
from efface.audit.words import Hit, Piece, Words

__all__ = ["BLOCK", "COLUMNS", "WARN", "Finding", "audit", "files_below"]

_REMOVE = "remove it at its source and run again"
_TEXT = frozenset({".tsv", ".tsv.gz", ".bval", ".bvec", ".md", ".txt", ".rst", ".cff", ".bidsignore", ""})
_ORDER = {BLOCK: 0, WARN: 1}


def audit(
    dataset: Path | str,
    identifiers: Iterable[Mapping[str, str]] = (),
    *,
    policy: Mapping[str, Mapping] | None = None,
    checks: Path | str | None = None,
    released: Collection[str] | None = None,
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
        Folder of the records that faces were removed, `{image}.json`. Without it, faces are not judged.
    released : collection of str, optional
        The names of the images that were decided to be released: these and no others must be there.
    validate : bool
        Run the BIDS validator too.
    """
    dataset, rows = Path(dataset), list(identifiers)
    search = _Search(dataset, Words(rows), VoxelBytes(rows), policy)
    findings, paths = set(), []
    for path, kind in files_below(dataset):
        findings.update(search.pieces(path, content.path_pieces(path)))
        if kind:
            findings.add(Finding("files", BLOCK, path, "", kind, "put a plain file there, or nothing"))
            continue
        paths.append(path)
        findings.update(search.file(path))
    findings.update(unlisted(dataset, paths))
    images = [path for path in paths if faces.is_image(path)]
    if checks is not None:
        findings.update(faces.unproven(dataset, images, Path(checks)))
    if released is not None:
        findings.update(faces.undecided(images, released))
    if not images:
        findings.add(
            Finding("files", WARN, "", "", "nothing to release", "see the reasons in the table of series")
        )
    elif validate:
        findings.update(validated(dataset))
    return sorted(findings, key=lambda f: (_ORDER[f.severity], f))


def files_below(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each file below a folder, sorted, relative and with slashes, and what is odd about its kind.

    Links are not followed. Folders only count when they are empty: nothing else would name them.
    """
    for place, folders, files in os.walk(folder, onerror=_raise):
        folders.sort()
        below = Path(place).relative_to(folder)
        for name in sorted(files + [name for name in folders if Path(place, name).is_symlink()]):
            mode = Path(place, name).lstat().st_mode
            kind = "" if stat.S_ISREG(mode) else "a link" if stat.S_ISLNK(mode) else "not a plain file"
            yield (below / name).as_posix(), kind
        if not folders and not files and Path(place) != Path(folder):
            yield below.as_posix(), "an empty folder"


def _raise(error: OSError) -> None:
    raise error


class _Search:
    """All that is looked for in one file after another."""

    def __init__(self, dataset: Path, words: Words, voxels: VoxelBytes, policy: Mapping[str, Mapping] | None):
        self._dataset, self._words, self._voxels, self._policy = dataset, words, voxels, policy
        self._shown = metadata.shown_keys(policy)

    def file(self, path: str) -> Iterator[Finding]:
        """Yield the findings inside one file."""
        whole, suffix = self._dataset / path, layout.suffix(path)
        for fault in layout.faults(self._dataset, path):
            yield Finding("names", BLOCK, path, "the file", fault, "keep it out of the dataset")
        if whole.stat().st_size == 0:
            yield Finding("files", BLOCK, path, "the file", "an empty file", "keep it out of the dataset")
        elif suffix in layout.IMAGES:
            yield from self._volume(path)
        elif suffix == ".json":
            yield from self._json(path)
        elif suffix in _TEXT or ("/" not in path and suffix != ".png"):
            yield from self._text(path, suffix)
        else:
            yield from self.pieces(path, content.binary_pieces(whole))

    def pieces(self, path: str, pieces: Iterable[Piece]) -> Iterator[Finding]:
        """Yield what pieces of a file's text hold."""
        for piece in pieces:
            for hit in self._words.hits(piece):
                yield self._named(path, piece, hit)
            for what in rules.breaches(piece):
                severity = WARN if path == "CHANGES" and what.startswith("a date") else BLOCK
                yield Finding("rule", severity, path, piece.where, what, _REMOVE)

    def _named(self, path: str, piece: Piece, hit: Hit) -> Finding:
        severity, advice = BLOCK, _REMOVE
        if not hit.strong:
            severity, advice = WARN, "a lone word: look whether it is somebody's"
        elif piece.role == "task" and hit.row.kind in ("text", "private"):
            severity, advice = WARN, "the task's name is also in the headers: look whether it is somebody's"
        elif (
            piece.role == "prose" and hit.row.kind in ("name", "place") and "Patient" not in hit.row.attribute
        ):
            # Authors and their institutes are named on purpose; they may also have run the scanner.
            severity, advice = WARN, "staff or institution: look whether it is named on purpose"
        how = f" {hit.hidden}" * bool(hit.hidden)
        return Finding("identifier", severity, path, piece.where, f"{hit.row}{how}", advice)

    def _volume(self, path: str) -> Iterator[Finding]:
        volume = Volume()
        found = self._voxels.rows(volume.blocks(self._dataset / path), lambda: volume.bits == 8)
        for row in found:
            yield Finding("identifier", BLOCK, path, "voxel data", str(row), _REMOVE)
        for fault in volume.faults:
            yield Finding("structure", BLOCK, path, "the image's file", fault, "write the image anew")
        yield from self.pieces(path, (Piece("around the voxels", "data", text) for text in volume.texts()))

    def _json(self, path: str) -> Iterator[Finding]:
        whole = self._dataset / path
        try:
            yield from self.pieces(path, content.json_pieces(whole, self._shown))
            for severity, place, fault in metadata.key_faults(whole, path, self._policy):
                yield Finding(
                    "metadata", severity, path, place, fault, "add it to the policy with a reason, or drop it"
                )
        except content.Unreadable as error:
            yield Finding("structure", BLOCK, path, "the file", str(error), "write the file anew")
            yield from self.pieces(path, content.binary_pieces(whole))

    def _text(self, path: str, suffix: str) -> Iterator[Finding]:
        whole = self._dataset / path
        try:
            yield from self.pieces(path, content.line_pieces(whole))
        except content.Unreadable as error:
            yield Finding("structure", BLOCK, path, "the file", str(error), "write the file anew, in UTF-8")
        if suffix == ".tsv":
            for severity, place, fault in metadata.table_faults(whole):
                yield Finding("metadata", severity, path, place, fault, "drop or coarsen the column")
        if suffix in (".bval", ".bvec") and not content.numbers_only(whole):
            yield Finding("structure", BLOCK, path, "the file", "more than numbers", "write the file anew")
