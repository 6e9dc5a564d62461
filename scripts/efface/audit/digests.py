"""Digests: one of a file that is not released tells whoever has that file whose release it is."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from efface.audit.finding import BLOCK, Finding
from efface.audit.manifest import NAME
from efface.audit.words import Piece

_METHODS = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
# A web address may hold a commit of a program; and so do these keys of dataset_description.json.
_DIGEST = re.compile(r"https?://\S*|(?<![0-9A-Za-z])[0-9a-fA-F]{32,128}(?![0-9A-Za-z])")
_OF_PROGRAMS = re.compile(r"key GeneratedBy > (?:Version|CodeURL|Container > (?:Tag|URI))")
_ADVICE = "leave it out: only digests of released files may be told, and the manifest has those"


class Digests:
    """The digests that are seen in a dataset, and where."""

    def __init__(self):
        self._seen: dict[str, set[tuple[str, str]]] = {}

    def look(self, path: str, piece: Piece) -> None:
        """Take note of the digests in a piece of a file's text; the manifest's are compared elsewhere."""
        if path == NAME or len(piece.text) < min(_METHODS):
            return
        if PurePosixPath(path).name == "dataset_description.json" and _OF_PROGRAMS.fullmatch(piece.where):
            return
        for text in _DIGEST.findall(piece.text):
            if len(text) in _METHODS and not text.isdigit() and not text.startswith("http"):
                self._seen.setdefault(text.lower(), set()).add((path, piece.where))

    def unreleased(self, dataset: Path, paths: list[str]) -> Iterator[Finding]:
        """Yield a finding for each digest that is of none of the dataset's files.

        Files are only read for it when there is a digest, and of methods of its length.
        """
        left = set(self._seen)
        for method in sorted({_METHODS[len(digest)] for digest in left}):
            for path in paths:
                with (dataset / path).open("rb") as stream:
                    left.discard(hashlib.file_digest(stream, method).hexdigest())
        for digest in left:
            for path, where in self._seen[digest]:
                what = f"a digest of {len(digest) * 4} bits, and not of a file of this dataset"
                yield Finding("digest", BLOCK, path, where, what, _ADVICE)
