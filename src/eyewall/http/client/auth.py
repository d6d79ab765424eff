"""Authentication: basic (RFC 7617) and digest (RFC 7616)."""

import base64
import hashlib
import re
import secrets
import unicodedata
from collections.abc import Callable
from typing import Final

_PARAMETER: Final = re.compile(r"([A-Za-z0-9_-]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]+))")
_HASHES: Final[dict[str, Callable[[bytes], "hashlib._Hash"]]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False),
    "SHA-256": hashlib.sha256,
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data),
}
_LONGEST: Final = 8192


def basic(user: str, password: str) -> str:
    """The value of `Authorization` for a name and a password, in their composed form."""
    pair = unicodedata.normalize("NFC", f"{user}:{password}")
    return "Basic " + base64.b64encode(pair.encode()).decode("ascii")


def digest(challenges: list[str], method: str, target: str, user: str, password: str) -> str | None:
    """The answer to a server's challenges; None where there is none that can be answered.

    Args:
        challenges: Values of `WWW-Authenticate`.
        method: The request's method.
        target: Path and query of the request.
        user: The name.
        password: The password.
    """
    offers = [offer for value in challenges if (offer := _parse(value)) is not None]
    for name, function in reversed(_HASHES.items()):
        for offer in offers:
            if offer.get("algorithm", "MD5").upper().removesuffix("-SESS") == name:
                return _answer(offer, function, method, target, (user, password))
    return None


def _parse(challenge: str) -> dict[str, str] | None:
    scheme, _, rest = challenge.strip()[:_LONGEST].partition(" ")
    if scheme.lower() != "digest":
        return None
    offer = {
        match[1].lower(): re.sub(r"\\(.)", r"\1", match[2]) if match[3] is None else match[3]
        for match in _PARAMETER.finditer(rest)
    }
    modes = {mode.strip().lower() for mode in offer.get("qop", "auth").split(",")}
    return offer if "nonce" in offer and "realm" in offer and "auth" in modes else None


def _answer(
    offer: dict[str, str],
    function: Callable[[bytes], "hashlib._Hash"],
    method: str,
    target: str,
    credentials: tuple[str, str],
) -> str:
    def hashed(*parts: str) -> str:
        return function(":".join(parts).encode()).hexdigest()

    user, password = credentials
    realm, nonce, fresh = offer["realm"], offer["nonce"], secrets.token_hex(16)
    secret = hashed(user, _as_sent(realm), password)
    if offer.get("algorithm", "").lower().endswith("-sess"):
        secret = hashed(secret, _as_sent(nonce), fresh)
    asked = hashed(method, target)
    # Other clients send a name as UTF-8 too, although "username*" would be there for it.
    name = user.encode().decode("latin-1")
    fields = {"username": name, "realm": realm, "nonce": nonce, "uri": target}
    if "qop" in offer:
        response = hashed(secret, _as_sent(nonce), "00000001", fresh, "auth", asked)
    else:
        response = hashed(secret, _as_sent(nonce), asked)
    fields["response"] = response
    if "opaque" in offer:
        fields["opaque"] = offer["opaque"]
    quoted = [f'{name}="{_quoted(value)}"' for name, value in fields.items()]
    if "algorithm" in offer:
        quoted.append(f"algorithm={offer['algorithm']}")
    if "qop" in offer:
        quoted += ["qop=auth", "nc=00000001", f'cnonce="{fresh}"']
    return "Digest " + ", ".join(quoted)


def _as_sent(text: str) -> str:
    """What the server means by a field's characters, which stand for bytes."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _quoted(value: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", value)
