"""`HTTPClient`: the client for programs that have no event loop."""

import asyncio
from typing import Any

from eyewall.http.client.client import AsyncHTTPClient
from eyewall.http.client.request import HTTPRequest
from eyewall.http.client.response import HTTPResponse


class HTTPClient:
    """Fetches and waits; not to be used where an event loop is running.

    Args:
        options: Those of `AsyncHTTPClient`.
    """

    def __init__(self, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncHTTPClient(force_instance=True, **options)

    def fetch(self, request: HTTPRequest | str, **kwargs: Any) -> HTTPResponse:
        """Fetch a URL; arguments and errors are those of `AsyncHTTPClient.fetch`."""
        return self._runner.run(self._client.fetch(request, **kwargs))

    def close(self) -> None:
        """Close connections and loop."""
        self._client.close()
        self._runner.close()
