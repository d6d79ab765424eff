"""`HTTPClient`: the client for programs that have no event loop."""

import asyncio
import threading
from typing import Any, Self

from eyewall.http.client.client import AsyncHTTPClient
from eyewall.http.client.request import HTTPRequest
from eyewall.http.client.response import HTTPResponse


class HTTPClient:
    """Fetches and waits, in any thread; the work is done by a thread of its own.

    Where an event loop runs it blocks that loop; use `AsyncHTTPClient` there.

    Args:
        async_client_class: The client that does it; None for the one that is configured.
        options: Those of `AsyncHTTPClient`.

    Raises:
        ValueError: An option cannot be used.
    """

    def __init__(
        self, async_client_class: type[AsyncHTTPClient] | None = None, **options: Any
    ) -> None:
        self._closed = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_turn, args=(self._loop,), daemon=True)
        self._thread.start()
        self._closed = False
        kind = AsyncHTTPClient if async_client_class is None else async_client_class

        async def make() -> AsyncHTTPClient:
            return kind(force_instance=True, **options)

        try:
            self._client = asyncio.run_coroutine_threadsafe(make(), self._loop).result()
        except BaseException:
            self._stop()
            raise

    def fetch(self, request: HTTPRequest | str, **kwargs: Any) -> HTTPResponse:
        """Fetch a URL; arguments and errors are those of `AsyncHTTPClient.fetch`."""
        if self._closed:
            raise RuntimeError("the client is closed")
        client = self._client

        async def fetched() -> HTTPResponse:
            return await client.fetch(request, **kwargs)

        waiting = asyncio.run_coroutine_threadsafe(fetched(), self._loop)
        try:
            return waiting.result()
        except BaseException:
            # Ctrl-C ends the wait, and then the fetch too.
            waiting.cancel()
            raise

    def close(self) -> None:
        """Close connections, loop and thread."""
        if self._closed:
            return

        async def closed(client: AsyncHTTPClient) -> None:
            client.close()

        asyncio.run_coroutine_threadsafe(closed(self._client), self._loop).result()
        self._stop()

    def _stop(self) -> None:
        self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            self._stop()


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop to its end, on a thread that knows nothing of the client."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
