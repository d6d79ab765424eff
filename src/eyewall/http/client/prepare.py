"""From a request's options to what goes on the wire."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from eyewall.http.client import auth
from eyewall.http.client.pool import Route
from eyewall.http.client.proxy import Proxy
from eyewall.http.client.request import HTTPRequest, copied
from eyewall.http.client.tls import PLAIN, TLSOptions, context_of
from eyewall.http.client.url import Target, to_ascii
from eyewall.http.encoding import available_codings
from eyewall.http.headers import HTTPHeaders, check_value

_CODINGS: Final = ", ".join(
    sorted(available_codings(), key=("gzip", "deflate", "br", "zstd").index)
)
_FORM: Final = "application/x-www-form-urlencoded"
_FRAMING: Final = frozenset({"Host", "Content-Length", "Transfer-Encoding"})


class Prepared(NamedTuple):
    """A request as it is handed to the engine."""

    method: str
    target: str
    authority: str
    scheme: str
    fields: list[tuple[str, str]]
    body: bytes | None
    length: int | None
    """What is announced of content that follows: -1 for chunks; None when none follows."""


def prepare(
    request: HTTPRequest, url: Target, defaults: Mapping[str, Any], proxy: Proxy | None
) -> Prepared:
    """Put a request together.

    Raises:
        ValueError: Its `auth_mode` is not known, or its `Content-Length` is no number.
    """
    headers = copied(request.headers)
    fields = [field for field in headers.get_all() if field[0] not in _FRAMING]
    fields += _usual(request, headers, url, defaults)
    body, length = request.body, None
    if body is not None and request.method == "POST" and "Content-Type" not in headers:
        fields.append(("Content-Type", _FORM))
    if request.body_producer is not None:
        length = _announced(headers.get("Content-Length"))
    elif request.expect_100_continue and body is not None:
        length, body = len(body), None
    if request.expect_100_continue and length is not None:
        fields.append(("Expect", "100-continue"))
    target = url.path
    if proxy is not None and proxy.kind == "http" and url.scheme == "http":
        target = url.absolute
        if proxy.authorization is not None:
            fields.append(("Proxy-Authorization", proxy.authorization))
    authority = headers.get("Host", url.authority)
    return Prepared(request.method, target, authority, url.scheme, fields, body, length)


def _usual(
    request: HTTPRequest, headers: HTTPHeaders, url: Target, defaults: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """The fields that are sent where the request has none of the name."""
    fields = []
    if "User-Agent" not in headers:
        agent = request.option("user_agent", defaults)
        if request.user_agent is not None:
            check_value(agent)
        fields.append(("User-Agent", agent))
    # A part of what is encoded cannot be decoded.
    plain = "Accept-Encoding" in headers or "Range" in headers
    if not plain and request.option("decompress_response", defaults):
        fields.append(("Accept-Encoding", _CODINGS))
    if "Authorization" not in headers:
        value = _authorization(request, url, defaults)
        if value is not None:
            fields.append(("Authorization", value))
    return fields


def route(
    request: HTTPRequest, url: Target, defaults: Mapping[str, Any], proxy: Proxy | None
) -> Route:
    """The way to the server of a request.

    Raises:
        ValueError: `ssl_options` cannot be used.
    """
    return Route(
        *url.origin,
        _tls(request, defaults) if url.scheme == "https" else PLAIN,
        proxy,
        request.option("network_interface", defaults),
        defaults.get("unix_socket"),
        bool(request.option("allow_ipv6", defaults)),
    )


def proxy_of(request: HTTPRequest, url: Target, defaults: Mapping[str, Any]) -> Proxy | None:
    """The proxy that a request names, or the client has for its URL.

    Raises:
        ValueError: It has no port, or the way of authentication is not known.
    """
    host = request.option("proxy_host", defaults)
    if host is None:
        found: Proxy | None = defaults["proxy_for"](url)
        return found
    port = request.option("proxy_port", defaults)
    if port is None:
        raise ValueError("proxy_host needs proxy_port")
    if request.option("proxy_auth_mode", defaults) not in (None, "basic"):
        raise ValueError('the only proxy_auth_mode is "basic"')
    user = request.option("proxy_username", defaults)
    password = request.option("proxy_password", defaults)
    return Proxy("http", to_ascii(host), int(port), user, password or "")


def credentials(
    request: HTTPRequest, url: Target, defaults: Mapping[str, Any]
) -> tuple[str, str] | None:
    """Name and password, from the options or from the URL."""
    user = request.option("auth_username", defaults)
    if user:
        return user, request.option("auth_password", defaults) or ""
    return None if url.user is None else (url.user, url.password)


def _authorization(request: HTTPRequest, url: Target, defaults: Mapping[str, Any]) -> str | None:
    known = credentials(request, url, defaults)
    if known is None:
        return None
    mode = request.option("auth_mode", defaults)
    if mode == "digest":
        return None
    if mode != "basic":
        raise ValueError(f"unsupported auth_mode {mode!r}: there are basic and digest")
    return auth.basic(*known)


def _announced(length: str | None) -> int:
    if length is None:
        return -1
    if not (length.isascii() and length.isdigit()):
        raise ValueError("Content-Length must be a number")
    return int(length)


def _tls(request: HTTPRequest, defaults: Mapping[str, Any]) -> TLSOptions:
    given = request.option("ssl_options", defaults)
    if given is not None:
        return TLSOptions(context=context_of(given))
    return TLSOptions(
        bool(request.option("validate_cert", defaults)),
        request.option("ca_certs", defaults),
        request.option("client_cert", defaults) or None,
        request.option("client_key", defaults) or None,
        defaults.get("crl_file"),
    )
