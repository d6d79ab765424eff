"""Between an asyncio transport and a stream. Hot path: each arrival of bytes passes here."""

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Sink(Protocol):
    """What a stream does with what happens on its transport."""

    def feed(self, data: bytes | memoryview) -> None:
        """Bytes have arrived; they are valid during the call only."""

    def ended(self, error: BaseException | None, *, lost: bool) -> None:
        """The peer will send no more, or the connection is lost."""

    def flushed(self) -> None:
        """All that was written has left."""


_local: Final = threading.local()


def _scratch(size: int) -> memoryview:
    """Memory of this thread for one arrival, shared by all streams: idle ones hold none."""
    views: dict[int, memoryview] = _local.__dict__.setdefault("views", {})
    view = views.get(size)
    if view is None:
        view = views[size] = memoryview(bytearray(size))
    return view


class Flow:
    """What both kinds of protocols have in common: the way out, and the end."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        # True while the transport holds bytes that the system did not take.
        self.clogged = False

    def connection_lost(self, exc: BaseException | None) -> None:
        """The transport is closed."""
        self.sink.ended(exc, lost=True)

    def eof_received(self) -> bool:
        """The peer sends no more; the transport stays, for what we still write."""
        self.sink.ended(None, lost=False)
        return True

    def pause_writing(self) -> None:
        """Bytes wait in the transport."""
        self.clogged = True

    def resume_writing(self) -> None:
        """All bytes have left: the limit is zero."""
        self.clogged = False
        self.sink.flushed()


class SocketWire(Flow, asyncio.BufferedProtocol):
    """The protocol of sockets: bytes are received into memory that all streams share."""

    def __init__(self, sink: Sink, chunk_size: int) -> None:
        super().__init__(sink)
        self._view = _scratch(chunk_size)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have every byte that the system did not take told."""
        unclog(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the transport puts what arrives."""
        del sizehint
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have been put there."""
        self.sink.feed(self._view[:nbytes])


class PipeWire(Flow, asyncio.Protocol):
    """The protocol of pipes, whose transports know no shared buffers."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have every byte that the system did not take told."""
        unclog(transport)

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived."""
        self.sink.feed(data)


def unclog(transport: asyncio.BaseTransport) -> None:
    """Set the mark for `pause_writing` to zero, on transports that write."""
    set_limits: Callable[..., None] | None = getattr(transport, "set_write_buffer_limits", None)
    if set_limits is not None:
        # uvloop's transports that only read have the method, and refuse it.
        with contextlib.suppress(NotImplementedError):
            set_limits(high=0)
