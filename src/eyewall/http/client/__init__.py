"""The HTTP client."""

from eyewall.http.client.circuit import CircuitBreaker, CircuitState
from eyewall.http.client.client import AsyncHTTPClient
from eyewall.http.client.cookies import Cookies
from eyewall.http.client.curl import CurlAsyncHTTPClient
from eyewall.http.client.errors import (
    HTTPCertificateError,
    HTTPCircuitOpenError,
    HTTPClientError,
    HTTPConnectError,
    HTTPDecodeError,
    HTTPError,
    HTTPNameError,
    HTTPProtocolError,
    HTTPProxyError,
    HTTPRedirectError,
    HTTPStreamClosedError,
    HTTPTimeoutError,
    HTTPTLSError,
    HTTPTooLargeError,
)
from eyewall.http.client.events import ServerEvent
from eyewall.http.client.gather import Gathered, gather_fetch
from eyewall.http.client.request import HTTPRequest
from eyewall.http.client.response import HTTPResponse
from eyewall.http.client.retry import Retry
from eyewall.http.client.session import Session
from eyewall.http.client.simple import SimpleAsyncHTTPClient
from eyewall.http.client.streamed import StreamedResponse
from eyewall.http.client.sync import HTTPClient

__all__ = [
    "AsyncHTTPClient",
    "CircuitBreaker",
    "CircuitState",
    "Cookies",
    "CurlAsyncHTTPClient",
    "Gathered",
    "HTTPCertificateError",
    "HTTPCircuitOpenError",
    "HTTPClient",
    "HTTPClientError",
    "HTTPConnectError",
    "HTTPDecodeError",
    "HTTPError",
    "HTTPNameError",
    "HTTPProtocolError",
    "HTTPProxyError",
    "HTTPRedirectError",
    "HTTPRequest",
    "HTTPResponse",
    "HTTPStreamClosedError",
    "HTTPTLSError",
    "HTTPTimeoutError",
    "HTTPTooLargeError",
    "Retry",
    "ServerEvent",
    "Session",
    "SimpleAsyncHTTPClient",
    "StreamedResponse",
    "gather_fetch",
]
