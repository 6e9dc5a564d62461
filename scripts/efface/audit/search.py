"""All that is looked for inside each file of a dataset."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from efface.audit import content, filesystem, geometry, layout, metadata, packed, rules
from efface.audit.digests import Digests
from efface.audit.finding import BLOCK, WARN, Finding
from efface.audit.private import FACTOR, KEY, KeyBytes
from efface.audit.volume import Volume
from efface.audit.voxels import VoxelBytes
from efface.audit.words import Hit, Piece, Row, Words, readings

_REMOVE = "remove it at its source and run again"
_SECRET = "who has it can lead labels or dates back: remove it, and take another key"
_TEXT = frozenset({".tsv", ".tsv.gz", ".bval", ".bvec", ".md", ".txt", ".rst", ".cff", ".bidsignore", ""})


class Search:
    """All that is looked for in one file after another."""

    def __init__(self, dataset: Path, identifiers: list[Mapping], policy: Mapping[str, Mapping] | None):
        self.digests = Digests()
        self.sha256: dict[str, str] = {}  # of the images that were searched, by path
        self._dataset, self._policy, self._shown = dataset, policy, metadata.shown_keys(policy)
        self._words, self._voxels, self._keys = (
            Words(identifiers),
            VoxelBytes(identifiers),
            KeyBytes(identifiers),
        )

    def file(self, path: str) -> Iterator[Finding]:
        """Yield the findings inside one file."""
        whole, suffix = self._dataset / path, layout.suffix(path)
        for fault in layout.faults(self._dataset, path):
            yield Finding("names", BLOCK, path, "the file", fault, "keep it out of the dataset")
        for doubt in layout.doubts(path):
            yield Finding("names", WARN, path, "file name", doubt, "number sessions and runs")
        for number, raw in enumerate(filesystem.attributes(whole).values(), 1):
            where = f"extended attribute {number}"
            yield from self.pieces(path, content.byte_pieces(raw, where))
        if whole.stat().st_size == 0:
            yield Finding("files", BLOCK, path, "the file", "an empty file", "keep it out of the dataset")
        elif suffix in layout.IMAGES:
            yield from self._volume(path)
        elif suffix == ".json":
            yield from self._json(path)
        elif suffix in _TEXT or ("/" not in path and suffix not in layout.FOREIGN):
            yield from self._text(path, suffix)
        else:
            yield from self._foreign(path)
        if suffix not in layout.IMAGES and self._keys:
            layers = packed.layers(content.start(whole))
            yield from self._key(path, any(map(self._keys.within, layers)))

    def pieces(self, path: str, pieces: Iterable[Piece]) -> Iterator[Finding]:
        """Yield what pieces of a file's text hold."""
        for piece in pieces:
            self.digests.look(path, piece)
            texts = list(readings(piece))
            for hit in self._words.hits(piece.role, texts):
                yield self._named(path, piece, hit)
            for hidden, text in texts:
                for what in rules.breaches(piece._replace(text=text)):
                    severity = WARN if path == "CHANGES" and what.startswith("a date") else BLOCK
                    what = f"{what} {hidden}".strip()
                    yield Finding("rule", severity, path, piece.where, what, _REMOVE)

    def _named(self, path: str, piece: Piece, hit: Hit) -> Finding:
        if hit.row.kind in (KEY, FACTOR):
            return _secret(path, piece.where, hit.row, hit.hidden)
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
        blocks = self._keys.watch(volume.blocks(self._dataset / path))
        for row in self._voxels.rows(blocks, lambda: volume.bits == 8):
            secret = row.kind in (KEY, FACTOR)
            found = Finding("identifier", BLOCK, path, "voxel data", str(row), _REMOVE)
            yield _secret(path, "voxel data", row) if secret else found
        self.sha256[path] = volume.sha256
        yield from self._key(path, self._keys.seen or any(map(self._keys.within, volume.strays)))
        for fault in volume.faults:
            yield Finding("structure", BLOCK, path, "the image's file", fault, "write the image anew")
        for doubt in geometry.doubts(self._dataset / path):
            yield Finding("structure", WARN, path, "the image's file", doubt, "keep one of them")
        yield from self.pieces(path, (Piece("around the voxels", "data", text) for text in volume.texts()))

    def _foreign(self, path: str) -> Iterator[Finding]:
        whole = self._dataset / path
        yield from self.pieces(path, content.binary_pieces(whole))
        for fault in packed.owners(content.start(whole)):
            yield Finding("structure", BLOCK, path, "the file", fault, "keep it out of the dataset")

    def _key(self, path: str, found: bool) -> Iterator[Finding]:
        if found:
            yield Finding("secret", BLOCK, path, "its bytes", "a key, as the bytes it is", _SECRET)

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
        if suffix in (".bval", ".bvec", ".tsv.gz") and not content.numbers_only(whole):
            yield Finding("structure", BLOCK, path, "the file", "more than numbers", "write the file anew")


def _secret(path: str, where: str, row: Row, hidden: str = "") -> Finding:
    what = f"{row.kind} of {row.attribute} {hidden}".strip()
    return Finding("secret", BLOCK, path, where, what, _SECRET)
