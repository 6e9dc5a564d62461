"""Whether one person alone has, or alone lacks, a kind of image: who knows of it knows the person."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from efface.audit.finding import WARN, Finding

_FEWEST = 6  # of fewer people each is somehow alone
_OWN = re.compile(r"(?:sub|ses|run)-[A-Za-z0-9]+_")
_ADVICE = "look whether that tells who it is, and hold the series in overrides.tsv if it does"


def told(images: Sequence[str]) -> Iterator[Finding]:
    """Yield a warning for each person whose images or number of sessions nobody else's are like.

    Parameters
    ----------
    images : sequence of str
        Paths relative to the dataset, `sub-.../...`.
    """
    kinds, sessions = defaultdict(set), defaultdict(set)
    for path in images:
        parts = PurePosixPath(path).parts
        if parts[0].startswith("sub-"):
            kinds[parts[0]].add(_OWN.sub("", parts[-1]))
            sessions[parts[0]].update(part for part in parts if part.startswith("ses-"))
    people = defaultdict(set)
    for person, own in kinds.items():
        for kind in {*own, f"{len(sessions[person])} sessions"}:
            people[kind].add(person)
    if len(kinds) < _FEWEST:
        return
    for person in sorted(kinds):
        has = sum(them == {person} for them in people.values())
        lacks = sum(set(kinds) - them == {person} for them in people.values())
        if has:
            what = "images, or a number of sessions, that nobody else has"
            yield Finding("rare", WARN, person, "its images", what, _ADVICE)
        elif lacks:
            yield Finding(
                "rare", WARN, person, "its images", "a kind of image is absent that all others have", _ADVICE
            )
