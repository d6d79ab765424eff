"""`RequestConnection`: an exchange as those know it who write answers by their lines."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from eyewall.base.log import app_log, gen_log
from eyewall.http.body import read_piece
from eyewall.http.engine import ProtocolError, StreamClosedError
from eyewall.http.exchange import Exchange
from eyewall.http.exchange_stream import ExchangeStream
from eyewall.http.headers import HTTPHeaders
from eyewall.http.start_lines import RequestStartLine, ResponseStartLine
from eyewall.loop.eager import start_task

if TYPE_CHECKING:
    from eyewall.http.delegates import HTTPMessageDelegate

_running: Final[set["asyncio.Task[None]"]] = set()


class HTTPConnection(Protocol):
    """Writes one answer, or one request."""

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> "Awaitable[None]":
        """Send the head, and with it a first piece of the body."""
        ...

    def write(self, chunk: bytes) -> "Awaitable[None]":
        """Send a piece of the body; await it for the peer's back-pressure."""
        ...

    def finish(self) -> None:
        """Say that the body is complete."""
        ...


class RequestConnection:
    """Answers one request of a server.

    Args:
        exchange: The request.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._begun = False
        self._ended = False

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> "asyncio.Future[None]":
        """Send the head of the answer; see `HTTPConnection`.

        Raises:
            TypeError: The first line is that of a request.
            RuntimeError: The head was sent already.
        """
        if not isinstance(start_line, ResponseStartLine):
            raise TypeError(f"an answer begins with a ResponseStartLine, not {start_line!r}")
        self._begun = True
        self._exchange.start(start_line.code, list(headers.get_all()), start_line.reason)
        return self.write(chunk or b"")

    def write(self, chunk: bytes) -> "asyncio.Future[None]":
        """Send a piece of the body; see `HTTPConnection`."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            if (
                not chunk
                or self._exchange.write(chunk)
                or self._exchange.when_writable(partial(_settle, waiting))
            ):
                waiting.set_result(None)
        except StreamClosedError as exc:
            _settle(waiting, exc)
        return waiting

    def finish(self) -> None:
        """End the answer."""
        self._ended = True
        # When the client has gone, `on_connection_close` has told those who want to know.
        with suppress(StreamClosedError):
            self._exchange.end()

    @property
    def stream(self) -> "RequestConnection":
        """This itself: what is left of Tornado's stream beneath a connection."""
        return self

    def detach(self) -> ExchangeStream:
        """Take the connection away from HTTP; see `RequestHandler.detach`.

        Raises:
            RuntimeError: The answer was begun, or the request came by HTTP/2.
        """
        return ExchangeStream(self._exchange)

    def closed(self) -> bool:
        """Whether the peer has gone or the answer is complete."""
        return not self._exchange.connected

    def close(self) -> None:
        """Cut the connection."""
        self._exchange.abort()

    def set_close_callback(self, callback: Callable[[], object] | None) -> None:
        """Call back if the client goes before the answer is complete."""
        self._exchange.on_disconnect(callback)

    def set_max_body_size(self, max_body_size: int) -> None:
        """Limit this request's body, in bytes."""
        self._exchange.set_body_limit(max_body_size)


def serve_message(exchange: Exchange, delegate: "HTTPMessageDelegate") -> None:
    """Tell a delegate of a request, from its head to its end."""
    exchange.on_disconnect(delegate.on_connection_close)
    task = start_task(asyncio.get_running_loop(), _tell(exchange, delegate))
    if not task.done():
        # The loop holds tasks weakly.
        _running.add(task)
        task.add_done_callback(_running.discard)


async def _tell(exchange: Exchange, delegate: "HTTPMessageDelegate") -> None:
    try:
        start_line = RequestStartLine(exchange.method, exchange.target, exchange.http_version)
        await _maybe(delegate.headers_received(start_line, HTTPHeaders.from_wire(exchange.headers)))
        if exchange.has_body:
            while piece := await read_piece(exchange):
                await _maybe(delegate.data_received(piece))
        delegate.finish()
    except ProtocolError as exc:
        if not exchange.responded:
            exchange.respond(exc.status, {}, b"")
    except StreamClosedError as exc:
        gen_log.debug("%s %s: %s", exchange.method, exchange.target, exc)
    except Exception:  # noqa: BLE001 - the boundary of a delegate
        app_log.exception("Uncaught exception %s %s", exchange.method, exchange.target)
        if exchange.responded:
            exchange.abort()
        else:
            exchange.respond(500, {}, b"")


async def _maybe(waiting: Any) -> None:
    if waiting is not None:
        await waiting


def _settle(waiting: "asyncio.Future[None]", error: Exception | None) -> None:
    if waiting.done():
        return
    if error is None:
        waiting.set_result(None)
    else:
        waiting.set_exception(error)
        # Not everybody awaits; a client that left is no news in the log.
        waiting.exception()
