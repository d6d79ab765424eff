"""A fetch under way: the future that the caller waits for. Hot path.

Where a kept connection is free and nothing is streamed, no task is made: the request goes out at
once, and the engine's one call with the whole response settles the future. All else (connecting,
redirects, streams, second attempts) is the work of a task.
"""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from eyewall.http.client.engine import ClientResponse, RequestFailedError, StreamClosedError
from eyewall.http.client.errors import (
    HTTPDecodeError,
    HTTPTimeoutError,
    HTTPTooLargeError,
    from_engine,
)
from eyewall.http.client.exchange import REPEATABLE
from eyewall.http.client.perform import perform
from eyewall.http.client.prepare import prepare, proxy_of, route
from eyewall.http.client.redirects import REDIRECTS
from eyewall.http.client.request import HTTPRequest
from eyewall.http.client.response import HTTPResponse
from eyewall.http.client.url import parse_url
from eyewall.http.encoding import BodyTooLargeError, EncodingError, decode

if TYPE_CHECKING:
    from eyewall.http.client.simple import SimpleAsyncHTTPClient


class Fetch(asyncio.Future[HTTPResponse]):
    """One fetch."""

    __slots__ = (
        "_link", "_raise_error", "_stream", "_task", "client", "connected", "deadline", "first",
        "loop", "prepared", "request", "route", "started", "timer", "waited",
    )  # fmt: skip

    def __init__(
        self, client: "SimpleAsyncHTTPClient", request: HTTPRequest, raise_error: bool
    ) -> None:
        loop = client.loop
        super().__init__(loop=loop)
        self.client = client
        self.loop = loop
        self.request = self.first = request
        self._raise_error = raise_error
        defaults = client.defaults
        url = parse_url(request.url)
        proxy = proxy_of(request, defaults)
        self.route = route(request, url, defaults, proxy)
        self.prepared = prepare(request, url, defaults, proxy)
        self.started = loop.time()
        limit = request.option("request_timeout", defaults)
        self.deadline = self.started + limit if limit else None
        self.timer: asyncio.TimerHandle | None = None
        self.waited = 0.0
        self.connected = 0.0
        self._task: asyncio.Task[HTTPResponse] | None = None
        self._link: Any = None
        self._stream = 0

    def begin(self) -> None:
        """There is a place for it: start."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
            self.waited = self.loop.time() - self.started
        request = self.request
        if (
            request.body_producer is None
            and request.streaming_callback is None
            and request.header_callback is None
            and not request.expect_100_continue
        ):
            link = self.client.pool.take(self.route)
            if link is not None and self._send(link):
                return
        self._go_on(None)

    def remaining(self) -> float:
        """Seconds until the deadline, for the engine; 0 for no limit."""
        if self.deadline is None:
            return 0.0
        left: float = self.deadline - self.loop.time()
        return max(left, 0.001)

    def cancel(self, msg: Any = None) -> bool:
        """Give it up: the connection is closed, a place in the queue given back."""
        if self.done():
            return False
        if self._task is not None:
            self._task.cancel()
        elif self._link is not None:
            self._link.conn.cancel(self._stream)
            self.client.pool.give(self._link)
        self.client.leave(self)
        return super().cancel(msg)

    def expire(self) -> None:
        """The time in the queue is up."""
        self.timer = None
        if not self.done():
            self.client.leave(self)
            self.set_exception(HTTPTimeoutError("Timeout in request queue"))

    def _send(self, link: Any) -> bool:
        prepared = self.prepared
        try:
            self._stream = link.conn.start(
                prepared.method,
                prepared.target,
                prepared.authority,
                prepared.fields,
                prepared.body,
                self._arrived,
                scheme=prepared.scheme,
                timeout_s=self.remaining(),
                max_body=self.client.max_body_size,
            )
        except StreamClosedError:
            # Closed since it was looked at; the task makes another one.
            return False
        except BaseException:
            self.client.pool.give(link)
            self.client.leave(self)
            raise
        self._link = link
        return True

    def _arrived(self, result: ClientResponse | Exception) -> None:
        link = self._link
        if self.done() or link is None:
            return
        self._link = None
        self.client.pool.give(link)
        if isinstance(result, Exception):
            if (
                isinstance(result, RequestFailedError)
                and result.unprocessed
                and self.request.method in REPEATABLE
            ):
                self._go_on(None)
            else:
                self._settle_error(from_engine(result))
            return
        status = result.status
        if status in REDIRECTS or status == 401:
            self._go_on(result)
            return
        try:
            self._settle(self.response(result, result.body))
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets it
            self._settle_error(error)

    def response(self, head: ClientResponse, body: bytes) -> HTTPResponse:
        """What the caller gets for this.

        Raises:
            HTTPDecodeError: The content is not in the coding that it says.
            HTTPTooLargeError: Decoded it is larger than allowed.
        """
        request = self.request
        headers: Any = head.headers
        if body:
            coding = head.header("content-encoding")
            if coding is not None and request.option("decompress_response", self.client.defaults):
                headers, body = self._decoded(headers, coding, body)
        return HTTPResponse(
            self.first,
            head.status,
            headers,
            None,
            request.url,
            None,
            self.loop.time() - self.started,
            {"queue": self.waited, "connect": self.connected},
            head.reason,
            time.time() - (self.loop.time() - self.started),
            body=body,
            http_version=head.http_version,
        )

    def _decoded(
        self, headers: list[tuple[str, str]], coding: str, body: bytes
    ) -> tuple[list[tuple[str, str]], bytes]:
        try:
            body = decode(coding, body, self.client.max_body_size)
        except BodyTooLargeError as error:
            raise HTTPTooLargeError(f"decompressed body too large: {error}") from error
        except EncodingError as error:
            raise HTTPDecodeError(str(error)) from error
        left = [
            field
            for field in headers
            if field[0].lower() not in ("content-encoding", "content-length")
        ]
        return left, body

    def _go_on(self, first: ClientResponse | None) -> None:
        self._task = self.loop.create_task(perform(self, first))
        self._task.add_done_callback(self._performed)

    def _performed(self, task: "asyncio.Task[HTTPResponse]") -> None:
        if task.cancelled():
            if not self.done():
                self.cancel()
            return
        error = task.exception()
        if self.done():
            return
        if error is not None:
            self._settle_error(error)
        else:
            self._settle(task.result())

    def _settle(self, response: HTTPResponse) -> None:
        self.client.leave(self)
        if self._raise_error and response.error is not None:
            self.set_exception(response.error)
        else:
            self.set_result(response)

    def _settle_error(self, error: BaseException) -> None:
        self.client.leave(self)
        self.set_exception(error)
