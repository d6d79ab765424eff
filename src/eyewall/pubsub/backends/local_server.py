"""The hub of one machine: keeps the log for all processes that connect to its Unix socket.

It runs in the supervisor, which lives longer than any worker. All that arrives in one turn of the
loop is encoded once and leaves as one write for each process.
"""

import asyncio
import contextlib
import os
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import msgspec

from eyewall.base.log import gen_log
from eyewall.pubsub.backends.frames import (
    Added,
    Answer,
    FrameError,
    FrameReader,
    Hello,
    Kept,
    Publish,
    Reply,
    Request,
    Welcome,
    frame,
)
from eyewall.pubsub.history import MemoryLog, Retention

if TYPE_CHECKING:
    from eyewall.pubsub.message import Record

_MOST_UNREAD_BYTES: Final = 64 * 1024 * 1024
_MOST_CLIENTS: Final = 1024
_MOST_REMEMBERED: Final = 20_000

_decoder: Final = msgspec.msgpack.Decoder(Request)


class _Sent:
    """What a client has published, so that a repetition after a lost connection is known."""

    __slots__ = ("last", "seqs")

    def __init__(self) -> None:
        self.last = 0
        self.seqs: OrderedDict[int, int] = OrderedDict()

    def add(self, n: int, seq: int) -> None:
        self.last = n
        self.seqs[n] = seq
        if len(self.seqs) > _MOST_REMEMBERED:
            self.seqs.popitem(last=False)


class _Connection(asyncio.Protocol):
    """One process."""

    def __init__(self, server: "LocalBackplaneServer") -> None:
        self.server = server
        self.transport: asyncio.Transport | None = None
        self.frames = FrameReader()
        self.sent: _Sent | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a Unix socket's is a Transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        replies: list[bytes] = []
        try:
            for each in self.frames.feed(data):
                reply = self.heard(_decoder.decode(each))
                if reply is not None:
                    replies.append(frame(reply))
        except (FrameError, msgspec.DecodeError, ValueError) as exc:
            gen_log.warning("A process spoke no sense to the local hub: %s", exc)
            if self.transport is not None:
                self.transport.abort()
            return
        if replies:
            self.send(b"".join(replies))

    def heard(self, request: Request) -> Reply | None:
        server = self.server
        if isinstance(request, Hello):
            self.sent = server.client(request.client)
            return server.welcome(self, request)
        if self.sent is None:
            raise FrameError("the first frame must be a greeting")
        if isinstance(request, Publish):
            return Kept(request.n, server.publish(self.sent, request))
        page = server.log.read(request.patterns, request.after, request.limit, now=time.time())
        return Answer(request.n, page)

    def send(self, data: bytes) -> None:
        transport = self.transport
        if transport is None:
            return
        if transport.get_write_buffer_size() > _MOST_UNREAD_BYTES:
            # It comes back when it reads again, and recovers what it missed.
            gen_log.warning("A process does not read from the local hub and is disconnected")
            transport.abort()
            return
        transport.write(data)


@final
class LocalBackplaneServer:
    """Keeps the log for the processes of one machine.

    Args:
        path: Where the Unix socket is made; its folder must be private, for whoever can connect
            can read and publish everything.

    Example:
        >>> async def main():
        ...     server = LocalBackplaneServer("/run/shop/hub.sock")
        ...     await server.start()
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.log = MemoryLog()
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._clients: OrderedDict[str, _Sent] = OrderedDict()
        self._pending: list[Record] = []

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: The socket cannot be made.
        """
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        before = os.umask(0o177)
        try:
            self._server = await asyncio.get_running_loop().create_unix_server(
                lambda: _Connection(self), str(self.path)
            )
        finally:
            os.umask(before)

    async def close(self) -> None:
        """End all connections and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await self._server.wait_closed()
        self._server = None
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def client(self, name: str) -> _Sent:
        """What a client of this name has published."""
        sent = self._clients.get(name)
        if sent is None:
            sent = self._clients[name] = _Sent()
            if len(self._clients) > _MOST_CLIENTS:
                self._clients.popitem(last=False)
        else:
            self._clients.move_to_end(name)
        return sent

    def welcome(self, connection: _Connection, hello: Hello) -> Welcome:
        """Begin to tell a process what is added; the first answer is what it missed."""
        # What is pending is part of the answer, so it must not be told again.
        self._tell()
        self.connections.add(connection)
        log = self.log
        missed = log.since(hello.seq) if hello.epoch == log.epoch else None
        return Welcome(log.epoch, log.top, missed)

    def publish(self, sent: _Sent, message: Publish) -> int:
        """Add a message, unless it is a repetition; returns its number."""
        if message.n <= sent.last:
            return sent.seqs.get(message.n, 0)
        record = self.log.append(
            message.topic,
            message.body,
            message.key,
            Retention(message.count, message.age_s),
            now=time.time(),
        )
        sent.add(message.n, record.seq)
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._tell)
        self._pending.append(record)
        return record.seq

    def _tell(self) -> None:
        if self._pending:
            pending, self._pending = self._pending, []
            data = frame(Added(pending))
            for connection in list(self.connections):
                connection.send(data)
