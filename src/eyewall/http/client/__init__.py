"""The HTTP client."""

from eyewall.http.client.client import AsyncHTTPClient
from eyewall.http.client.cookies import Cookies
from eyewall.http.client.errors import (
    HTTPCertificateError,
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
from eyewall.http.client.request import HTTPRequest
from eyewall.http.client.response import HTTPResponse
from eyewall.http.client.retry import Retry
from eyewall.http.client.session import Session
from eyewall.http.client.simple import SimpleAsyncHTTPClient
from eyewall.http.client.streamed import StreamedResponse
from eyewall.http.client.sync import HTTPClient

__all__ = [
    "AsyncHTTPClient",
    "Cookies",
    "HTTPCertificateError",
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
]
