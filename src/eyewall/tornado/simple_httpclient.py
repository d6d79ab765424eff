"""The HTTP client under the name of Tornado's own implementation."""

from eyewall.http.client import AsyncHTTPClient as SimpleAsyncHTTPClient
from eyewall.http.client import HTTPStreamClosedError, HTTPTimeoutError

__all__ = ["HTTPStreamClosedError", "HTTPTimeoutError", "SimpleAsyncHTTPClient"]
