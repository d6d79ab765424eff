"""`UDPSocket`: datagrams, sent and received."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Self, cast

from eyewall.net.errors import StreamClosedError

_QUEUE: Final = 1024


async def open_udp(
    local: tuple[str, int] | None = None,
    remote: tuple[str, int] | None = None,
    *,
    family: int = socket.AF_UNSPEC,
    reuse_port: bool = False,
    broadcast: bool = False,
    sock: socket.socket | None = None,
    queue_size: int = _QUEUE,
) -> "UDPSocket":
    """Open a UDP socket.

    Args:
        local: Address and port to receive at; port 0 for one that is free.
        remote: The only peer; `send` then needs no address, and others are not heard.
        family: Only IPv4 or only IPv6.
        reuse_port: Let several processes receive at the same port.
        broadcast: Let datagrams be sent to broadcast addresses.
        sock: A datagram socket to take over, instead of all these; it may be a Unix one.
        queue_size: Most datagrams that wait to be received; what comes then is dropped.

    Raises:
        OSError: An address cannot be used or looked up.
        ValueError: `queue_size` is below 1.
    """
    if queue_size < 1:
        raise ValueError(f"a queue of {queue_size} datagrams can hold none")
    loop = asyncio.get_running_loop()
    endpoint = UDPSocket(loop, queue_size)
    if sock is None:
        anywhere = "::" if family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104 - all
        options: dict[str, Any] = {
            "local_addr": local or (None if remote else (anywhere, 0)),
            "remote_addr": remote,
            "family": family,
            "reuse_port": reuse_port or None,
            "allow_broadcast": broadcast or None,
        }
    else:
        sock.setblocking(False)
        options = {"sock": sock}
    await loop.create_datagram_endpoint(lambda: endpoint.wire, **options)
    return endpoint


class UDPSocket:
    """Sends and receives datagrams; made by `open_udp`.

    Attributes:
        dropped: Datagrams that found the queue full.

    Example:
        >>> async def echo(port: int) -> None:
        ...     async with await open_udp(("127.0.0.1", port)) as endpoint:
        ...         async for data, address in endpoint:
        ...             await endpoint.send(data, address)
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, queue_size: int) -> None:
        self.dropped = 0
        self.wire: Final = _Wire(self._arrived, self._lost)
        self._loop = loop
        self._size = queue_size
        self._queue: deque[tuple[bytes, Any] | OSError] = deque()
        self._receivers: deque[asyncio.Future[None]] = deque()
        self._closed = False

    @property
    def address(self) -> Any:
        """The address that it receives at."""
        return self._extra("sockname")

    @property
    def socket(self) -> Any:
        """The socket, for its options; not to be sent or received with."""
        return self._extra("socket")

    def _extra(self, name: str) -> Any:
        transport = self.wire.transport
        return None if transport is None else transport.get_extra_info(name)

    async def send(self, data: bytes, address: Any = None) -> None:
        """Send one datagram, when the system has room.

        Args:
            data: What: at least one byte, over IPv4 at most 65507.
            address: To whom; None for the `remote` that it was opened with.

        Raises:
            StreamClosedError: It is closed.
            ValueError: There is no address, or there are two, or nothing to send.
        """
        if not data:
            # asyncio drops it silently, other loops send it.
            raise ValueError("a datagram needs at least one byte")
        await self.wire.room.wait()
        transport = self.wire.transport
        if transport is None or self._closed:
            raise StreamClosedError
        remote = self._extra("peername")
        if (remote is None) == (address is None):
            raise ValueError(
                "name the address to send to" if remote is None else f"the peer is {remote}"
            )
        transport.sendto(data, address)

    async def recv(self) -> tuple[bytes, Any]:
        """The next datagram, with the address that it came from.

        Raises:
            StreamClosedError: It is closed, and nothing waits any more.
            OSError: The system has said that a datagram sent before was refused
                (`ConnectionRefusedError`); the socket can still be used.
        """
        while not self._queue:
            if self._closed:
                raise StreamClosedError
            future: asyncio.Future[None] = self._loop.create_future()
            self._receivers.append(future)
            try:
                await future
            except asyncio.CancelledError:
                if future.done() and not future.cancelled():
                    # Woken and cancelled at once: another one may have what came.
                    self._wake()
                raise
        item = self._queue.popleft()
        if isinstance(item, OSError):
            raise item
        return item

    def _wake(self) -> None:
        while self._receivers:
            future = self._receivers.popleft()
            if not future.done():
                future.set_result(None)
                return

    def _arrived(self, item: tuple[bytes, Any] | OSError) -> None:
        if len(self._queue) >= self._size:
            self.dropped += 1
            return
        self._queue.append(item)
        self._wake()

    def _lost(self) -> None:
        self._closed = True
        self.wire.room.set()
        while self._receivers:
            self._wake()

    def close(self) -> None:
        """Close it; what has arrived can still be received."""
        self._lost()
        if self.wire.transport is not None:
            self.wire.transport.close()

    async def __aenter__(self) -> Self:
        """Itself."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close it."""
        self.close()

    def __aiter__(self) -> Self:
        """All datagrams, until it is closed."""
        return self

    async def __anext__(self) -> tuple[bytes, Any]:
        """The next datagram."""
        try:
            return await self.recv()
        except StreamClosedError:
            raise StopAsyncIteration from None


class _Wire(asyncio.DatagramProtocol):
    """Between the transport and the socket's queue."""

    def __init__(
        self, arrived: Callable[[tuple[bytes, Any] | OSError], None], lost: Callable[[], None]
    ) -> None:
        self.transport: asyncio.DatagramTransport | None = None
        # Set while the system takes what is sent.
        self.room: Final = asyncio.Event()
        self.room.set()
        self._arrived = arrived
        self._lost = lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._arrived((data, addr))

    def error_received(self, exc: Exception) -> None:
        self._arrived(exc if isinstance(exc, OSError) else OSError(str(exc)))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._lost()

    def pause_writing(self) -> None:
        self.room.clear()

    def resume_writing(self) -> None:
        self.room.set()
