"""One HTTP/1.1 connection: writes a request, reads its response (RFC 9112)."""

import asyncio
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eyewall.http.headers import HTTPHeaders

_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?\Z")
_FIELD: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)\Z")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n\Z")
_PIECE: Final = 65536


class ProtocolError(Exception):
    """The server sent what is not HTTP/1.1, or more than the limits allow."""


@dataclass(frozen=True, slots=True)
class Head:
    """A response's head; `lines` are those it came in."""

    minor: int
    code: int
    reason: str
    headers: HTTPHeaders
    lines: tuple[str, ...]


def parse_head(data: bytes) -> Head:
    """Read a head, up to and with its empty line.

    Raises:
        ProtocolError: It breaks RFC 9112, sections 4 and 5.
    """
    if not data.endswith(b"\r\n\r\n"):
        raise ProtocolError("the response's head has no end")
    first, *rest = data[:-4].split(b"\r\n")
    status = _STATUS.match(first)
    if status is None:
        raise ProtocolError("the response has no valid status line")
    fields = []
    for line in rest:
        match = _FIELD.match(line)
        if match is None:
            raise ProtocolError("the response has a malformed header line")
        fields.append((match[1].decode("ascii"), match[2].decode("latin-1").rstrip(" \t")))
    lines = tuple(line.decode("latin-1") + "\r\n" for line in (first, *rest, b""))
    reason = (status[3] or b"").decode("latin-1")
    return Head(int(status[1]), int(status[2]), reason, HTTPHeaders.from_wire(fields), lines)


def content_length(headers: HTTPHeaders) -> int | None:
    """The length that the fields give (RFC 9112, section 6.3); None when they give none.

    Raises:
        ProtocolError: It is no number, or there are two different ones.
    """
    values = {
        part.strip(" \t") for v in headers.get_list("Content-Length") for part in v.split(",")
    }
    if not values:
        return None
    value = values.pop()
    if values or re.fullmatch(r"[0-9]{1,18}", value) is None:
        raise ProtocolError("the response has an invalid Content-Length")
    return int(value)


class Inflater:
    """Decodes gzip within a limit of bytes that come out."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def feed(self, data: bytes) -> bytes:
        """Decode a piece.

        Raises:
            ProtocolError: It is not gzip, or more than the limit comes out.
        """
        try:
            out = self._decoder.decompress(data, self._left + 1)
        except zlib.error as error:
            raise ProtocolError("the response's content is not gzip") from error
        self._left -= len(out)
        if self._left < 0:
            raise ProtocolError("the response's content is larger than max_body_size")
        return out

    def finish(self) -> None:
        """Raise ProtocolError unless the content was complete."""
        if not self._decoder.eof:
            raise ProtocolError("the response's gzip content is cut short")


class Connection:
    """A connection to one origin, for one exchange at a time.

    Args:
        reader: From `asyncio.open_connection`, with its limit at the largest head's size.
        writer: Its other half.
        max_header_size: Largest head in bytes.
        max_body_size: Largest content in bytes, before and after decoding.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        max_header_size: int,
        max_body_size: int,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._max_header, self._max_body = max_header_size, max_body_size
        self.reusable = False
        self.answered = False

    @property
    def alive(self) -> bool:
        """Whether the connection looks usable for another request."""
        return self.reusable and not self._reader.at_eof() and not self._writer.is_closing()

    def close(self) -> None:
        """Cut the connection."""
        self.reusable = False
        self._writer.transport.abort()

    async def ask(self, method: str, request: bytes) -> Head:
        """Send a whole request, and read the head of its final response.

        Raises:
            ProtocolError: The server's answer is malformed.
            OSError: The connection broke.
            asyncio.IncompleteReadError: It ended before the head did.
        """
        self.reusable = self.answered = False
        self._writer.write(request)
        await self._writer.drain()
        while True:
            head = await self._head()
            if head.code >= 200:
                return head
            if head.code == 101:
                raise ProtocolError("the server switched protocols without being asked")

    async def _head(self) -> Head:
        try:
            data = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            self.answered = self.answered or bool(error.partial)
            raise
        except asyncio.LimitOverrunError as error:
            self.answered = True
            raise ProtocolError("the response's head is larger than max_header_size") from error
        self.answered = True
        if len(data) > self._max_header:
            raise ProtocolError("the response's head is larger than max_header_size")
        return parse_head(data)

    async def read_body(self, method: str, head: Head, sink: Callable[[bytes], object]) -> None:
        """Read the content of a response (RFC 9112, section 6.3) into `sink`.

        Raises:
            ProtocolError: Its framing is malformed, or it is larger than the limit.
            asyncio.IncompleteReadError: The connection ended before it did.
        """
        length = content_length(head.headers)
        coding = head.headers.get("Transfer-Encoding")
        if coding is not None and (length is not None or coding.lower() != "chunked"):
            raise ProtocolError("the response's framing is ambiguous or unknown")
        framed = True
        if method == "HEAD" or head.code in (204, 304):
            pass
        elif coding is not None:
            await self._chunks(sink)
        elif length is not None:
            self._within(length)
            await self._exactly(length, sink)
        else:
            framed = False
            await self._to_end(sink)
        options = {o.strip().lower() for o in head.headers.get("Connection", "").split(",")}
        self.reusable = framed and head.minor == 1 and "close" not in options

    def _within(self, size: int) -> None:
        if size > self._max_body:
            raise ProtocolError("the response's content is larger than max_body_size")

    async def _exactly(self, size: int, sink: Callable[[bytes], object]) -> None:
        while size:
            piece = await self._reader.read(min(size, _PIECE))
            if not piece:
                raise asyncio.IncompleteReadError(b"", size)
            size -= len(piece)
            sink(piece)

    async def _to_end(self, sink: Callable[[bytes], object]) -> None:
        total = 0
        while piece := await self._reader.read(_PIECE):
            total += len(piece)
            self._within(total)
            sink(piece)

    async def _line(self) -> bytes:
        try:
            return await self._reader.readuntil(b"\r\n")
        except asyncio.LimitOverrunError as error:
            raise ProtocolError("a line of the response is too long") from error

    async def _chunks(self, sink: Callable[[bytes], object]) -> None:
        total = 0
        while True:
            match = _CHUNK.match(await self._line())
            if match is None:
                raise ProtocolError("the response has a malformed chunk size")
            size = int(match[1], 16)
            if size == 0:
                break
            total += size
            self._within(total)
            await self._exactly(size, sink)
            if await self._reader.readexactly(2) != b"\r\n":
                raise ProtocolError("a chunk of the response has no end")
        trailers = 0
        while (line := await self._line()) != b"\r\n":
            trailers += len(line)
            if trailers > self._max_header or _FIELD.match(line[:-2]) is None:
                raise ProtocolError("the response's trailers are malformed or too large")
