"""The backplane of the processes of one machine: a client of the local hub's Unix socket."""

import asyncio
import itertools
import random
import secrets
import time
from collections.abc import Awaitable, Sequence
from typing import Any, Final, final

import msgspec

from eyewall.base.log import gen_log
from eyewall.pubsub.backends.base import Backplane, Outgoing, Sink
from eyewall.pubsub.backends.frames import (
    Added,
    Answer,
    FrameError,
    FrameReader,
    Hello,
    Kept,
    Publish,
    Read,
    Reply,
    Request,
    Welcome,
    frame,
)
from eyewall.pubsub.errors import BackplaneError
from eyewall.pubsub.message import Page, Position

_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 2.0
_CONNECT_S: Final = 5.0

_decoder: Final = msgspec.msgpack.Decoder(Reply)


class _Asked:
    """A request that waits for its answer."""

    __slots__ = ("answer", "data", "is_publication", "since", "was_sent")

    def __init__(self, data: bytes, *, is_publication: bool) -> None:
        self.data = data
        self.is_publication = is_publication
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.since = time.monotonic()
        self.was_sent = False

    def fail(self, why: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(BackplaneError(why))
            # Not everybody awaits what was published.
            self.answer.exception()


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, owner: "LocalBackplane") -> None:
        self.owner = owner
        self.frames = FrameReader()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for each in self.frames.feed(data):
                self.owner.heard(self, _decoder.decode(each))
        except (FrameError, msgspec.DecodeError) as exc:
            gen_log.warning("The local hub spoke no sense: %s", exc)
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.owner.lost(self)


@final
class LocalBackplane(Backplane):
    """Shares messages with the other processes of this machine.

    Args:
        path: The Unix socket of a `LocalBackplaneServer`.
        patience_s: Seconds that a publication or a reading waits for a lost connection.
    """

    def __init__(self, path: str, *, patience_s: float = 10.0) -> None:
        self._path = path
        self._patience_s = patience_s
        self._client = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._sink: Sink | None = None
        self._line: _Line | None = None
        self._position = Position("", 0)
        self._asked: dict[int, _Asked] = {}
        self._out: list[bytes] = []
        self._welcomed: asyncio.Future[None] | None = None
        self._reconnecting: asyncio.Task[None] | None = None
        self._is_ready = False
        self._is_closed = False

    # Life

    async def start(self, sink: Sink) -> Position:
        """Connect."""
        loop = asyncio.get_running_loop()
        self._welcomed = loop.create_future()
        try:
            async with asyncio.timeout(_CONNECT_S):
                await self._connect()
                await self._welcomed
        except (OSError, TimeoutError) as exc:
            if self._line is not None:
                self._line.transport.abort()
            raise BackplaneError(f"no local hub answers at {self._path}: {exc}") from exc
        self._sink = sink
        return self._position

    async def _connect(self) -> None:
        line = _Line(self)
        await asyncio.get_running_loop().create_unix_connection(lambda: line, self._path)
        self._line = line
        line.transport.write(frame(Hello(self._client, *self._position)))

    def lost(self, line: _Line) -> None:
        """A connection has ended."""
        if line is not self._line:
            return
        self._line = None
        self._is_ready = False
        self._out.clear()
        if not self._is_closed and self._sink is not None:
            self._reconnecting = asyncio.ensure_future(self._reconnect())

    async def _reconnect(self) -> None:
        pause_s = _FIRST_PAUSE_S
        gen_log.warning("The local hub at %s is lost; connecting again", self._path)
        while not self._is_closed:
            # Spread out, for all processes lose it at once.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            self._give_up_old()
            try:
                await self._connect()
            except OSError:
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            return

    def _give_up_old(self) -> None:
        oldest = time.monotonic() - self._patience_s
        for n, asked in list(self._asked.items()):
            if asked.since > oldest:
                break
            del self._asked[n]
            asked.fail(f"the local hub at {self._path} is lost")

    async def close(self) -> None:
        """Disconnect."""
        self._is_closed = True
        self._sink = None
        if self._reconnecting is not None:
            self._reconnecting.cancel()
            await asyncio.gather(self._reconnecting, return_exceptions=True)
        if self._line is not None:
            self._flush()
            self._line.transport.close()
            self._line = None
        for asked in self._asked.values():
            asked.fail("the hub was closed")
        self._asked.clear()

    # Asking

    def publish(self, message: Outgoing) -> Awaitable[Position]:
        """Add a message; those of one turn of the loop leave together."""
        n = next(self._numbers)
        topic, body, key, keep = message
        return self._ask(n, Publish(n, topic, body, key, keep.count, keep.age_s))

    async def read(self, patterns: Sequence[str], after: int, limit: int) -> Page:
        """What is kept after a number."""
        n = next(self._numbers)
        page: Page = await self._ask(n, Read(n, list(patterns), after, limit))
        return page

    def _ask(self, n: int, request: Request) -> "asyncio.Future[Any]":
        asked = _Asked(frame(request), is_publication=isinstance(request, Publish))
        if self._is_closed:
            asked.fail("the hub was closed")
            return asked.answer
        self._asked[n] = asked
        if self._is_ready:
            if not self._out:
                asyncio.get_running_loop().call_soon(self._flush)
            asked.was_sent = True
            self._out.append(asked.data)
        return asked.answer

    def _flush(self) -> None:
        if self._line is not None and self._out:
            self._line.transport.write(b"".join(self._out))
        self._out.clear()

    # Hearing

    def heard(self, line: _Line, reply: Reply) -> None:
        """The local hub says something."""
        if line is not self._line:
            return
        if isinstance(reply, Added):
            self._position = self._position._replace(seq=reply.records[-1].seq)
            if self._sink is not None:
                self._sink.added(reply.records)
        elif isinstance(reply, Kept):
            self._answer(reply.n, Position(self._position.epoch, reply.seq))
        elif isinstance(reply, Answer):
            self._answer(reply.n, reply.page)
        else:
            self._welcome(reply)

    def _answer(self, n: int, answer: Any) -> None:
        asked = self._asked.pop(n, None)
        if asked is not None and not asked.answer.done():
            asked.answer.set_result(answer)

    def _welcome(self, welcome: Welcome) -> None:
        self._is_ready = True
        before, self._position = self._position, Position(welcome.epoch, welcome.top)
        if self._welcomed is not None:
            self._welcomed.set_result(None)
            self._welcomed = None
        elif self._sink is not None:
            if welcome.missed is None:
                self._sink.moved(self._position)
            elif welcome.missed:
                self._sink.added(welcome.missed)
        for n, asked in list(self._asked.items()):
            if asked.was_sent and asked.is_publication and before.epoch != welcome.epoch:
                # The old log may have had it; a second time in the new one would be a duplicate.
                del self._asked[n]
                asked.fail("the local hub was lost before it confirmed the message")
            else:
                asked.was_sent = True
                self._out.append(asked.data)
        self._flush()
