"""`HTTPRequest`: what to ask of a server."""

import datetime
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from eyewall.http.dates import format_date
from eyewall.http.headers import HTTPHeaders, check_name

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_METHODS = _BODY_METHODS | {"GET", "HEAD", "DELETE", "OPTIONS"}


def copied(headers: Mapping[str, str]) -> HTTPHeaders:
    """Headers independent of these, with repeated fields kept apart."""
    return headers.copy() if isinstance(headers, HTTPHeaders) else HTTPHeaders(headers)


@dataclass(slots=True, kw_only=True)
class _Options:
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=HTTPHeaders)
    body: bytes | str | None = None
    auth_username: str | None = None
    auth_password: str | None = None
    connect_timeout: float = 20.0
    request_timeout: float = 20.0
    if_modified_since: float | datetime.datetime | None = None
    follow_redirects: bool = True
    max_redirects: int = 5
    user_agent: str | None = None
    decompress_response: bool = True
    network_interface: str | None = None
    streaming_callback: Callable[[bytes], object] | None = None
    header_callback: Callable[[str], object] | None = None
    allow_nonstandard_methods: bool = False
    validate_cert: bool = True
    ca_certs: str | None = None
    client_key: str | None = None
    client_cert: str | None = None
    ssl_options: ssl.SSLContext | None = None


@dataclass(slots=True)
class HTTPRequest(_Options):
    """A request, with how it is to be sent.

    Args:
        url: An absolute http or https URL.
        method: The method; others than the usual need `allow_nonstandard_methods`.
        headers: Fields to send.
        body: Content; a str is sent as UTF-8.
        auth_username: Name for basic authentication (RFC 7617).
        auth_password: Its password.
        connect_timeout: Seconds that connecting may take, TLS included; 0 for no limit.
        request_timeout: Seconds for the whole of it, redirects included; 0 for no limit.
        if_modified_since: A time, for a conditional request.
        follow_redirects: Whether to go where a redirect points.
        max_redirects: How many times.
        user_agent: Value of `User-Agent`.
        decompress_response: Offer gzip and decode it.
        network_interface: Local address to connect from.
        streaming_callback: Called with each piece of the content, which is then not kept.
        header_callback: Called with each line of the response's head.
        allow_nonstandard_methods: Skip the checks of method and body.
        validate_cert: Whether to verify the server's certificate.
        ca_certs: File of the authorities to trust.
        client_key: File of this client's key.
        client_cert: File of this client's certificate.
        ssl_options: A context, instead of the five above.

    Raises:
        ValueError: Method, body or headers cannot be sent.
    """

    url: str

    def __post_init__(self) -> None:
        check_name(self.method)
        self.headers = headers = copied(self.headers)
        if self.if_modified_since is not None:
            headers["If-Modified-Since"] = format_date(self.if_modified_since)
        if self.user_agent is not None:
            headers["User-Agent"] = self.user_agent
        if not self.allow_nonstandard_methods:
            self._check_method()

    def _check_method(self) -> None:
        if self.method not in _METHODS:
            raise ValueError(f"{self.method} needs allow_nonstandard_methods=True")
        wants_body = self.method in _BODY_METHODS
        if wants_body and self.body is None:
            raise ValueError(f"{self.method} needs a body, which may be empty")
        if not wants_body and self.body is not None and self.method in ("GET", "HEAD"):
            raise ValueError(f"{self.method} takes no body")

    def body_bytes(self) -> bytes | None:
        """The content as it is sent."""
        return self.body.encode() if isinstance(self.body, str) else self.body
