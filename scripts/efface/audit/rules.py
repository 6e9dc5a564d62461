"""General rules: text that identifies whoever it belongs to, with no list of values to compare with."""

import contextlib
import getpass
import re
import socket
from collections.abc import Iterator

from efface.audit.spelling import FIRST_REAL_YEAR
from efface.audit.vocabulary import PUBLIC
from efface.audit.words import Piece

_YEAR, _MONTH, _DAY = r"(19\d\d|20\d\d)", r"(0[1-9]|1[0-2])", r"(0[1-9]|[12]\d|3[01])"
_MONTH_NAME = (
    r"(?:jan(?:uary|uari|uar)?|feb(?:ruary|ruari|ruar)?|mar(?:ch|s)?|märz|apr(?:il)?|may|maj|mai|june?|juni|july?|juli"
    r"|aug(?:ust|usti)?|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)"
)
_DATES = (
    re.compile(rf"(?<![\d.]){_YEAR}-{_MONTH}-{_DAY}(?!\d)"),
    re.compile(rf"(?<![\d.]){_YEAR}[/.]{_MONTH}[/.]{_DAY}(?![\d.])"),
    re.compile(rf"(?<![\d.])(?:{_DAY}[/.-]{_MONTH}|{_MONTH}[/.-]{_DAY})[/.-](?P<last>{_YEAR})(?![\d])"),
    re.compile(rf"(?<![\d.]){_YEAR}{_MONTH}{_DAY}(?![\d.])"),
    re.compile(
        rf"(?<!\d)\d{{1,2}}(?:th|st|nd|rd|\.)?[ -]?{_MONTH_NAME}\.?,?[ -]?(?P<last>{_YEAR})(?!\d)", re.I
    ),
    re.compile(rf"\b{_MONTH_NAME}\.? \d{{1,2}}(?:th|st|nd|rd)?,? (?P<last>{_YEAR})(?!\d)", re.I),
)
_CLOCK = re.compile(r"(?<![\d:.])([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?![\d:])")
# RFC 5321 4.5.3.1.1: 64 octets at most before the sign; without a limit long lines take for ever.
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b", re.I)
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ -]?(?:\(0\)[ -]?)?\d(?:[ -]?\d){6,12}"
    r"|0\d{1,3}[-/ ]\d{2,4}(?:[ -]?\d{2,3}){1,3}"
    r"|\(?\d{3}\)?[ -]\d{3}-\d{4})(?![\d.])"
)
_PERSONNUMMER = re.compile(
    r"(?<![\d.])(?:19|20)?(\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[1-8]\d|9[01])[-+]?\d{4})(?![\d.])"
)
_SSN = re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_HSA_ID = re.compile(r"\bSE\d{10}-[A-Z0-9]{2,}", re.I)
# PS3.5 section 9: numbers joined by points, without leading zeros. Roots of the standard itself are public.
_UID = re.compile(
    r"(?<![\d.])(?!1\.2\.840\.10008\.)[012](?:\.(?:0|[1-9]\d*)){5,}(?![\d.]*\d)|(?<![\d.])2\.25\.\d{16,}"
)
_PATH = re.compile(
    r"(?:^|(?<=[\s\"'=(,;\[]))(?:/(?:[\w.+@-]+/)+[\w.+@-]*|/(?:home|root|mnt|tmp|data|media|Users|Volumes)\b"
    r"|~/[\w.]+|[A-Za-z]:\\\w+|\\\\\w+\\\w+)|file://"
)
# A clinic's own network: hosts without a domain, or with one that is nobody else's (RFC 1918, RFC 8375).
_INNER_HOST = re.compile(
    r"\b(?:https?|ftp|sftp|ssh|smb|dicom|file)://(?:[^\s/@]+@)?(?:[\w-]+(?=[:/\s]|$)"
    r"|[\w.-]+\.(?:local|lan|intern|internal|intra|home\.arpa)\b"
    r"|(?:10|127)\.\d+\.\d+\.\d+|192\.168\.\d+\.\d+|172\.(?:1[6-9]|2\d|3[01])\.\d+\.\d+)",
    re.I,
)
_UNINFORMATIVE = frozenset(
    {"root", "user", "users", "admin", "localhost", "ubuntu", "debian", "docker", "runner"}
)


def _own_patterns() -> list[re.Pattern]:
    names = [socket.gethostname(), socket.gethostname().split(".")[0]]
    with contextlib.suppress(KeyError, OSError):  # a user without a name, as in containers
        names.append(getpass.getuser())
    telling = sorted({n for n in names if len(n) >= 4 and n.lower() not in _UNINFORMATIVE | PUBLIC})
    return [re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.I) for name in telling]


_OWN = _own_patterns()


def breaches(piece: Piece) -> Iterator[str]:
    """Yield what a piece of text holds that no release may hold, in words, each once."""
    text = piece.text
    if any(_real(match) for pattern in _DATES for match in pattern.finditer(text)):
        yield "a date after 1925"
    if piece.role == "number":
        return
    if any(
        match[0] != "00:00:00" and not _after_old_date(text, match.start()) for match in _CLOCK.finditer(text)
    ):
        yield "a time of day"
    if _EMAIL.search(text):
        yield "an e-mail address"
    if _PHONE.search(text):
        yield "a phone number"
    if any(_luhn(match[1]) for match in _PERSONNUMMER.finditer(text)):
        yield "a Swedish personal identity number"
    if _SSN.search(text):
        yield "a US social security number"
    if _HSA_ID.search(text):
        yield "a Swedish HSA-id"
    if _UID.search(text):
        yield "a DICOM unique identifier (UID)"
    if piece.role != "path" and _PATH.search(text):
        yield "an absolute path"
    if _INNER_HOST.search(text):
        yield "an address inside a clinic's network"
    if any(name.search(text) for name in _OWN):
        yield "the name of this machine or of its user"


def _real(match: re.Match) -> bool:
    groups = match.groupdict()
    return int(groups.get("last") or match[1]) >= FIRST_REAL_YEAR


def _after_old_date(text: str, start: int) -> bool:
    # acq_time of scans.tsv: a shifted date keeps its time of day only by the choice of whoever released it.
    date = re.search(r"(\d{4})-\d\d-\d\dT$", text[:start])
    return date is not None and int(date[1]) < FIRST_REAL_YEAR


def _luhn(number: str) -> bool:
    digits = [int(c) for c in number if c.isdigit()]
    doubled = [d * 2 - 9 * (d > 4) if i % 2 == 0 else d for i, d in enumerate(digits)]
    return sum(doubled) % 10 == 0
