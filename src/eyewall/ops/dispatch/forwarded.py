"""One request as its front sees it: its body goes to a worker, and the answer comes back."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, final

from eyewall.base.log import gen_log
from eyewall.http.engine import ProtocolError
from eyewall.http.exchange import Exchange
from eyewall.ops.dispatch.bridged import BridgedSocket
from eyewall.ops.dispatch.wire import IDEMPOTENT, PIECE, WINDOW, AnswerHead, Frame, FrameError, Head

if TYPE_CHECKING:
    from eyewall.ops.dispatch.front import Front

_ROOM: Final = WINDOW // 4
"""So many bytes are written before the sender is told that there is room again."""


@final
class Forwarded:
    """A request that is answered elsewhere.

    Args:
        front: Whose it is.
        request: Its id.
        exchange: The client's side.
    """

    def __init__(self, front: "Front", request: str, exchange: Exchange) -> None:
        self.request = request
        self.exchange = exchange
        self.order = 0
        """Its place among the requests of this front."""
        self._front = front
        self._head: bytes = b""
        self._body: bytes = b""
        self._mode = "none"
        self._entry: bytes | None = None
        self._worker: str | None = None
        self._heard = self._said = 0
        self._window = WINDOW
        self._is_reading = self._body_ended = self._body_begun = False
        self._frames: deque[Frame] = deque()
        self._is_blocked = False
        self._unacknowledged = 0
        self._socket: BridgedSocket | None = None
        self._deadline: asyncio.TimerHandle | None = None

    # The way there

    def begin(self) -> None:
        """Take what must be known, and put the request on the stream."""
        exchange = self.exchange
        exchange.on_disconnect(self._left)
        length = exchange.content_length
        if not exchange.has_body:
            self._add(b"")
        elif length is None or length > self._front.limits.whole:
            self._mode = "pieces"
            self._add(b"")
        else:
            self._mode = "whole"
            try:
                body = exchange.read_all(self._whole)
            except Exception as exc:  # noqa: BLE001 - what the engine has to say of the peer
                self._whole(exc)
                return
            if body is not None:
                self._add(body)

    def _whole(self, body: bytes | Exception) -> None:
        if isinstance(body, bytes):
            self._add(body)
        else:
            self._fail(getattr(body, "status", 400), "the body cannot be read")

    def _add(self, body: bytes) -> None:
        exchange = self.exchange
        head = Head(
            exchange.method, exchange.target, exchange.http_version, exchange.scheme,
            exchange.host, exchange.remote_ip, exchange.headers, exchange.content_length, self._mode,
        )  # fmt: skip
        self._head, self._body = head.encode(), body
        self._put()

    def _put(self) -> None:
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._front.limits.wait_s, self._nobody_came)
        self._front.add(self, self._head, self._body)

    def added(self, entry: bytes) -> None:
        """It is on the stream."""
        self._entry = entry
        if not self.exchange.connected and self._worker is None:
            self._front.withdraw(entry)

    def lost(self) -> None:
        """Redis has lost it, or has lost the answer."""
        if self._worker is not None and self.exchange.responded:
            return
        may_repeat = self.exchange.method in IDEMPOTENT and not self._body_begun
        if may_repeat:
            self.close()
            self._worker, self._heard, self._said = None, 0, 0
            self._put()
        else:
            self._fail(502, "the request was lost on its way")

    # What the worker says

    def hear(self, frame: Frame) -> None:
        """Do what a frame asks for, in its turn."""
        if frame.sender != self._worker and not self._is_new_worker(frame):
            return
        if frame.number <= self._heard:
            # It was sent twice.
            return
        self._heard = frame.number
        if self._deadline is not None:
            self.close()
        self._frames.append(frame)
        self._go_on()

    def _is_new_worker(self, frame: Frame) -> bool:
        """A worker comes, or one instead of another that is lost."""
        if self._worker is None:
            self._worker = frame.sender
            return True
        if frame.kind not in {"taken", "answer"} or frame.number != 1:
            return False
        self._frames.clear()
        if self.exchange.responded or self._body_begun:
            # What was sent of the answer, or taken of the body, cannot be taken back.
            self._front.say(frame.sender, Frame("gone", self.request, self._front.name, 1))
            # Nobody is there to be told anything.
            self._worker = None
            self._fail(502, "the worker was lost")
            return False
        self._worker, self._heard, self._said = frame.sender, 0, 0
        return True

    def _go_on(self) -> None:
        while self._frames and not self._is_blocked:
            frame = self._frames.popleft()
            try:
                self._do(frame)
            except (FrameError, ProtocolError, TypeError, ValueError, RuntimeError) as exc:
                gen_log.error("A worker's answer cannot be sent: %.200s", exc)
                self.tell("gone")
                self._fail(502, "the worker's answer cannot be sent")
                return
            except ConnectionError:
                self._left()
                return

    def _do(self, frame: Frame) -> None:
        exchange = self.exchange
        if self._socket is not None:
            self._socket.hear(frame)
        elif frame.kind == "piece":
            self._write(frame.data)
        elif frame.kind == "answer":
            head = AnswerHead.of(frame.more)
            exchange.respond(head.status, head.headers, frame.data, head.reason)
            self.over()
        elif frame.kind == "head":
            head = AnswerHead.of(frame.more)
            exchange.start(head.status, head.headers, head.reason)
        elif frame.kind == "end":
            exchange.end((frame.more or {}).get("trailers") or None)
            self.over()
        else:
            self._do_more(frame)

    def _do_more(self, frame: Frame) -> None:
        if frame.kind == "taken":
            if self._mode == "pieces":
                self._pump()
        elif frame.kind == "room":
            self._window += int((frame.more or {}).get("bytes", 0))
            self._pump()
        elif frame.kind == "inform":
            head = AnswerHead.of(frame.more)
            self.exchange.inform(head.status, head.headers)
        elif frame.kind == "socket":
            # From now on the client's leaving is an event of the WebSocket.
            self.exchange.on_disconnect(None)
            self._socket = BridgedSocket(self, frame)
        elif frame.kind == "abort":
            self.exchange.abort()
            self.over()
        else:
            raise FrameError(f"there are no frames of kind {frame.kind!r}")

    def _write(self, data: bytes) -> None:
        if self.exchange.write(data) or self.exchange.when_writable(self._writable):
            self._wrote(len(data))
            return
        self._is_blocked = True
        self._unacknowledged += len(data)

    def _writable(self, error: Exception | None) -> None:
        self._is_blocked = False
        if error is not None:
            self._left()
            return
        self._wrote(0)
        self._go_on()

    def _wrote(self, count: int) -> None:
        self._unacknowledged += count
        if self._unacknowledged >= _ROOM:
            self.tell("room", more={"bytes": self._unacknowledged})
            self._unacknowledged = 0

    def tell(self, kind: str, data: bytes = b"", more: dict[str, Any] | None = None) -> None:
        """Send the worker a frame."""
        if self._worker is not None:
            self._said += 1
            frame = Frame(kind, self.request, self._front.name, self._said, data, more)
            self._front.say(self._worker, frame)

    # A body in pieces

    def _pump(self) -> None:
        while self._window > 0 and not self._is_reading and not self._body_ended:
            self._body_begun = True
            try:
                data = self.exchange.read(self._piece)
            except Exception as exc:  # noqa: BLE001 - what the engine has to say of the peer
                self._send(exc)
                return
            if data is None:
                self._is_reading = True
                return
            self._send(data)

    def _piece(self, data: bytes | Exception) -> None:
        self._is_reading = False
        self._send(data)
        self._pump()

    def _send(self, data: bytes | Exception) -> None:
        if isinstance(data, Exception):
            self._body_ended = True
            more = {"status": getattr(data, "status", 400), "text": str(data)}
            self.tell("broken", more=more)
        elif data:
            self._window -= len(data)
            for start in range(0, len(data), PIECE):
                self.tell("piece", data[start : start + PIECE])
        else:
            self._body_ended = True
            self.tell("end", more={"trailers": self.exchange.trailers})

    # The end

    def _left(self) -> None:
        """The client has gone."""
        if self._worker is not None:
            self.tell("gone")
        elif self._entry is not None:
            self._front.withdraw(self._entry)
        self.over()

    def _nobody_came(self) -> None:
        self._deadline = None
        if self._entry is not None:
            self._front.withdraw(self._entry)
        self._fail(504, "no worker took the request in time")

    def _fail(self, status: int, text: str) -> None:
        exchange = self.exchange
        if self._socket is not None:
            self._socket.close(1012, text)
        elif exchange.responded:
            exchange.abort()
        elif exchange.connected:
            exchange.respond(status, {"Content-Type": "text/plain"}, f"{text}\n")
        self.over()

    def over(self) -> None:
        """Nothing more is to come."""
        self.close()
        self._frames.clear()
        self._front.forget(self.request)
        if self._socket is None:
            self.exchange.on_disconnect(None)

    def close(self) -> None:
        """Wait no longer for somebody to take it."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
