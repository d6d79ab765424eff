"""Signed values: who holds one can read it, and cannot change it.

Version 2, which is written, is a list of fields, each with its length, then an HMAC-SHA256 of
all that stands before it::

    2|1:0|10:1300000000|3:key|8:dmFsdWU=|<64 hexadecimal digits>
      |   |             |     base64 of the value
      |   |             name
      |   seconds since the epoch
      version of the key

Version 1 (`base64|timestamp|HMAC-SHA1`) is still read.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from eyewall.base.log import gen_log

Secret: TypeAlias = str | bytes | Mapping[int, str | bytes]

DEFAULT_VERSION: Final = 2
_LONGEST: Final = 64 * 1024
_DAY: Final = 86400.0
# Clocks differ; what is signed further ahead was not signed by us.
_AHEAD: Final = 31 * _DAY


class _Parts(NamedTuple):
    key_version: int
    timestamp: int
    name: bytes
    value: bytes
    signature: bytes
    signed: bytes


def create_signed_value(
    secret: Secret,
    name: str,
    value: str | bytes,
    version: int | None = None,
    clock: Callable[[], float] | None = None,
    key_version: int | None = None,
) -> bytes:
    """A value with the time and a signature.

    Args:
        secret: The key; or keys by version, of which `key_version` signs.
        name: What the value is for; it must be given again to read it.
        value: The value; text is signed as UTF-8.
        version: Of the format: 2, or 1 for readers that know no other.
        clock: Gives seconds since the epoch.
        key_version: Which of several keys signs.

    Raises:
        ValueError: A version that does not exist, or several keys and no `key_version`.
    """
    version = DEFAULT_VERSION if version is None else version
    stamp = str(int((clock or time.time)())).encode()
    encoded = base64.b64encode(_utf8(value))
    if version == 1:
        key = _key(secret, key_version or 0)
        digest = _sign_v1(key, name.encode(), encoded, stamp)
        return b"|".join([encoded, stamp, digest])
    if version != 2:
        raise ValueError(f"there is no version {version} of signed values; there are 1 and 2")
    if isinstance(secret, Mapping) and key_version is None:
        raise ValueError("with keys by version, key_version must say which one signs")
    key = _key(secret, key_version or 0)
    fields = (str(key_version or 0).encode(), stamp, name.encode(), encoded)
    signed = b"2|" + b"".join(b"%d:%s|" % (len(field), field) for field in fields)
    return signed + _sign_v2(key, signed)


def decode_signed_value(
    secret: Secret,
    name: str,
    value: str | bytes | None,
    max_age_days: float = 31,
    clock: Callable[[], float] | None = None,
    min_version: int | None = None,
) -> bytes | None:
    """The value that was signed; None when it was changed, is too old, or is for another name.

    Args:
        secret: The key, or keys by version.
        name: What the value is for.
        value: What came.
        max_age_days: Days since it was signed that it counts.
        clock: Gives seconds since the epoch.
        min_version: Oldest format that is taken.

    Raises:
        ValueError: A `min_version` that does not exist.
    """
    min_version = 1 if min_version is None else min_version
    if min_version > DEFAULT_VERSION:
        raise ValueError(f"there is no version {min_version} of signed values; there are 1 and 2")
    data = _received(value)
    if not data:
        return None
    now = (clock or time.time)()
    if data.startswith(b"2|") and (parts := _parse_v2(data)) is not None:
        return _decode_v2(secret, name, parts, now - max_age_days * _DAY)
    if min_version > 1:
        return None
    return _decode_v1(secret, name, data, now, max_age_days)


def get_signature_key_version(value: str | bytes) -> int | None:
    """The version of the key that a value was signed with; None where it does not say."""
    data = _received(value)
    parts = _parse_v2(data) if data.startswith(b"2|") else None
    return None if parts is None else parts.key_version


def _received(value: str | bytes | None) -> bytes:
    """What came, as bytes; b"" for what no signed value can be."""
    try:
        data = _utf8(value or b"")
    except UnicodeEncodeError:
        return b""
    if len(data) > _LONGEST:
        gen_log.debug("a signed value of %d bytes is refused", len(data))
        return b""
    return data


def _decode_v2(secret: Secret, name: str, parts: _Parts, oldest: float) -> bytes | None:
    try:
        key = _key(secret, parts.key_version)
    except ValueError:
        return None
    if not hmac.compare_digest(parts.signature, _sign_v2(key, parts.signed)):
        return None
    if parts.name != name.encode() or parts.timestamp < oldest:
        return None
    return _b64decode(parts.value)


def _decode_v1(  # noqa: PLR0911 - each return is one reason to refuse
    secret: Secret, name: str, data: bytes, now: float, max_age_days: float
) -> bytes | None:
    encoded, _, rest = data.partition(b"|")
    stamp, _, signature = rest.partition(b"|")
    if not signature or b"|" in signature:
        return None
    try:
        key = _key(secret, 0)
    except ValueError:
        return None
    if not hmac.compare_digest(signature, _sign_v1(key, name.encode(), encoded, stamp)):
        gen_log.debug("a signed value's signature is wrong: %.80r", data)
        return None
    if not stamp.isdigit() or len(stamp) > 15:
        return None
    signed_at = int(stamp)
    # The three signed parts are not kept apart, so digits could be moved from the value to the
    # time: a time far ahead, or one padded with zeros, shows it.
    if signed_at > now + _AHEAD or stamp.startswith(b"0"):
        gen_log.warning("Cookie timestamp in future (possible tampering): %.80r", data)
        return None
    if signed_at < now - max_age_days * _DAY:
        return None
    return _b64decode(encoded)


def _parse_v2(data: bytes) -> _Parts | None:
    fields: list[bytes] = []
    at = 2
    for _ in range(4):
        colon = data.find(b":", at, at + 8)
        length = data[at:colon]
        if colon < 0 or not length.isdigit():
            return None
        end = colon + 1 + int(length)
        if data[end : end + 1] != b"|":
            return None
        fields.append(data[colon + 1 : end])
        at = end + 1
    key_version, stamp, name, value = fields
    if not key_version.isdigit() or not stamp.isdigit() or len(key_version) + len(stamp) > 30:
        return None
    return _Parts(int(key_version), int(stamp), name, value, data[at:], data[:at])


def _key(secret: Secret, key_version: int) -> bytes:
    if not isinstance(secret, Mapping):
        return _utf8(secret)
    if key_version not in secret:
        raise ValueError(f"there is no key of version {key_version}")
    return _utf8(secret[key_version])


def _sign_v1(key: bytes, *parts: bytes) -> bytes:
    # The format's own digest; HMAC does not need what SHA-1 has lost.
    return hmac.new(key, b"".join(parts), hashlib.sha1).hexdigest().encode()


def _sign_v2(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).hexdigest().encode()


def _b64decode(value: bytes) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def _utf8(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
