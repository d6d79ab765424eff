"""Headers that make browsers careful, as one setting."""

from collections.abc import Mapping
from typing import Any, Final

from eyewall.base.errors import ConfigurationError
from eyewall.http.headers import check_value

_DEFAULTS: Final[dict[str, tuple[str, str]]] = {
    "content_type_options": ("X-Content-Type-Options", "nosniff"),
    "frame_options": ("X-Frame-Options", "SAMEORIGIN"),
    "referrer_policy": ("Referrer-Policy", "strict-origin-when-cross-origin"),
    "opener_policy": ("Cross-Origin-Opener-Policy", "same-origin"),
    "resource_policy": ("Cross-Origin-Resource-Policy", "same-origin"),
}
CSP: Final = "Content-Security-Policy"
NONCE: Final = "{nonce}"
"""Stands in a content security policy for a value that is new for each request."""
_OPTIONAL: Final = {
    "content_security_policy": CSP,
    "permissions_policy": "Permissions-Policy",
}
HSTS: Final = "Strict-Transport-Security"
_HSTS_VALUE: Final = "max-age=31536000; includeSubDomains"


def secure_headers(setting: bool | Mapping[str, Any] | None) -> tuple[dict[str, str], str | None]:
    """The headers of the setting `secure_headers`, and that for answers over TLS alone.

    Args:
        setting: True for the defaults, or a mapping: `content_type_options`, `frame_options`,
            `referrer_policy`, `opener_policy`, `resource_policy`, `content_security_policy`,
            `permissions_policy` and `hsts` to their values; None leaves one out. In the
            content security policy, `{nonce}` is a value that is new for each request.

    Raises:
        ConfigurationError: There is no such name, or a value cannot be sent.
    """
    if not setting:
        return {}, None
    given: Mapping[str, Any] = {} if setting is True else setting
    unknown = set(given) - set(_DEFAULTS) - set(_OPTIONAL) - {"hsts"}
    if unknown:
        known = ", ".join(sorted({*_DEFAULTS, *_OPTIONAL, "hsts"}))
        raise ConfigurationError(
            f"secure_headers: there is no {', '.join(sorted(unknown))}; there are {known}"
        )
    headers: dict[str, str] = {}
    for name, (header, default) in _DEFAULTS.items():
        value = given.get(name, default)
        if value is not None:
            headers[header] = _checked(name, value)
    for name, header in _OPTIONAL.items():
        if given.get(name) is not None:
            headers[header] = _checked(name, given[name])
    hsts = given.get("hsts", _HSTS_VALUE)
    return headers, None if hsts is None else _checked("hsts", hsts)


def _checked(name: str, value: Any) -> str:
    try:
        check_value(value)
        value.encode("latin-1")
    except (TypeError, AttributeError, ValueError) as exc:
        raise ConfigurationError(f"secure_headers: {name} cannot be {value!r}: {exc}") from None
    return str(value)
