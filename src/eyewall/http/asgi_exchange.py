"""Exchanges of somebody else's server: an application behind uvicorn or Hypercorn (ASGI 3)."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, NoReturn, final
from urllib.parse import quote

from eyewall.http.engine import ProtocolError, StreamClosedError
from eyewall.http.exchange import Buffer, Headers

_VERSIONS: Final = {"1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2.0", "3": "HTTP/3.0"}
_MOST_WAITING: Final = 64 * 1024
_MOST_BODY: Final = 100 * 1024 * 1024
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"})
_NO_BODY: Final = frozenset({204, 304})

Take = Callable[[bytes | Exception], object]


@final
class ASGIExchange:
    """A request of an ASGI server, and the answer to it.

    Call `run` to have an application serve it.

    Args:
        scope: The HTTP scope.
        receive: The server's.
        send: The server's.
    """

    def __init__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        self._receive, self._send = receive, send
        self.method: str = scope["method"]
        self.root_path: str = scope.get("root_path", "")
        raw = scope.get("raw_path")
        # RFC 3986: what a path may have beside letters and digits, unencoded.
        path = raw.decode("latin-1") if raw else quote(scope["path"], safe="/:@!$&'()*+,;=~-._")
        self.path = path.partition("?")[0].removeprefix(self.root_path) or "/"
        self.query: str = scope.get("query_string", b"").decode("latin-1")
        self.target = f"{path}?{self.query}" if self.query else path
        self.http_version = _VERSIONS.get(scope.get("http_version", "1.1"), "HTTP/1.1")
        self.scheme: str = scope.get("scheme", "http")
        self.headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        self.host = self.header("host") or ""
        client, server = scope.get("client"), scope.get("server")
        self.remote_ip: str = client[0] if client else ""
        self.peer = tuple(client) if client else ""
        self.local = tuple(server) if server else ""
        self.tls: dict[str, Any] | None = None
        self.trailers: list[tuple[str, str]] = []
        length = self.header("content-length")
        self.content_length = int(length) if length is not None and length.isdecimal() else None
        # ASGI does not say whether a body follows; where it may, it is asked for.
        self.has_body = (
            self.content_length != 0
            if self.content_length is not None
            else self.header("transfer-encoding") is not None or self.method not in _BODILESS
        )
        self.connected = True
        self.responded = False
        self._limit = _MOST_BODY
        self._received = 0
        self._body_ended = not self.has_body
        self._length: int | None = None
        self._messages: deque[dict[str, Any]] = deque()
        self._waiting = 0
        self._more = asyncio.Event()
        self._wake: list[Callable[[Exception | None], object]] = []
        self._complete = False
        self._on_disconnect: Callable[[], object] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._watched = False

    def header(self, name: str) -> str | None:
        """One header field, several joined."""
        wanted = name.lower()
        values = [value for field, value in self.headers if field.lower() == wanted]
        return ("; " if wanted == "cookie" else ", ").join(values) if values else None

    async def run(self, app: Callable[[Any], object]) -> None:
        """Have an application serve it, and send its answer.

        Args:
            app: What serves exchanges.
        """
        try:
            app(self)
            while not (self._complete and not self._messages):
                await self._more.wait()
                self._more.clear()
                await self._send_all()
        except OSError:
            # The client has gone (ASGI 2.4).
            self._lost()
        finally:
            for task in self._tasks:
                task.cancel()

    async def _send_all(self) -> None:
        while self._messages:
            message = self._messages.popleft()
            await self._send(message)
            self._waiting -= len(message.get("body", b""))
            if self._waiting <= _MOST_WAITING:
                self._tell(None)

    def _tell(self, error: Exception | None) -> None:
        wake, self._wake = self._wake, []
        for callback in wake:
            callback(error)

    def _lost(self) -> None:
        self._complete = True
        self._messages.clear()
        self._more.set()
        if self.connected:
            self.connected = False
            self._tell(StreamClosedError("the client has gone"))
            if self._on_disconnect is not None:
                self._on_disconnect()

    # The request's body

    def set_body_limit(self, max_bytes: int) -> None:
        """Limit this request's body."""
        self._limit = max_bytes

    def read(self, callback: Take) -> bytes | None:
        """The next piece of the body; b"" at its end."""
        if self._body_ended:
            return b""
        self._start(self._deliver(callback, whole=False))
        return None

    def read_all(self, callback: Take) -> bytes | None:
        """The whole body."""
        if self._body_ended:
            return b""
        self._start(self._deliver(callback, whole=True))
        return None

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, callback: Take, *, whole: bool) -> None:
        pieces: list[bytes] = []
        result: bytes | Exception = b""
        while not self._body_ended:
            message = await self._receive()
            if message["type"] != "http.request":
                self._lost()
                result = StreamClosedError("the client has gone")
                break
            self._body_ended = not message.get("more_body", False)
            piece = message.get("body", b"")
            self._received += len(piece)
            if self._received > self._limit:
                result = ProtocolError(f"the body has more than {self._limit} bytes")
                result.status = 413
                break
            pieces.append(piece)
            if piece and not whole:
                break
        if self._body_ended:
            self._watch()
        callback(result if isinstance(result, Exception) else b"".join(pieces))

    def on_disconnect(self, callback: Callable[[], object] | None) -> None:
        """Call back if the client goes before the answer is complete."""
        self._on_disconnect = callback
        if callback is not None and self._body_ended:
            self._watch()

    def _watch(self) -> None:
        if not self._watched and self._on_disconnect is not None:
            self._watched = True
            self._start(self._wait_for_disconnect())

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        if not self._complete:
            self._lost()

    # The answer

    def respond(
        self, status: int, headers: Headers, body: Buffer | str, reason: str | None = None
    ) -> int:
        """Send a whole answer."""
        data = body.encode() if isinstance(body, str) else bytes(body)
        pairs = _pairs(headers)
        if status not in _NO_BODY and not any(name == b"content-length" for name, _ in pairs):
            pairs.append((b"content-length", str(len(data)).encode()))
        self.start(status, pairs)
        if self.method == "HEAD" or status in _NO_BODY:
            data = b""
        self._put({"type": "http.response.body", "body": data})
        self._complete = True
        return len(data)

    def start(
        self, status: int, headers: Any, reason: str | None = None, *, end: bool = False
    ) -> None:
        """Send the head of a streamed answer; ASGI has no place for a reason."""
        if self.responded:
            raise RuntimeError("the request was answered already")
        self.responded = True
        pairs = _pairs(headers)
        self._put({"type": "http.response.start", "status": status, "headers": pairs})
        if end:
            self.end()

    def write(self, data: Buffer) -> bool:
        """Send a piece of the body; False when the writer should wait."""
        if not self.responded or self._complete:
            if not self.connected:
                raise StreamClosedError("the client has gone")
            raise RuntimeError("there is no answer that could go on")
        if self.method != "HEAD":
            self._put({"type": "http.response.body", "body": bytes(data), "more_body": True})
        return self._waiting <= _MOST_WAITING

    def when_writable(self, callback: Callable[[Exception | None], object]) -> bool:
        """True when there is room; else the callback is called when there is."""
        if self._waiting <= _MOST_WAITING:
            return True
        self._wake.append(callback)
        return False

    def when_flushed(self, callback: Callable[[Exception | None], object]) -> bool:
        """True when all has gone to the server; else the callback is called when it has."""
        if not self._messages:
            return True
        self._wake.append(callback)
        return False

    def end(self, trailers: Headers | None = None) -> None:
        """End a streamed answer."""
        if self._complete:
            return
        self._put({"type": "http.response.body", "body": b""})
        self._complete = True

    def inform(self, status: int, headers: Headers) -> bool:
        """Informational answers are not sent: few servers take them."""
        return False

    def upgrade(self, headers: Headers) -> NoReturn:
        """Raise RuntimeError: an ASGI server keeps its connections to itself."""
        raise RuntimeError("a connection of an ASGI server cannot change its protocol")

    def abort(self) -> None:
        """End at once; the server cuts an answer that is not whole."""
        self._complete = True
        self._messages.clear()
        self._more.set()

    def _put(self, message: dict[str, Any]) -> None:
        self._messages.append(message)
        self._waiting += len(message.get("body", b""))
        self._more.set()


def _pairs(headers: Any) -> list[tuple[bytes, bytes]]:
    items: Any = headers.items() if isinstance(headers, Mapping) else headers
    return [(_bytes(name).lower(), _bytes(value)) for name, value in items]


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


@final
class ASGIGateway:
    """An application of ours as an ASGI 3 program.

    Args:
        app: What serves exchanges; its `startup` and `drain` are called where it has them.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Serve a scope.

        Raises:
            RuntimeError: There is no such scope.
        """
        kind = scope["type"]
        if kind == "http":
            await ASGIExchange(scope, receive, send).run(self._app)
        elif kind == "lifespan":
            await self._live(receive, send)
        elif kind == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1003})
        else:
            raise RuntimeError(f"an Eyewall application does not serve {kind!r}")

    async def _live(self, receive: Any, send: Any) -> None:
        while True:
            event = (await receive())["type"]
            stage, hook = (
                ("startup", "startup") if event == "lifespan.startup" else ("shutdown", "drain")
            )
            try:
                if (call := getattr(self._app, hook, None)) is not None:
                    await call()
            except Exception as exc:  # noqa: BLE001 - the server says it, and ends
                await send({"type": f"lifespan.{stage}.failed", "message": str(exc)})
                return
            await send({"type": f"lifespan.{stage}.complete"})
            if stage == "shutdown":
                return
