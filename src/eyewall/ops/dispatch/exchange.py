"""`DispatchedExchange`: a request that came through Redis, and the answer that goes back the same way."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn, final

from eyewall.http.engine import ProtocolError, StreamClosedError
from eyewall.http.exchange import Buffer, Headers
from eyewall.ops.dispatch.socket import DispatchedSocket, check_handshake
from eyewall.ops.dispatch.wire import (
    PIECE,
    WHOLE,
    WINDOW,
    AnswerHead,
    Frame,
    FrameError,
    Head,
    field_pairs,
)

if TYPE_CHECKING:
    from eyewall.ops.dispatch.server import DispatchServer

_MOST_WAITING: Final = 64 * 1024
_MOST_BODY: Final = 100 * 1024 * 1024
_NO_BODY: Final = frozenset({204, 304})

Take = Callable[[bytes | Exception], object]
Told = Callable[[Exception | None], object]


@final
class DispatchedExchange:
    """A request from the stream.

    Args:
        server: Who has taken it.
        entry: Its entry on the stream.
        request: Its id.
        front: Who waits for the answer.
        head: Its head.
        body: Its body, where it came whole.
    """

    def __init__(
        self,
        server: "DispatchServer",
        entry: bytes,
        request: str,
        front: str,
        head: Head,
        body: bytes,
    ) -> None:
        self.entry, self.request, self.front = entry, request, front
        self.method, self.target = head.method, head.target
        self.path, _, self.query = head.target.partition("?")
        self.http_version, self.scheme, self.host = head.version, head.scheme, head.host
        self.remote_ip = head.remote_ip
        self.peer: tuple[str, int] | str = (head.remote_ip, 0) if head.remote_ip else ""
        self.local: tuple[str, int] | str = ""
        self.tls: dict[str, Any] | None = None
        self.headers = head.headers
        self.trailers: list[tuple[str, str]] = []
        self.has_body = head.body != "none"
        self.content_length = head.length
        self.connected = True
        self.responded = False
        self._server = server
        self._pieces: deque[bytes] = deque([body] if body else [])
        self._body_ended = head.body != "pieces"
        self._broken: Exception | None = None
        self._taken = 0
        self._limit = _MOST_BODY
        self._reader: tuple[Take, bool] | None = None
        self._out: deque[bytes] = deque()
        self._out_bytes = 0
        self._window = WINDOW
        self._is_ending: Mapping[str, Any] | None = None
        self._complete = False
        self._wake: list[tuple[Told, int]] = []
        self._on_disconnect: Callable[[], object] | None = None
        self._said = self._heard = 0
        self.socket: DispatchedSocket | None = None
        """The WebSocket that it has become."""

    def header(self, name: str) -> str | None:
        """One header field, several joined."""
        wanted = name.lower()
        values = [value for field, value in self.headers if field.lower() == wanted]
        return ("; " if wanted == "cookie" else ", ").join(values) if values else None

    # What the front says

    def hear(self, frame: Frame) -> None:
        """Do what a frame says.

        Raises:
            FrameError: There is no such frame.
        """
        if frame.kind != "gone" and frame.number <= self._heard:
            # It was sent twice.
            return
        self._heard = frame.number
        if frame.kind == "gone":
            self.leave()
        elif self.socket is not None:
            self.socket.hear(frame)
            if frame.kind == "closed":
                self._finish()
        else:
            self._hear_of_body(frame)

    def _hear_of_body(self, frame: Frame) -> None:
        more = frame.more or {}
        if frame.kind == "piece":
            self._pieces.append(frame.data)
            self._deliver()
        elif frame.kind == "end":
            self.trailers = [(str(name), str(value)) for name, value in more.get("trailers", [])]
            self._body_ended = True
            self._deliver()
        elif frame.kind == "broken":
            self._broken = ProtocolError(str(more.get("text", "the body broke off")))
            self._broken.status = int(more.get("status", 400))
            self._deliver()
        elif frame.kind == "room":
            self._window += int(more.get("bytes", 0))
            self._send_pieces()
        else:
            raise FrameError(f"there are no frames of kind {frame.kind!r}")

    def leave(self) -> None:
        """The client has gone."""
        if not self.connected:
            return
        self.connected = False
        self._out.clear()
        self._out_bytes = 0
        error = StreamClosedError("the client has gone")
        self._broken = self._broken or error
        self._finish()
        self._deliver()
        wake, self._wake = self._wake, []
        for callback, _ in wake:
            callback(error)
        if self.socket is not None:
            self.socket.closed(None, "the client has gone")
        if self._on_disconnect is not None:
            callback_, self._on_disconnect = self._on_disconnect, None
            callback_()

    def _tell(self, kind: str, data: bytes = b"", more: Mapping[str, Any] | None = None) -> Frame:
        self._said += 1
        return Frame(kind, self.request, self._server.name, self._said, data, more)

    def say(self, kind: str, data: bytes = b"", more: Mapping[str, Any] | None = None) -> None:
        """Send the front a frame."""
        self._server.say(self.front, self._tell(kind, data, more))

    # The request's body

    def set_body_limit(self, max_bytes: int) -> None:
        """Limit this request's body."""
        self._limit = max_bytes

    def read(self, callback: Take) -> bytes | None:
        """The next piece of the body; b"" at its end."""
        return self._take(callback, whole=False)

    def read_all(self, callback: Take) -> bytes | None:
        """The whole body."""
        return self._take(callback, whole=True)

    def _take(self, callback: Take, *, whole: bool) -> bytes | None:
        found = self._next(whole=whole)
        if isinstance(found, Exception):
            raise found
        if found is None:
            self._reader = (callback, whole)
        return found

    def _deliver(self) -> None:
        if self._reader is None:
            return
        callback, whole = self._reader
        found = self._next(whole=whole)
        if found is not None:
            self._reader = None
            callback(found)

    def _next(self, *, whole: bool) -> bytes | Exception | None:
        """What a reader gets now; None when it must wait."""
        if whole and not self._body_ended and self._broken is None:
            waiting = sum(map(len, self._pieces))
            self._make_room(waiting)
            return self._too_large() if self._taken > self._limit else None
        if not self._pieces:
            return self._broken or (b"" if self._body_ended else None)
        if whole and self._broken is not None:
            return self._broken
        if whole:
            data = b"".join(self._pieces)
            self._pieces.clear()
            return data if len(data) <= self._limit else self._too_large()
        data = self._pieces.popleft()
        self._make_room(self._taken + len(data))
        return self._too_large() if self._taken > self._limit else data

    def _make_room(self, taken: int) -> None:
        """Tell the front how much was taken."""
        more, self._taken = taken - self._taken, taken
        if more > 0 and not self._body_ended:
            self.say("room", more={"bytes": more})

    def _too_large(self) -> ProtocolError:
        error = ProtocolError(f"the body has more than {self._limit} bytes")
        error.status = 413
        return error

    def on_disconnect(self, callback: Callable[[], object] | None) -> None:
        """Call back if the client goes before the answer is complete."""
        self._on_disconnect = callback

    # The answer

    def respond(
        self, status: int, headers: Headers, body: Buffer | str, reason: str | None = None
    ) -> int:
        """Send a whole answer."""
        data = body.encode() if isinstance(body, str) else bytes(body)
        pairs = field_pairs(headers)
        if len(data) <= WHOLE:
            self._begin(status)
            head = AnswerHead(status, reason, pairs)
            self._finish(self._tell("answer", data, head.more()))
        else:
            names = {name.lower() for name, _ in pairs}
            if "content-length" not in names:
                pairs.append(("Content-Length", str(len(data))))
            self.start(status, pairs, reason)
            self.write(data)
            self.end()
        return len(data)

    def _begin(self, status: int) -> None:
        if self.responded:
            raise RuntimeError("the request was answered already")
        if not 200 <= status <= 599:
            raise ValueError(f"{status} is no status of a final answer")
        self.responded = True

    def start(
        self, status: int, headers: Headers, reason: str | None = None, *, end: bool = False
    ) -> None:
        """Send the head of a streamed answer."""
        pairs = field_pairs(headers)
        self._begin(status)
        if self.connected:
            self.say("head", more=AnswerHead(status, reason, pairs).more())
        if self.method == "HEAD" or status in _NO_BODY:
            self._window = 0
        if end:
            self.end()

    def write(self, data: Buffer) -> bool:
        """Send a piece of the body; False when the writer should wait."""
        if not self.connected:
            raise StreamClosedError("the client has gone")
        if not self.responded or self._complete or self._is_ending is not None:
            raise RuntimeError("there is no answer that could go on")
        if self.method == "HEAD":
            return True
        view = memoryview(bytes(data))
        for start in range(0, len(view), PIECE):
            self._out.append(bytes(view[start : start + PIECE]))
        self._out_bytes += len(view)
        self._send_pieces()
        return self._out_bytes <= _MOST_WAITING

    def _send_pieces(self) -> None:
        while self._out and self._window > 0:
            piece = self._out.popleft()
            self._out_bytes -= len(piece)
            self._window -= len(piece)
            self.say("piece", piece)
        if self._is_ending is not None and not self._out and not self._complete:
            self._finish(self._tell("end", more=self._is_ending))
        ready = [callback for callback, most in self._wake if self._out_bytes <= most]
        self._wake = [pair for pair in self._wake if self._out_bytes > pair[1]]
        for callback in ready:
            callback(None)

    def when_writable(self, callback: Told) -> bool:
        """True when there is room; else the callback is called when there is."""
        return self._when(callback, _MOST_WAITING)

    def when_flushed(self, callback: Told) -> bool:
        """True when all has gone to the front; else the callback is called when it has."""
        return self._when(callback, 0)

    def _when(self, callback: Told, most: int) -> bool:
        if self._out_bytes <= most:
            return True
        self._wake.append((callback, most))
        return False

    def end(self, trailers: Headers | None = None) -> None:
        """End a streamed answer."""
        if self._complete or self._is_ending is not None:
            return
        self._is_ending = {"trailers": field_pairs(trailers)} if trailers else {}
        self._send_pieces()

    def inform(self, status: int, headers: Headers) -> bool:
        """Send an informational answer."""
        if self.connected and not self.responded:
            self.say("inform", more=AnswerHead(status, None, field_pairs(headers)).more())
        return self.connected

    def upgrade(self, headers: Headers) -> NoReturn:
        """Raise RuntimeError: the connection is the front's."""
        raise RuntimeError(f"a dispatched request cannot change its protocol ({headers!r})")

    def upgrade_websocket(
        self,
        headers: Headers,
        on_message: Callable[[Any], object],
        on_event: Callable[[str, Any], object],
        **options: Any,
    ) -> DispatchedSocket:
        """Have the front answer an opening handshake; see the engine's method of that name.

        Raises:
            ProtocolError: It is no opening handshake.
            ValueError: There is no such option.
        """
        check_handshake(self)
        self._begin(200)
        self.socket = DispatchedSocket(self, headers, on_message, on_event, options)
        return self.socket

    def abort(self) -> None:
        """Have the front cut the client off."""
        if not self._complete:
            self._out.clear()
            self._finish(self._tell("abort"))
        self.connected = False

    def _finish(self, last: Frame | None = None) -> None:
        if self._complete:
            return
        self._complete = True
        self._server.finish(self, last if self.connected else None)
        if last is not None:
            self.connected = False
