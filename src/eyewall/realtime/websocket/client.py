"""`websocket_connect`: the client's side of a WebSocket."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, Final, Self

from eyewall.base.escape import json_encode
from eyewall.base.log import app_log
from eyewall.http.client import HTTPClientError, HTTPRequest, HTTPResponse, HTTPTimeoutError
from eyewall.http.client.connect import connect_any
from eyewall.http.client.tls import context_of
from eyewall.http.client.url import Target, parse_url
from eyewall.http.headers import HTTPHeaders
from eyewall.loop.eager import start_task
from eyewall.loop.ioloop import IOLoop
from eyewall.net.resolver import Resolver
from eyewall.realtime.websocket.config import (
    DEFAULT_MAX_MESSAGE_SIZE,
    compression_options,
    ping_times,
)
from eyewall.realtime.websocket.engine import WebSocketCodec
from eyewall.realtime.websocket.errors import WebSocketClosedError, WebSocketError
from eyewall.realtime.websocket.inbox import Inbox
from eyewall.realtime.websocket.wire import Wire

_running: Final[set["asyncio.Task[Any]"]] = set()
_CLOSED: Final = "the WebSocket is closed"
_CONNECT_TIMEOUT: Final = 20.0


class _Written:
    """A message that was taken; awaiting it waits for room."""

    __slots__ = ("_wire",)

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def __await__(self) -> Generator[Any, None, None]:
        if self._wire.is_full:
            yield from self._wire.wait_for_room().__await__()


class WebSocketClientConnection:
    """A WebSocket to a server; `websocket_connect` makes it.

    Example:
        >>> async def last_word(url: str) -> str:
        ...     async with await websocket_connect(url) as ws:
        ...         await ws.write_message("hello")
        ...         async for message in ws:
        ...             last = message
        ...         return last
    """

    def __init__(
        self,
        codec: WebSocketCodec,
        request: bytes,
        *,
        ping: tuple[float, float],
        on_message: Callable[[Any], object] | None,
    ) -> None:
        self.headers = HTTPHeaders()
        """What the server answered the handshake with."""
        self.selected_subprotocol: str | None = None
        """The subprotocol that the server chose."""
        self.close_code: int | None = None
        """The code of the first close frame; None where there was none, or none with a code."""
        self.close_reason: str | None = None
        """The reason beside it; without a close frame, why the connection ended."""
        self.request: HTTPRequest | None = None
        self._codec = codec
        self._on_message = on_message
        self._wire = Wire(codec, request, self._on_event, ping)
        self._inbox = Inbox(self._wire.pause, self._wire.resume)
        self._closed = asyncio.get_running_loop().create_future()

    # -- messages

    def write_message(
        self, message: str | bytes | dict[str, Any], binary: bool = False
    ) -> Awaitable[None]:
        """Send a message; a dict is sent as JSON. Await it to wait for a slow server.

        Args:
            message: The message.
            binary: Send a binary message instead of text.

        Raises:
            WebSocketClosedError: The WebSocket is closed.
            ValueError: Text that is not UTF-8.
        """
        if not self._wire.is_open:
            raise WebSocketClosedError(_CLOSED)
        data = json_encode(message) if isinstance(message, dict) else message
        self._wire.send(self._codec.message(data, binary))
        return _Written(self._wire)

    async def send(self, message: str | bytes | dict[str, Any]) -> None:
        """Send a message, text or binary by its type, and wait while too much waits already.

        Raises:
            WebSocketClosedError: The WebSocket is closed.
        """
        binary = isinstance(message, bytes | bytearray | memoryview)
        await self.write_message(message, binary)

    def read_message(
        self, callback: Callable[["asyncio.Future[str | bytes | None]"], object] | None = None
    ) -> "asyncio.Future[str | bytes | None]":
        """The next message; None when the WebSocket is over.

        Args:
            callback: Called with the future when it is done.
        """
        loop = _current_loop()
        if loop.is_running():
            future: asyncio.Future[str | bytes | None] = start_task(loop, self._inbox.get())
        else:
            future = loop.create_task(self._inbox.get())
        if callback is not None:
            future.add_done_callback(callback)
        return future

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """The messages until the end."""
        while (message := await self._inbox.get()) is not None:
            yield message

    def ping(self, data: str | bytes = b"") -> None:
        """Send a ping with at most 125 bytes.

        Raises:
            WebSocketClosedError: The WebSocket is closed.
            ValueError: More than 125 bytes.
        """
        frame = self._codec.ping(data.encode() if isinstance(data, str) else data)
        if not self._wire.is_open:
            raise WebSocketClosedError(_CLOSED)
        self._wire.send(frame)

    def on_ping(self, data: bytes) -> None:
        """Called with each ping of the server, which is answered; override it to see them."""

    def on_pong(self, data: bytes) -> None:
        """Called with each pong of the server; override it to see them."""

    # -- the end

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the WebSocket; `wait_closed` waits for the server to agree.

        Raises:
            ValueError: A code that cannot be sent, or a reason that is too long.
        """
        if code is None and reason:
            code = 1000
        self._wire.close(code, reason or "")

    async def wait_closed(self) -> None:
        """Wait until the WebSocket is over."""
        await asyncio.shield(self._closed)

    async def __aenter__(self) -> Self:
        """The WebSocket, closed at the end of the block."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close it."""
        self.close(1000)
        # What nobody reads any more must not keep the close frame from being read.
        self._wire.resume()
        await self.wait_closed()

    # -- helpers

    def _on_event(self, kind: str, value: Any) -> None:
        if kind == "message":
            if self._on_message is None:
                self._inbox.put(value)
            else:
                self._call(self._on_message, value)
        elif kind == "close":
            self.close_code, self.close_reason = value
            self._inbox.close()
            if not self._closed.done():
                self._closed.set_result(None)
            if self._on_message is not None:
                self._call(self._on_message, None)
        elif kind == "ping":
            self.on_ping(value)
        else:
            self.on_pong(value)

    def _call(self, callback: Callable[[Any], object], value: Any) -> None:
        try:
            result = callback(value)
            if asyncio.iscoroutine(result):
                task = start_task(asyncio.get_running_loop(), result)
                # The loop holds tasks weakly.
                _running.add(task)
                task.add_done_callback(_running.discard)
        except Exception:  # noqa: BLE001 - the boundary of a callback
            app_log.exception("Uncaught exception in on_message_callback")

    def _opened(self, request: HTTPRequest, fields: list[tuple[str, str]]) -> None:
        self.request = request
        for name, value in fields:
            self.headers.add(name, value)
        self.selected_subprotocol = self.headers.get("Sec-WebSocket-Protocol")
        self._wire.start()


def websocket_connect(  # noqa: PLR0913, PLR0917 - Tornado's signature
    url: str | HTTPRequest,
    callback: Callable[["asyncio.Future[WebSocketClientConnection]"], object] | None = None,
    connect_timeout: float | None = None,
    on_message_callback: Callable[[str | bytes | None], object] | None = None,
    compression_options: dict[str, Any] | None = None,
    ping_interval: float | None = None,
    ping_timeout: float | None = None,
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
    subprotocols: list[str] | None = None,
    resolver: Resolver | None = None,
) -> "asyncio.Task[WebSocketClientConnection]":
    """Connect to a WebSocket.

    Args:
        url: A URL with the scheme ws or wss; or a request, for its headers, credentials and
            TLS options.
        callback: Called with the task when it is done.
        connect_timeout: Seconds that connecting may take, handshakes included; 0 for any time.
        on_message_callback: Called with each message, and last with None, instead of
            `read_message`.
        compression_options: Offer compression (RFC 7692); None offers none, {} takes the
            defaults; keys as for `WebSocketHandler.get_compression_options`.
        ping_interval: Seconds between pings; None or 0 sends none.
        ping_timeout: Seconds that the server may be silent after one; by default the interval.
        max_message_size: Largest message in bytes, decompressed.
        subprotocols: Offered to the server, in order of preference.
        resolver: Looks up the host instead of the default one.

    Returns:
        A task whose result is a `WebSocketClientConnection`.

    Raises:
        HTTPClientError: From the task: the server refused, with its answer as `response`; no
            connection could be made, or not in time.
        WebSocketError: From the task: the server answered, but not with a WebSocket.
        ValueError: No such URL, or options that cannot be.
    """
    request = url if isinstance(url, HTTPRequest) else HTTPRequest(url)
    options = _Options(
        connect_timeout, on_message_callback, compression_options,
        ping_times(ping_interval, ping_timeout), max_message_size, subprotocols or [], resolver,
    )  # fmt: skip
    target = _parse(request.url)
    task = _current_loop().create_task(_connect(request, target, options))
    if callback is not None:
        task.add_done_callback(callback)
    return task


class _Options:
    """How to connect."""

    __slots__ = (
        "compression", "connect_timeout", "max_message_size", "on_message", "ping", "resolver",
        "subprotocols",
    )  # fmt: skip

    def __init__(
        self,
        connect_timeout: float | None,
        on_message: Callable[[str | bytes | None], object] | None,
        compression: dict[str, Any] | None,
        ping: tuple[float, float],
        max_message_size: int,
        subprotocols: list[str],
        resolver: Resolver | None,
    ) -> None:
        self.connect_timeout = connect_timeout
        self.on_message = on_message
        self.compression = compression_options(compression)
        self.ping = ping
        self.max_message_size = max_message_size
        self.subprotocols = subprotocols
        self.resolver = resolver


def _parse(url: str) -> Target:
    scheme, separator, rest = url.partition("://")
    schemes = {"ws": "http", "wss": "https", "http": "http", "https": "https"}
    if not separator or scheme.lower() not in schemes:
        raise ValueError(f"{url[:200]!r} is no URL of a WebSocket: it begins with ws:// or wss://")
    return parse_url(f"{schemes[scheme.lower()]}://{rest}")


async def _connect(
    request: HTTPRequest, target: Target, options: _Options
) -> WebSocketClientConnection:
    codec = WebSocketCodec(
        compression=options.compression, max_message_bytes=options.max_message_size
    )
    fields = [
        (name, value)
        for name, value in request.headers.items()
        if name.lower() not in {"connection", "upgrade"}
    ]
    fields += _credentials(request, target)
    if options.subprotocols:
        fields.append(("Sec-WebSocket-Protocol", ", ".join(options.subprotocols)))
    opening = codec.request(target.path, target.authority, fields)
    connection = WebSocketClientConnection(
        codec, opening, ping=options.ping, on_message=options.on_message
    )
    limit = options.connect_timeout
    if limit is None:
        limit = request.connect_timeout
    if limit is None:
        limit = _CONNECT_TIMEOUT
    wire = connection._wire  # noqa: SLF001 - it is made for this
    try:
        async with asyncio.timeout(limit or None):
            await _open(wire, request, target, options.resolver)
            answer = await wire.answer
    except TimeoutError:
        _give_up(wire)
        raise HTTPTimeoutError(f"connecting took longer than {limit} seconds") from None
    except BaseException:
        _give_up(wire)
        raise
    status, reason, headers, content = answer
    if status != 101:
        raise _refusal(request, status, reason, headers, content)
    connection._opened(request, headers)  # noqa: SLF001 - it is made for this
    if connection.selected_subprotocol not in {None, *options.subprotocols}:
        _give_up(wire)
        raise WebSocketError(
            f"the server chose the subprotocol {connection.selected_subprotocol!r}, "
            "which was not offered"
        )
    return connection


async def _open(
    wire: Wire, request: HTTPRequest, target: Target, resolver: Resolver | None
) -> None:
    addresses = await (resolver or Resolver()).resolve(target.host, target.port)
    sock = await connect_any(list(addresses), request.network_interface)
    try:
        await asyncio.get_running_loop().create_connection(
            lambda: wire,
            sock=sock,
            ssl=_tls_context(request) if target.scheme == "https" else None,
            server_hostname=target.host if target.scheme == "https" else None,
        )
    except BaseException:
        sock.close()
        raise


def _give_up(wire: Wire) -> None:
    if not wire.answer.cancel() and not wire.answer.cancelled():
        # Nobody else asks what it failed with.
        wire.answer.exception()
    if wire.transport is not None:
        wire.transport.abort()


def _credentials(request: HTTPRequest, target: Target) -> list[tuple[str, str]]:
    user = request.auth_username if request.auth_username is not None else target.user
    if user is None:
        return []
    password = request.auth_password if request.auth_username is not None else target.password
    token = base64.b64encode(f"{user}:{password or ''}".encode()).decode()
    return [("Authorization", f"Basic {token}")]


def _tls_context(request: HTTPRequest) -> ssl.SSLContext:
    if request.ssl_options is not None:
        return context_of(request.ssl_options)
    context = ssl.create_default_context(cafile=request.ca_certs)
    if request.validate_cert is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if request.client_cert is not None:
        context.load_cert_chain(request.client_cert, request.client_key)
    return context


def _refusal(
    request: HTTPRequest, status: int, reason: str, fields: list[tuple[str, str]], content: bytes
) -> Exception:
    if 200 <= status < 300:
        return WebSocketError(f"the server answered {status} instead of opening a WebSocket")
    headers = HTTPHeaders()
    for name, value in fields:
        headers.add(name, value)
    response = HTTPResponse(request, status, headers, reason=reason, body=content)
    return HTTPClientError(status, reason or None, response)


def _current_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        current = IOLoop.current()
        if current is None:
            raise RuntimeError("there is no event loop to connect in") from None
        return current.asyncio_loop
