"""A WebSocket whose client is at a front: what a handler has instead of the engine's."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, final

from eyewall.http.engine import ProtocolError, StreamClosedError
from eyewall.http.exchange import Buffer, Headers
from eyewall.ops.dispatch.wire import WINDOW, Frame, FrameError, field_pairs

if TYPE_CHECKING:
    from eyewall.ops.dispatch.exchange import DispatchedExchange

_MOST_WAITING: Final = 64 * 1024
_OPTIONS: Final = frozenset({
    "compression", "max_message_bytes", "max_queue_bytes", "ping_interval_s", "ping_timeout_s",
    "close_timeout_s",
})  # fmt: skip


def check_handshake(exchange: "DispatchedExchange") -> None:
    """Look whether a request is an opening handshake (RFC 6455, section 4.2.1).

    Raises:
        ProtocolError: It is not; `status` says what to answer.
    """
    connection = (exchange.header("Connection") or "").lower()
    upgrade = (exchange.header("Upgrade") or "").lower()
    if exchange.method != "GET":
        raise _refused(405, "a WebSocket begins with GET")
    if "upgrade" not in connection or "websocket" not in upgrade:
        raise _refused(426, "this is for WebSockets only")
    if exchange.header("Sec-WebSocket-Version") != "13":
        raise _refused(426, "the WebSocket's version must be 13")
    if not exchange.header("Sec-WebSocket-Key"):
        raise _refused(400, "the opening handshake has no key")


def _refused(status: int, text: str) -> ProtocolError:
    error = ProtocolError(text)
    error.status = status
    return error


@final
class DispatchedSocket:
    """One end of a WebSocket; the front has the other.

    Args:
        exchange: The request that it was.
        headers: Fields of the answer beside those of the handshake.
        on_message: Called with each message.
        on_event: Called with everything else, as the engine does.
        options: Those of the engine's `upgrade_websocket`; the front applies them.
    """

    extensions: str | None = None

    def __init__(
        self,
        exchange: "DispatchedExchange",
        headers: Headers,
        on_message: Callable[[Any], object],
        on_event: Callable[[str, Any], object],
        options: Mapping[str, Any],
    ) -> None:
        unknown = sorted(set(options) - _OPTIONS)
        if unknown:
            raise ValueError(f"there is no option {unknown[0]!r}")
        self._exchange = exchange
        self._on_message = on_message
        self._on_event = on_event
        self.open = True
        self._unacknowledged = 0
        self._wants_room = False
        self._is_paused = False
        self._held: list[tuple[str | bytes, int]] = []
        exchange.say("socket", more={"headers": field_pairs(headers), "options": dict(options)})

    @property
    def buffered(self) -> int:
        """Bytes that are on their way to the client."""
        return self._unacknowledged

    # What the front says

    def hear(self, frame: Frame) -> None:
        """Do what a frame says.

        Raises:
            FrameError: There is no such frame.
        """
        more = frame.more or {}
        if frame.kind == "message":
            data = frame.data.decode() if more.get("text") else frame.data
            self._held.append((data, len(frame.data)))
            self._hand_out()
        elif frame.kind == "room":
            self._unacknowledged -= int(more.get("bytes", 0))
            if self._wants_room and self._unacknowledged <= _MOST_WAITING:
                self._wants_room = False
                self._on_event("room", None)
        elif frame.kind in {"ping", "pong"}:
            self._on_event(frame.kind, frame.data)
        elif frame.kind == "closed":
            self.closed(more.get("code"), str(more.get("reason", "")))
        else:
            raise FrameError(f"a WebSocket has no frames of kind {frame.kind!r}")

    def _hand_out(self) -> None:
        while self._held and not self._is_paused:
            data, size = self._held.pop(0)
            self._exchange.say("room", more={"bytes": size})
            try:
                result = self._on_message(data)
            except Exception as exc:  # noqa: BLE001 - the handler is told, as the engine does
                self._on_event("error", exc)
            else:
                if result is not None:
                    self._on_event("waiting", result)

    def closed(self, code: int | None, reason: str) -> None:
        """It is over."""
        if self.open or self._held:
            self._is_paused = False
            self._hand_out()
        self.open = False
        on_event, self._on_event = self._on_event, _nothing
        on_event("close", (code, reason))

    # What the handler asks for

    def send(self, data: Buffer | str, binary: bool | None = None) -> bool:
        """Send a message; False when the sender should wait for room.

        Raises:
            StreamClosedError: The WebSocket is closed.
            ValueError: Bytes that are to be text and are not UTF-8.
        """
        self._check()
        is_text = isinstance(data, str) if binary is None else not binary
        content = data.encode() if isinstance(data, str) else bytes(data)
        if is_text and not isinstance(data, str):
            content.decode()
        self._exchange.say("message", content, {"text": is_text})
        self._unacknowledged += len(content)
        self._wants_room = self._unacknowledged > WINDOW
        return not self._wants_room

    def ping(self, data: bytes) -> None:
        """Send a ping.

        Raises:
            StreamClosedError: The WebSocket is closed.
            ValueError: More than 125 bytes.
        """
        self._check()
        if len(data) > 125:
            raise ValueError("a ping has at most 125 bytes")
        self._exchange.say("ping", data)

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Send a close frame; nothing happens when one was sent already.

        Raises:
            ValueError: A code that cannot be sent, or more than 123 bytes of reason.
        """
        if code is not None and code not in range(1000, 5000):
            raise ValueError(f"{code} is no code of a close frame")
        if len(reason.encode()) > 123:
            raise ValueError("the reason of a close frame has at most 123 bytes")
        if self.open:
            self.open = False
            self._exchange.say("close", more={"code": code, "reason": reason})

    def abort(self) -> None:
        """Have the front cut the connection."""
        self.open = False
        self._exchange.abort()
        self.closed(None, "aborted")

    def pause(self) -> None:
        """Take no more messages for now."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on after `pause`."""
        self._is_paused = False
        self._hand_out()

    def set_nodelay(self, value: bool) -> None:
        """Nothing: the connection is the front's."""

    def _check(self) -> None:
        if not self.open:
            raise StreamClosedError("the WebSocket is closed")


def _nothing(_kind: str, _value: Any) -> None:
    """Nothing."""
