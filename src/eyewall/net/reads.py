"""Reads that wait for bytes: each takes its result from a buffer once it is all there.

They do no I/O. A stream appends what arrives to a `bytearray` and calls `take`, which removes
and returns the result, or returns None while bytes are missing.
"""

import re
from typing import Any, Protocol

from eyewall.net.errors import UnsatisfiableReadError


class Read(Protocol):
    """One read that waits.

    Attributes:
        wants: Whether it needs any byte at all.
    """

    wants: bool

    def take(self, buffer: bytearray) -> bytes | int | None:
        """Remove the result from `buffer` and return it, or None when bytes are missing.

        Raises:
            UnsatisfiableReadError: No further bytes can make it succeed.
        """


def cut(buffer: bytearray, size: int) -> bytes:
    """Remove the first `size` bytes and return them, copied once."""
    if size >= len(buffer):
        data = bytes(buffer)
        buffer.clear()
        return data
    with memoryview(buffer) as view:
        data = bytes(view[:size])
    del buffer[:size]
    return data


class ReadUntil:
    """Up to and with a delimiter.

    The search goes on where it stopped, so the whole costs linear time even when bytes arrive
    one by one.
    """

    __slots__ = ("_delimiter", "_max_bytes", "_searched")

    wants = True

    def __init__(self, delimiter: bytes, max_bytes: int | None = None) -> None:
        self._delimiter = delimiter
        self._max_bytes = max_bytes
        self._searched = 0

    def take(self, buffer: bytearray) -> bytes | None:
        """As `Read.take`."""
        delimiter, limit = self._delimiter, self._max_bytes
        found = buffer.find(delimiter, self._searched, limit)
        if found >= 0:
            return cut(buffer, found + len(delimiter))
        size = len(buffer)
        if limit is not None and size > limit:
            raise UnsatisfiableReadError(f"{delimiter!r} not found within {limit} bytes")
        self._searched = max(0, size - len(delimiter) + 1)
        return None


class ReadUntilRegex:
    """Up to and with the first match of a pattern, which is searched whenever bytes arrive."""

    __slots__ = ("_max_bytes", "_pattern")

    # A pattern may match nothing.
    wants = False

    def __init__(self, regex: bytes, max_bytes: int | None = None) -> None:
        self._pattern = re.compile(regex)
        self._max_bytes = max_bytes

    def take(self, buffer: bytearray) -> bytes | None:
        """As `Read.take`."""
        limit = self._max_bytes
        # The match object holds the buffer, which cannot shrink while it lives.
        match = self._pattern.search(buffer)
        end = None if match is None else match.end()
        del match
        if limit is not None and (len(buffer) if end is None else end) > limit:
            raise UnsatisfiableReadError(
                f"no match of {self._pattern.pattern!r} within {limit} bytes"
            )
        return None if end is None else cut(buffer, end)


class ReadBytes:
    """A number of bytes, or with `partial` as many of them as there are, but at least one."""

    __slots__ = ("_partial", "_size", "wants")

    def __init__(self, size: int, *, partial: bool = False) -> None:
        self._size = size
        self._partial = partial
        self.wants = size > 0

    def take(self, buffer: bytearray) -> bytes | None:
        """As `Read.take`."""
        if len(buffer) >= self._size or (self._partial and buffer):
            return cut(buffer, self._size)
        return None


class ReadInto:
    """Bytes into the caller's own buffer; the result is their number.

    What is there is copied at once, so the stream's buffer stays small. Between two arrivals
    nothing refers to the caller's memory, who may resize it after the read.
    """

    __slots__ = ("_filled", "_partial", "_size", "_target", "wants")

    def __init__(self, target: Any, *, partial: bool = False) -> None:
        with memoryview(target) as view:
            if view.readonly:
                raise TypeError("read_into needs a buffer that can be written to")
            self._size = view.nbytes
        self._target = target
        self._partial = partial
        self._filled = 0
        self.wants = self._size > 0

    def take(self, buffer: bytearray) -> int | None:
        """As `Read.take`."""
        count = min(len(buffer), self._size - self._filled)
        if count:
            with memoryview(self._target) as view, view.cast("B") as flat:
                flat[self._filled : self._filled + count] = cut(buffer, count)
            self._filled += count
        if self._filled == self._size or (self._partial and self._filled):
            return self._filled
        return None


class ReadUntilClose:
    """Everything up to the end; the stream itself hands it over when it closes."""

    __slots__ = ()

    wants = True

    def take(self, buffer: bytearray) -> None:
        """None: only the end completes it."""
        del buffer
