"""A queue of bytes: appended at its end, looked at and taken from its beginning."""


class StreamBuffer:
    """Bytes in order."""

    _large_buf_threshold = 2048

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = 0

    def __len__(self) -> int:
        return len(self._data) - self._at

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes."""
        self._data += data

    def peek(self, size: int) -> memoryview:
        """A view of the first bytes, at most `size`; release it before the next change."""
        return memoryview(self._data)[self._at : self._at + size]

    def advance(self, size: int) -> None:
        """Take bytes off."""
        if not 0 < size <= len(self):
            raise ValueError(f"{size} of {len(self)} bytes cannot be taken")
        self._at += size
        if self._at * 2 > len(self._data):
            del self._data[: self._at]
            self._at = 0
