"""Lines out of a stream of bytes, within a limit."""

from collections.abc import Iterator

from eyewall.http.client.errors import HTTPTooLargeError


class LineSplitter:
    """Puts lines together from pieces; they end in LF, CRLF or CR, which is left out.

    Args:
        max_bytes: Longest line.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._after_cr = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that a piece completes.

        Raises:
            HTTPTooLargeError: A line is too long.
        """
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if not data:
            return
        # One pass in C: no other byte ends a line in bytes.splitlines.
        lines = data.splitlines(keepends=True)
        for line in lines:
            body = line.rstrip(b"\r\n") if line[-1] in b"\r\n" else line
            self._size += len(body)
            if self._size > self._max_bytes:
                raise HTTPTooLargeError(f"a line of the stream is over {self._max_bytes} bytes")
            self._parts.append(body)
            if body is not line:
                yield self._whole()
        self._after_cr = data.endswith(b"\r")

    def finish(self) -> Iterator[bytes]:
        """The last line, where it has no end."""
        if self._size:
            yield self._whole()

    def _whole(self) -> bytes:
        line = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return line
