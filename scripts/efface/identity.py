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
    """Return an identifier with its spelling evened out: Unicode form, case, blanks.

    >>> normalised(" ab-12 ") == normalised("AB-12")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", identifier).split()).upper()


def pseudonym(key: bytes, purpose: str, value: str, length: int = 8) -> str:
    """Return `length` letters and digits (a-z, 2-7) of HMAC-SHA256 (RFC 2104) of purpose and value.

    The same value has unrelated pseudonyms for different purposes.

    >>> pseudonym(bytes(32), "subject", "A") == pseudonym(bytes(32), "series", "A")
    False
    """
    digest = hmac.digest(key, f"{purpose}\0{value}".encode("utf-8", "surrogateescape"), hashlib.sha256)
    return base64.b32encode(digest).decode("ascii").lower()[:length]
