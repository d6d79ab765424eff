"""`HTTPRequest`: what to ask of a server, and how."""

import datetime
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Final

from eyewall.http.dates import format_date
from eyewall.http.headers import HTTPHeaders, check_name

_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})
_METHODS: Final = _BODY_METHODS | {"GET", "HEAD", "DELETE", "OPTIONS"}

try:
    _VERSION = version("eyewall")
except PackageNotFoundError:  # a source tree on the path, not an installed package
    _VERSION = "0"

BodyProducer = Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[None] | None]
"""Is called with a function that sends a piece; wait for its result before the next piece."""


def copied(headers: Mapping[str, Any] | None) -> HTTPHeaders:
    """Headers independent of these, with repeated fields kept apart; bytes are UTF-8."""
    if isinstance(headers, HTTPHeaders):
        return headers.copy()
    result = HTTPHeaders()
    for name, value in (headers or {}).items():
        result.add(name, value.decode() if isinstance(value, bytes) else value)
    return result


def producer_of(body: bytes) -> BodyProducer:
    """Sends this."""

    async def produce(write: Callable[[bytes], Awaitable[None]]) -> None:
        await write(body)

    return produce


class HTTPRequest:
    """A request, with how it is to be sent. What is None is the client's default.

    Args:
        url: An absolute http or https URL.
        method: The method; others than the usual need `allow_nonstandard_methods`.
        headers: Fields to send.
        body: Content; a str is sent as UTF-8.
        auth_username: Name for authentication; also taken from the URL.
        auth_password: Its password.
        auth_mode: "basic" (RFC 7617, the default) or "digest" (RFC 7616).
        connect_timeout: Seconds that connecting may take, name and TLS included; 0 for no limit.
        request_timeout: Seconds for the whole of it, redirects included; 0 for no limit.
        if_modified_since: A time, for a conditional request.
        follow_redirects: Whether to go where a redirect points.
        max_redirects: How many times.
        user_agent: Value of `User-Agent`.
        use_gzip: The old name of `decompress_response`.
        network_interface: Local address to connect from.
        streaming_callback: Called with each piece of the content, which is then not kept. While
            an awaitable that it returns is not done, no more is read.
        header_callback: Called with each line of the response's head.
        prepare_curl_callback: Only for the libcurl client.
        proxy_host: Host of an HTTP proxy.
        proxy_port: Its port.
        proxy_username: Name for the proxy.
        proxy_password: Its password.
        proxy_auth_mode: "basic".
        allow_nonstandard_methods: Skip the checks of method and body.
        validate_cert: Whether to verify the server's certificate.
        ca_certs: File of the authorities to trust.
        allow_ipv6: Whether to connect by IPv6 too.
        client_key: File of this client's key.
        client_cert: File of this client's certificate.
        body_producer: Sends the content piece by piece; see `BodyProducer`.
        expect_100_continue: Send the content only when the server asks for it.
        decompress_response: Offer gzip and other codings, and decode them.
        ssl_options: A context or a dict of its arguments, instead of the five above.

    Raises:
        ValueError: A header cannot be sent.
    """

    DEFAULTS: ClassVar[dict[str, Any]] = {
        "user_agent": "Eyewall/" + _VERSION,
        "connect_timeout": 20.0,
        "request_timeout": 20.0,
        "follow_redirects": True,
        "max_redirects": 5,
        "decompress_response": True,
        "proxy_password": "",
        "allow_nonstandard_methods": False,
        "validate_cert": True,
        "auth_mode": "basic",
        "allow_ipv6": True,
    }

    def __init__(  # noqa: PLR0913, PLR0917 - Tornado's signature
        self,
        url: str,
        method: str = "GET",
        headers: MutableMapping[str, Any] | None = None,
        body: bytes | str | None = None,
        auth_username: str | None = None,
        auth_password: str | None = None,
        auth_mode: str | None = None,
        connect_timeout: float | None = None,
        request_timeout: float | None = None,
        if_modified_since: float | datetime.datetime | None = None,
        follow_redirects: bool | None = None,
        max_redirects: int | None = None,
        user_agent: str | None = None,
        use_gzip: bool | None = None,
        network_interface: str | None = None,
        streaming_callback: Callable[[bytes], Awaitable[None] | None] | None = None,
        header_callback: Callable[[str], object] | None = None,
        prepare_curl_callback: Callable[[Any], object] | None = None,
        proxy_host: str | None = None,
        proxy_port: int | None = None,
        proxy_username: str | None = None,
        proxy_password: str | None = None,
        proxy_auth_mode: str | None = None,
        allow_nonstandard_methods: bool | None = None,
        validate_cert: bool | None = None,
        ca_certs: str | None = None,
        allow_ipv6: bool | None = None,
        client_key: str | None = None,
        client_cert: str | None = None,
        body_producer: BodyProducer | None = None,
        expect_100_continue: bool = False,
        decompress_response: bool | None = None,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
    ) -> None:
        self.url = url
        self.method = method
        self.headers = headers
        if if_modified_since is not None:
            self.headers = copied(self.headers)
            self.headers["If-Modified-Since"] = format_date(if_modified_since)
        self.body = body
        self.auth_username = auth_username
        self.auth_password = auth_password
        self.auth_mode = auth_mode
        self.connect_timeout = connect_timeout
        self.request_timeout = request_timeout
        self.follow_redirects = follow_redirects
        self.max_redirects = max_redirects
        self.user_agent = user_agent
        self.network_interface = network_interface
        self.streaming_callback = streaming_callback
        self.header_callback = header_callback
        self.prepare_curl_callback = prepare_curl_callback
        self.proxy_host = proxy_host
        self.proxy_port = proxy_port
        self.proxy_username = proxy_username
        self.proxy_password = proxy_password
        self.proxy_auth_mode = proxy_auth_mode
        self.allow_nonstandard_methods = allow_nonstandard_methods
        self.validate_cert = validate_cert
        self.ca_certs = ca_certs
        self.allow_ipv6 = allow_ipv6
        self.client_key = client_key
        self.client_cert = client_cert
        self.body_producer = body_producer
        self.expect_100_continue = expect_100_continue
        self.decompress_response = use_gzip if decompress_response is None else decompress_response
        self.ssl_options = ssl_options
        self.start_time = time.time()

    @property
    def headers(self) -> MutableMapping[str, Any]:
        """Fields to send."""
        return self._headers

    @headers.setter
    def headers(self, headers: MutableMapping[str, Any] | None) -> None:
        self._headers = HTTPHeaders() if headers is None else headers

    @property
    def body(self) -> bytes | None:
        """The content as it is sent."""
        return self._body

    @body.setter
    def body(self, body: bytes | str | None) -> None:
        self._body = body.encode() if isinstance(body, str) else body

    @property
    def is_plain(self) -> bool:
        """Whether it is a GET that is sent as every other one of the client to this URL is."""
        return (
            self.method == "GET"
            and not self._headers
            and self._body is None
            and self.body_producer is None
            and self.user_agent is None
            and self.auth_username is None
            and self.auth_mode is None
            and self.decompress_response is None
            and self.network_interface is None
            and self.proxy_host is None
            and self.allow_ipv6 is None
            and self.validate_cert is None
            and self.ca_certs is None
            and self.client_cert is None
            and self.ssl_options is None
        )

    def option(self, name: str, defaults: Mapping[str, Any]) -> Any:
        """A field's value, or the default for it."""
        value = getattr(self, name)
        return defaults.get(name) if value is None else value

    def check(self, defaults: Mapping[str, Any]) -> None:
        """Refuse a method that is not known, and content where there is none to be.

        Raises:
            KeyError: The method is not known.
            ValueError: The method wants content and there is none, or the other way round.
        """
        if self.method == "GET" and self._body is None and self.body_producer is None:
            return
        check_name(self.method)
        has_body = self._body is not None or self.body_producer is not None
        if self._body is not None and self.body_producer is not None:
            raise ValueError("body and body_producer exclude each other")
        if self.option("allow_nonstandard_methods", defaults):
            return
        if self.method not in _METHODS:
            raise KeyError(f"unknown method {self.method}; it needs allow_nonstandard_methods=True")
        if has_body != (self.method in _BODY_METHODS):
            what = "be None" if has_body else "not be None (it may be empty)"
            raise ValueError(
                f"the body must {what} for {self.method} unless allow_nonstandard_methods=True"
            )

    def __repr__(self) -> str:
        return f"<HTTPRequest {self.method} {self.url}>"
