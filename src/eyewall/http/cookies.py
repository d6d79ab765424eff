"""Cookies: what browsers send, and `Set-Cookie` (RFC 6265)."""

import datetime
import re
from functools import lru_cache
from typing import Final

from eyewall.http.dates import format_date

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_VALUE: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*\Z")
_ATTRIBUTE: Final = re.compile(r"[\x20-\x3a\x3c-\x7e]*\Z")
_ESCAPED: Final = re.compile(r"\\(?:([0-3][0-7]{2})|(.))", re.DOTALL)
_QUOTED_CHAR: Final = re.compile(r"[^\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e\x20]")


def parse_cookie(header: str) -> dict[str, str]:
    """The names and values of a `Cookie` header; never raises, in linear time.

    As browsers and servers do, what has no "=" is passed over, and of a repeated name the
    first value counts.
    """
    cookies: dict[str, str] = {}
    for part in header.split(";"):
        name, equals, value = part.partition("=")
        name = name.strip()
        if equals and name and name not in cookies:
            value = value.strip()
            cookies[name] = _unquote(value) if value[:1] == '"' else value
    return cookies


def _unquote(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)) if match[1] else match[2], value[1:-1])


def _quote(value: str) -> str:
    if _VALUE.match(value):
        return value
    escaped = _QUOTED_CHAR.sub(
        lambda match: "".join(f"\\{byte:03o}" for byte in match[0].encode("latin-1")), value
    )
    return f'"{escaped}"'


# A program has few names and attributes, and checks them for each answer.
@lru_cache(maxsize=256)
def _check_name(name: str) -> None:
    if _NAME.match(name) is None:
        raise ValueError(f"{name!r} cannot be a cookie's name")


@lru_cache(maxsize=256)
def _attribute(label: str, value: str) -> str:
    if _ATTRIBUTE.match(value) is None:
        raise ValueError(f"{value!r} cannot be the {label} of a cookie")
    if label == "SameSite" and value.lower() not in {"strict", "lax", "none"}:
        raise ValueError(f'SameSite must be "Strict", "Lax" or "None", not {value!r}')
    return f"{label}={value}"


def format_set_cookie(  # noqa: PLR0913 - the attributes of a cookie
    name: str,
    value: str,
    *,
    domain: str | None = None,
    expires: float | datetime.datetime | None = None,
    path: str | None = "/",
    max_age: int | None = None,
    secure: bool = False,
    httponly: bool = False,
    samesite: str | None = None,
    partitioned: bool = False,
) -> str:
    """The value of a `Set-Cookie` field.

    Args:
        name: A token.
        value: Characters up to U+00FF; those that a cookie cannot hold are escaped.
        domain: Hosts that get the cookie; without it, the one that set it.
        expires: A time, in seconds since the epoch or as a datetime.
        path: Paths that get the cookie.
        max_age: Seconds that it lives.
        secure: Only over TLS.
        httponly: Not for scripts.
        samesite: "Strict", "Lax" or "None".
        partitioned: One for each top-level site.

    Raises:
        ValueError: A part that cannot be sent.
    """
    _check_name(name)
    try:
        parts = [f"{name}={_quote(value)}"]
    except UnicodeEncodeError as exc:
        raise ValueError(
            f"the value of cookie {name!r} has characters beyond U+00FF; encode it first"
        ) from exc
    if domain is not None:
        parts.append(_attribute("Domain", domain))
    if path is not None:
        parts.append(_attribute("Path", path))
    if samesite is not None:
        parts.append(_attribute("SameSite", samesite))
    if expires is not None:
        parts.append(f"Expires={format_date(expires)}")
    if max_age is not None:
        parts.append(f"Max-Age={int(max_age)}")
    if secure:
        parts.append("Secure")
    if httponly:
        parts.append("HttpOnly")
    if partitioned:
        parts.append("Partitioned")
    return "; ".join(parts)
