"""Responses whose content is read while it comes."""

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element

from eyewall.http.client.asked import Asked
from eyewall.http.client.content import decode_json, decode_text
from eyewall.http.client.decoding import UNLIMITED, Undoing
from eyewall.http.client.engine import ClientResponse
from eyewall.http.client.errors import (
    HTTPClientError,
    HTTPReadTimeoutError,
    HTTPRedirectError,
    HTTPStreamClosedError,
    HTTPTimeoutError,
    HTTPTooLargeError,
)
from eyewall.http.client.events import EventReader, ServerEvent
from eyewall.http.client.exchange import NO_LIMIT, Exchange
from eyewall.http.client.lines import LineSplitter
from eyewall.http.client.perform import Work
from eyewall.http.client.request import BodyProducer, HTTPRequest
from eyewall.http.client.xml_reader import XMLReader
from eyewall.http.headers import HTTPHeaders

if TYPE_CHECKING:
    from eyewall.http.client.simple import SimpleAsyncHTTPClient

_LINE_BYTES: Final = 1 << 20


class StreamedResponse:
    """A response whose head is there, and whose content is read by iterating over it.

    Iterate once, over the pieces themselves or by one of the readers; codings are undone. While
    nobody iterates, the server is not read.

    Attributes:
        code: The status.
        reason: The status in words.
        headers: The fields.
        url: Where it came from, after redirects.
        http_version: "HTTP/1.1" or "HTTP/2.0".
    """

    def __init__(
        self,
        head: ClientResponse,
        exchange: Exchange,
        url: str,
        undoing: Undoing,
        idle_timeout_s: float | None,
    ) -> None:
        self.code = head.status
        self.reason = head.reason
        self.headers = HTTPHeaders.from_wire(head.headers)
        self.url = url
        self.http_version = head.http_version
        self._exchange = exchange
        self._undoing = undoing
        self._idle_timeout_s = idle_timeout_s
        self._taken = False

    @property
    def trailers(self) -> list[tuple[str, str]]:
        """Trailer fields, once the content was read to its end."""
        return self._exchange.trailers

    def raise_for_status(self) -> None:
        """Raise for a status that is no success.

        Raises:
            HTTPClientError: It is none.
        """
        if not 200 <= self.code < 300:
            raise HTTPClientError(self.code, self.reason)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The content in pieces as they come.

        Raises:
            HTTPClientError: The rest does not come, or is not in its coding.
            RuntimeError: It was iterated over before.
        """
        if self._taken:
            raise RuntimeError("the content of a streamed response can be read only once")
        self._taken = True
        while True:
            try:
                async with asyncio.timeout(self._idle_timeout_s):
                    piece = await self._exchange.read()
            except TimeoutError as error:
                raise HTTPTimeoutError("the server has sent nothing for too long") from error
            if piece is None:
                break
            for part in self._undoing.feed(piece):
                yield part
        self._undoing.finish()

    async def read(self, max_bytes: int = 100 * 1024 * 1024) -> bytes:
        """The rest of the content at once.

        Raises:
            HTTPTooLargeError: It is more than `max_bytes`.
            HTTPClientError: The rest does not come.
        """
        pieces = []
        size = 0
        async for piece in self:
            size += len(piece)
            if size > max_bytes:
                raise HTTPTooLargeError(f"the content is over {max_bytes} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def text(self) -> str:
        """All of it as text, in the character set that `Content-Type` names, else UTF-8."""
        return decode_text(await self.read(), self.headers.get("Content-Type", ""))

    async def json(self, type: Any = None) -> Any:  # noqa: A002 - msgspec's name for it
        """All of it as JSON, checked against a type where one is given.

        Raises:
            ValueError: It is no JSON, or not of that type.
        """
        return decode_json(await self.read(), type)

    async def lines(self, max_bytes: int = _LINE_BYTES) -> AsyncIterator[bytes]:
        """The lines, without their ends, as they come.

        Args:
            max_bytes: Longest line.

        Raises:
            HTTPTooLargeError: A line is longer.
        """
        splitter = LineSplitter(max_bytes)
        async for piece in self:
            for line in splitter.feed(piece):
                yield line
        for line in splitter.finish():
            yield line

    async def json_lines(
        self,
        type: Any = None,  # noqa: A002 - msgspec's name for it
        max_bytes: int = _LINE_BYTES,
    ) -> AsyncIterator[Any]:
        """A value for each line that is not empty.

        Args:
            type: What each is checked against.
            max_bytes: Longest line.

        Raises:
            ValueError: A line is no JSON, or not of that type.
        """
        async for line in self.lines(max_bytes):
            if line.strip():
                yield decode_json(line, type)

    async def events(self, max_bytes: int = _LINE_BYTES) -> AsyncIterator[ServerEvent]:
        """Server-sent events as they come.

        Args:
            max_bytes: Largest event.

        Raises:
            HTTPTooLargeError: An event is larger.
        """
        reader = EventReader(max_bytes)
        async for piece in self:
            for event in reader.feed(piece):
                yield event

    async def xml(
        self, tag: str | None = None, max_bytes: int = _LINE_BYTES
    ) -> AsyncIterator[Element]:
        """Elements of an XML document that may never end, each once it is complete.

        Args:
            tag: Their name, "{namespace}name" where they have one; None for the children of the
                root.
            max_bytes: Largest element.

        Raises:
            HTTPProtocolError: It is no well-formed XML, or declares entities.
            HTTPTooLargeError: An element is larger.
        """
        reader = XMLReader(tag, max_bytes)
        async for piece in self:
            for element in reader.feed(piece):
                yield element
        for element in reader.finish():
            yield element

    def close(self) -> None:
        """Give the connection back, or end it where the content was not read to its end."""
        self._exchange.finish()

    def __repr__(self) -> str:
        return f"<StreamedResponse {self.code} {self.url}>"


class _Opening(Work):
    """The steps until the head of the last response is there.

    Args:
        asked: What is asked.
        head_s: Seconds for the server to answer once the request is sent; None for any time.
    """

    def __init__(self, asked: Asked, head_s: float | None) -> None:
        super().__init__(asked)
        self._head_s = head_s
        self._limit = asyncio.timeout(None)
        self.exchange: Exchange | None = None
        self.head: ClientResponse | None = None

    async def deal(self, exchange: Exchange) -> tuple[ClientResponse, bytes]:
        """Leave the content of the last response to who asked."""
        try:
            async with asyncio.timeout(None) as self._limit:
                if self.asked.request.body_producer is None:
                    self.sent()
                head = await self.send(exchange, streamed=True, timeout_s=0.0, max_body=NO_LIMIT)
        except TimeoutError as error:
            raise HTTPReadTimeoutError("the server has not answered in time") from error
        if self.is_last(head):
            self.exchange, self.head = exchange, head
        return head, b""

    def sent(self) -> None:
        """The request is sent: the server's time begins."""
        if self._head_s is not None:
            self._limit.reschedule(self.asked.loop.time() + self._head_s)

    def done_with(self, exchange: Exchange) -> None:
        """Keep the last one."""
        if exchange is not self.exchange:
            exchange.finish()

    def give_up(self) -> None:
        """Keep none."""
        if self.exchange is not None:
            self.exchange.finish()

    def response(self, idle_timeout_s: float | None) -> StreamedResponse:
        """What the caller reads.

        Raises:
            HTTPDecodeError: A coding is not known.
            HTTPRedirectError: There are more redirects than are allowed.
            HTTPStreamClosedError: There is none.
        """
        exchange, head = self.exchange, self.head
        if exchange is None or head is None:
            raise HTTPStreamClosedError("the response has no content that can be read")
        request = self.asked.request
        if self.location(head) is not None:
            raise HTTPRedirectError(head.status, "more redirects than max_redirects allows")
        codings = None
        if request.option("decompress_response", self.defaults) and (
            request.method != "HEAD" and head.status not in {204, 304}
        ):
            codings = head.header("content-encoding")
        undoing = Undoing(codings, UNLIMITED)
        return StreamedResponse(head, exchange, request.url, undoing, idle_timeout_s)


async def open_stream(
    client: "SimpleAsyncHTTPClient",
    request: HTTPRequest,
    idle_timeout_s: float | None,
    head_timeout_s: float | None = None,
) -> StreamedResponse:
    """Ask, and return when the head of the response is there.

    Args:
        client: The client.
        request: What to ask. Its `request_timeout` is for the head; 0 for no limit.
        idle_timeout_s: Seconds that the server may be silent then; None for any time.
        head_timeout_s: Seconds for the head once the request is sent; None for any time.

    Raises:
        HTTPReadTimeoutError: `head_timeout_s` were not enough.
        HTTPClientError: No response came.
        ValueError: The request cannot be sent.
    """
    asked = Asked(client, request, request.option("request_timeout", client.defaults))
    opening = _Opening(asked, head_timeout_s)
    if head_timeout_s is not None and request.body_producer is not None:
        asked.request = copy.copy(request)
        asked.request.body_producer = _telling(request.body_producer, opening.sent)
    try:
        async with asyncio.timeout_at(asked.deadline):
            await opening.run(None)
        response = opening.response(idle_timeout_s)
    except TimeoutError as error:
        opening.give_up()
        asked.tell(None, error)
        raise HTTPTimeoutError(f"Timeout {opening.phase}") from error
    except BaseException as error:
        opening.give_up()
        asked.tell(None, error)
        raise
    asked.tell(response.code, None)
    return response


def _telling(producer: BodyProducer, sent: Callable[[], None]) -> BodyProducer:
    """The same producer; it says when it is at its end."""

    async def produce(write: Callable[[bytes], Awaitable[None]]) -> None:
        result = producer(write)
        if result is not None:
            await result
        sent()

    return produce
