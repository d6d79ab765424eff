"""`HTTP1Connection`: one HTTP/1.1 exchange as a client, on an `IOStream` (RFC 9112)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from eyewall.base.log import app_log, gen_log
from eyewall.http.delegates import HTTPMessageDelegate
from eyewall.http.errors import HTTPInputError
from eyewall.http.headers import HTTPHeaders
from eyewall.http.start_lines import (
    RequestStartLine,
    ResponseStartLine,
    parse_response_start_line,
)
from eyewall.net.errors import StreamClosedError, UnsatisfiableReadError
from eyewall.net.stream import IOStream

MOST_INFORMATIONAL: Final = 10
"""Informational answers that may come before the answer itself."""

_BREATH: Final = 100
_LONGEST_CHUNK_LINE: Final = 128


class _DelegateError(Exception):
    """A delegate has raised; it is logged already."""


@dataclass
class HTTP1ConnectionParameters:
    """Limits of a connection.

    Attributes:
        no_keep_alive: Whether the connection is closed after one answer.
        chunk_size: Largest piece of a body that `data_received` gets, in bytes.
        max_header_size: Largest head in bytes.
        header_timeout: Seconds that the head may take; None for any time.
        max_body_size: Largest body in bytes; None for any.
        body_timeout: Seconds that the body may take; None for any time.
        decompress: Taken, without effect.
    """

    no_keep_alive: bool = False
    chunk_size: int = 65536
    max_header_size: int = 65536
    header_timeout: float | None = None
    max_body_size: int | None = None
    body_timeout: float | None = None
    decompress: bool = False


class HTTP1Connection:
    """A client's side of a connection.

    Args:
        stream: A stream that is connected.
        is_client: True; servers run on the engine, by `HTTPServer`.
        params: Limits.
        context: Kept as it is.

    Raises:
        ValueError: It is to be a server's side.
    """

    def __init__(
        self,
        stream: IOStream,
        is_client: bool,
        params: HTTP1ConnectionParameters | None = None,
        context: Any = None,
    ) -> None:
        if not is_client:
            raise ValueError("HTTP1Connection is a client's here; use HTTPServer to serve")
        self.stream: IOStream | None = stream
        self.is_client = is_client
        self.params = params or HTTP1ConnectionParameters()
        self.context = context
        self._method = ""
        self._chunked = False
        self._max_body_size = self.params.max_body_size

    async def read_response(self, delegate: HTTPMessageDelegate) -> bool:
        """Read an answer; returns whether the connection can be used for another one.

        What is malformed is logged, and what the delegate raises too; the connection is closed
        then, and the delegate told so.
        """
        try:
            async with asyncio.timeout(self.params.body_timeout):
                return await self._read(delegate)
        except HTTPInputError as exc:
            gen_log.info("Malformed HTTP message: %s", exc)
        except UnsatisfiableReadError:
            gen_log.info("Malformed HTTP message: it has a line or a head that is too long")
        except TimeoutError:
            gen_log.info("Timeout reading a message")
        except (StreamClosedError, _DelegateError):
            pass
        self.close()
        with suppress(_DelegateError):
            await _told(delegate.on_connection_close)
        return False

    def write_headers(
        self, start_line: RequestStartLine, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> "Awaitable[None]":
        """Send a request's head, and with it a first piece of its body.

        A body without a `Content-Length` is sent chunked.
        """
        self._method = start_line.method
        self._chunked = (
            "Content-Length" not in headers
            and "Transfer-Encoding" not in headers
            and start_line.method in {"POST", "PUT", "PATCH"}
        )
        if self._chunked:
            headers["Transfer-Encoding"] = "chunked"
        lines = [f"{start_line.method} {start_line.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.get_all()]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        return self._stream().write(head + (self._framed(chunk) if chunk else b""))

    def write(self, chunk: bytes) -> "Awaitable[None]":
        """Send a piece of the body."""
        return self._stream().write(self._framed(chunk))

    def finish(self) -> None:
        """End the request."""
        if self._chunked and self.stream is not None and not self.stream.closed():
            self._quietly(self.stream.write(b"0\r\n\r\n"))

    def set_close_callback(self, callback: Callable[[], object] | None) -> None:
        """Call back when the connection is closed."""
        self._stream().set_close_callback(callback)

    def set_max_body_size(self, max_body_size: int) -> None:
        """Limit the body of the answer, in bytes."""
        self._max_body_size = max_body_size

    def detach(self) -> IOStream:
        """Leave the stream to the caller."""
        stream = self._stream()
        self.stream = None
        return stream

    def close(self) -> None:
        """Close the connection, unless it was detached."""
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def _stream(self) -> IOStream:
        if self.stream is None:
            raise RuntimeError("the connection was closed or detached")
        return self.stream

    def _framed(self, chunk: bytes) -> bytes:
        return b"%x\r\n%s\r\n" % (len(chunk), chunk) if self._chunked and chunk else chunk

    @staticmethod
    def _quietly(future: "asyncio.Future[None]") -> None:
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _read(self, delegate: HTTPMessageDelegate) -> bool:
        stream = self._stream()
        for _ in range(MOST_INFORMATIONAL + 1):
            async with asyncio.timeout(self.params.header_timeout):
                start_line, headers = await self._read_head(stream)
            if not 100 <= start_line.code < 200 or start_line.code == 101:
                break
            if "Content-Length" in headers or "Transfer-Encoding" in headers:
                raise HTTPInputError(f"an answer {start_line.code} has no body")
        else:
            raise HTTPInputError(f"more than {MOST_INFORMATIONAL} informational answers")
        await _told(delegate.headers_received, start_line, headers)
        lasts = await self._read_body(stream, start_line, headers, delegate)
        await _told(delegate.finish)
        if self.stream is None:
            return False
        if not lasts or self.params.no_keep_alive:
            self.close()
            return False
        return True

    async def _read_head(self, stream: IOStream) -> tuple[ResponseStartLine, HTTPHeaders]:
        raw = await stream.read_until_regex(rb"\r?\n\r?\n", self.params.max_header_size)
        first, _, rest = raw.decode("latin-1").partition("\n")
        return parse_response_start_line(first.rstrip("\r")), HTTPHeaders.parse(rest)

    async def _read_body(
        self,
        stream: IOStream,
        start_line: ResponseStartLine,
        headers: HTTPHeaders,
        delegate: HTTPMessageDelegate,
    ) -> bool:
        """Read the body; returns whether the connection can be used after it."""
        lasts = headers.get("Connection", "").lower() != "close" and start_line.version[-1] != "0"
        if self._method == "HEAD" or start_line.code in {204, 304}:
            return lasts
        coding = headers.get("Transfer-Encoding", "").lower()
        if coding:
            if coding != "chunked" or "Content-Length" in headers:
                raise HTTPInputError("a Transfer-Encoding other than chunked, or with a length")
            await self._read_chunks(stream, delegate)
            return lasts
        if "Content-Length" in headers:
            length = _length_of(headers.get_list("Content-Length"))
            self._check_size(length)
            while length:
                piece = await stream.read_bytes(min(length, self.params.chunk_size), partial=True)
                length -= len(piece)
                await _told(delegate.data_received, piece)
            return lasts
        await self._read_to_end(stream, delegate)
        return False

    async def _read_to_end(self, stream: IOStream, delegate: HTTPMessageDelegate) -> None:
        size = 0
        while True:
            try:
                piece = await stream.read_bytes(self.params.chunk_size, partial=True)
            except StreamClosedError:
                return
            size += len(piece)
            self._check_size(size)
            await _told(delegate.data_received, piece)

    async def _read_chunks(self, stream: IOStream, delegate: HTTPMessageDelegate) -> None:
        size, count, gathered = 0, 0, bytearray()
        while True:
            line = await stream.read_until(b"\r\n", _LONGEST_CHUNK_LINE)
            length = _chunk_length(line)
            if length == 0:
                break
            size += length
            self._check_size(size)
            await self._read_chunk(stream, length, gathered, delegate)
            count += 1
            if count % _BREATH == 0:
                # Many small chunks that are there already must not hold up the loop.
                await asyncio.sleep(0)
        if gathered:
            await _told(delegate.data_received, bytes(gathered))
        while await stream.read_until(b"\r\n", self.params.max_header_size) != b"\r\n":
            size += 1
            if size > self.params.max_header_size:
                raise HTTPInputError("too many trailers")

    async def _read_chunk(
        self, stream: IOStream, length: int, gathered: bytearray, delegate: HTTPMessageDelegate
    ) -> None:
        while length:
            piece = await stream.read_bytes(min(length, self.params.chunk_size), partial=True)
            length -= len(piece)
            gathered += piece
            if len(gathered) >= self.params.chunk_size:
                whole = bytes(gathered)
                gathered.clear()
                await _told(delegate.data_received, whole)
        if await stream.read_bytes(2) != b"\r\n":
            raise HTTPInputError("improperly terminated chunk")

    def _check_size(self, size: int) -> None:
        if self._max_body_size is not None and size > self._max_body_size:
            raise HTTPInputError(f"the body has more than {self._max_body_size} bytes")


def _length_of(values: list[str]) -> int:
    pieces = {piece.strip() for value in values for piece in value.split(",")}
    if len(pieces) != 1 or not (text := pieces.pop()).isascii() or not text.isdigit():
        raise HTTPInputError(f"Content-Length is no one number: {values[0][:40]!r}")
    return int(text[:20])


def _chunk_length(line: bytes) -> int:
    text = line.partition(b";")[0].strip(b" \t\r\n")
    if not text or len(text) > 16 or text.strip(b"0123456789abcdefABCDEF"):
        raise HTTPInputError(f"invalid chunk length {line[:20]!r}")
    return int(text, 16)


async def _told(method: Callable[..., Any], *args: Any) -> None:
    """Call a delegate's method, and wait for what it returns; log what it raises."""
    try:
        result = method(*args)
        if result is not None:
            await result
    except Exception as exc:
        app_log.exception("Uncaught exception in %s", getattr(method, "__qualname__", method))
        raise _DelegateError from exc
