"""`CurlAsyncHTTPClient`: the same client on libcurl, for what only libcurl does.

It needs `pip install 'eyewall[curl]'`. Redirects are followed here, by the rules of the other
client, so that both drop credentials alike.
"""

import asyncio
import inspect
from collections import deque
from importlib import import_module
from typing import Any, Final

from eyewall.base.errors import ConfigurationError
from eyewall.base.log import app_log
from eyewall.http.client.client import AsyncHTTPClient
from eyewall.http.client.curl_options import error_of, set_options
from eyewall.http.client.errors import (
    HTTPRedirectError,
    HTTPStreamClosedError,
    HTTPTimeoutError,
    HTTPTooLargeError,
)
from eyewall.http.client.prepare import prepare
from eyewall.http.client.proxy import one_proxy
from eyewall.http.client.redirects import REDIRECTS, follow
from eyewall.http.client.request import HTTPRequest
from eyewall.http.client.response import HTTPResponse
from eyewall.http.client.url import parse_url
from eyewall.http.headers import HTTPHeaders

_HEAD_BYTES: Final = 300 * 1024


class Transfer(asyncio.Future[HTTPResponse]):
    """One fetch: its requests on one handle, one after the other."""

    def __init__(
        self, client: "CurlAsyncHTTPClient", request: HTTPRequest, raise_error: bool
    ) -> None:
        super().__init__(loop=client.loop)
        self.client = client
        self.first = self.request = request
        self.raise_error = raise_error
        self.curl: Any = None
        self.left = request.option("max_redirects", client.defaults)
        self.started = client.loop.time()
        limit = request.option("request_timeout", client.defaults)
        self.deadline = self.started + limit if limit else None
        self.timer: asyncio.TimerHandle | None = None
        self._clear()

    def _clear(self) -> None:
        self.lines: list[str] = []
        self.pieces: list[bytes] = []
        self.size = 0
        self.status = 0
        self.headers = HTTPHeaders()
        self.failure: Exception | None = None
        self.busy: asyncio.Future[Any] | None = None

    def start(self, curl: Any) -> None:
        """Send the request on this handle.

        Raises:
            ValueError: It cannot be sent.
        """
        pycurl, defaults = self.client.pycurl, self.client.defaults
        self.curl = curl
        self._clear()
        url = parse_url(self.request.url)
        prepared = prepare(self.request, url, defaults, None)
        set_options(pycurl, curl, self.request, prepared, defaults)
        if self.deadline is not None:
            left = max(self.deadline - self.client.loop.time(), 0.001)
            curl.setopt(pycurl.TIMEOUT_MS, int(left * 1000) + 1)
        curl.setopt(pycurl.HEADERFUNCTION, self._head)
        curl.setopt(pycurl.WRITEFUNCTION, self._piece)
        if self.request.prepare_curl_callback is not None:
            self.request.prepare_curl_callback(curl)

    def cancel(self, msg: Any = None) -> bool:
        """Give it up."""
        if self.done():
            return False
        self.client.drop(self)
        return super().cancel(msg)

    def expire(self) -> None:
        """The time in the queue is up."""
        self.timer = None
        if not self.done():
            self.client.drop(self)
            self.set_exception(HTTPTimeoutError("Timeout in request queue"))

    def location(self) -> str | None:
        """Where the response leads on, if it is to be followed."""
        follows = self.request.option("follow_redirects", self.client.defaults)
        return self.headers.get("Location") if follows and self.status in REDIRECTS else None

    def _head(self, raw: bytes) -> int | None:
        line = raw.decode("latin-1")
        if line.startswith("HTTP/"):
            self.lines = []
        self.lines.append(line)
        if sum(map(len, self.lines)) > _HEAD_BYTES:
            self.failure = HTTPTooLargeError("the response's head is larger than allowed")
            return -1
        if line.strip():
            return None
        self.status = int(self.lines[0].split(" ", 2)[1])
        fields = (part.partition(":") for part in self.lines[1:-1])
        self.headers = HTTPHeaders.from_wire((n.strip(), v.strip()) for n, _, v in fields)
        if self.status < 200 or (self.left > 0 and self.location() is not None):
            return None
        callback = self.request.header_callback
        if callback is not None:
            for line in self.lines:
                self._call(callback, line)
        return None if self.failure is None else -1

    def _piece(self, data: bytes) -> int | None:
        if self.left > 0 and self.location() is not None:
            return None
        if self.busy is not None:
            pause: int = self.client.pycurl.WRITEFUNC_PAUSE
            return pause
        self.size += len(data)
        if self.size > self.client.max_body_size:
            limit = self.client.max_body_size
            text = f"the content is larger than max_body_size, {limit} bytes"
            self.failure = HTTPTooLargeError(text)
            return -1
        callback = self.request.streaming_callback
        if callback is None:
            self.pieces.append(data)
            return None
        self._call(callback, data)
        return None if self.failure is None else -1

    def _call(self, callback: Any, argument: object) -> None:
        try:
            result = callback(argument)
        except Exception as error:  # noqa: BLE001 - libcurl cannot carry it; the fetch does
            self._broken(error)
            return
        if inspect.isawaitable(result):
            self.busy = asyncio.ensure_future(result)
            self.busy.add_done_callback(self._ready)

    def _ready(self, busy: "asyncio.Future[Any]") -> None:
        self.busy = None
        if self.done():
            return
        error = asyncio.CancelledError() if busy.cancelled() else busy.exception()
        if error is not None:
            self._broken(error)
            self.client.fail(self)
            return
        self.curl.pause(self.client.pycurl.PAUSE_CONT)
        self.client.kick()

    def _broken(self, error: BaseException) -> None:
        app_log.error("Uncaught exception in a callback of a fetch", exc_info=error)
        self.failure = HTTPStreamClosedError(f"a callback raised {type(error).__name__}")
        self.failure.__cause__ = error

    def response(self) -> HTTPResponse:
        """What came, when all of it has."""
        now = self.client.loop.time()
        version, _, rest = self.lines[0].strip().partition(" ")
        return HTTPResponse(
            self.first,
            self.status,
            self.headers,
            None,
            self.request.url,
            None,
            now - self.started,
            self.client.times(self.curl),
            rest.partition(" ")[2],
            self.first.start_time,
            body=b"".join(self.pieces),
            http_version=version,
        )


class CurlAsyncHTTPClient(AsyncHTTPClient):
    """Fetches by libcurl; choose it with `AsyncHTTPClient.configure(CurlAsyncHTTPClient)`.

    Of `HTTPRequest` it has no `body_producer` and no `ssl_options`, and it alone has
    `prepare_curl_callback`.
    """

    queue: deque[Transfer]

    def initialize(  # type: ignore[override] # its options, not any
        self,
        *,
        max_clients: int = 10,
        max_body_size: int = 100 * 1024 * 1024,
        defaults: dict[str, Any] | None = None,
        crl_file: str | None = None,
        proxy: str | None = None,
    ) -> None:
        """Take the options; they are those of `SimpleAsyncHTTPClient`.

        Raises:
            ConfigurationError: pycurl is not installed.
            ValueError: An option cannot be used.
        """
        super().initialize(defaults=defaults)
        try:
            self.pycurl: Any = import_module("pycurl")
        except ImportError as error:
            raise ConfigurationError(
                "the client on libcurl needs a library: pip install 'eyewall[curl]'"
            ) from error
        self.defaults |= {"crl_file": crl_file, "proxy_for": one_proxy(proxy), "unix_socket": None}
        self.max_clients = max_clients
        self.max_body_size = max_body_size
        self.queue = deque()
        self._running: dict[Any, Transfer] = {}
        self._spare: list[Any] = []
        self._watched: set[int] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._multi = self.pycurl.CurlMulti()
        self._multi.setopt(self.pycurl.M_TIMERFUNCTION, self._set_alarm)
        self._multi.setopt(self.pycurl.M_SOCKETFUNCTION, self._watch)

    def close(self) -> None:
        """Close every connection; fetches under way fail."""
        super().close()
        for transfer in list(self._running.values()):
            transfer.failure = HTTPStreamClosedError("the client was closed")
            self.fail(transfer)
        if self._alarm is not None:
            self._alarm.cancel()
        for curl in self._spare:
            curl.close()
        self._spare.clear()
        self._multi.close()
        for fd in list(self._watched):
            self._unwatch(fd)

    def begin(self, request: HTTPRequest, raise_error: bool) -> asyncio.Future[HTTPResponse]:
        """Start a fetch, or put it in the queue."""
        if request.body_producer is not None:
            raise ValueError("the client on libcurl has no body_producer")
        transfer = Transfer(self, request, raise_error)
        self.queue.append(transfer)
        if len(self._running) < self.max_clients:
            self._fill()
            return transfer
        limits = [
            limit
            for name in ("connect_timeout", "request_timeout")
            if (limit := request.option(name, self.defaults))
        ]
        if limits:
            transfer.timer = self.loop.call_later(min(limits), transfer.expire)
        return transfer

    def drop(self, transfer: Transfer) -> None:
        """A fetch was given up."""
        if transfer in self.queue:
            self.queue.remove(transfer)
            if transfer.timer is not None:
                transfer.timer.cancel()
        elif self._running.get(transfer.curl) is transfer:
            self._release(transfer)
            self._fill()

    def fail(self, transfer: Transfer) -> None:
        """End a fetch with its failure."""
        self._release(transfer)
        if not transfer.done():
            transfer.set_exception(transfer.failure or HTTPStreamClosedError("it was given up"))
        self._fill()

    def kick(self) -> None:
        """Let libcurl look at what has changed."""
        self._act(self.pycurl.SOCKET_TIMEOUT, 0)

    def times(self, curl: Any) -> dict[str, float]:
        """Seconds of the parts of a transfer, as libcurl has measured them."""
        names = ("NAMELOOKUP", "CONNECT", "PRETRANSFER", "STARTTRANSFER", "TOTAL")
        return {name.lower(): curl.getinfo(getattr(self.pycurl, f"{name}_TIME")) for name in names}

    def _fill(self) -> None:
        while self.queue and len(self._running) < self.max_clients and not self._closed:
            transfer = self.queue.popleft()
            if transfer.timer is not None:
                transfer.timer.cancel()
            self._start(transfer, self._spare.pop() if self._spare else self.pycurl.Curl())

    def _start(self, transfer: Transfer, curl: Any) -> None:
        self._running[curl] = transfer
        try:
            transfer.start(curl)
            self._multi.add_handle(curl)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets it
            del self._running[curl]
            self._spare.append(curl)
            if not transfer.done():
                transfer.set_exception(error)
            return
        self.loop.call_soon(self.kick)

    def _release(self, transfer: Transfer) -> None:
        curl = transfer.curl
        if self._running.pop(curl, None) is None:
            return
        self._multi.remove_handle(curl)
        curl.reset()
        if self._closed:
            curl.close()
        else:
            self._spare.append(curl)

    def _set_alarm(self, milliseconds: int) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if milliseconds >= 0:
            self._alarm = self.loop.call_later(milliseconds / 1000, self.kick)

    def _watch(self, event: int, fd: int, _multi: Any, _data: Any) -> None:
        pycurl = self.pycurl
        self._unwatch(fd)
        if event == pycurl.POLL_REMOVE:
            return
        self._watched.add(fd)
        if event & pycurl.POLL_IN:
            self.loop.add_reader(fd, self._act, fd, pycurl.CSELECT_IN)
        if event & pycurl.POLL_OUT:
            self.loop.add_writer(fd, self._act, fd, pycurl.CSELECT_OUT)

    def _unwatch(self, fd: int) -> None:
        if fd in self._watched:
            self._watched.discard(fd)
            self.loop.remove_reader(fd)
            self.loop.remove_writer(fd)

    def _act(self, fd: int, action: int) -> None:
        if self._closed:
            return
        self._multi.socket_action(fd, action)
        more = True
        while more:
            more, done, failed = self._multi.info_read()
            for curl in done:
                self._complete(self._running[curl])
            for curl, number, text in failed:
                transfer = self._running[curl]
                if transfer.failure is None:
                    transfer.failure = error_of(number, text)
                self.fail(transfer)

    def _complete(self, transfer: Transfer) -> None:
        if transfer.busy is not None:
            # The last piece is being dealt with.
            transfer.busy.add_done_callback(lambda _: self._complete(transfer))
            return
        if transfer.done():
            return
        if transfer.failure is not None:
            self.fail(transfer)
            return
        location = transfer.location()
        if location is not None and transfer.left > 0:
            self._follow(transfer, location)
            return
        response = transfer.response()
        if location is not None:
            text = "more redirects than max_redirects allows"
            response.error = HTTPRedirectError(response.code, text, response)
        self._release(transfer)
        if transfer.raise_error and response.error is not None:
            transfer.set_exception(response.error)
        else:
            transfer.set_result(response)
        self._fill()

    def _follow(self, transfer: Transfer, location: str) -> None:
        curl = transfer.curl
        self._multi.remove_handle(curl)
        del self._running[curl]
        transfer.left -= 1
        try:
            transfer.request = follow(transfer.request, transfer.status, location)
        except ValueError as error:
            self._spare.append(curl)
            transfer.set_exception(error)
            self._fill()
            return
        self._start(transfer, curl)
