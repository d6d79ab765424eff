"""An exchange that tells when and how it was answered."""

import time
from collections.abc import Callable
from typing import Any, final

from eyewall.http.exchange import Buffer, Exchange, Headers


@final
class TracedExchange:
    """Passes everything on, and tells once how it ended.

    Args:
        exchange: What it passes everything to.
        on_end: Called with the status, None when the client went away before there was one, and
            the time in nanoseconds since 1970.
    """

    __slots__ = ("_exchange", "_gone", "_on_end", "_status")

    def __init__(self, exchange: Exchange, on_end: Callable[[int | None, int], object]) -> None:
        self._exchange = exchange
        self._on_end: Callable[[int | None, int], object] | None = on_end
        self._gone: Callable[[], object] | None = None
        self._status: int | None = None
        exchange.on_disconnect(self._left)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)

    def _ended(self, status: int | None) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(status, time.time_ns())

    def _left(self) -> None:
        self._ended(self._status)
        if self._gone is not None:
            self._gone()

    def on_disconnect(self, callback: Callable[[], object] | None) -> None:
        """Call this too when the client goes away."""
        self._gone = callback

    def respond(
        self, status: int, headers: Headers, body: Buffer | str, reason: str | None = None
    ) -> int:
        """Send a whole answer."""
        sent = self._exchange.respond(status, headers, body, reason)
        self._ended(status)
        return sent

    def start(
        self, status: int, headers: Headers, reason: str | None = None, *, end: bool = False
    ) -> None:
        """Send the head of a streamed answer."""
        self._exchange.start(status, headers, reason, end=end)
        self._status = status
        if end:
            self._ended(status)

    def end(self, trailers: Headers | None = None) -> None:
        """End a streamed answer."""
        self._exchange.end(trailers)
        self._ended(self._status)

    def abort(self) -> None:
        """Cut the connection."""
        self._exchange.abort()
        self._ended(self._status)

    def upgrade(self, headers: Headers) -> None:
        """Answer 101."""
        self._exchange.upgrade(headers)
        self._ended(101)
