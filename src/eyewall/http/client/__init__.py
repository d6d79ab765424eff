"""The HTTP client."""

from eyewall.http.client.client import AsyncHTTPClient
from eyewall.http.client.request import HTTPRequest
from eyewall.http.client.response import (
    HTTPClientError,
    HTTPError,
    HTTPResponse,
    HTTPStreamClosedError,
    HTTPTimeoutError,
)
from eyewall.http.client.sync import HTTPClient

__all__ = [
    "AsyncHTTPClient",
    "HTTPClient",
    "HTTPClientError",
    "HTTPError",
    "HTTPRequest",
    "HTTPResponse",
    "HTTPStreamClosedError",
    "HTTPTimeoutError",
]
