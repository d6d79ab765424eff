"""A stream over a socket: connecting, and going under a transport of the loop."""

import socket
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Self

from eyewall.net.base_stream import BaseIOStream, fail, within
from eyewall.net.errors import StreamClosedError
from eyewall.net.wire import SocketWire

if TYPE_CHECKING:
    import asyncio


class SocketStream(BaseIOStream):
    """What streams over sockets have in common, with TLS and without it.

    Args:
        sock: The socket, connected or not; the stream takes it over.
        kwargs: As for `BaseIOStream`.
    """

    def __init__(self, sock: socket.socket, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._socket = sock
        self._task: asyncio.Task[None] | None = None
        self._connected: asyncio.Future[Any] | None = None
        sock.setblocking(False)

    @property
    def socket(self) -> Any:
        """The socket, for its options and addresses; not to be read from or written to."""
        return self._socket

    def fileno(self) -> int:
        """The socket's descriptor, or -1 when it is closed."""
        return self._socket.fileno()

    def connect(self, address: Any, server_hostname: str | None = None) -> "asyncio.Future[Self]":
        """Connect the socket, over TLS with the handshake; the future gives the stream itself.

        Reads and writes may begin at once; they wait for the connection.

        Args:
            address: What `socket.connect` takes; a name of a host is looked up in a thread.
            server_hostname: The name that the certificate is to have, over TLS.

        Raises:
            StreamClosedError: In the future, when it fails; `real_error` says why.
            ssl.SSLError: In the future, when the handshake fails.
            ValueError: There is no `server_hostname` where TLS checks it.
            RuntimeError: The stream is being connected, or was.
        """
        if self._closed:
            raise StreamClosedError(self.error)
        if self._task is not None:
            raise RuntimeError("the stream is connected, or being connected")
        self._named(server_hostname)
        future: asyncio.Future[Self] = self._loop.create_future()
        self._connected = future
        future.add_done_callback(self._connect_cancelled)
        self._spawn(self._connect(address))
        return future

    def _named(self, server_hostname: str | None) -> None:
        """Take the name that the peer is to have."""

    def set_nodelay(self, value: bool) -> None:
        """Send small writes at once (`TCP_NODELAY`), or let the system collect them."""
        if self._socket.family in {socket.AF_INET, socket.AF_INET6}:
            try:
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(value))
            except OSError:
                # The peer has gone; reads and writes will tell.
                if not self._closed and not self._ended:
                    raise

    async def _connect(self, address: Any) -> None:
        try:
            await self._loop.sock_connect(self._socket, address)
        except OSError as exc:
            self._connect_failed(exc)
        else:
            await self._attach()

    def ended(self, error: BaseException | None, *, lost: bool) -> None:
        """The peer sends no more, or the connection is lost; called by the wire."""
        if error is None:
            # It was there, however short.
            self._reached()
        super().ended(error, lost=lost)

    def _attached(self, reader: Any, writer: Any) -> None:
        self._reached()
        super()._attached(reader, writer)

    def _reached(self) -> None:
        """The stream can be used."""
        future, self._connected = self._connected, None
        if future is not None and not future.done():
            future.set_result(self)

    def _connect_cancelled(self, future: "asyncio.Future[Any]") -> None:
        if future.cancelled():
            self.close()

    def _connect_failed(self, error: BaseException) -> None:
        self._task = None
        future, self._connected = self._connected, None
        if future is not None:
            fail(future, StreamClosedError(error))
        self._shut(error)

    def _is_open(self) -> bool:
        return is_connected(self._socket)

    def _start(self) -> None:
        if self._task is None and self._wire is None and not self._ended:
            self._spawn(self._attach())

    async def _attach(self) -> None:
        """Put the socket, which is connected, under a transport of the loop."""
        wire = SocketWire(self, self.read_chunk_size)
        try:
            transport = await self._transport(wire)
        except (OSError, ValueError) as exc:
            self._connect_failed(exc)
            return
        self._task = None
        if self._closed or transport.is_closing():
            transport.close()
            return
        self._wire = wire
        self._attached(transport, transport)

    async def _transport(self, wire: SocketWire) -> Any:
        # Reading begins within the call, before the stream knows its transport.
        transport, _ = await self._loop.connect_accepted_socket(lambda: wire, self._socket)
        return transport

    def _send_early(self, data: bytes) -> int:
        # Before its transport is there, a socket that is connected may be written to as it is.
        if self._connected is not None:
            return 0
        try:
            return self._socket.send(data)
        except OSError:
            # Not now, or not at all: the transport will tell.
            return 0

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = self._loop.create_task(work)
        self._task.add_done_callback(self._task_over)

    def _task_over(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            self._socket.close()
            self._task = None
            self._shut(None)

    def _release(self) -> None:
        task, self._task = self._task, None
        if task is None or task.done() or self._loop.is_closed():
            self._socket.close()
        elif not within(task, self._loop):
            # The task takes the socket from the loop's selector before it is closed.
            task.cancel()

    def _shut(self, error: BaseException | None) -> None:
        future, self._connected = self._connected, None
        if future is not None:
            fail(future, StreamClosedError(error))
        super()._shut(error)


def is_connected(sock: socket.socket) -> bool:
    """Whether a socket has a peer."""
    try:
        sock.getpeername()
    except OSError:
        return False
    return True
