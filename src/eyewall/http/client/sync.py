"""`HTTPClient`: the client for programs that have no event loop."""

import asyncio
from typing import Any, Self

from eyewall.http.client.client import AsyncHTTPClient
from eyewall.http.client.request import HTTPRequest
from eyewall.http.client.response import HTTPResponse


class HTTPClient:
    """Fetches and waits; not to be used where an event loop is running.

    Args:
        async_client_class: The client that does it; None for the one that is configured.
        options: Those of `AsyncHTTPClient`.
    """

    def __init__(
        self, async_client_class: type[AsyncHTTPClient] | None = None, **options: Any
    ) -> None:
        self._closed = False
        self._runner = asyncio.Runner()
        kind = AsyncHTTPClient if async_client_class is None else async_client_class

        async def make() -> AsyncHTTPClient:
            return kind(force_instance=True, **options)

        self._client = self._runner.run(make())

    def fetch(self, request: HTTPRequest | str, **kwargs: Any) -> HTTPResponse:
        """Fetch a URL; arguments and errors are those of `AsyncHTTPClient.fetch`."""

        async def fetched() -> HTTPResponse:
            return await self._client.fetch(request, **kwargs)

        return self._runner.run(fetched())

    def close(self) -> None:
        """Close connections and loop."""
        if not self._closed:
            self._closed = True

            async def closed() -> None:
                self._client.close()

            self._runner.run(closed())
            self._runner.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close it."""
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            self.close()
