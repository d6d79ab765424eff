"""Cookies: what browsers send, and `Set-Cookie` (RFC 6265)."""

import datetime
import re
from functools import lru_cache
from typing import Final

from eyewall.http.dates import format_date
from eyewall.http.engine import find_cookie, parse_cookie

__all__ = ["CookieValue", "find_cookie", "format_set_cookie", "parse_cookie"]

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_VALUE: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*\Z")
_ATTRIBUTE: Final = re.compile(r"[\x20-\x3a\x3c-\x7e]*\Z")
_QUOTED_CHAR: Final = re.compile(r"[^\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e\x20]")


def _quote(value: str) -> str:
    if _VALUE.match(value):
        return value
    escaped = _QUOTED_CHAR.sub(
        lambda match: "".join(f"\\{byte:03o}" for byte in match[0].encode("latin-1")), value
    )
    return f'"{escaped}"'


class CookieValue(str):
    """A cookie's value: text, that can also be asked for its `value` as a morsel can."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """The text itself."""
        return str(self)


# A program has few names and sets of attributes, and sends them with each answer.
@lru_cache(maxsize=256)
def _name(name: str) -> str:
    if _NAME.match(name) is None:
        raise ValueError(f"{name!r} cannot be a cookie's name")
    return name


@lru_cache(maxsize=256)
def _rest(
    domain: str | None,
    path: str | None,
    samesite: str | None,
    secure: bool,
    httponly: bool,
    partitioned: bool,
) -> str:
    parts = [""]
    for label, value in (("Domain", domain), ("Path", path), ("SameSite", samesite)):
        if value is not None:
            if _ATTRIBUTE.match(value) is None:
                raise ValueError(f"{value!r} cannot be the {label} of a cookie")
            parts.append(f"{label}={value}")
    if samesite is not None and samesite.lower() not in {"strict", "lax", "none"}:
        raise ValueError(f'SameSite must be "Strict", "Lax" or "None", not {samesite!r}')
    flags = {"Secure": secure, "HttpOnly": httponly, "Partitioned": partitioned}
    parts.extend(label for label, wanted in flags.items() if wanted)
    return "; ".join(parts)


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
    if expires is None and max_age is None and _VALUE.match(value) is not None:
        # Most cookies differ in their value alone.
        return (
            f"{_name(name)}={value}{_rest(domain, path, samesite, secure, httponly, partitioned)}"
        )
    _name(name)
    try:
        text = f"{name}={_quote(value)}"
    except UnicodeEncodeError as exc:
        raise ValueError(
            f"the value of cookie {name!r} has characters beyond U+00FF; encode it first"
        ) from exc
    if expires is not None:
        text += f"; Expires={format_date(expires)}"
    if max_age is not None:
        text += f"; Max-Age={int(max_age)}"
    return text + _rest(domain, path, samesite, secure, httponly, partitioned)
