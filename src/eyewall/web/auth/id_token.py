"""Checks of id tokens (OpenID Connect Core 1.0, section 3.1.3.7)."""

import base64
import hashlib
import hmac
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eyewall.web.auth.errors import AuthError
from eyewall.web.auth.extra import library

# Only signatures that the provider alone can make. "none" is no signature, and with HMAC the
# provider's public key could be taken for the secret.
ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}
    # The same signature by its old and its new name (RFC 9864).
    | {"EdDSA", "Ed25519"}
)
LEEWAY_S: Final = 60
_LONGEST_TOKEN: Final = 64 * 1024
_KEY_TYPES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES: Final = {
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}
_HASHES: Final = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


class UnknownKeyError(Exception):
    """No key of the set fits the token; the provider may have new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an id token must say.

    Args:
        issuer: The provider.
        client_id: The program.
        nonce: What was sent with the request; None where none was.
        subject: The user, where it is known already.
        access_token: The token that came beside it.
        trusted_audiences: Others that the token may be for too.
        max_age_s: Seconds since the person logged in at the provider; None for any time.
    """

    issuer: str
    client_id: str
    nonce: str | None = None
    subject: str | None = None
    access_token: str | None = None
    trusted_audiences: Collection[str] = ()
    max_age_s: float | None = None


def check_id_token(
    token: object,
    keys: Sequence[Mapping[str, Any]],
    expected: Expected,
    *,
    algorithms: Collection[str] = ALGORITHMS,
    clock: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """The claims of an id token whose signature and claims are right.

    Args:
        token: What the provider sent.
        keys: The provider's public keys (RFC 7517, section 5).
        expected: What the claims must say.
        algorithms: Those that are taken; others than `ALGORITHMS` never are.
        clock: Gives seconds since the epoch.

    Raises:
        UnknownKeyError: None of the keys fits.
        AuthError: 403; the message says what is wrong.
        ConfigurationError: The extra `auth` is not installed.
    """
    if not isinstance(token, str) or not token.isascii():
        raise AuthError("the provider sent no id token")
    if len(token) > _LONGEST_TOKEN:
        raise AuthError(f"the id token has more than {_LONGEST_TOKEN} bytes")
    algorithm, claims = _verified(token, keys, ALGORITHMS.intersection(algorithms))
    _check_parties(claims, expected)
    _check_times(claims, expected.max_age_s, clock())
    if expected.nonce is not None and not _same(claims.get("nonce"), expected.nonce):
        raise AuthError("the id token's nonce is not that of this login")
    if expected.access_token is not None and "at_hash" in claims:
        digest = _token_hash(algorithm, expected.access_token)
        if not _same(claims["at_hash"], digest):
            raise AuthError("the id token's at_hash is not that of the access token")
    return claims


def _verified(
    token: str, keys: Sequence[Mapping[str, Any]], algorithms: Collection[str]
) -> tuple[str, dict[str, Any]]:
    jws = library("joserfc.jws", "checking id tokens")
    jwt = library("joserfc.jwt", "checking id tokens")
    jwk = library("joserfc.jwk", "checking id tokens")
    jose_error = library("joserfc.errors", "checking id tokens").JoseError
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (jose_error, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise AuthError("the id token is malformed") from None
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise AuthError(f"the id token's algorithm {algorithm!r:.40} is not taken")
    fitting = [key for key in keys if _fits(key, algorithm, header.get("kid"))]
    if not fitting:
        raise UnknownKeyError
    for key in fitting:
        try:
            decoded = jwt.decode(token, jwk.import_key(dict(key)), algorithms=[algorithm])
        except (jose_error, ValueError, TypeError, KeyError, RecursionError):
            continue
        claims: dict[str, Any] = decoded.claims
        return algorithm, claims
    raise AuthError("the id token's signature is wrong")


def _fits(key: Mapping[str, Any], algorithm: str, key_id: object) -> bool:
    """Whether a key may have made a signature."""
    if key.get("kty") != _KEY_TYPES[algorithm[:2]] or key.get("use", "sig") != "sig":
        return False
    if key.get("alg", algorithm) != algorithm:
        return False
    if algorithm in _CURVES and key.get("crv") != _CURVES[algorithm]:
        return False
    return key_id is None or key.get("kid") == key_id


def _check_parties(claims: Mapping[str, Any], expected: Expected) -> None:
    if not _same(claims.get("iss"), expected.issuer):
        raise AuthError("the id token is from another issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in audiences:
        raise AuthError("the id token is for another audience")
    known = {expected.client_id, *expected.trusted_audiences}
    if any(not isinstance(one, str) or one not in known for one in audiences):
        raise AuthError("the id token is for further audiences, which are not trusted")
    party = claims.get("azp")
    if (len(audiences) > 1 or party is not None) and not _same(party, expected.client_id):
        raise AuthError("the id token's authorized party is another")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise AuthError("the id token has no subject")
    if expected.subject is not None and not _same(subject, expected.subject):
        raise AuthError("the id token is for another user")


def _check_times(claims: Mapping[str, Any], max_age_s: float | None, now: float) -> None:
    if _seconds(claims, "exp") + LEEWAY_S <= now:
        raise AuthError("the id token has expired")
    if _seconds(claims, "iat") - LEEWAY_S > now:
        raise AuthError("the id token is from the future")
    if "nbf" in claims and _seconds(claims, "nbf") - LEEWAY_S > now:
        raise AuthError("the id token is not valid yet")
    if max_age_s is not None and _seconds(claims, "auth_time") + max_age_s + LEEWAY_S < now:
        raise AuthError("the person logged in at the provider too long ago")


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AuthError(f"the id token's {name} is no time")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise AuthError(f"the id token's {name} is no time")
    return seconds


def _token_hash(algorithm: str, access_token: str) -> str:
    """The left half of the token's hash (Core, section 3.1.3.6)."""
    digest = _HASHES.get(algorithm[2:], hashlib.sha512)(access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def _same(given: object, wanted: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), wanted.encode("utf-8", "surrogatepass")
    )
