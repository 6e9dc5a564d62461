"""What lies with the key: values that no release may hold, and the true order of people."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from efface.dates import factor
from efface.errors import UsageError
from efface.tables import read_tsv

_NEEDED = ("participant_id", "source_id", "birth_date", "first_session")
KEY, FACTOR = "key", "factor"


def secrets(crosswalk: Path | str | None = None, keys: Iterable[Path | str] = ()) -> list[dict[str, str]]:
    """Return rows of identifiers: the keys, and what the crosswalk knows of each person.

    With a key go the factors that undo stretched intervals, one a person (`dates.mode: proportional`).

    Parameters
    ----------
    crosswalk : Path, optional
        TSV with participant_id, source_id, birth_date and first_session.
    keys : iterable of Path
        Files with a key in hexadecimal each; one that is not there is passed over.

    Raises
    ------
    UsageError
        When a key is not in hexadecimal.
    """
    people = _people(crosswalk)
    rows = [
        {"kind": kind, "attribute": f"{column} of the crosswalk", "value": person[column].replace("-", "")}
        for person in people
        for kind, column in (("date", "birth_date"), ("date", "first_session"))
    ]
    rows += [
        {"kind": "id", "attribute": "PatientID (crosswalk)", "value": one["source_id"]} for one in people
    ]
    for path in filter(Path.is_file, map(Path, keys)):
        try:
            key = bytes.fromhex(path.read_text(encoding="utf-8").strip())
        except ValueError:
            raise UsageError("a key file", expected="a key in hexadecimal") from None
        rows.append({"kind": KEY, "attribute": "labels and dates", "value": key.hex()})
        for person in people:
            found = factor(key, person["participant_id"].removeprefix("sub-"))
            rows.append({"kind": FACTOR, "attribute": "intervals", "value": f"{found:.10f}"})
    return [row for row in rows if row["value"]]


def order(crosswalk: Path | str) -> dict[str, str]:
    """Return the day of each participant's first session, without those of whom it is not known."""
    return {row["participant_id"]: row["first_session"] for row in _people(crosswalk) if row["first_session"]}


def _people(crosswalk: Path | str | None) -> list[dict[str, str]]:
    return read_tsv(crosswalk, _NEEDED) if crosswalk and Path(crosswalk).is_file() else []


class KeyBytes:
    """Keys as the bytes they are, found in any bytes.

    Parameters
    ----------
    identifiers : iterable of mapping
        With the keys kind, attribute and value.
    """

    def __init__(self, identifiers: Iterable[Mapping[str, str]]):
        self._keys = [bytes.fromhex(row["value"]) for row in identifiers if row["kind"] == KEY]
        self._longest = max(map(len, self._keys), default=0)
        self.seen = False

    def __bool__(self) -> bool:
        return bool(self._keys)

    def within(self, raw: bytes) -> bool:
        """Return whether a key is in these bytes."""
        return any(key in raw for key in self._keys)

    def watch(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the blocks of a stream on; afterwards `seen` says whether a key was in them."""
        self.seen, tail = False, b""
        for block in blocks:
            if self._keys and not self.seen:
                # Of a block only its ends are copied: images are large.
                self.seen = self.within(block) or self.within(tail + block[: self._longest])
                tail = (tail + block[-self._longest :])[-self._longest :]
            yield block
