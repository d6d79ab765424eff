"""`HTTPServerRequest`: a request in Tornado's terms, made from an exchange as it is asked for."""

import time
from collections.abc import Callable
from typing import Any, Final, final

from eyewall.http.cookies import parse_cookie
from eyewall.http.exchange import Exchange
from eyewall.http.forms import parse_form
from eyewall.http.headers import HTTPHeaders


@final
class HTTPServerRequest:
    """One request.

    Everything is read from the exchange at its first use: a handler pays for what it looks at.

    Attributes:
        connection: The exchange.
        method: The method.
        uri: The request target as sent.
        path: The path, percent-encoded as sent.
        query: What follows the first "?".
        version: "HTTP/1.1" and the like.
        headers: The header fields.
        body: The body, for handlers that do not stream it.
        host: The host asked for, with its port.
        protocol: "http" or "https".
        remote_ip: The client's address.
        arguments: Query and form fields: names to lists of bytes.
        query_arguments: The query's alone.
        body_arguments: The form's alone.
        cookies: Names to values.
        files: Uploaded files by field.
    """

    __slots__ = ("__dict__", "_started", "body", "connection")

    def __init__(self, exchange: Exchange, body: bytes = b"") -> None:
        self.connection = exchange
        self.body = body
        self._started = time.monotonic()

    def __getattr__(self, name: str) -> Any:
        make = _ATTRIBUTES.get(name)
        if make is None:
            raise AttributeError(f"HTTPServerRequest has no attribute {name!r}")
        value = make(self)
        setattr(self, name, value)
        return value

    @property
    def host_name(self) -> str:
        """The host asked for, without its port."""
        host: str = self.host
        name, colon, port = host.rpartition(":")
        return (name if colon and port.isdigit() else host).lower()

    def full_url(self) -> str:
        """The URL that was asked for."""
        return f"{self.protocol}://{self.host}{self.uri}"

    def request_time(self) -> float:
        """Seconds since the request came."""
        return time.monotonic() - self._started

    def get_ssl_certificate(self) -> bytes | None:
        """The client's certificate in DER, where there is one."""
        tls = self.connection.tls
        return None if tls is None else tls["client_certificate"]

    def __repr__(self) -> str:
        return f"HTTPServerRequest({self.method} {self.uri} from {self.remote_ip})"


def _body_arguments(request: HTTPServerRequest) -> dict[str, list[bytes]]:
    if not request.body:
        return {}
    kind = request.connection.header("content-type") or ""
    if kind.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return {}
    return parse_form(request.body.decode("latin-1"))


def _arguments(request: HTTPServerRequest) -> dict[str, list[bytes]]:
    query: dict[str, list[bytes]] = request.query_arguments
    if not request.body:
        return query
    merged = {name: list(values) for name, values in query.items()}
    for name, values in request.body_arguments.items():
        merged.setdefault(name, []).extend(values)
    return merged


_ATTRIBUTES: Final[dict[str, Callable[[HTTPServerRequest], Any]]] = {
    "method": lambda request: request.connection.method,
    "uri": lambda request: request.connection.target,
    "path": lambda request: request.connection.path,
    "query": lambda request: request.connection.query,
    "version": lambda request: request.connection.http_version,
    "headers": lambda request: HTTPHeaders.from_wire(request.connection.headers),
    "host": lambda request: request.connection.host or "127.0.0.1",
    "protocol": lambda request: request.connection.scheme,
    "remote_ip": lambda request: request.connection.remote_ip,
    "query_arguments": lambda request: parse_form(request.connection.query),
    "body_arguments": _body_arguments,
    "arguments": _arguments,
    "cookies": lambda request: parse_cookie(request.connection.header("cookie") or ""),
    "files": lambda _: {},
}
