"""A client's connection below a WebSocket: bytes to events, pings, and the end."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from eyewall.realtime.websocket.config import DEFAULT_CLOSE_TIMEOUT
from eyewall.realtime.websocket.engine import ProtocolError, WebSocketCodec
from eyewall.realtime.websocket.errors import WebSocketClosedError, WebSocketError

Answer = tuple[int, str, list[tuple[str, str]], bytes]
_NO_CLOSE_FRAME: Final = "the server closed the connection without a close frame"


class Wire(asyncio.Protocol):
    """Speaks WebSocket on one transport.

    Args:
        codec: Makes frames of messages and back.
        request: The opening handshake's bytes.
        on_event: Called with a kind and a value: "message", "ping", "pong", and last "close"
            with a code, where there was one, and a reason.
        ping: Seconds between pings and of silence after one; 0 for none.
    """

    __slots__ = (
        "_closing",
        "_codec",
        "_loop",
        "_on_event",
        "_paused",
        "_ping",
        "_pinging",
        "_request",
        "_room",
        "_timer",
        "_told",
        "_why",
        "answer",
        "transport",
    )  # fmt: skip

    def __init__(
        self,
        codec: WebSocketCodec,
        request: bytes,
        on_event: Callable[[str, Any], object],
        ping: tuple[float, float],
    ) -> None:
        # It may be closed while the loop does not run.
        self._loop = loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Answer] = loop.create_future()
        self.transport: asyncio.Transport | None = None
        self._codec = codec
        self._request = request
        self._on_event = on_event
        self._ping = ping
        self._pinging = False
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        # Before it is open there is nothing to tell the end of.
        self._told = True
        self._why: tuple[int | None, str] | None = None
        self._room: asyncio.Future[None] | None = None
        self._paused = False

    # -- what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the WebSocket."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take the answer, then frames."""
        self._pinging = False
        if self.answer.done():
            self._take(data)
            return
        try:
            answer = self._codec.handshake(data)
        except ProtocolError as exc:
            self._refuse(WebSocketError(f"the server's answer is no WebSocket's: {exc}"))
            return
        if answer is None:
            return
        if answer[0] != 101:
            self._abort()
        self.answer.set_result(answer)

    def eof_received(self) -> None:
        """The server has closed its side."""
        if self.answer.done():
            return
        try:
            answer = self._codec.handshake(b"", eof=True)
        except ProtocolError as exc:
            self._refuse(WebSocketError(str(exc)))
            return
        if answer is not None:
            self.answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        if not self.answer.done():
            self._refuse(WebSocketError(f"the connection broke: {exc or _NO_CLOSE_FRAME}"))
        if self._timer is not None:
            self._timer.cancel()
        self.resume_writing()
        self._tell()

    def pause_writing(self) -> None:
        """Too much waits to be sent."""
        self._paused = True

    def resume_writing(self) -> None:
        """There is room again."""
        self._paused = False
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    # -- what the WebSocket calls

    def start(self) -> None:
        """The answer was read: take what came behind it, and begin to ping."""
        self._told = self.transport is None or self.transport.is_closing()
        if self._ping[0] > 0:
            self._later(self._ping[0], self._send_ping)
        self._take(b"")

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        transport = self.transport
        if self._closing or self._told or transport is None:
            return False
        return not transport.is_closing()

    @property
    def is_full(self) -> bool:
        """Whether the sender should wait."""
        return self._paused

    def send(self, frame: bytes) -> None:
        """Send a frame; one that nobody can get is dropped."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(frame)

    async def wait_for_room(self) -> None:
        """Wait until less waits to be sent.

        Raises:
            WebSocketClosedError: The connection is over.
        """
        while self._paused:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)
        if self._told:
            raise WebSocketClosedError("the WebSocket is closed")

    def close(self, code: int | None, reason: str) -> None:
        """Begin the closing handshake; the server then closes the connection."""
        frame = self._codec.close(code, reason)
        if not self.is_open:
            return
        self._closing = True
        if self._why is None:
            self._why = (code, reason)
        self.send(frame)
        if self.transport is not None:
            # A server that is waiting for us to read must be read.
            self.transport.resume_reading()
        self._later(DEFAULT_CLOSE_TIMEOUT, self._abort)

    def pause(self) -> None:
        """Take no more from the server."""
        if self.transport is not None and not self._closing:
            self.transport.pause_reading()

    def resume(self) -> None:
        """Go on."""
        if self.transport is not None:
            self.transport.resume_reading()

    # -- helpers

    def _take(self, data: bytes) -> None:
        for kind, value in self._codec.receive(data):
            if kind == "ping":
                if self.is_open:
                    self.send(self._codec.pong(value))
                self._on_event(kind, value)
            elif kind == "close":
                if self._why is None:
                    self._why = value
                self.close(value[0], "")
                self._tell()
            elif kind == "error":
                self._why = value
                self.close(*value)
                self._tell()
            else:
                self._on_event(kind, value)

    def _send_ping(self) -> None:
        interval, timeout = self._ping
        if not self.is_open:
            return
        self.send(self._codec.ping(b""))
        if timeout > 0:
            self._pinging = True
            self._later(timeout, self._check_pong)
        else:
            self._later(interval, self._send_ping)

    def _check_pong(self) -> None:
        if not self._pinging:
            self._later(self._ping[0], self._send_ping)
            return
        self.close(1000, "ping timed out")
        self._abort()

    def _later(self, seconds: float, callback: Callable[[], object]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, callback)

    def _refuse(self, error: Exception) -> None:
        self.answer.set_exception(error)
        self._abort()

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._on_event("close", self._why or (None, _NO_CLOSE_FRAME))
