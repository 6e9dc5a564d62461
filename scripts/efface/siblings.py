"""Images of one session that belong together: echoes, field maps with their magnitudes, inversions.

What each is for itself is known by then (classify.py). Here it gets the suffix, the entities and the metadata
that BIDS asks of the group ("Magnetic Resonance Imaging": fieldmap data; appendix "Entities").
"""

import itertools
from collections import defaultdict
from dataclasses import dataclass

from efface.classify import Attributes

_ALIKE = ("Rows", "Columns", "Slices", "StudyInstanceUID")  # of a field map's phase and magnitude
_NEAR_MS = 0.02  # two echo times are one
_ECHO_SUFFIX = {"T2starw": "MEGRE", "T2w": "MESE"}  # what several echoes of it are called together
_SERIES_OF_ECHOES = 3  # fewer echoes of a spin echo are a PDw and a T2w
_CORRECTED = ("bold", "sbref", "dwi")  # by a field map


@dataclass(eq=False)
class Member:
    """One image to be: the key of its part, its record in the plan and its attributes."""

    key: str
    record: dict
    attributes: Attributes

    @property
    def suffix(self) -> str:
        """The suffix of BIDS."""
        return self.record["suffix"]

    def number(self, keyword: str) -> float | None:
        """Return a numeric attribute, None when it is absent."""
        try:
            return float(self.attributes[keyword][0])
        except (KeyError, IndexError, ValueError):
            return None


def relate(members: list[Member]) -> dict[str, str]:
    """Name what belongs together, in place; return the reasons to hold what lacks its other half, by key."""
    sessions = defaultdict(list)
    for member in members:
        sessions[member.record["subject"], member.record["session"]].append(member)
    reasons = {}
    for session in sessions.values():
        _number_echoes(session)
        _number_inversions(session, reasons)
        _pair_fieldmaps(session, reasons)
        _find_twins(session)
    return reasons


def _number_echoes(session: list[Member]) -> None:
    """Give echo-1, echo-2, ... to images of one series that differ in their echo time only."""
    groups = defaultdict(list)
    for member in session:
        if member.record["datatype"] != "fmap":
            entities = tuple(sorted(member.record["entities"].items()))
            groups[member.key.split(".")[0], member.suffix, entities].append(member)
    for (_, suffix, _), group in groups.items():
        times = sorted({time for member in group if (time := member.number("EchoTime")) is not None})
        if len(times) < 2 or any(b - a < _NEAR_MS for a, b in itertools.pairwise(times)):
            continue
        for member in group:
            member.record["entities"]["echo"] = str(times.index(member.number("EchoTime")) + 1)
            if len(times) >= _SERIES_OF_ECHOES or suffix == "T2starw":
                member.record["suffix"] = _ECHO_SUFFIX.get(suffix, suffix)


def _number_inversions(session: list[Member], reasons: dict[str, str]) -> None:
    """Give inv-1 and inv-2 to the images of an MP2RAGE, by their inversion times."""
    images = [member for member in session if member.suffix == "MP2RAGE"]
    times = sorted({time for member in images if (time := member.number("InversionTime"))})
    for member in images:
        if len(times) != 2 or member.number("InversionTime") not in times:
            reasons[member.key] = (
                "an MP2RAGE without exactly two inversion times in its session: name it in overrides.tsv"
            )
        else:
            member.record["entities"]["inv"] = str(times.index(member.number("InversionTime")) + 1)


def _pair_fieldmaps(session: list[Member], reasons: dict[str, str]) -> None:
    """Put phase images and maps together with their magnitudes; a half without the other is held."""
    free = defaultdict(list)
    for member in sorted(session, key=_when):
        if member.record["datatype"] == "fmap":
            free[member.suffix].append(member)
    pairs = 0
    for kind in ("fieldmap", "phase"):
        for series in _by_series(free[kind]):
            halves = _magnitudes_for(series, free["magnitude"])
            named = _named(series, halves)
            if not named:
                for member in series:
                    reasons[member.key] = (
                        "a field map's phase or map without a magnitude of its size in the session: "
                        "name it in overrides.tsv"
                    )
                continue
            pairs += 1
            for member, suffix in named.items():
                member.record["suffix"] = suffix
                member.record["metadata"] = {"B0FieldIdentifier": f"B0map{pairs}"} | member.record["metadata"]
            free["magnitude"] = [member for member in free["magnitude"] if member not in halves]
    for member in free["magnitude"]:
        reasons[member.key] = "the magnitude of a field map without its phase: name it in overrides.tsv"
    for member in free["epi"]:
        if "dir" not in member.record["entities"]:
            reasons[member.key] = "a spin-echo EPI field map: name it in overrides.tsv, with dir-"
    if pairs == 1:
        for member in session:
            if member.suffix in _CORRECTED:
                member.record["metadata"] = {"B0FieldSource": "B0map1"} | member.record["metadata"]


def _find_twins(session: list[Member]) -> None:
    """Tell each image that shows no head (phase, field map) which magnitude image of its own slices does."""
    magnitudes = [member for member in session if _component(member) == "MAGNITUDE"]
    for member in session:
        if _component(member) in ("", "MAGNITUDE"):
            continue
        like = [one for one in magnitudes if _same_slices(one, member)]
        member.record["twin"] = min(like, key=lambda one: _distance(one, member)).key if like else None


def _component(member: Member) -> str:
    return (member.attributes.get("Component") or [""])[0]


def _same_slices(one: Member, other: Member) -> bool:
    names = (*_ALIKE, "ImageOrientationPatient", "FrameOfReferenceUID")
    return all(one.attributes.get(name) == other.attributes.get(name) for name in names)


def _distance(one: Member, other: Member) -> tuple:
    """Return how far a magnitude is from an image: another series, another field map, other echoes, later."""
    field = [member.record["metadata"].get("B0FieldIdentifier") for member in (one, other)]
    echoes = [member.number("EchoTime") or 0 for member in (one, other)]
    series = [member.key.split(".")[0] for member in (one, other)]
    return series[0] != series[1], field[0] != field[1], abs(echoes[0] - echoes[1]), _when(one)


def _named(phases: list[Member], halves: list[Member]) -> dict[Member, str]:
    """Return the suffix of each image of one field map, nothing when they make up none that BIDS knows."""
    if not halves:
        return {}
    if phases[0].suffix == "fieldmap" and len(phases) == 1:
        return {phases[0]: "fieldmap", halves[0]: "magnitude"}
    times = sorted(member.number("EchoTime") or 0 for member in halves)
    named = {half: f"magnitude{times.index(half.number('EchoTime') or 0) + 1}" for half in halves}
    if len(phases) == 2:
        first = min(member.number("EchoTime") or 0 for member in phases)
        return named | {
            phase: "phase1" if (phase.number("EchoTime") or 0) == first else "phase2" for phase in phases
        }
    if len(phases) == 1 and len(halves) == 2:
        seconds = [round(time / 1000, 7) for time in times]
        phases[0].record["metadata"] = (
            dict(zip(("EchoTime1", "EchoTime2"), seconds, strict=True)) | phases[0].record["metadata"]
        )
        return named | {phases[0]: "phasediff"}
    return {}


def _magnitudes_for(phases: list[Member], magnitudes: list[Member]) -> list[Member]:
    """Return one series' magnitudes that are like these phases: of their own series, else the last before."""
    like = [
        series
        for series in _by_series(magnitudes)
        if all(series[0].attributes.get(name) == phases[0].attributes.get(name) for name in _ALIKE)
        and _shares_echo(phases, series)
    ]
    own = [series for series in like if series[0].key.split(".")[0] == phases[0].key.split(".")[0]]
    before = [series for series in like if _when(series[0]) <= _when(phases[0])]
    return (own or before[-1:] or like[:1] or [[]])[0]


def _shares_echo(phases: list[Member], magnitudes: list[Member]) -> bool:
    """Say whether the phases' echo times, if they have any, are among those of the magnitudes."""
    wanted = [time for member in phases if (time := member.number("EchoTime"))]
    found = [time for member in magnitudes if (time := member.number("EchoTime"))]
    return all(any(abs(a - b) < _NEAR_MS for b in found) for a in wanted)


def _by_series(members: list[Member]) -> list[list[Member]]:
    """Return the members by series, in the order of their first."""
    series = defaultdict(list)
    for member in members:
        series[member.key.split(".")[0]].append(member)
    return list(series.values())


def _when(member: Member) -> tuple[str, str]:
    parts = ("SeriesDate", "SeriesTime", "AcquisitionTime")
    return "".join((member.attributes.get(part) or [""])[0] for part in parts), member.key
