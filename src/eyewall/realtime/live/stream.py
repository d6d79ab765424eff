"""An answer that goes on: frames as server-sent events, for a client that may be slow or gone."""

import asyncio
from typing import Any, Final, final

from eyewall.web.engine import StreamClosedError

HEARTBEAT: Final = b":\n\n"
_MOST_UNREAD: Final = 1024 * 1024


@final
class FrameStream:
    """Writes frames to an exchange until its client goes, or does not read.

    Args:
        exchange: The exchange; its head has been sent.
    """

    def __init__(self, exchange: Any) -> None:
        self._exchange = exchange
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unread = 0
        exchange.on_disconnect(self._end)

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _room(self, error: Exception | None) -> None:
        self._unread = 0
        if error is not None:
            self._end()

    def send(self, frame: bytes) -> None:
        """Send a frame."""
        self.write(b"data: %b\n\n" % frame)

    def write(self, data: bytes) -> None:
        """Send bytes; a client for whom too much waits is cut off, and comes back."""
        if self._over.done():
            return
        try:
            if self._exchange.write(data):
                return
            if self._unread == 0 and self._exchange.when_writable(self._room):
                return
        except (StreamClosedError, RuntimeError):
            self._end()
            return
        self._unread += len(data)
        if self._unread > _MOST_UNREAD:
            self._exchange.abort()
            self._end()

    async def until_over(self, heartbeat_s: float) -> None:
        """Wait for the end, and show proxies meanwhile that the connection lives."""
        while not self._over.done():
            await asyncio.wait({self._over}, timeout=heartbeat_s)
            self.write(HEARTBEAT)
