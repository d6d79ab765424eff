"""`PipeIOStream`: a stream over one end of a pipe."""

import fcntl
import os
from typing import TYPE_CHECKING, Any

from eyewall.net.base_stream import BaseIOStream
from eyewall.net.wire import PipeWire

if TYPE_CHECKING:
    import asyncio


class PipeIOStream(BaseIOStream):
    """A stream over a descriptor of a pipe, FIFO or terminal: what can be read or written.

    Args:
        fd: The descriptor, which the stream takes over.
        kwargs: As for `BaseIOStream`.

    Raises:
        OSError: The descriptor is closed.
    """

    def __init__(self, fd: int, *args: Any, **kwargs: Any) -> None:
        self._fd = fd
        mode = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
        os.set_blocking(fd, False)
        self._reads = mode != os.O_WRONLY
        self._can_write = mode != os.O_RDONLY
        self._task: asyncio.Task[None] | None = None
        super().__init__(*args, **kwargs)

    def fileno(self) -> int:
        """The descriptor, or -1 when it is closed."""
        return self._fd

    def _start(self) -> None:
        if self._task is None and self._wire is None:
            self._task = self._loop.create_task(self._attach())

    async def _attach(self) -> None:
        reader: Any = None
        writer: Any = None
        fd, self._fd = self._fd, -1
        wire = PipeWire(self)
        loop = self._loop
        # A terminal goes both ways, and each transport closes the descriptor that it has.
        ends = [os.dup(fd), fd] if self._reads and self._can_write else [fd]
        try:
            if self._reads:
                reader, _ = await loop.connect_read_pipe(lambda: wire, _File(ends[0]))
            if self._can_write:
                writer, _ = await loop.connect_write_pipe(lambda: wire, _File(ends[-1]))
        except (OSError, ValueError) as exc:
            for end in ends:
                os.close(end)
            self._task = None
            self._shut(exc)
            return
        self._task = None
        if self._closed:
            for transport in (reader, writer):
                if transport is not None:
                    transport.close()
            return
        self._wire = wire
        self._fd = fd
        self._attached(reader, writer)

    def _send_early(self, data: bytes) -> int:
        if self._task is not None or not self._can_write:
            return 0
        try:
            return os.write(self._fd, data)
        except OSError:
            # Not now, or not at all: the transport will tell.
            return 0

    def _close_transports(self) -> None:
        super()._close_transports()
        self._fd = -1

    def _release(self) -> None:
        if self._fd >= 0 and self._wire is None:
            fd, self._fd = self._fd, -1
            os.close(fd)


class _File:
    """A descriptor as the loop wants it: an object that closes it, once."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
