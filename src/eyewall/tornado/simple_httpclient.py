"""The HTTP client under the name of Tornado's own implementation."""

from eyewall.http.client import HTTPStreamClosedError, HTTPTimeoutError
from eyewall.tornado.legacy.client import SimpleAsyncHTTPClient

__all__ = ["HTTPStreamClosedError", "HTTPTimeoutError", "SimpleAsyncHTTPClient"]
