"""The HTTP client under the name of Tornado's client on libcurl; it does not use libcurl."""

from eyewall.http.client import HTTPError as CurlError
from eyewall.http.client import SimpleAsyncHTTPClient


class CurlAsyncHTTPClient(SimpleAsyncHTTPClient):
    """Eyewall's own client, for programs that configure the one on libcurl by its name."""


__all__ = ["CurlAsyncHTTPClient", "CurlError"]
