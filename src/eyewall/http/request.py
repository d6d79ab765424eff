"""`HTTPServerRequest`: a request in Tornado's terms, made from an exchange as it is asked for."""

import time
from typing import Final

from eyewall.base.lazy import lazy
from eyewall.http.cookies import CookieValue, parse_cookie
from eyewall.http.exchange import Exchange
from eyewall.http.forms import FormError, parse_form
from eyewall.http.headers import HTTPHeaders
from eyewall.http.multipart.form import HTTPFile, boundary_of, parse_multipart
from eyewall.http.multipart.parser import MultipartError
from eyewall.http.request_connection import RequestConnection

_FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


def _is_form(kind: str) -> bool:
    return kind.partition(";")[0].strip().lower() in _FORMS


class HTTPServerRequest:
    """One request.

    Everything is read from the exchange at its first use: a handler pays for what it looks at.

    Args:
        exchange: What the server made of the request.
        body: The body, for handlers that do not stream it.
    """

    def __init__(self, exchange: Exchange, body: bytes = b"") -> None:
        self.exchange = exchange
        self.body = body
        self._started = time.monotonic()

    @lazy
    def connection(self) -> RequestConnection:
        """Where an answer can be written line by line; handlers write theirs otherwise."""
        return RequestConnection(self.exchange)

    @lazy
    def method(self) -> str:
        """The method."""
        return self.exchange.method

    @lazy
    def uri(self) -> str:
        """The request target as sent."""
        return self.exchange.target

    @lazy
    def path(self) -> str:
        """The path, percent-encoded as sent."""
        return self.exchange.path

    @lazy
    def query(self) -> str:
        """What follows the first "?"."""
        return self.exchange.query

    @lazy
    def version(self) -> str:
        """The protocol, "HTTP/1.1" and the like."""
        return self.exchange.http_version

    @lazy
    def headers(self) -> HTTPHeaders:
        """The header fields."""
        return HTTPHeaders.from_wire(self.exchange.headers)

    @lazy
    def host(self) -> str:
        """The host asked for, with its port."""
        return self.exchange.host or "127.0.0.1"

    @lazy
    def host_name(self) -> str:
        """The host asked for, without its port."""
        name, colon, port = self.host.rpartition(":")
        return (name if colon and port.isdigit() else self.host).lower()

    @lazy
    def protocol(self) -> str:
        """The scheme: "http" or "https"."""
        return self.exchange.scheme

    @lazy
    def remote_ip(self) -> str:
        """The client's address."""
        return self.exchange.remote_ip

    @lazy
    def query_arguments(self) -> dict[str, list[bytes]]:
        """The query's fields: names to lists of values.

        Raises:
            FormError: The query cannot be taken.
        """
        return parse_form(self.exchange.query)

    @lazy
    def _form(self) -> tuple[dict[str, list[bytes]], dict[str, list[HTTPFile]]]:
        if not self.body:
            return {}, {}
        kind = self.exchange.header("content-type") or ""
        coding = self.exchange.header("content-encoding")
        if coding is not None and _is_form(kind):
            raise FormError(f"Unsupported Content-Encoding of a form: {coding[:40]}")
        if kind.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
            return parse_form(self.body), {}
        try:
            boundary = boundary_of(kind)
            return ({}, {}) if boundary is None else parse_multipart(self.body, boundary)
        except MultipartError as exc:
            raise FormError(str(exc)) from exc

    @lazy
    def body_arguments(self) -> dict[str, list[bytes]]:
        """The form's fields; errors as for `query_arguments`."""
        return self._form[0]

    @lazy
    def arguments(self) -> dict[str, list[bytes]]:
        """Query and form fields; errors as for `query_arguments`."""
        # A list of its own for each: programs change them.
        merged = {name: list(values) for name, values in self.query_arguments.items()}
        if self.body:
            for name, values in self.body_arguments.items():
                merged.setdefault(name, []).extend(values)
        return merged

    @lazy
    def cookies(self) -> dict[str, CookieValue]:
        """The cookies: names to values."""
        field = self.exchange.header("cookie")
        if field is None:
            return {}
        return {name: CookieValue(value) for name, value in parse_cookie(field).items()}

    @lazy
    def files(self) -> dict[str, list[HTTPFile]]:
        """Uploaded files by field; errors as for `query_arguments`."""
        return self._form[1]

    def full_url(self) -> str:
        """The URL that was asked for."""
        return f"{self.protocol}://{self.host}{self.uri}"

    def request_time(self) -> float:
        """Seconds since the request was first looked at."""
        return time.monotonic() - self._started

    def get_ssl_certificate(self) -> bytes | None:
        """The client's certificate in DER, where there is one."""
        tls = self.exchange.tls
        return None if tls is None else tls["client_certificate"]

    def __repr__(self) -> str:
        return f"HTTPServerRequest({self.method} {self.uri} from {self.remote_ip})"
