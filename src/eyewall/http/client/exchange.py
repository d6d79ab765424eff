"""One request on one connection, step by step."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any, Final

from eyewall.http.client.engine import (
    ClientResponse,
    EngineError,
    RequestFailedError,
    StreamClosedError,
)
from eyewall.http.client.errors import HTTPClientError, from_engine
from eyewall.http.client.pool import Link
from eyewall.http.client.prepare import Prepared
from eyewall.http.client.request import BodyProducer

_PATIENCE_S: Final = 1.0
"""How long a server may take to say that it wants the content (RFC 9110, section 10.1.1)."""

_TURNS: Final = 8
"""Pieces read one after the other before others have their turn."""

REPEATABLE: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
"""Methods that may be sent again when nobody knows whether they arrived (RFC 9110, section 9.2.2)."""

NO_LIMIT: Final = (1 << 64) - 1


class Unsent(Exception):  # noqa: N818 - a signal, which no caller sees
    """The server has not acted on the request, so that another connection may carry it.

    Args:
        failure: What the caller gets, if no other connection does.
        is_certain: Whether that is sure, or only likely.
        is_untouched: Nothing of the content was asked for.
    """

    def __init__(self, failure: HTTPClientError, *, is_certain: bool, is_untouched: bool) -> None:
        super().__init__(failure)
        self.failure = failure
        self.is_certain = is_certain
        self.is_untouched = is_untouched


class Exchange:
    """A request that is sent and its response, read when asked for.

    Args:
        link: The connection.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._stream = 0
        self._waiter: asyncio.Future[Any] | None = None
        self._uploading: asyncio.Task[None] | None = None
        self._asked: asyncio.Future[bool] | None = None
        self._broken: BaseException | None = None
        self._over = False
        self._at_once = 0
        self.trailers: list[tuple[str, str]] = []

    async def send(
        self,
        prepared: Prepared,
        *,
        producer: BodyProducer | None,
        streamed: bool,
        expect: bool,
        timeout_s: float,
        max_body: int,
    ) -> ClientResponse:
        """Send the request; returns the response: its head, or with `streamed` unset all of it.

        Raises:
            HTTPClientError: No response came.
            Unsent: The same, and it is safe to try again.
            ValueError: The request cannot be sent.
        """
        self._waiter = self._loop.create_future()
        if expect and prepared.length is not None:
            self._asked = self._loop.create_future()
        try:
            self._stream = self._link.conn.start(
                prepared.method,
                prepared.target,
                prepared.authority,
                prepared.fields,
                prepared.body,
                self._arrived,
                scheme=prepared.scheme,
                length=prepared.length,
                streamed=streamed,
                timeout_s=timeout_s,
                max_body=max_body,
                on_continue=None if self._asked is None else self._leave,
            )
        except StreamClosedError as error:
            self._over = True
            raise Unsent(from_engine(error), is_certain=True, is_untouched=True) from None
        if producer is not None:
            self._uploading = self._loop.create_task(self._upload(producer))
        return await self._wait(self._waiter)

    async def read(self) -> bytes | None:
        """The next piece of a streamed response; None at its end.

        Raises:
            HTTPClientError: No more of it will come.
        """
        if self._over:
            return None
        waiter = self._loop.create_future()

        def arrived(result: Any) -> None:
            if not waiter.done():
                waiter.set_result(result)

        try:
            piece = self._link.conn.read(self._stream, arrived)
        except EngineError as error:
            self._over = True
            raise from_engine(error) from None
        if piece is None:
            self._at_once = 0
            piece = await waiter
        else:
            self._at_once += 1
            if self._at_once == _TURNS:
                # A server that is quicker than the reader must not keep the loop to itself.
                self._at_once = 0
                await asyncio.sleep(0)
        if isinstance(piece, bytes):
            return piece
        self._over = True
        if isinstance(piece, Exception):
            raise from_engine(piece) from None
        self.trailers = piece
        return None

    def finish(self) -> None:
        """Give the connection back, or end it where the response was not read to its end."""
        if self._uploading is not None:
            self._uploading.cancel()
        if not self._over:
            self._over = True
            self._link.conn.cancel(self._stream)
        self._link.pool.give(self._link)

    def complete(self) -> None:
        """The response came whole."""
        self._over = True

    async def _wait(self, waiter: "asyncio.Future[Any]") -> ClientResponse:
        result = await waiter
        if self._broken is not None:
            raise self._broken
        if isinstance(result, Exception):
            self._over = True
            failure = from_engine(result)
            if isinstance(result, RequestFailedError) and result.unprocessed:
                # HTTP/2 says so; HTTP/1.1 just ends (RFC 9113, section 8.7).
                certain = self._link.multiplexed
                raise Unsent(failure, is_certain=certain, is_untouched=False) from None
            raise failure from None
        response: ClientResponse = result
        return response

    def _arrived(self, result: Any) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(result)

    def _leave(self, refusal: Exception | None) -> None:
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(refusal is None)

    async def _upload(self, producer: BodyProducer) -> None:
        try:
            if self._asked is None or await self._wanted(self._asked):
                result = producer(self._write)
                if result is not None:
                    await result
                self._link.conn.end(self._stream)
        except StreamClosedError:
            # What the server said instead of taking the content is told by the response.
            return
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the producer's errors are the caller's
            self._broken = error
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)

    async def _wanted(self, asked: "asyncio.Future[bool]") -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                return await asyncio.shield(asked)
        return True

    def _write(self, data: bytes) -> Awaitable[None]:
        room: asyncio.Future[None] = self._loop.create_future()
        if self._link.conn.write(self._stream, data):
            room.set_result(None)
            return room

        def has_room(_: object) -> None:
            if not room.done():
                room.set_result(None)

        self._link.conn.when_writable(self._stream, has_room)
        return room
