"""What a fetch can end in: each cause has its type, and all are `HTTPClientError`."""

import ssl
from http.client import responses
from typing import TYPE_CHECKING

from eyewall.http.client.engine import RequestFailedError

if TYPE_CHECKING:
    from eyewall.http.client.response import HTTPResponse


class HTTPClientError(Exception):
    """A fetch failed, or was answered with a status that is no success.

    Args:
        code: The status; 599 where no response came.
        message: What went wrong.
        response: The response, where there is one.
    """

    def __init__(
        self, code: int, message: str | None = None, response: "HTTPResponse | None" = None
    ) -> None:
        self.code = code
        self.message = message or responses.get(code, "Unknown")
        self.response = response
        super().__init__(code, message, response)

    def __str__(self) -> str:
        return f"HTTP {self.code}: {self.message}"

    __repr__ = __str__


HTTPError = HTTPClientError


class _UnansweredError(HTTPClientError):
    """No response came; the one argument says why."""

    def __init__(self, message: str) -> None:
        super().__init__(599, message)

    def __str__(self) -> str:
        return self.message


class HTTPTimeoutError(_UnansweredError):
    """The request, connecting, or the wait for a place took too long."""


class HTTPReadTimeoutError(HTTPTimeoutError):
    """The server was connected to, and has not begun to answer in time."""


class HTTPStreamClosedError(_UnansweredError):
    """The connection broke, was closed, or carried what is no HTTP."""


class HTTPCircuitOpenError(_UnansweredError):
    """A circuit breaker leaves the server alone for now; nothing was sent."""


class HTTPProtocolError(HTTPStreamClosedError):
    """The server's response breaks the protocol."""


class HTTPTooLargeError(HTTPProtocolError):
    """The response's head or content is larger than allowed."""


class HTTPDecodeError(HTTPProtocolError):
    """The content is not in the coding that the response says."""


class HTTPRedirectError(HTTPClientError):
    """The server redirects more often than `max_redirects` allows; the last response is with it."""


class HTTPConnectError(_UnansweredError, ConnectionError):
    """No connection could be made."""


class HTTPNameError(HTTPConnectError):
    """The host's name leads to no address."""


class HTTPProxyError(HTTPConnectError):
    """The proxy refuses, or answers what is no answer of a proxy."""


class HTTPTLSError(_UnansweredError, ssl.SSLError):
    """TLS could not be agreed on with the server, or broke."""


class HTTPCertificateError(HTTPTLSError):
    """The server's certificate is expired, revoked, for another name, or of nobody trusted."""


_KINDS = {
    "closed": HTTPStreamClosedError,
    "protocol": HTTPProtocolError,
    "too_large": HTTPTooLargeError,
    "timeout": HTTPTimeoutError,
    "tls": HTTPTLSError,
    "certificate": HTTPCertificateError,
}


def from_engine(failure: Exception) -> HTTPClientError:
    """What a failure of the engine is to the one who asked."""
    kind = failure.kind if isinstance(failure, RequestFailedError) else "closed"
    text = "Timeout during request" if kind == "timeout" else str(failure)
    return _KINDS[kind](text)
