"""A WebSocket as its front sees it: messages go to a worker, and come from it."""

from typing import TYPE_CHECKING, Any, Final, final

from eyewall.http.engine import StreamClosedError
from eyewall.ops.dispatch.wire import WINDOW, AnswerHead, Frame, FrameError

if TYPE_CHECKING:
    from eyewall.ops.dispatch.forwarded import Forwarded

_GIVEN: Final = ("max_message_bytes", "max_queue_bytes", "ping_interval_s", "ping_timeout_s")


@final
class BridgedSocket:
    """The client's side of a WebSocket.

    Args:
        forwarded: The request that it was.
        frame: The worker's "socket" frame.

    Raises:
        FrameError: The frame cannot be followed.
        ProtocolError: The client has sent no opening handshake.
    """

    def __init__(self, forwarded: "Forwarded", frame: Frame) -> None:
        self._forwarded = forwarded
        self._unacknowledged = 0
        self._unsaid = 0
        more = frame.more or {}
        options = more.get("options")
        if not isinstance(options, dict):
            raise FrameError("a socket without options")
        given: dict[str, Any] = {name: options[name] for name in _GIVEN if name in options}
        if isinstance(options.get("compression"), dict):
            given["compression"] = options["compression"]
        headers = AnswerHead.of({"status": 200, "headers": more.get("headers", [])}).headers
        exchange: Any = forwarded.exchange
        self._socket: Any = exchange.upgrade_websocket(headers, self._message, self._event, **given)

    # What the client sends

    def _message(self, message: str | bytes) -> None:
        is_text = isinstance(message, str)
        data = message.encode() if isinstance(message, str) else bytes(message)
        self._unacknowledged += len(data)
        if self._unacknowledged > WINDOW:
            self._socket.pause()
        self._forwarded.tell("message", data, {"text": is_text})

    def _event(self, kind: str, value: Any) -> None:
        if kind == "close":
            code, reason = value
            self._forwarded.tell("closed", more={"code": code, "reason": reason})
            self._forwarded.over()
        elif kind in {"ping", "pong"}:
            self._forwarded.tell(kind, bytes(value))
        elif kind == "room":
            self._wrote()

    # What the worker says

    def hear(self, frame: Frame) -> None:
        """Do what a frame asks for.

        Raises:
            FrameError: There is no such frame.
        """
        more = frame.more or {}
        try:
            if frame.kind == "message":
                has_room = self._socket.send(frame.data, binary=not more.get("text"))
                self._unsaid += len(frame.data)
                if has_room:
                    self._wrote()
            elif frame.kind == "room":
                self._unacknowledged -= int(more.get("bytes", 0))
                if self._unacknowledged <= WINDOW:
                    self._socket.resume()
            elif frame.kind == "ping":
                self._socket.ping(frame.data)
            elif frame.kind == "close":
                self.close(more.get("code"), str(more.get("reason", "")))
            elif frame.kind == "abort":
                self._socket.abort()
            else:
                raise FrameError(f"a WebSocket has no frames of kind {frame.kind!r}")
        except StreamClosedError:
            # The client has gone; its "close" event says so.
            return

    def _wrote(self) -> None:
        if self._unsaid:
            self._forwarded.tell("room", more={"bytes": self._unsaid})
            self._unsaid = 0

    def close(self, code: int | None, reason: str) -> None:
        """Send the client a close frame."""
        self._socket.close(code, reason)
