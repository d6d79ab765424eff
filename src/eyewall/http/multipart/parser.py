"""A parser of multipart bodies: bytes in, as they arrive, and events out.

A part's end is the delimiter: CRLF, two dashes and the boundary (RFC 2046, section 5.1.1). What
could be the beginning of one is kept until more has come; everything before it is handed out,
so that memory does not grow with the body. Each byte is searched once.
"""

import enum
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from eyewall.http.errors import HTTPInputError
from eyewall.http.multipart.headers import PartHeaders, parse_part_headers


class MultipartError(HTTPInputError):
    """A body that cannot be taken.

    Args:
        message: Why.
        status: What to answer: 400, or 413 for what is too large.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@final
@dataclass(frozen=True, slots=True)
class MultipartLimits:
    """What a body may have.

    Attributes:
        parts: Most parts.
        header_bytes: Largest header of a part.
        field_bytes: Largest part that is no file.
        file_bytes: Largest file; None for no limit beside the body's.
    """

    parts: int = 1000
    header_bytes: int = 8192
    field_bytes: int = 1024 * 1024
    file_bytes: int | None = None


@final
@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part begins."""

    headers: PartHeaders


@final
@dataclass(frozen=True, slots=True)
class Data:
    """A piece of the part."""

    data: bytes


@final
@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is complete."""


Event: TypeAlias = PartBegin | Data | PartEnd


class _State(enum.Enum):
    PREAMBLE = enum.auto()
    DELIMITER = enum.auto()
    HEADERS = enum.auto()
    BODY = enum.auto()
    END = enum.auto()


_LONGEST_BOUNDARY: Final = 70
_LONGEST_PADDING: Final = 64


@final
class MultipartParser:
    r"""Parses one body.

    Args:
        boundary: The boundary, as the content type names it.
        limits: What the body may have.

    Raises:
        MultipartError: The boundary is none.

    Example:
        >>> parser = MultipartParser("b")
        >>> body = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--'
        >>> [type(event).__name__ for event in parser.feed(body)]
        ['PartBegin', 'Data', 'PartEnd']
        >>> parser.finish()
    """

    __slots__ = (
        "_buffer",
        "_delimiter",
        "_fresh",
        "_in_file",
        "_limits",
        "_parts",
        "_size",
        "_state",
    )

    def __init__(self, boundary: str | bytes, limits: MultipartLimits | None = None) -> None:
        raw = boundary.encode("latin-1", "replace") if isinstance(boundary, str) else boundary
        if (
            not 1 <= len(raw) <= _LONGEST_BOUNDARY
            or not raw.isascii()
            or not raw.decode().isprintable()
        ):
            raise MultipartError("a multipart boundary has 1 to 70 printable characters")
        self._delimiter = b"\r\n--" + raw
        # The first delimiter has no line before it that it could end.
        self._buffer = bytearray(b"\r\n")
        self._limits = limits or MultipartLimits()
        self._state = _State.PREAMBLE
        self._parts = 0
        self._size = 0
        self._in_file = False
        # Whether a part's header has just ended.
        self._fresh = False

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes; returns what they complete.

        Raises:
            MultipartError: The body is malformed or over a limit.
        """
        self._buffer += data
        events: list[Event] = []
        while self._step(events):
            pass
        return events

    def finish(self) -> None:
        """Say that the body has ended.

        Raises:
            MultipartError: It is not complete.
        """
        if self._state is not _State.END:
            raise MultipartError("the multipart body ends before its last boundary")

    def _step(self, events: list[Event]) -> bool:
        """Whether there may be more to do."""
        match self._state:
            case _State.PREAMBLE:
                return self._to_delimiter(None)
            case _State.BODY:
                return self._to_delimiter(events)
            case _State.DELIMITER:
                return self._after_delimiter()
            case _State.HEADERS:
                return self._headers(events)
            case _State.END:
                # What follows the last boundary is to be ignored.
                self._buffer.clear()
                return False

    def _to_delimiter(self, events: list[Event] | None) -> bool:
        buffer, delimiter = self._buffer, self._delimiter
        if self._fresh:
            if len(buffer) < len(delimiter) and delimiter.startswith(buffer):
                return False
            self._fresh = False
            if not buffer.startswith(delimiter):
                del buffer[:2]
        at = buffer.find(delimiter)
        # Without a delimiter the end of what is there may be the beginning of one.
        ready = at if at >= 0 else len(buffer) - len(delimiter) + 1
        if ready > 0:
            if events is not None:
                self._count(ready)
                events.append(Data(bytes(memoryview(buffer)[:ready])))
            del buffer[:ready]
        if at < 0:
            return False
        if events is not None:
            events.append(PartEnd())
        del buffer[: len(delimiter)]
        self._state = _State.DELIMITER
        return True

    def _count(self, size: int) -> None:
        self._size += size
        limit = self._limits.file_bytes if self._in_file else self._limits.field_bytes
        if limit is not None and self._size > limit:
            what = "file" if self._in_file else "field"
            raise MultipartError(f"a {what} has more than {limit} bytes", 413)

    def _after_delimiter(self) -> bool:
        buffer = self._buffer
        if buffer.startswith(b"--"):
            self._state = _State.END
            return True
        end = buffer.find(b"\r\n", 0, _LONGEST_PADDING)
        if end < 0:
            if len(buffer) < _LONGEST_PADDING and not bytes(buffer).strip(b" \t\r-"):
                return False
            raise MultipartError("a multipart boundary is followed by something else")
        if bytes(buffer[:end]).strip(b" \t"):
            raise MultipartError("a multipart boundary is followed by something else")
        self._parts += 1
        if self._parts > self._limits.parts:
            raise MultipartError(f"too many parts: a form may have {self._limits.parts}")
        # The line's end stays: a part without headers has one more and nothing between.
        del buffer[:end]
        self._state = _State.HEADERS
        return True

    def _headers(self, events: list[Event]) -> bool:
        buffer, limit = self._buffer, self._limits.header_bytes
        end = buffer.find(b"\r\n\r\n", 0, limit + 4)
        if end < 0:
            if len(buffer) >= limit + 4:
                raise MultipartError(f"a part's header too large: it may have {limit} bytes")
            return False
        try:
            headers = parse_part_headers(bytes(buffer[2:end]))
        except ValueError as exc:
            raise MultipartError(str(exc)) from None
        # Of a part without a body, the empty line is the delimiter's own (RFC 2046, section 5.1.1).
        del buffer[: end + 2]
        self._fresh = True
        self._in_file = headers.filename is not None
        self._size = 0
        events.append(PartBegin(headers))
        self._state = _State.BODY
        return True
