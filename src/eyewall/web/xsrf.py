"""Tokens against cross-site request forgery: what a page sends back to show that it is ours.

The cookie and the page hold the same secret. Version 2, which is written, is
`2|mask|masked secret|seconds`, all but the last in hexadecimal: with a new mask each time, a
compressed page does not give the secret away bit by bit (BREACH). Version 1 is the bare secret
in hexadecimal, and is read too.
"""

import binascii
import hmac
import re
import secrets
import time
from typing import Final, NamedTuple

_LONGEST: Final = 512
# Not isdigit, which takes digits that int refuses, such as a superscript two.
_SECONDS: Final = re.compile(r"[0-9]{1,15}")
SECRET_BYTES: Final = 16


class Token(NamedTuple):
    """The secret of a browser, and when it was made, in seconds since the epoch."""

    version: int
    secret: bytes
    timestamp: float


def new_token() -> Token:
    """A token for a browser that has none."""
    return Token(2, secrets.token_bytes(SECRET_BYTES), time.time())


def encode_token(token: Token, version: int = 2) -> str:
    """The token as a cookie or a form sends it, masked anew each time.

    Raises:
        ValueError: A version that does not exist.
    """
    if version == 1:
        return token.secret.hex()
    if version != 2:
        raise ValueError(f"there is no version {version} of XSRF tokens; there are 1 and 2")
    mask = secrets.token_bytes(4)
    return f"2|{mask.hex()}|{_masked(mask, token.secret).hex()}|{int(token.timestamp)}"


def decode_token(text: str) -> Token | None:
    """The token of a cookie or a form; None for what is none. Never raises."""
    if not text or len(text) > _LONGEST:
        return None
    version, bar, rest = text.partition("|")
    if bar and version.isdigit() and len(version) == 1:
        parts = rest.split("|")
        if version != "2" or len(parts) != 3 or not _SECONDS.fullmatch(parts[2]):
            return None
        mask, masked = _from_hex(parts[0]), _from_hex(parts[1])
        if mask is None or len(mask) != 4 or not masked:
            return None
        return Token(2, _masked(mask, masked), int(parts[2]))
    secret = _from_hex(text)
    return Token(
        1, text.encode("utf-8", "surrogatepass") if secret is None else secret, time.time()
    )


def same_token(one: Token | None, other: Token | None) -> bool:
    """Whether both hold the same secret; the time it takes does not depend on how alike they are."""
    if one is None or other is None or not one.secret:
        return False
    return hmac.compare_digest(one.secret, other.secret)


def _masked(mask: bytes, data: bytes) -> bytes:
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


def _from_hex(text: str) -> bytes | None:
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        return None
