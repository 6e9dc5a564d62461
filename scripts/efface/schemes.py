"""How people get their labels: five schemes that turn normalised source IDs into letters and digits."""

import base64
import re
import secrets
from collections.abc import Collection, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.padding import PKCS7

from efface.errors import UsageError
from efface.identity import pseudonym
from efface.template import numbered, permuted, read_template

_LONGEST_ID = 63
"""Bytes of an ID that can be encrypted: a longer one makes file names that some systems cannot hold."""
_SECOND_NEEDS = "mode pseudonymous and the scheme hmac, whose labels a site can make again and send"


def labels(
    ids: Collection[str],
    identity: Mapping[str, str],
    key: bytes,
    known: Mapping[str, str],
    second_key: bytes | None = None,
    numbers: int = 0,
) -> dict[str, str]:
    """Return the label of each person, ASCII letters and digits as BIDS asks of labels.

    Parameters
    ----------
    ids : collection of str
        Source IDs, from `normalised`. An empty one gets a label too: it is the caller who holds these scans.
    identity : mapping
        That section of the configuration, with its defaults.
    key : bytes
        The study's secret.
    known : mapping of str to str
        Labels by ID from the crosswalk of earlier runs, people who are not in `ids` included.
    second_key : bytes, optional
        Secret of a central stage, whose label of the label is returned.
    numbers : int
        Of a template, from `numbers_given`, that were given before somebody was erased.

    Raises
    ------
    UsageError
        When two people would get one label, or a person another one than in an earlier run, or the section
        contradicts itself.
    """
    refuse("pseudonymous", identity)
    if any("\0" in text for text in (identity["site"], identity["context"], *ids)):
        raise UsageError("an ID, identity.site or identity.context", expected="text", found="a NUL character")
    if (identity["second_key"] and not second_key) or second_key == key:
        raise UsageError("identity.second_key", expected="a file with another secret than the site's")
    if second_key and identity["scheme"] != "hmac":
        raise UsageError("identity.second_key", expected=_SECOND_NEEDS)
    known = {} if identity["scheme"] == "random" else known
    new = sorted(set(ids) - set(known))
    match identity["scheme"]:
        case "hmac":
            fields = (identity["context"], identity["site"])
            given = {
                one: identity["prefix"] + pseudonym(key, "subject", "\0".join((*fields, one))) for one in ids
            }
        case "encrypted":
            given = {one: _encrypted(one, identity, key) for one in ids}
        case "template":
            given = numbered(new, identity, key, known | _last(identity, key, numbers))
        case "random" | "random_table":
            given = {one: identity["prefix"] + _random() for one in new}
        case _:
            raise UsageError("identity.scheme", expected="one of those in docs/identity.md")
    if second_key:
        given = {one: second_stage(label, second_key, identity["prefix"]) for one, label in given.items()}
    _check(given, known)
    return {one: given.get(one) or known[one] for one in ids}


def numbers_given(identity: Mapping[str, str], key: bytes, known: Collection[str]) -> int:
    """Return how many numbers of a template have been given, by the known labels; 0 of other schemes."""
    if identity["scheme"] != "template":
        return 0
    before, digits, after = read_template(identity)
    found = [re.fullmatch(rf"{before}([0-9]{{{digits}}}){after}", label) for label in known]
    tweak = (identity["context"], identity["site"], str(digits))
    return max((permuted(int(one[1]), digits, key, tweak, -1) + 1 for one in found if one), default=0)


def _last(identity: Mapping[str, str], key: bytes, numbers: int) -> dict[str, str]:
    """Return the label with the last of so many numbers, as of nobody."""
    before, digits, after = read_template(identity)
    if not 0 < numbers <= 10**digits:
        return {}
    place = permuted(numbers - 1, digits, key, (identity["context"], identity["site"], str(digits)))
    return {"\0": f"{before}{place:0{digits}d}{after}"}


def second_stage(label: str, key: bytes, prefix: str) -> str:
    """Return the label that a central place gives to a site's label; the source ID is not needed."""
    return prefix + pseudonym(key, "second stage", label)


def source_id(label: str, identity: Mapping[str, str], key: bytes) -> str:
    """Return the normalised source ID in a label of the scheme `encrypted`.

    Raises
    ------
    UsageError
        When the scheme is another, or the label was not made with this key, site, context and prefix.
    """
    if identity["scheme"] != "encrypted":
        raise UsageError(
            "only labels of the scheme encrypted hold the ID", todo="look the label up in the crosswalk"
        )
    text = label.removeprefix(identity["prefix"])
    try:
        sealed = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
        cipher, context = _cipher(identity, key)
        unpadder = PKCS7(128).unpadder()
        found = (unpadder.update(cipher.decrypt(sealed, context)) + unpadder.finalize()).decode()
    except (InvalidTag, ValueError):
        found = None
    # Base32 leaves bits unused: compared whole, so that exactly one label stands for an ID.
    if found is None or _encrypted(found, identity, key) != label:
        raise UsageError(
            "the label cannot be decrypted",
            expected="one that was made with this key, identity.site, identity.context and identity.prefix",
        )
    return found


def crosswalk_is_kept(mode: str, scheme: str) -> bool:
    """Return whether a table of source IDs and labels may stay after the run."""
    return mode != "anonymous" and scheme != "random"


def refuse(mode: str, identity: Mapping[str, str]) -> None:
    """Raise UsageError for a configuration whose parts contradict one another."""
    scheme = identity["scheme"]
    anonymous = mode == "anonymous"
    if anonymous and scheme in ("random_table", "encrypted"):
        raise UsageError(
            f"mode anonymous with identity.scheme {scheme}",
            expected="a scheme without a way back",
            todo="set random or hmac; the key goes when it has served",
        )
    if bool(identity["template"]) != (scheme == "template"):
        raise UsageError("identity.template", expected="to be set with the scheme template, and only then")
    if scheme == "template":
        read_template(identity)
    if identity["second_key"] and (anonymous or scheme != "hmac"):
        raise UsageError(
            "identity.second_key",
            expected=_SECOND_NEEDS,
        )
    if scheme in ("random", "random_table") and (identity["site"] or identity["context"]):
        raise UsageError(
            f"identity.site or identity.context with the scheme {scheme}",
            expected="neither: random labels depend on nothing",
            todo="give each site and project a work folder of its own, and a prefix",
        )


def _random() -> str:
    return base64.b32encode(secrets.token_bytes(5)).decode("ascii").lower()


def _cipher(identity: Mapping[str, str], key: bytes) -> tuple[AESSIV, list[bytes]]:
    """Return AES-SIV (RFC 5297, 512-bit key by HKDF, RFC 5869) and its associated data."""
    derived = HKDF(SHA256(), 64, None, b"efface: encrypted labels").derive(key)
    return AESSIV(derived), [identity["context"].encode(), identity["site"].encode()]


def _encrypted(one: str, identity: Mapping[str, str], key: bytes) -> str:
    # Padded to whole blocks of 16 bytes: a label's length would tell that of the ID.
    plain = one.encode("utf-8", "surrogateescape")
    if len(plain) > _LONGEST_ID:
        raise UsageError("identity.scheme encrypted", expected=f"IDs of {_LONGEST_ID} bytes at most")
    padder = PKCS7(128).padder()
    cipher, context = _cipher(identity, key)
    sealed = cipher.encrypt(padder.update(plain) + padder.finalize(), context)
    return identity["prefix"] + base64.b32encode(sealed).decode("ascii").lower().rstrip("=")


def _check(given: Mapping[str, str], known: Mapping[str, str]) -> None:
    """Refuse labels that are two people's, or that another run gave otherwise."""
    if any(known.get(one, label) != label for one, label in given.items()):
        raise UsageError(
            "somebody has another label in the crosswalk of an earlier run",
            expected="the key and the section identity as they were",
            todo="set them back, or start with a new work folder and a new release",
        )
    owners = {}
    for one, label in [*known.items(), *given.items()]:
        if not re.fullmatch("[A-Za-z0-9]+", label):
            raise UsageError("a label", expected="letters and digits", found="other characters")
        # Some file systems do not tell upper from lower case.
        if owners.setdefault(label.lower(), one) != one:
            raise UsageError(
                "two people would get the same label, or labels that differ by case only",
                todo="set another identity.prefix or key before anything is released",
            )
