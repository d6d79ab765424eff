"""`ExchangeStream`: a connection that was taken away from HTTP, as a stream of bytes."""

from typing import Any

from eyewall.http.engine import StreamClosedError
from eyewall.http.exchange import Exchange
from eyewall.net.base_stream import BaseIOStream


class ExchangeStream(BaseIOStream):
    """Reads and writes the bytes of a connection behind a request; see `BaseIOStream`.

    Args:
        exchange: The request; nothing has been answered to it.

    Raises:
        RuntimeError: The answer was begun, or the request came by HTTP/2.
    """

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        detach: Any = getattr(exchange, "detach", None)
        if detach is None:
            raise RuntimeError("only requests of the engine's own server can be detached")
        detach()
        self._wire = self._reader = self._writer = _Connection(self, exchange)

    def fileno(self) -> int:
        """-1: the descriptor is the engine's."""
        return -1

    def set_nodelay(self, value: bool) -> None:
        """Nothing: the engine sends at once."""

    def _start(self) -> None:
        self._wire.read()

    def _send_early(self, data: bytes) -> int:
        return 0

    def _release(self) -> None:
        self._wire.close()


class _Connection:
    """The engine's side, with the methods of an asyncio transport."""

    def __init__(self, stream: ExchangeStream, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange
        self._reading = False
        self._held = False
        self._waiting = 0
        self.clogged = False

    def read(self) -> None:
        """Hand on what comes, until the stream wants no more."""
        if self._reading:
            return
        self._reading = True
        while not self._held:
            try:
                piece = self._exchange.read(self._arrived)
            except StreamClosedError as exc:
                self._lost(exc)
                return
            if piece is None:
                return
            if not self._take(piece):
                return
        self._reading = False

    def _arrived(self, piece: bytes | Exception) -> None:
        self._reading = False
        if isinstance(piece, Exception):
            self._lost(piece)
        elif self._take(piece):
            self.read()

    def _take(self, piece: bytes) -> bool:
        if piece:
            self._stream.feed(piece)
        else:
            self._stream.ended(None, lost=False)
        return bool(piece)

    def _lost(self, error: Exception) -> None:
        # A peer that has gone is no error of the stream.
        self._stream.ended(None if isinstance(error, StreamClosedError) else error, lost=True)

    def pause_reading(self) -> None:
        self._held = True

    def resume_reading(self) -> None:
        self._held = False
        self.read()

    def write(self, data: bytes) -> None:
        try:
            if self._exchange.write(data) or self._exchange.when_writable(self._drained):
                return
        except StreamClosedError as exc:
            self._lost(exc)
            return
        self.clogged = True
        self._waiting += len(data)

    def _drained(self, error: Exception | None) -> None:
        self.clogged, self._waiting = False, 0
        if error is None:
            self._stream.flushed()
        else:
            self._lost(error)

    def is_closing(self) -> bool:
        return not self._exchange.connected

    def get_write_buffer_size(self) -> int:
        return self._waiting

    def close(self) -> None:
        try:
            self._exchange.end()
        except (RuntimeError, StreamClosedError):
            # It has ended already.
            return

    def abort(self) -> None:
        self._exchange.abort()
