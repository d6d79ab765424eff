"""One HTTP request of an ASGI program: its `receive` and its `send`."""

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar, Final, final

from eyewall.base.log import gen_log
from eyewall.http.engine import ProtocolError, StreamClosedError

_PIECE: Final = 256 * 1024
_HOP_BY_HOP: Final = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"upgrade"})
_DISCONNECT: Final = {"type": "http.disconnect"}


class ClientDisconnectedError(OSError):
    """The client has gone; ASGI 2.4 has `send` raise an `OSError` then."""


@final
class HTTPRequest:
    """Carries a program's messages to an exchange, and the exchange's to the program.

    Args:
        exchange: The request and its answer.
    """

    __slots__ = (
        "_body_left",
        "_complete",
        "_exchange",
        "_gone",
        "_head",
        "_received",
        "_started",
        "_trailers",
        "_waiting",
    )

    def __init__(self, exchange: Any) -> None:
        self._exchange = exchange
        self._head: tuple[int, Any] | None = None
        self._started = False
        self._complete = False
        self._gone = False
        self._trailers: list[Any] | None = None
        self._body_left: int | None = None
        self._received = False
        self._waiting: asyncio.Future[None] | None = None

    @property
    def complete(self) -> bool:
        """Whether the answer has been sent whole."""
        return self._complete

    async def receive(self) -> dict[str, Any]:
        """The next piece of the body, and after that the disconnection, when it comes."""
        if not self._received:
            return await self._piece()
        if not (self._complete or self._gone):
            if self._waiting is None:
                self._waiting = asyncio.get_running_loop().create_future()
                self._exchange.on_disconnect(self._disconnected)
            # Several may wait, and one that is cancelled must not take the others along.
            await asyncio.shield(self._waiting)
        return _DISCONNECT.copy()

    async def _piece(self) -> dict[str, Any]:
        exchange = self._exchange
        if not exchange.has_body:
            self._received = True
            return {"type": "http.request", "body": b"", "more_body": False}
        left = self._body_left
        if left is None:
            length = exchange.content_length
            left = -1 if length is None else length
        arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def take(piece: bytes | Exception) -> None:
            if arrived.done():
                return
            if isinstance(piece, Exception):
                arrived.set_exception(piece)
            else:
                arrived.set_result(piece)

        try:
            piece = exchange.read(take)
            if piece is None:
                piece = await arrived
        except ProtocolError as exc:
            self._refuse(exc)
            return _DISCONNECT.copy()
        except StreamClosedError:
            self._received = True
            self._disconnected()
            return _DISCONNECT.copy()
        if left > 0:
            left -= len(piece)
        self._body_left = left
        # With a length, the last piece is known as such, and nobody asks for an empty one.
        more = bool(piece) and left != 0
        self._received = not more
        return {"type": "http.request", "body": piece, "more_body": more}

    def _refuse(self, error: ProtocolError) -> None:
        """Answer for the program: the body is too large, too slow or broken."""
        exchange = self._exchange
        gen_log.warning("%d %s: %s", error.status, exchange.method, error)
        self._received = True
        if not exchange.responded:
            exchange.respond(error.status, {"Content-Type": "text/plain; charset=UTF-8"}, b"")
        self._disconnected()

    def _disconnected(self) -> None:
        self._gone = not self._complete
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def send(self, message: Any) -> None:
        """Take a message of the program's.

        Raises:
            ClientDisconnectedError: Nobody is there to take it.
            RuntimeError: It is not the message's turn, or there is no such message.
        """
        if self._gone:
            raise ClientDisconnectedError("the client has gone")
        take = self._takes.get(message["type"])
        if take is None or self._complete:
            raise RuntimeError(f"unexpected ASGI message {message['type']!r}")
        work = take(self, message)
        if work is not None:
            await work

    def _take_start(self, message: Any) -> None:
        if self._head is not None:
            raise RuntimeError("the answer was started already")
        self._head = message["status"], message.get("headers", ())
        if message.get("trailers"):
            self._trailers = []

    def _take_body(self, message: Any) -> Coroutine[Any, Any, None] | None:
        body = message.get("body", b"")
        last = self._trailers is None and not message.get("more_body", False)
        if last and not self._started:
            self._respond(body)
            return None
        return self._stream(body, last=last)

    async def _stream(self, body: bytes, *, last: bool) -> None:
        if not self._started:
            self._start()
        await self._write(body)
        if last:
            self._end()

    def _take_trailers(self, message: Any) -> None:
        if self._trailers is None or not self._started:
            raise RuntimeError("trailers come after the body, and are announced at the start")
        self._trailers.extend(message.get("headers", ()))
        if not message.get("more_trailers", False):
            self._end()

    def _take_early_hint(self, message: Any) -> None:
        if self._head is not None:
            raise RuntimeError("hints come before the answer")
        self._exchange.inform(103, [(b"link", link) for link in message["links"]])

    def _take_file(self, message: Any) -> Coroutine[Any, Any, None]:
        return self._send_file(message["path"])

    _takes: ClassVar[dict[str, Any]] = {
        "http.response.start": _take_start,
        "http.response.body": _take_body,
        "http.response.trailers": _take_trailers,
        "http.response.early_hint": _take_early_hint,
        "http.response.pathsend": _take_file,
    }

    def _heading(self) -> tuple[int, Any]:
        if self._head is None:
            raise RuntimeError("the answer begins with http.response.start")
        return self._head

    def _respond(self, body: bytes) -> None:
        status, headers = self._heading()
        try:
            self._exchange.respond(status, headers, body)
        except ValueError:
            self._exchange.respond(status, _end_to_end(headers), body)
        self._started = True
        self._finished()

    def _start(self) -> None:
        status, headers = self._heading()
        self._started = True
        try:
            self._exchange.start(status, headers)
        except ValueError:
            self._exchange.start(status, _end_to_end(headers))

    async def _write(self, body: bytes) -> None:
        if not body:
            return
        exchange = self._exchange
        try:
            if exchange.write(body):
                return
            room: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def has_room(error: Exception | None) -> None:
                if room.done():
                    return
                if error is None:
                    room.set_result(None)
                else:
                    room.set_exception(error)

            if not exchange.when_writable(has_room):
                await room
        except StreamClosedError as exc:
            self._disconnected()
            raise ClientDisconnectedError("the client has gone") from exc

    async def _send_file(self, path: str) -> None:
        if not self._started:
            self._start()
        with open(path, "rb") as file:  # noqa: ASYNC230 - pieces are small, and mostly in memory
            while piece := file.read(_PIECE):
                await self._write(piece)
        self._end()

    def _end(self) -> None:
        try:
            self._exchange.end(self._trailers or None)
        except StreamClosedError:
            self._disconnected()
        else:
            self._finished()

    def _finished(self) -> None:
        self._complete = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def end(self) -> None:
        """The program has returned; what it left undone is seen by `complete`."""

    def fail(self) -> None:
        """Answer 500, or cut what was begun."""
        exchange = self._exchange
        if self._complete or self._gone:
            return
        if exchange.responded:
            exchange.abort()
        else:
            fields = {"Content-Type": "text/plain; charset=UTF-8"}
            exchange.respond(500, fields, b"Internal Server Error\n")
        self._finished()


def _end_to_end(headers: Any) -> list[tuple[bytes, bytes]]:
    """The fields without those of a connection, which are the server's own affair."""
    return [(name, value) for name, value in headers if bytes(name).lower() not in _HOP_BY_HOP]
