"""What streams over sockets, TLS and pipes have in common. Hot path: each read and write."""

import asyncio
import re
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

from eyewall.base.log import gen_log
from eyewall.loop.ioloop import IOLoop
from eyewall.net.errors import (
    StreamBufferFullError,
    StreamClosedError,
    UnsatisfiableReadError,
)
from eyewall.net.reads import (
    Read,
    ReadBytes,
    ReadInto,
    ReadUntil,
    ReadUntilClose,
    ReadUntilRegex,
    cut,
)

T = TypeVar("T")

MAX_BUFFER_SIZE: Final = 104_857_600
CHUNK_SIZE: Final = 65_536

# A peer that resets the connection has closed it; that is no fault of this side.
_RESETS: Final = (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)


class BaseIOStream:
    """Reads and writes of bytes, each of which gives an `asyncio.Future`.

    At most one read is under way at a time. Bytes that arrive while nobody reads are kept up to
    two chunks; then the peer is held back. After the peer has closed, what has arrived can
    still be read; when it is used up, the stream is closed.

    Args:
        max_buffer_size: Most bytes that one read may wait for; more closes the stream.
        read_chunk_size: Most bytes received at once; 64 KiB when None.
        max_write_buffer_size: Most bytes that may wait to be sent; None for no limit.

    Attributes:
        error: The exception that closed the stream, or None.
    """

    def __init__(
        self,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
    ) -> None:
        self.max_buffer_size = max_buffer_size or MAX_BUFFER_SIZE
        self.read_chunk_size = max(1, min(read_chunk_size or CHUNK_SIZE, self.max_buffer_size // 2))
        self.max_write_buffer_size = max_write_buffer_size
        self.error: BaseException | None = None
        self._high_water = min(self.max_buffer_size, 2 * self.read_chunk_size)
        self._wire: Any = None
        self._reader: Any = None
        self._writer: Any = None
        self._buffer = bytearray()
        self._write_buffer = bytearray()
        self._read: Read | None = None
        self._read_future: asyncio.Future[Any] | None = None
        self._writes: deque[asyncio.Future[None]] = deque()
        self._paused = False
        self._ended = False
        self._lost = False
        self._closed = False
        self._close_callback: Callable[[], object] | None = None
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._face: IOLoop | None = None

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        loop = self._own_loop
        if loop is None:
            face = IOLoop.current()
            assert face is not None
            self._face = face
            loop = self._own_loop = face.asyncio_loop
        return loop

    # What kinds of streams differ in.

    def fileno(self) -> int:
        """The descriptor, or -1 when it is closed."""
        raise NotImplementedError

    def _start(self) -> None:
        """Begin to put the descriptor under a transport, unless that was done."""
        raise NotImplementedError

    def _is_open(self) -> bool:
        """Whether there is a peer, who can go away."""
        return True

    def _send_early(self, data: bytes) -> int:
        """Send what can be sent before there is a transport; the number of bytes sent."""
        raise NotImplementedError

    def _release(self) -> None:
        """Close the descriptor, which no transport owns."""
        raise NotImplementedError

    # Reading.

    def read_until(self, delimiter: bytes, max_bytes: int | None = None) -> "asyncio.Future[bytes]":
        """Read up to and with `delimiter`.

        Args:
            delimiter: The bytes that end the result.
            max_bytes: Close the stream when they do not end within so many bytes.

        Raises:
            StreamClosedError: The stream is closed; or, in the future, was closed before.
            ValueError: The delimiter is empty.
        """
        if not delimiter:
            raise ValueError("read_until needs a delimiter of at least one byte")
        return self._begin(ReadUntil(delimiter, max_bytes))

    def read_until_regex(
        self, regex: bytes, max_bytes: int | None = None
    ) -> "asyncio.Future[bytes]":
        """Read up to and with the first match of `regex`, which is tried at each arrival.

        Give `max_bytes` where the peer is not trusted: each arrival searches all that is there.

        Raises:
            StreamClosedError: As for `read_until`.
            re.error: The pattern is none.
        """
        return self._begin(ReadUntilRegex(re.compile(regex).pattern, max_bytes))

    def read_bytes(self, num_bytes: int, partial: bool = False) -> "asyncio.Future[bytes]":
        """Read `num_bytes` bytes; with `partial` what is there, as soon as there is any.

        Raises:
            StreamClosedError: As for `read_until`.
            ValueError: The number is negative.
        """
        if num_bytes < 0:
            raise ValueError(f"cannot read {num_bytes} bytes")
        return self._begin(ReadBytes(num_bytes, partial=partial))

    def read_into(self, buf: Any, partial: bool = False) -> "asyncio.Future[int]":
        """Fill `buf`, a writable buffer; the result is the number of bytes read.

        Args:
            buf: A `bytearray`, a memoryview or an array; it is not to be resized meanwhile.
            partial: Be content with what is there, as soon as there is any.

        Raises:
            StreamClosedError: As for `read_until`.
            TypeError: `buf` cannot be written to.
        """
        return self._begin(ReadInto(buf, partial=partial))

    def read_until_close(self) -> "asyncio.Future[bytes]":
        """Read everything up to the end.

        A connection that the peer resets has ended too. Any other error is raised in the
        future: what has arrived then is no whole.
        """
        if self._closed and not self._failed():
            return self._done(b"")
        future: asyncio.Future[bytes] = self._begin(ReadUntilClose())
        return future

    def reading(self) -> bool:
        """Whether a read is under way."""
        future = self._read_future
        return future is not None and not future.done()

    def _begin(self, read: Read) -> "asyncio.Future[Any]":
        if self._read_future is not None and not self._read_future.done():
            raise RuntimeError("the stream is being read; wait for that read first")
        if self._closed:
            raise StreamClosedError(self.error)
        future: asyncio.Future[Any] = self._loop.create_future()
        self._read, self._read_future = read, future
        # Only a read of nothing can be done where there is nothing.
        if self._buffer or not read.wants:
            self._try()
        if future.done():
            self._ease()
        elif self._ended:
            self._end_of_input()
            if not future.cancelled() and (error := future.exception()) is not None:
                raise error
        else:
            self._start()
            if self._paused:
                self._resume()
        return future

    def _try(self) -> None:
        """Complete the read under way when its bytes are there."""
        future, read, buffer = self._read_future, self._read, self._buffer
        assert future is not None
        assert read is not None
        if future.done():
            # Cancelled: the bytes stay for the next read.
            self._read = self._read_future = None
            return
        try:
            result = read.take(buffer)
        except UnsatisfiableReadError as exc:
            gen_log.info("Unsatisfiable read, closing connection: %s", exc)
            self.close(exc)
            return
        if result is not None:
            self._read = self._read_future = None
            future.set_result(result)
        elif len(buffer) > self.max_buffer_size:
            full = StreamBufferFullError("Reached maximum read buffer size")
            gen_log.error("Reached maximum read buffer size, closing connection")
            self.close(full)

    def feed(self, data: bytes | memoryview) -> None:
        """Take bytes that have arrived; called by the wire."""
        if self._closed:
            return
        self._buffer += data
        self._arrived()

    def _arrived(self) -> None:
        """Go on with what is in the buffer now."""
        if self._read is not None:
            self._try()
        if self._read is None and len(self._buffer) >= self._high_water:
            self._pause()

    def _pause(self) -> None:
        if not self._paused and self._reader is not None and not self._closed:
            self._paused = True
            self._reader.pause_reading()

    def _resume(self) -> None:
        if self._paused and self._reader is not None:
            self._paused = False
            self._reader.resume_reading()

    def _ease(self) -> None:
        """After a read out of the buffer: let the peer go on, or notice that it has gone."""
        left = len(self._buffer)
        if self._paused and left < self._high_water // 2:
            self._resume()
        if self._ended and not left:
            self._shut(self.error)

    # Writing.

    def write(self, data: bytes | bytearray | memoryview) -> "asyncio.Future[None]":
        """Send `data`; the future is done when the system has taken all of it.

        The bytes are taken over during the call, so a `bytearray` may change afterwards. There
        is no need to wait before the next write, unless memory is to be bounded.

        Raises:
            StreamClosedError: The stream is closed; or, in the future, was closed before.
            StreamBufferFullError: More than `max_write_buffer_size` would wait.
        """
        if self._closed or self._lost:
            raise StreamClosedError(self.error)
        if type(data) is not bytes:
            data = bytes(data)
        if self.max_write_buffer_size is not None:
            self._check_room(len(data))
        writer = self._writer
        if writer is None:
            if not self._write_buffer:
                data = data[self._send_early(data) :]
            self._write_buffer += data
            waits = bool(self._write_buffer)
            self._start()
        else:
            writer.write(data)
            # A transport that could not write closes, and tells so in the next turn.
            waits = self._wire.clogged or writer.is_closing()
        future: asyncio.Future[None] = self._loop.create_future()
        if waits:
            self._writes.append(future)
        else:
            future.set_result(None)
        return future

    def _check_room(self, size: int) -> None:
        waiting = len(self._write_buffer)
        if self._writer is not None:
            waiting += self._writer.get_write_buffer_size()
        if waiting + size > (self.max_write_buffer_size or 0):
            raise StreamBufferFullError("Reached maximum write buffer size")

    def writing(self) -> bool:
        """Whether bytes wait to be sent."""
        return bool(self._write_buffer) or (self._wire is not None and self._wire.clogged)

    def flushed(self) -> None:
        """All bytes have been sent; called by the wire."""
        writes = self._writes
        while writes:
            future = writes.popleft()
            if not future.done():
                future.set_result(None)

    # The end.

    def set_close_callback(self, callback: Callable[[], object] | None) -> None:
        """Call `callback` once when the stream is closed, by whichever side; None for none."""
        self._close_callback = callback
        if callback is None:
            return
        if self._closed:
            self._run_close_callback()
        elif self._is_open():
            self._start()

    def closed(self) -> bool:
        """Whether the stream is closed; after the peer's close, once its bytes are read."""
        return self._closed

    def close(self, exc_info: Any = False) -> None:
        """Close the stream; bytes that wait to be sent are dropped.

        Args:
            exc_info: The reason: an exception, the triple of `sys.exc_info()`, or True for the
                exception that is being handled. It becomes `error`.
        """
        if exc_info is True:
            exc_info = sys.exc_info()
        if isinstance(exc_info, tuple):
            exc_info = exc_info[1]
        self._shut(exc_info if isinstance(exc_info, BaseException) else None)

    def ended(self, error: BaseException | None, *, lost: bool) -> None:
        """The peer sends no more, or the connection is lost; called by the wire."""
        if lost:
            self._lost = True
            self._reader = self._writer = None
            self._fail_writes(error)
        if self._closed:
            return
        self._ended = True
        if error is not None:
            self.error = error
        if self.reading() or not self._buffer or self._failed():
            self._end_of_input()

    def _end_of_input(self) -> None:
        """Complete the read under way with what there is, or fail it, and close."""
        self._shut(self.error)

    def _failed(self) -> bool:
        return self.error is not None and not isinstance(self.error, _RESETS)

    def _shut(self, error: BaseException | None) -> None:
        if self._closed:
            return
        self._closed = True
        self.error = error
        future, read = self._read_future, self._read
        self._read = self._read_future = None
        if future is not None and not future.done():
            if isinstance(read, ReadUntilClose) and not self._failed():
                future.set_result(cut(self._buffer, len(self._buffer)))
            else:
                fail(future, StreamClosedError(error))
        self._close_transports()
        self._fail_writes(error)
        self._buffer = bytearray()
        self._write_buffer = bytearray()
        self._run_close_callback()

    def _close_transports(self) -> None:
        transports = {self._reader, self._writer} - {None}
        clogged = self._wire is not None and self._wire.clogged
        self._reader = self._writer = None
        if not transports or self._loop.is_closed():
            self._release()
            return
        for transport in transports:
            if clogged and hasattr(transport, "abort"):
                transport.abort()
            else:
                transport.close()

    def _fail_writes(self, error: BaseException | None) -> None:
        while self._writes:
            future = self._writes.popleft()
            if not future.done():
                fail(future, StreamClosedError(error))

    def _run_close_callback(self) -> None:
        callback, self._close_callback = self._close_callback, None
        if callback is not None and not self._loop.is_closed():
            assert self._face is not None
            self._face.add_callback(callback)

    def _attached(self, reader: Any, writer: Any) -> None:
        """The transports are there; send what was written meanwhile."""
        self._reader, self._writer = reader, writer
        if self._read is None and len(self._buffer) >= self._high_water:
            self._pause()
        if writer is not None and self._write_buffer:
            early, self._write_buffer = bytes(self._write_buffer), bytearray()
            writer.write(early)
        if writer is not None and not self._wire.clogged and not writer.is_closing():
            self.flushed()

    def _done(self, result: T) -> "asyncio.Future[T]":
        future: asyncio.Future[T] = self._loop.create_future()
        future.set_result(result)
        return future


def fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    """Set the exception of a future that nobody may be waiting for; that is not to be logged."""
    if not future.done():
        future.set_exception(error)
        future.exception()


def within(task: "asyncio.Task[None]", loop: asyncio.AbstractEventLoop) -> bool:
    """Whether `task` is the one that runs now."""
    return loop.is_running() and asyncio.current_task(loop) is task
