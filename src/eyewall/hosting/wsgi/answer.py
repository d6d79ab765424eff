"""What a WSGI program answers: from its thread to the exchange, with back-pressure."""

import sys
import threading
from collections.abc import Callable
from typing import Any, Final, final

from eyewall.base.log import app_log
from eyewall.hosting.wsgi.pool import LoopCalls
from eyewall.http.exchange import Exchange

# RFC 9110, section 7.6.1; PEP 3333 forbids them, many programs send them all the same.
_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "te"})
_BODY_SIZE: Final = 64 * 1024
"""Bytes of a body that are sent in one piece."""

ExcInfo = Any


class ClientGoneError(ConnectionError):
    """Nobody waits for the answer any more."""


@final
class Answer:
    """One answer, written by a thread.

    Args:
        exchange: Whom it is for; it is only touched on the loop's thread.
        calls: How that thread is reached.
    """

    def __init__(self, exchange: Exchange, calls: LoopCalls) -> None:
        self._exchange = exchange
        self._calls = calls
        self._status: tuple[int, str | None] | None = None
        self._headers: list[tuple[str, str]] = []
        self._sent_head = False
        self._room = threading.Event()
        self._failure: Exception | None = None

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo = None
    ) -> Callable[[bytes], None]:
        """PEP 3333's `start_response`; returns its `write`.

        Raises:
            AssertionError: It was called before, and no exception is being handled.
            ValueError: The status is none.
        """
        if exc_info:
            try:
                if self._sent_head:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                # A traceback in a frame of its own would keep itself alive.
                exc_info = None
        elif self._status is not None:
            raise AssertionError(
                "start_response() was called twice; the second call needs exc_info"
            )
        code, _, reason = status.partition(" ")
        if len(code) != 3 or not code.isdecimal():
            raise ValueError(f"a status is three digits and a reason, not {status!r}")
        self._status = int(code), reason.strip() or None
        self._headers = [
            (name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP
        ]
        return self.write

    def write(self, data: bytes) -> None:
        """Send a piece of the body; it blocks while the client takes nothing.

        Raises:
            ClientGoneError: The client has gone.
        """
        if not data:
            return
        self._room.clear()
        begins = not self._sent_head
        self._sent_head = True
        self._calls.post(lambda: self._write(data, begins=begins))
        self._room.wait()
        if self._failure is not None:
            raise ClientGoneError(str(self._failure)) from self._failure

    def finish(self, body: bytes | None) -> None:
        """End the answer; with a body, that is all of it.

        Raises:
            AssertionError: `start_response` was never called.
        """
        if self._status is None:
            raise AssertionError("the program did not call start_response()")
        if body is not None and not self._sent_head:
            self._calls.post(lambda: self._respond(body))
        else:
            if body:
                self.write(body)
            self._calls.post(self._end)

    def fail(self) -> None:
        """The program has raised: answer 500, or cut what was begun. Call it from an `except`."""
        error = sys.exc_info()[1]
        if isinstance(error, ClientGoneError):
            return
        # Only what cannot change is read of the exchange in this thread.
        app_log.error("Uncaught exception in a WSGI program", exc_info=error)
        self._calls.post(self._fail)

    # On the loop's thread

    def _head(self) -> tuple[int, list[tuple[str, str]], str | None]:
        code, reason = self._status or (500, None)
        return code, self._headers, reason

    def _respond(self, body: bytes) -> None:
        code, headers, reason = self._head()
        try:
            self._exchange.respond(code, headers, body, reason)
        except (ValueError, TypeError):
            app_log.exception("A WSGI program's answer cannot be sent")
            self._fail()

    def _write(self, data: bytes, *, begins: bool) -> None:
        exchange = self._exchange
        try:
            if begins:
                code, headers, reason = self._head()
                exchange.start(code, headers, reason)
            exchange.write(data)
            if not exchange.when_writable(self._has_room):
                return
        except (ConnectionError, OSError) as exc:
            self._failure = exc
        except (ValueError, TypeError, RuntimeError) as exc:
            app_log.exception("A WSGI program's answer cannot be sent")
            self._failure = exc
            self._fail()
        self._room.set()

    def _has_room(self, failure: Exception | None) -> None:
        self._failure = failure
        self._room.set()

    def _end(self) -> None:
        try:
            if self._sent_head:
                self._exchange.end()
            else:
                self._respond(b"")
        except ValueError as exc:
            app_log.error("A WSGI program's answer was cut: %s", exc)
        except ConnectionError:
            # The client has gone with the last piece.
            return

    def _fail(self) -> None:
        if self._exchange.responded:
            self._exchange.abort()
        else:
            fields = {"Content-Type": "text/plain; charset=UTF-8"}
            self._exchange.respond(500, fields, b"Internal Server Error\n")


def whole_body(iterable: Any) -> bytes | None:
    """The body, where it is at hand and small enough for one piece; else None."""
    if type(iterable) in {list, tuple} and all(type(piece) is bytes for piece in iterable):
        if len(iterable) == 1:
            return bytes(iterable[0])
        if sum(map(len, iterable)) <= _BODY_SIZE:
            return b"".join(iterable)
    return None
