"""The HTTP client under the name of Tornado's own implementation."""

from eyewall.http.client import HTTPStreamClosedError, HTTPTimeoutError, SimpleAsyncHTTPClient

__all__ = ["HTTPStreamClosedError", "HTTPTimeoutError", "SimpleAsyncHTTPClient"]
