"""`PipeIOStream`: a stream over one end of a pipe."""

import asyncio
import fcntl
import os
from typing import Any

from eyewall.net.base_stream import BaseIOStream, within
from eyewall.net.wire import PipeWire


class PipeIOStream(BaseIOStream):
    """A stream over a descriptor of a pipe, FIFO or terminal: what can be read or written.

    Args:
        fd: The descriptor, which the stream takes over.
        kwargs: As for `BaseIOStream`.

    Raises:
        OSError: The descriptor is closed.
    """

    def __init__(self, fd: int, *args: Any, **kwargs: Any) -> None:
        mode = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
        os.set_blocking(fd, False)
        self._file = _File(fd)
        self._reads = mode != os.O_WRONLY
        self._can_write = mode != os.O_RDONLY
        self._task: asyncio.Task[None] | None = None
        super().__init__(*args, **kwargs)

    def fileno(self) -> int:
        """The descriptor, or -1 when it is closed."""
        return self._file.fileno()

    def _start(self) -> None:
        if self._task is None and self._wire is None and not self._ended:
            self._task = self._loop.create_task(self._attach())
            self._task.add_done_callback(self._task_over)

    def _task_over(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        if task.cancelled():
            self._file.close()
            self._shut(None)

    async def _attach(self) -> None:
        reader: Any = None
        writer: Any = None
        wire = PipeWire(self)
        loop = self._loop
        # Loops other than asyncio's own close the descriptor itself, not the file.
        closes = not isinstance(loop, asyncio.BaseEventLoop)
        # A terminal goes both ways, and each transport closes what it was given.
        both = self._reads and self._can_write
        file = _File(os.dup(self.fileno())) if both else self._file
        try:
            if self._reads:
                file.handed_over = closes
                reader, _ = await loop.connect_read_pipe(lambda: wire, file)
            if self._can_write:
                self._file.handed_over = closes
                writer, _ = await loop.connect_write_pipe(lambda: wire, self._file)
        except (OSError, ValueError) as exc:
            if reader is not None:
                reader.close()
            self._file.handed_over = False
            self._file.close()
            self._shut(exc)
            return
        self._task = None
        if self._closed or self._lost:
            for transport in (reader, writer):
                if transport is not None:
                    transport.close()
            return
        self._wire = wire
        self._attached(reader, writer)

    def _send_early(self, data: bytes) -> int:
        if not self._can_write:
            return 0
        try:
            return os.write(self.fileno(), data)
        except OSError:
            # Not now, or not at all: the transport will tell.
            return 0

    def _release(self) -> None:
        task, self._task = self._task, None
        if task is None or task.done() or self._loop.is_closed():
            self._file.close()
        elif not within(task, self._loop):
            # The task takes the descriptor from the loop's selector before it is closed.
            task.cancel()


class _File:
    """A descriptor as the loop wants it: an object that closes it, once.

    Attributes:
        handed_over: Somebody else closes it.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.handed_over = False

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0 and not self.handed_over:
            os.close(fd)
