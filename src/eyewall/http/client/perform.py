"""What a fetch does beyond one request on a kept connection."""

import asyncio

from eyewall.http.client import auth
from eyewall.http.client.asked import Asked
from eyewall.http.client.engine import ClientResponse
from eyewall.http.client.errors import HTTPRedirectError, HTTPTimeoutError
from eyewall.http.client.exchange import REPEATABLE, Exchange, Unsent
from eyewall.http.client.handing import hand_over
from eyewall.http.client.pool import Link
from eyewall.http.client.prepare import credentials
from eyewall.http.client.redirects import REDIRECTS, follow
from eyewall.http.client.request import producer_of
from eyewall.http.client.response import HTTPResponse
from eyewall.http.client.url import parse_url


async def perform(asked: Asked, head: ClientResponse | None) -> HTTPResponse:
    """Do what the request asks for, with redirects and a second attempt with a digest.

    Args:
        asked: What is asked.
        head: A whole response that came already, and is to be looked at first.

    Raises:
        HTTPClientError: No response came.
        ValueError: A redirect leads where none can follow.
    """
    work = Work(asked)
    try:
        async with asyncio.timeout_at(asked.deadline):
            return await work.run(head)
    except TimeoutError as error:
        raise HTTPTimeoutError(f"Timeout {work.phase}") from error


class Work:
    """The steps of one fetch.

    Args:
        asked: What is asked.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.defaults = asked.client.defaults
        self.phase = "during request"
        self._left = asked.request.option("max_redirects", self.defaults)
        self._answered = False

    async def run(self, head: ClientResponse | None) -> HTTPResponse:
        """Go all the way; see `perform`."""
        asked = self.asked
        body: bytes | None = None if head is None else head.body
        while True:
            if head is None:
                head, body = await self._once()
            if self._retry_with_digest(head):
                head = None
                continue
            location = self.location(head)
            if location is None:
                return asked.response(head, body or b"")
            if self._left <= 0:
                response = asked.response(head, body or b"")
                response.error = HTTPRedirectError(
                    response.code, "more redirects than max_redirects allows", response
                )
                return response
            self._left -= 1
            asked.put(follow(asked.request, head.status, location))
            self._answered = False
            head = None

    def location(self, head: ClientResponse) -> str | None:
        """Where a response leads on, if it is to be followed."""
        if head.status not in REDIRECTS:
            return None
        if not self.asked.request.option("follow_redirects", self.defaults):
            return None
        location: str | None = head.header("location")
        return location

    def _retry_with_digest(self, head: ClientResponse) -> bool:
        request = self.asked.request
        if head.status != 401 or self._answered:
            return False
        if request.option("auth_mode", self.defaults) != "digest":
            return False
        known = credentials(request, parse_url(request.url), self.defaults)
        if known is None:
            return False
        challenges = [v for name, v in head.headers if name.lower() == "www-authenticate"]
        target = parse_url(request.url).path
        value = auth.digest(challenges, request.method, target, *known)
        if value is None:
            return False
        self._answered = True
        fields = [*self.asked.prepared.fields, ("Authorization", value)]
        self.asked.prepared = self.asked.prepared._replace(fields=fields)
        return True

    async def _once(self) -> tuple[ClientResponse, bytes]:
        link = self.asked.client.pool.take(self.asked.route)
        while True:
            kept = link is not None
            link = link or await self._connect()
            try:
                return await self._ask(link)
            except Unsent as unsent:
                # A server may close an idle connection at the moment that it is used again.
                if not kept or not self._is_repeatable(unsent):
                    raise unsent.failure from None
                link = None

    def _is_repeatable(self, unsent: Unsent) -> bool:
        asked = self.asked
        if asked.request.body_producer is not None and not unsent.is_untouched:
            return False
        return unsent.is_certain or asked.prepared.method in REPEATABLE

    async def _connect(self) -> Link:
        asked = self.asked
        limit = asked.request.option("connect_timeout", self.defaults)
        loop = asked.loop
        begun = loop.time()
        self.phase = "while connecting"
        try:
            async with asyncio.timeout(limit or None):
                link = await asked.client.pool.connect(self.asked.route, self)
        except TimeoutError as error:
            raise HTTPTimeoutError(f"Timeout {self.phase}") from error
        asked.connected += loop.time() - begun
        self.phase = "during request"
        return link

    async def _ask(self, link: Link) -> tuple[ClientResponse, bytes]:
        exchange = Exchange(link)
        try:
            return await self.deal(exchange)
        finally:
            self.done_with(exchange)

    async def send(
        self, exchange: Exchange, *, streamed: bool, timeout_s: float, max_body: int
    ) -> ClientResponse:
        """Send the request; see `Exchange.send`."""
        request, prepared = self.asked.request, self.asked.prepared
        producer = request.body_producer
        if producer is None and prepared.length is not None:
            producer = producer_of(request.body or b"")
        return await exchange.send(
            prepared,
            producer=producer,
            streamed=streamed,
            expect=request.expect_100_continue,
            timeout_s=timeout_s,
            max_body=max_body,
        )

    async def deal(self, exchange: Exchange) -> tuple[ClientResponse, bytes]:
        """One request on a connection; returns the response's head and content."""
        asked = self.asked
        request = asked.request
        streamed = request.streaming_callback is not None or request.header_callback is not None
        limit = asked.client.max_body_size
        timeout_s = asked.remaining()
        head = await self.send(exchange, streamed=streamed, timeout_s=timeout_s, max_body=limit)
        if not streamed:
            exchange.complete()
            return head, head.body
        if not self.is_last(head):
            return head, b""
        decompress = request.option("decompress_response", self.defaults)
        return head, await hand_over(exchange, head, request, decompress, limit)

    def done_with(self, exchange: Exchange) -> None:
        """The request is over."""
        exchange.finish()

    def is_last(self, head: ClientResponse) -> bool:
        """Whether nothing is to be asked after this response."""
        if self._left > 0 and self.location(head) is not None:
            return False
        digest = self.asked.request.option("auth_mode", self.defaults) == "digest"
        return not (head.status == 401 and digest and not self._answered)
