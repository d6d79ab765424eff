"""What a fetch does beyond one request on a kept connection."""

import asyncio
from typing import TYPE_CHECKING

from eyewall.http.client import auth
from eyewall.http.client.engine import ClientResponse
from eyewall.http.client.errors import HTTPRedirectError, HTTPTimeoutError
from eyewall.http.client.exchange import REPEATABLE, Exchange, Unsent
from eyewall.http.client.handing import hand_over
from eyewall.http.client.pool import Link, Route
from eyewall.http.client.prepare import Prepared, credentials, prepare, proxy_of, route
from eyewall.http.client.redirects import REDIRECTS, follow
from eyewall.http.client.request import producer_of
from eyewall.http.client.response import HTTPResponse
from eyewall.http.client.url import parse_url

if TYPE_CHECKING:
    from eyewall.http.client.fetch import Fetch


async def perform(fetch: "Fetch", head: ClientResponse | None) -> HTTPResponse:
    """Do what the request asks for, with redirects and a second attempt with a digest.

    Args:
        fetch: The fetch.
        head: A whole response that came already, and is to be looked at first.

    Raises:
        HTTPClientError: No response came.
        ValueError: A redirect leads where none can follow.
    """
    work = _Work(fetch)
    try:
        async with asyncio.timeout_at(fetch.deadline):
            return await work.run(head)
    except TimeoutError as error:
        raise HTTPTimeoutError(f"Timeout {work.phase}") from error


class _Work:
    """The steps of one fetch."""

    def __init__(self, fetch: "Fetch") -> None:
        self.fetch = fetch
        self.defaults = fetch.client.defaults
        self.phase = "during request"
        self._left = fetch.request.option("max_redirects", self.defaults)
        self._answered = False
        self._prepared: Prepared = fetch.prepared
        self._route: Route = fetch.route

    async def run(self, head: ClientResponse | None) -> HTTPResponse:
        fetch = self.fetch
        body: bytes | None = None if head is None else head.body
        while True:
            if head is None:
                head, body = await self._once()
            if self._retry_with_digest(head):
                head = None
                continue
            location = self._location(head)
            if location is None:
                return fetch.response(head, body or b"")
            if self._left <= 0:
                response = fetch.response(head, body or b"")
                response.error = HTTPRedirectError(
                    response.code, "more redirects than max_redirects allows", response
                )
                return response
            self._left -= 1
            fetch.request = follow(fetch.request, head.status, location)
            self._answered = False
            self._put_together()
            head = None

    def _put_together(self) -> None:
        request = self.fetch.request
        url = parse_url(request.url)
        proxy = proxy_of(request, self.defaults)
        self._route = route(request, url, self.defaults, proxy)
        self._prepared = prepare(request, url, self.defaults, proxy)

    def _location(self, head: ClientResponse) -> str | None:
        if head.status not in REDIRECTS:
            return None
        if not self.fetch.request.option("follow_redirects", self.defaults):
            return None
        location: str | None = head.header("location")
        return location

    def _retry_with_digest(self, head: ClientResponse) -> bool:
        request = self.fetch.request
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
        fields = [*self._prepared.fields, ("Authorization", value)]
        self._prepared = self._prepared._replace(fields=fields)
        return True

    async def _once(self) -> tuple[ClientResponse, bytes]:
        link = self.fetch.client.pool.take(self._route)
        while True:
            kept = link is not None
            link = link or await self._connect()
            try:
                return await self._ask(link)
            except Unsent as unsent:
                # A server may close an idle connection at the moment that it is used again.
                if not kept or self._prepared.method not in REPEATABLE or self._has_upload():
                    raise unsent.failure from None
                link = None

    def _has_upload(self) -> bool:
        return self.fetch.request.body_producer is not None

    async def _connect(self) -> Link:
        fetch = self.fetch
        limit = fetch.request.option("connect_timeout", self.defaults)
        loop = fetch.loop
        begun = loop.time()
        self.phase = "while connecting"
        try:
            async with asyncio.timeout(limit or None):
                link = await fetch.client.pool.connect(self._route, self)
        except TimeoutError as error:
            raise HTTPTimeoutError(f"Timeout {self.phase}") from error
        fetch.connected += loop.time() - begun
        self.phase = "during request"
        return link

    async def _ask(self, link: Link) -> tuple[ClientResponse, bytes]:
        fetch = self.fetch
        request = fetch.request
        streamed = request.streaming_callback is not None or request.header_callback is not None
        producer = request.body_producer
        if producer is None and self._prepared.length is not None:
            producer = producer_of(request.body or b"")
        exchange = Exchange(link)
        try:
            head = await exchange.send(
                self._prepared,
                producer=producer,
                streamed=streamed,
                expect=request.expect_100_continue,
                timeout_s=fetch.remaining(),
                max_body=fetch.client.max_body_size,
            )
            if not streamed:
                exchange.complete()
                return head, head.body
            if not self._is_last(head):
                return head, b""
            decompress = request.option("decompress_response", self.defaults)
            limit = fetch.client.max_body_size
            return head, await hand_over(exchange, head, request, decompress, limit)
        finally:
            exchange.finish()

    def _is_last(self, head: ClientResponse) -> bool:
        if self._left > 0 and self._location(head) is not None:
            return False
        digest = self.fetch.request.option("auth_mode", self.defaults) == "digest"
        return not (head.status == 401 and digest and not self._answered)
