"""A fetch under way: the future that the caller waits for. Hot path.

Where a kept connection is free and nothing is streamed, no task is made: the request goes out at
once, and the engine's one call with the whole response settles the future. All else (connecting,
redirects, streams, second attempts) is the work of a task.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from eyewall.http.client.asked import Asked
from eyewall.http.client.engine import ClientResponse, RequestFailedError, StreamClosedError
from eyewall.http.client.errors import HTTPTimeoutError, from_engine
from eyewall.http.client.exchange import REPEATABLE
from eyewall.http.client.figures import outcome_of, outcomes
from eyewall.http.client.perform import perform
from eyewall.http.client.redirects import REDIRECTS
from eyewall.http.client.request import HTTPRequest
from eyewall.http.client.response import HTTPResponse

if TYPE_CHECKING:
    from eyewall.http.client.simple import SimpleAsyncHTTPClient


class Fetch(asyncio.Future[HTTPResponse]):
    """One fetch."""

    __slots__ = ("_link", "_raise_error", "_stream", "_task", "asked", "client", "timer")

    def __init__(
        self, client: "SimpleAsyncHTTPClient", request: HTTPRequest, raise_error: bool
    ) -> None:
        super().__init__(loop=client.loop)
        self._raise_error = raise_error
        self.client = client
        limit_s = request.option("request_timeout", client.defaults)
        self.asked = Asked(client, request, limit_s)
        if self.asked.finished:
            self.add_done_callback(self._tell)
        self.timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[HTTPResponse] | None = None
        self._link: Any = None
        self._stream = 0

    def begin(self) -> None:
        """There is a place for it: start."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
            self.asked.waited = self.asked.loop.time() - self.asked.started
        request = self.asked.request
        if (
            request.body_producer is None
            and request.streaming_callback is None
            and request.header_callback is None
            and not request.expect_100_continue
        ):
            link = self.client.pool.take(self.asked.route)
            if link is not None and self._send(link):
                return
        self._go_on(None)

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
            self._settle_error(HTTPTimeoutError("Timeout in request queue"))

    def _send(self, link: Any) -> bool:
        prepared = self.asked.prepared
        try:
            self._stream = link.conn.start(
                prepared.method,
                prepared.target,
                prepared.authority,
                prepared.fields,
                prepared.body,
                self._arrived,
                scheme=prepared.scheme,
                timeout_s=self.asked.remaining(),
                max_body=self.client.max_body_size,
            )
        except StreamClosedError:
            # Closed since it was looked at; the task makes another one.
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets it
            self.client.pool.give(link)
            self._settle_error(error)
            return True
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
                and (link.multiplexed or self.asked.request.method in REPEATABLE)
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
            self._settle(self.asked.response(result, result.body))
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets it
            self._settle_error(error)

    def _go_on(self, first: ClientResponse | None) -> None:
        self._task = self.asked.loop.create_task(perform(self.asked, first))
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

    def _tell(self, _itself: object) -> None:
        if self.cancelled():
            self.asked.tell(None, asyncio.CancelledError())
        elif (error := self.exception()) is not None:
            response = getattr(error, "response", None)
            self.asked.tell(getattr(response, "code", None), error)
        else:
            self.asked.tell(self.result().code, None)

    def _settle(self, response: HTTPResponse) -> None:
        self.client.leave(self)
        outcomes[response.code // 100] += 1
        if self._raise_error and response.error is not None:
            self.set_exception(response.error)
        else:
            self.set_result(response)

    def _settle_error(self, error: BaseException) -> None:
        self.client.leave(self)
        outcomes[outcome_of(error)] += 1
        self.client.failed(error)
        self.set_exception(error)
