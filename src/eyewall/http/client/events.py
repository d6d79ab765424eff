"""Server-sent events, as a client reads them (HTML, section 9.2)."""

from collections.abc import Iterator
from dataclasses import dataclass

from eyewall.http.client.errors import HTTPTooLargeError
from eyewall.http.client.lines import LineSplitter


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event of a stream.

    Args:
        data: Its lines of data.
        event: Its type.
        id: The last id that the stream gave, for `Last-Event-ID` of the next connection.
        retry_ms: How long to wait before that, where the stream has said so.
    """

    data: str
    event: str = "message"
    id: str = ""
    retry_ms: int | None = None


class EventReader:
    """Reads events from pieces of a stream.

    Args:
        max_bytes: Largest event.
    """

    def __init__(self, max_bytes: int) -> None:
        self._lines = LineSplitter(max_bytes)
        self._max_bytes = max_bytes
        self._size = 0
        self._first = True
        self._data: list[str] = []
        self._event = ""
        self._id = ""
        self._retry_ms: int | None = None

    def feed(self, data: bytes) -> Iterator[ServerEvent]:
        """The events that a piece completes.

        Raises:
            HTTPTooLargeError: An event is too large.
        """
        for raw in self._lines.feed(data):
            line = raw.removeprefix(b"\xef\xbb\xbf") if self._first else raw
            self._first = False
            if line:
                self._size += len(line)
                if self._size > self._max_bytes:
                    raise HTTPTooLargeError(f"an event is over {self._max_bytes} bytes")
                self._field(line.decode("utf-8", "replace"))
                continue
            self._size = 0
            data_lines, self._data = self._data, []
            event, self._event = self._event, ""
            if data_lines:
                yield ServerEvent(
                    "\n".join(data_lines), event or "message", self._id, self._retry_ms
                )

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit() and len(value) < 10:
                self._retry_ms = int(value)
