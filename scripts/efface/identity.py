"""Keyed pseudonyms: stable under one key, unlinkable without it."""

import base64
import hashlib
import hmac
import os
import secrets
import unicodedata
from pathlib import Path

from efface.errors import UsageError
from efface.files import PRIVATE_FILE, private_folder

KEY_BYTES = 32


def load_or_make_key(path: Path | str) -> bytes:
    """Return the secret in the file `path`; without one a new one is made that only its owner can read.

    Raises
    ------
    UsageError
        When the file holds less than 32 bytes in hexadecimal: a short key can be searched through.
    """
    path = Path(path)
    if not path.exists():
        private_folder(path.parent)
        # O_EXCL: of two programs that start together one makes the key and the other reads it.
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        except FileExistsError:
            return load_or_make_key(path)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_hex(KEY_BYTES) + "\n")
    try:
        key = bytes.fromhex(path.read_text().strip())
    except ValueError:
        key = b""
    if len(key) < KEY_BYTES:
        raise UsageError(
            "the key file", expected=f"{KEY_BYTES} bytes or more in hexadecimal", found=f"{len(key)} bytes"
        )
    return key


def normalised(identifier: str) -> str:
    """Return an identifier without what varies between spellings of one: Unicode form, case, punctuation.

    Letters and digits stay, leading zeros too. Two people whose IDs fall together this way differ in name
    or birth date, and are held by these.

    >>> normalised(" ab-12/3 ") == normalised("AB 12.3") == "AB123"
    True
    """
    upper = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", identifier).upper())
    # Characters that were apart can compose once what stood between them is gone.
    return unicodedata.normalize("NFKC", "".join(filter(str.isalnum, upper)))


def same_name(one: str, other: str) -> bool:
    """Return whether two PN values (PS3.5 6.2) may be one person's.

    They may when the words of one are among those of the other, in any order, without case, accents and
    punctuation: titles and middle names come and go. An empty name may be anybody's.

    >>> same_name("DOE^Jane", "Doe, Jané Mary")
    True
    >>> same_name("Doe^Jane", "Doe^Joan")
    False
    """
    words, others = _words(one), _words(other)
    return not words or not others or words <= others or others <= words


# Letters that Unicode does not take apart into a plain letter and an accent.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "'": "", "’": "", "`": ""})


def _words(name: str) -> set[str]:
    plain = unicodedata.normalize("NFKD", name.casefold()).translate(_PLAIN)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return set("".join(letter if letter.isalnum() else " " for letter in plain).split())


def keyed(key: bytes, purpose: str, *fields: str) -> bytes:
    """Return HMAC-SHA256 (RFC 2104), 32 bytes, of a purpose and fields with a NUL between them."""
    text = "\0".join((purpose, *fields))
    return hmac.digest(key, text.encode("utf-8", "surrogateescape"), hashlib.sha256)


def pseudonym(key: bytes, purpose: str, value: str, length: int = 8) -> str:
    """Return `length` letters and digits (a-z, 2-7) of the keyed digest of purpose and value.

    The same value has unrelated pseudonyms for different purposes.

    >>> pseudonym(bytes(32), "subject", "A") == pseudonym(bytes(32), "series", "A")
    False
    """
    return base64.b32encode(keyed(key, purpose, value)).decode("ascii").lower()[:length]
