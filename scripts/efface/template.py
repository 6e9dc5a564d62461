"""Labels by a naming convention, with a running number in a keyed permutation so that order says nothing."""

import re
from collections.abc import Collection, Mapping
from string import Formatter

from efface.errors import UsageError
from efface.identity import keyed

_ROUNDS = 10


def read_template(identity: Mapping[str, str]) -> tuple[str, int, str]:
    """Return what stands before the number in a label, its count of digits, and what stands after it.

    Parameters
    ----------
    identity : mapping
        That section of the configuration: `template`, `prefix` and `site` are used.

    Raises
    ------
    UsageError
        When the template is not made of letters, digits, {site} and one {n:0Nd}.

    >>> read_template({"template": "{site:03d}{n:06d}", "prefix": "P", "site": "7"})
    ('P007', 6, '')
    """
    wrong = UsageError(
        "identity.template, or identity.site in it",
        expected="letters, digits, {site} or {site:03d} (a number of three digits at most) and, once, {n:06d}"
        " (six digits: as many as there may ever be people)",
    )
    pieces, digits = [identity["prefix"]], 0
    try:
        parsed = list(Formatter().parse(identity["template"]))
    except ValueError:
        raise wrong from None
    for literal, field, form, conversion in parsed:
        pieces[-1] += literal
        width = re.fullmatch(r"0([1-9]|1[0-5])d", form or "")
        if field is None:
            continue
        if field == "n" and width and not digits and not conversion:
            digits = int(width[1])
            pieces.append("")
        elif field == "site" and identity["site"] and (width or not form) and not conversion:
            if width and not re.fullmatch(rf"[0-9]{{1,{width[1]}}}", identity["site"]):
                raise wrong
            pieces[-1] += identity["site"].zfill(int(width[1])) if width else identity["site"]
        else:
            raise wrong
    if not digits or not re.fullmatch("[A-Za-z0-9]*", "".join(pieces)):
        raise wrong
    return pieces[0], digits, pieces[1]


def numbered(
    new: Collection[str], identity: Mapping[str, str], key: bytes, known: Mapping[str, str]
) -> dict[str, str]:
    """Return the labels of new people, whose counters follow on those in the labels that are known.

    Raises
    ------
    UsageError
        When a label that is known has another form, or the template's digits do not suffice.
    """
    before, digits, after = read_template(identity)
    tweak = (identity["context"], identity["site"], str(digits))
    matches = [re.fullmatch(rf"{before}([0-9]{{{digits}}}){after}", label) for label in known.values()]
    if not all(matches):
        raise UsageError(
            "identity.template: the crosswalk holds labels of another form",
            todo="set prefix, site and template as they were, or start with a new work folder",
        )
    # Past the highest counter: the number of somebody who was erased is not given to somebody else.
    first = max((permuted(int(one[1]), digits, key, tweak, -1) for one in matches), default=-1) + 1
    if first + len(new) > 10**digits:
        raise UsageError("identity.template", expected="more digits in {n}", found="all numbers given")
    order = sorted(new, key=lambda one: keyed(key, "template order", *tweak, one))
    return {
        one: f"{before}{permuted(counter, digits, key, tweak):0{digits}d}{after}"
        for counter, one in enumerate(order, start=first)
    }


def permuted(number: int, digits: int, key: bytes, tweak: tuple[str, ...], way: int = 1) -> int:
    """Return a number's place in a keyed permutation of all of so many digits, or the reverse (way -1).

    A balanced Feistel network over the next even number of bits, walked until it lands among these
    numbers again (Black and Rogaway, Ciphers with Arbitrary Finite Domains, CT-RSA 2002).

    >>> permuted(permuted(42, 3, bytes(32), ()), 3, bytes(32), (), way=-1)
    42
    """
    half = ((10**digits - 1).bit_length() + 1) // 2
    mask = (1 << half) - 1
    while True:
        left, right = number >> half, number & mask
        for turn in range(_ROUNDS)[::way]:
            kept = right if way == 1 else left
            mixed = int.from_bytes(keyed(key, "template", *tweak, str(turn), str(kept))) & mask
            left, right = (right, left ^ mixed) if way == 1 else (right ^ mixed, left)
        number = left << half | right
        if number < 10**digits:
            return number
