"""Whether a published dataset is still what its manifest says."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from efface import tables
from efface.audit.finding import BLOCK, Finding
from efface.errors import EffaceError
from efface.files import sha256

NAME = "MANIFEST.tsv"


def unlisted(dataset: Path, paths: list[str], digests: Mapping[str, str]) -> Iterator[Finding]:
    """Yield each file that the manifest does not list, lists but is absent, or lists with another digest.

    Parameters
    ----------
    paths : list of str
        The dataset's files, relative to it. Without a manifest among them there is nothing to compare.
    digests : mapping of str to str
        SHA-256 of files that were read already, by path.
    """
    if NAME not in paths:
        return
    try:
        listed = {row["path"]: row["sha256"] for row in tables.read_tsv(dataset / NAME, ("path", "sha256"))}
    except (EffaceError, UnicodeDecodeError):
        yield Finding("files", BLOCK, NAME, "", "not a manifest of efface", "publish again")
        return
    for path in sorted(listed.keys() - set(paths)):
        yield Finding("files", BLOCK, path, "", "in the manifest, but absent", "publish again")
    for path in sorted(set(paths) - {NAME}):
        if path not in listed:
            yield Finding("files", BLOCK, path, "", "not in the manifest", "publish again")
        elif listed[path] != (digests.get(path) or sha256(dataset / path)):
            yield Finding("files", BLOCK, path, "", "changed since it was published", "publish again")
