"""The HTTP client, under Tornado's names."""

from eyewall.http.client import (
    AsyncHTTPClient,
    HTTPClient,
    HTTPClientError,
    HTTPError,
    HTTPRequest,
    HTTPResponse,
)
from eyewall.tornado.legacy.request_proxy import RequestProxy as _RequestProxy

__all__ = [
    "AsyncHTTPClient",
    "HTTPClient",
    "HTTPClientError",
    "HTTPError",
    "HTTPRequest",
    "HTTPResponse",
    "_RequestProxy",
]
