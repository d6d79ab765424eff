"""`WebSocketHandler`: a handler whose request becomes a WebSocket. Hot path."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from eyewall.base.escape import json_encode
from eyewall.base.lazy import lazy
from eyewall.base.stats import registry
from eyewall.loop.eager import start_task
from eyewall.realtime.websocket.config import (
    DEFAULT_CLOSE_TIMEOUT,
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_MAX_QUEUE_SIZE,
    compression_options,
    ping_times,
)
from eyewall.realtime.websocket.engine import ProtocolError, StreamClosedError, WebSocket
from eyewall.realtime.websocket.errors import WebSocketClosedError
from eyewall.realtime.websocket.inbox import Inbox
from eyewall.web import HTTPError, RequestHandler

_running: Final[set["asyncio.Task[Any]"]] = set()
_open: Final = registry.gauge("eyewall_websockets", "open WebSockets").labels()
_CLOSED: Final = "the WebSocket is closed"


class _Sent:
    """A message that was taken: awaiting it waits for nothing."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


class _Room:
    """A message that was taken though much waits: awaiting it waits for room."""

    __slots__ = ("_wait",)

    def __init__(self, wait: Callable[[], Awaitable[None]]) -> None:
        self._wait = wait

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()


_SENT: Final = _Sent()


class WebSocketHandler(RequestHandler):
    """Handles one WebSocket: define `on_message`, or iterate over `self`.

    The request goes through `prepare` as any other; then the connection is upgraded and `open`
    is called. Hooks may be async: they run one at a time and in order, and the client is not
    read from meanwhile.

    Example:
        >>> class Echo(WebSocketHandler):
        ...     def on_message(self, message):
        ...         self.write_message(message)
    """

    SUPPORTED_METHODS = (*RequestHandler.SUPPORTED_METHODS, "CONNECT")

    _auto_finish = False
    # Messages are iterated over, so a hook that waits must not stop them.
    _iterates: bool = True
    _socket: WebSocket | None = None
    _full: bool = False
    _room: "asyncio.Future[None] | None" = None

    close_code: int | None = None
    """The code of the first close frame; None where there was none, or none with a code."""

    close_reason: str | None = None
    """The reason beside it; without a close frame, why the connection ended."""

    selected_subprotocol: str | None = None
    """What `select_subprotocol` chose."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._iterates = cls.on_message is WebSocketHandler.on_message

    # -- for you to override

    def open(self, *args: Any, **kwargs: Any) -> Awaitable[None] | None:
        """Called with the arguments of the path when the WebSocket is open."""

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Called with each message: `str` for text, `bytes` for binary ones.

        Where it is not overridden, messages wait for `async for message in self`.
        """
        self._inbox.put(message)
        return None

    def on_ping(self, data: bytes) -> None:
        """Called with each ping of the client; the engine has answered it."""

    def on_pong(self, data: bytes) -> None:
        """Called with each pong of the client."""

    def on_close(self) -> None:
        """Called once when the WebSocket is over; `close_code` and `close_reason` say why."""

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Choose one of the subprotocols that the client offers; None for none."""
        return None

    def check_origin(self, origin: str) -> bool:
        """Whether a page of this origin may connect; by default pages of the same origin.

        Browsers let any page open WebSockets to any host, with that host's cookies. Override it
        to allow more; `trusted_origins` in the settings is a list of origins.

        Args:
            origin: The header `Origin`, for example "https://example.org".
        """
        if self.check_trusted_origin(origin):
            return True
        # What a browser says of itself holds also where a proxy has changed the host.
        site = self.exchange.header("Sec-Fetch-Site")
        if site is not None:
            return site in {"same-origin", "none"}
        try:
            host = urlsplit(origin.lower()).netloc
        except ValueError:
            return False
        return bool(host) and host == self.exchange.host.lower()

    def check_trusted_origin(self, origin: str) -> bool:
        """Whether the settings name this origin in `trusted_origins`."""
        return origin in self.settings.get("trusted_origins", ())

    def get_compression_options(self) -> dict[str, Any] | None:
        """How messages are compressed (RFC 7692): None for not at all, {} for the defaults.

        Keys: `compression_level` (0 to 9, 6), `mem_level` (1 to 9, 8), `context_takeover`
        (False; True lets messages refer to earlier ones, which costs memory for each
        connection), `server_max_window_bits` and `client_max_window_bits` (8 to 15).
        """
        return None

    @property
    def ping_interval(self) -> float | None:
        """Seconds between pings; the setting `websocket_ping_interval`. None or 0 sends none."""
        interval: float | None = self.settings.get("websocket_ping_interval")
        return interval

    @property
    def ping_timeout(self) -> float | None:
        """Seconds that a client may be silent after a ping; `websocket_ping_timeout`.

        By default it is the interval; 0 lets a client be silent for ever.
        """
        timeout: float | None = self.settings.get("websocket_ping_timeout")
        return timeout

    @property
    def max_message_size(self) -> int:
        """Largest message in bytes, decompressed; `websocket_max_message_size`, 10 MiB."""
        size = self.settings.get("websocket_max_message_size", DEFAULT_MAX_MESSAGE_SIZE)
        return int(size)

    @property
    def max_queue_size(self) -> int:
        """What may wait for a client that does not read, in bytes, before it is cut.

        The setting is `websocket_max_queue_size`, by default 16 MiB.
        """
        size = self.settings.get("websocket_max_queue_size", DEFAULT_MAX_QUEUE_SIZE)
        return int(size)

    # -- for you to call

    @property
    def socket(self) -> WebSocket | None:
        """The engine's handle, from `open` to `on_close`."""
        return self._socket

    def write_message(
        self, message: str | bytes | dict[str, Any], binary: bool = False
    ) -> Awaitable[None]:
        """Send a message; a dict is sent as JSON.

        It need not be awaited: what is sent in one turn of the loop goes out together. Await it
        where much is sent, so that a slow client slows its sender and not its server.

        Args:
            message: The message.
            binary: Send a binary message instead of text.

        Raises:
            WebSocketClosedError: The WebSocket is closed; also when awaited.
            ValueError: Text that is not UTF-8.
        """
        if message.__class__ is dict:
            message = json_encode(message)
        try:
            if self._socket.send(message, binary):  # type: ignore[union-attr, arg-type]
                return _SENT
        except (StreamClosedError, AttributeError):
            self._check_open()
            raise WebSocketClosedError(_CLOSED) from None
        self._full = True
        return _Room(self._wait_for_room)

    async def send(self, message: str | bytes | dict[str, Any]) -> None:
        """Send a message, text or binary by its type, and wait while too much waits already.

        Raises:
            WebSocketClosedError: The WebSocket is closed.
        """
        binary = isinstance(message, bytes | bytearray | memoryview)
        await self.write_message(message, binary)

    async def read_message(self) -> str | bytes | None:
        """The next message, where `on_message` is not overridden; None at the end."""
        return await self._inbox.get()

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """The messages until the end, where `on_message` is not overridden."""
        while (message := await self._inbox.get()) is not None:
            yield message

    def ping(self, data: str | bytes = b"") -> None:
        """Send a ping with at most 125 bytes; the answer comes to `on_pong`.

        Raises:
            WebSocketClosedError: The WebSocket is closed.
            ValueError: More than 125 bytes.
        """
        try:
            self._open_socket().ping(data.encode() if isinstance(data, str) else data)
        except StreamClosedError:
            raise WebSocketClosedError(_CLOSED) from None

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the WebSocket; `on_close` is called when the client has agreed.

        Args:
            code: Of those that RFC 6455, section 7.4, allows to be sent.
            reason: At most 123 bytes of UTF-8.

        Raises:
            ValueError: A code that cannot be sent, or a reason that is too long.
        """
        if self._socket is not None:
            if code is None and reason:
                code = 1000
            self._socket.close(code, reason or "")

    def abort(self) -> None:
        """Cut the connection without a close frame."""
        if self._socket is not None:
            self._socket.abort()

    def set_nodelay(self, value: bool) -> None:
        """Send small messages at once (which the engine does), or let TCP gather them."""
        self._open_socket().set_nodelay(value)

    # -- the opening handshake

    def get(self, *args: Any, **kwargs: Any) -> None:
        """Answer the opening handshake (RFC 6455, section 4.2)."""
        exchange: Any = self.exchange
        if not hasattr(exchange, "upgrade_websocket"):
            # An exchange of a gateway that carries plain requests only.
            raise HTTPError(501, "the server in front has no WebSockets")
        origin = exchange.header("Origin")
        if origin is not None and not self.check_origin(origin):
            raise HTTPError(403, "WebSocket from the origin %s", origin, reason="Forbidden")
        offered = exchange.header("Sec-WebSocket-Protocol") or ""
        names = [name.strip() for name in offered.split(",") if name.strip()]
        chosen = self.select_subprotocol(names)
        if chosen is not None:
            if chosen not in names:
                raise ValueError(f"select_subprotocol() chose {chosen!r}, which was not offered")
            self.set_header("Sec-WebSocket-Protocol", chosen)
        self.clear_header("Content-Type")
        interval, timeout = ping_times(self.ping_interval, self.ping_timeout)
        try:
            self._socket = exchange.upgrade_websocket(
                self._wire_headers(),
                self.on_message,
                self._on_event,
                compression=compression_options(self.get_compression_options()),
                max_message_bytes=self.max_message_size,
                max_queue_bytes=self.max_queue_size,
                ping_interval_s=interval,
                ping_timeout_s=timeout,
                close_timeout_s=DEFAULT_CLOSE_TIMEOUT,
            )
        except ProtocolError as exc:
            self._refuse(exc)
            return
        _open.value += 1
        self.selected_subprotocol = chosen
        self._status_code = 101
        self._headers_written = self._finished = True
        self._after_finish()
        self._run(self.open, args, kwargs)

    def connect(self, *args: Any, **kwargs: Any) -> None:
        """Answer the opening handshake of HTTP/2 (RFC 8441, section 4)."""
        self.get(*args, **kwargs)

    def check_xsrf_cookie(self) -> None:
        """Nothing is to be checked: `check_origin` says whose pages may connect."""

    def _refuse(self, error: ProtocolError) -> None:
        self.set_status(error.status)
        if error.status == 426:
            self.set_header("Upgrade", "websocket")
            self.set_header("Sec-WebSocket-Version", "13")
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.finish(f"{error}\n")

    # -- what the engine tells

    def _on_event(self, kind: str, value: Any) -> None:
        if kind == "waiting":
            self._wait_for(value)
        elif kind == "room":
            self._full = False
            self._wake()
        elif kind == "ping":
            self._run(self.on_ping, (value,), {})
        elif kind == "pong":
            self._run(self.on_pong, (value,), {})
        elif kind == "error":
            self._fail(value)
        else:
            self._end(*value)

    def _run(self, hook: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            result = hook(*args, **kwargs)
            if result is not None:
                self._wait_for(result)
        except (Exception, asyncio.CancelledError) as exc:  # noqa: BLE001 - a handler's boundary
            self._fail(exc)

    def _wait_for(self, result: Any) -> None:
        """A hook is async: nothing is read until it is through."""
        if isinstance(result, _Sent | _Room):
            return
        if not hasattr(result, "__await__"):
            self._fail(
                TypeError(
                    f"a hook of {type(self).__name__} returned {type(result).__name__}; "
                    "use self.write_message() to send something"
                )
            )
            return
        coroutine = result if asyncio.iscoroutine(result) else _await(result)
        task: asyncio.Task[Any] = start_task(asyncio.get_running_loop(), coroutine)
        if task.done():
            self._finish_task(task)
            return
        # The loop holds tasks weakly.
        _running.add(task)
        task.add_done_callback(self._finish_later)
        if not self._iterates:
            self._pause()

    def _finish_later(self, task: "asyncio.Task[Any]") -> None:
        _running.discard(task)
        self._finish_task(task)
        if not self._iterates:
            self._resume()

    def _finish_task(self, task: "asyncio.Task[Any]") -> None:
        if task.cancelling():
            # The loop is ending, or somebody else wants the hook to.
            self.close(1001, "going away")
            return
        try:
            task.result()
        except (Exception, asyncio.CancelledError) as exc:  # noqa: BLE001 - a handler's boundary
            self._fail(exc)

    def _fail(self, error: BaseException) -> None:
        """A hook has raised: log it, and end the WebSocket with 1011."""
        if isinstance(error, WebSocketClosedError):
            # To find the client gone is no mistake.
            return
        try:
            self.log_exception(type(error), error, error.__traceback__)
        finally:
            if self._socket is not None:
                self._socket.close(1011, "an error in the server", discard=True)

    def _end(self, code: int | None, reason: str) -> None:
        _open.value -= 1
        self.close_code = code
        self.close_reason = reason
        self._socket = None
        self._inbox.close()
        self._wake()
        try:
            self.on_close()
        except Exception:  # noqa: BLE001 - a handler's boundary
            self.log_exception(*sys.exc_info())
        self.on_connection_close()

    # -- helpers

    @lazy
    def _inbox(self) -> Inbox:
        inbox = Inbox(self._pause, self._resume)
        if self._socket is None:
            inbox.close()
        return inbox

    def _pause(self) -> None:
        if self._socket is not None:
            self._socket.pause()

    def _resume(self) -> None:
        if self._socket is not None:
            self._socket.resume()

    def _wake(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    async def _wait_for_room(self) -> None:
        while self._full and self._socket is not None:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)
        if self._socket is None:
            raise WebSocketClosedError(_CLOSED)

    def _open_socket(self) -> WebSocket:
        self._check_open()
        assert self._socket is not None
        return self._socket

    def _check_open(self) -> None:
        if self._socket is None:
            if self._status_code != 101:
                raise RuntimeError("the WebSocket is not open yet; send from open() on")
            raise WebSocketClosedError(_CLOSED)

    def _not_any_more(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise RuntimeError("the answer is sent: a WebSocket has messages, see write_message()")


async def _await(waiting: Awaitable[Any]) -> None:
    await waiting


def _guarded(name: str) -> Any:
    """A method of `RequestHandler` that has no meaning once the WebSocket is open."""
    original = getattr(RequestHandler, name)

    def method(self: WebSocketHandler, *args: Any, **kwargs: Any) -> Any:
        if self._status_code == 101:
            self._not_any_more()
        return original(self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = original.__doc__
    return method


for _name in (
    "write", "redirect", "set_header", "add_header", "set_cookie", "set_status", "flush", "finish",
):  # fmt: skip
    setattr(WebSocketHandler, _name, _guarded(_name))
