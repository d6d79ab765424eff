"""One WebSocket of an ASGI program: its `receive` and its `send`."""

import asyncio
from typing import Any, ClassVar, Final, final

from eyewall.hosting.asgi.request import ClientDisconnectedError
from eyewall.http.engine import ProtocolError, StreamClosedError
from eyewall.realtime.websocket.config import (
    DEFAULT_CLOSE_TIMEOUT,
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_MAX_QUEUE_SIZE,
)
from eyewall.realtime.websocket.inbox import Inbox

_PING_S: Final = 20.0


def is_handshake(exchange: Any) -> bool:
    """Whether a request asks for a WebSocket (RFC 6455, section 4.1)."""
    upgrade = exchange.header("upgrade")
    return (
        upgrade is not None
        and upgrade.lower() == "websocket"
        and hasattr(exchange, "upgrade_websocket")
    )


def websocket_scope(exchange: Any, scope: dict[str, Any]) -> dict[str, Any]:
    """The scope of a WebSocket, from that of its request."""
    offered = exchange.header("sec-websocket-protocol") or ""
    scope["type"] = "websocket"
    scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
    scope["subprotocols"] = [name.strip() for name in offered.split(",") if name.strip()]
    scope["extensions"] = {"websocket.http.response": {}}
    del scope["method"]
    return scope


@final
class WebSocketConnection:
    """Carries a program's messages to a WebSocket, and the WebSocket's to the program.

    Args:
        exchange: The opening handshake.
    """

    def __init__(self, exchange: Any) -> None:
        self._exchange = exchange
        self._socket: Any = None
        self._inbox = Inbox(self._pause, self._resume)
        self._greeted = False
        self._gone = False
        self._closed = False
        self._code: int = 1006
        self._reason = ""
        self._room: asyncio.Future[None] | None = None
        self._denial: tuple[int, Any] | None = None
        exchange.on_disconnect(self._left)

    # -- what the engine tells

    def _pause(self) -> None:
        if self._socket is not None:
            self._socket.pause()

    def _resume(self) -> None:
        if self._socket is not None:
            self._socket.resume()

    def _left(self) -> None:
        """The client has gone before it was accepted."""
        self._gone = True
        self._inbox.close()

    def _on_event(self, kind: str, value: Any) -> None:
        if kind == "room":
            self._wake()
        elif kind == "close":
            code, reason = value
            # RFC 6455, section 7.1.5: 1005 where the close frame had none.
            self._code = 1005 if code is None else code
            self._reason = reason
            self._gone = True
            self._inbox.close()
            self._wake()

    def _wake(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    # -- what the program calls

    async def receive(self) -> dict[str, Any]:
        """The connection, then its messages, then its end."""
        if not self._greeted:
            self._greeted = True
            return {"type": "websocket.connect"}
        message = await self._inbox.get()
        if message is None:
            return {"type": "websocket.disconnect", "code": self._code, "reason": self._reason}
        if isinstance(message, str):
            return {"type": "websocket.receive", "text": message}
        return {"type": "websocket.receive", "bytes": message}

    async def send(self, message: Any) -> None:
        """Take a message of the program's.

        Raises:
            ClientDisconnectedError: Nobody is there to take it.
            RuntimeError: It is not the message's turn, or there is no such message.
        """
        take = self._takes.get(message["type"])
        if take is None or self._closed:
            raise RuntimeError(f"unexpected ASGI message {message['type']!r}")
        await take(self, message)

    async def _accept(self, message: Any) -> None:
        if self._socket is not None:
            raise RuntimeError("the WebSocket was accepted already")
        if self._gone:
            raise ClientDisconnectedError("the client has gone")
        headers = list(message.get("headers", ()))
        if message.get("subprotocol"):
            headers.append((b"sec-websocket-protocol", message["subprotocol"].encode("latin-1")))
        try:
            self._socket = self._exchange.upgrade_websocket(
                headers,
                self._inbox.put,
                self._on_event,
                compression={},
                max_message_bytes=DEFAULT_MAX_MESSAGE_SIZE,
                max_queue_bytes=DEFAULT_MAX_QUEUE_SIZE,
                ping_interval_s=_PING_S,
                ping_timeout_s=_PING_S,
                close_timeout_s=DEFAULT_CLOSE_TIMEOUT,
            )
        except ProtocolError as exc:
            self._closed = True
            self._exchange.respond(exc.status, {"Content-Type": "text/plain"}, f"{exc}\n")
            raise ClientDisconnectedError("it was no opening handshake") from exc

    async def _send(self, message: Any) -> None:
        if self._socket is None:
            raise RuntimeError("the WebSocket must be accepted first")
        text = message.get("text")
        try:
            room = self._socket.send(text if text is not None else message["bytes"])
        except StreamClosedError as exc:
            raise ClientDisconnectedError("the client has gone") from exc
        if not room and not self._gone:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)

    async def _close(self, message: Any) -> None:
        self.close(message.get("code", 1000), message.get("reason") or "")

    async def _deny(self, message: Any) -> None:
        if self._socket is not None:
            raise RuntimeError("the WebSocket was accepted already")
        self._denial = message["status"], list(message.get("headers", ()))

    async def _denial_body(self, message: Any) -> None:
        if self._denial is None:
            raise RuntimeError("a denial begins with websocket.http.response.start")
        status, headers = self._denial
        if not self._exchange.responded:
            self._exchange.start(status, headers)
        body = message.get("body", b"")
        if body:
            self._exchange.write(body)
        if not message.get("more_body", False):
            self._exchange.end()
            self._closed = True

    _takes: ClassVar[dict[str, Any]] = {
        "websocket.accept": _accept,
        "websocket.send": _send,
        "websocket.close": _close,
        "websocket.http.response.start": _deny,
        "websocket.http.response.body": _denial_body,
    }

    def close(self, code: int, reason: str) -> None:
        """Close it; before it was accepted, refuse it with 403."""
        if self._closed or self._gone:
            return
        self._closed = True
        if self._socket is None:
            self._exchange.respond(403, {"Content-Type": "text/plain"}, b"Forbidden\n")
        else:
            self._socket.close(code, reason)

    @property
    def complete(self) -> bool:
        """Whether it needs nothing more of the program."""
        return self._closed or self._gone or self._socket is not None

    def end(self) -> None:
        """The program has returned: say goodbye where it did not."""
        self.close(1000, "")

    def fail(self) -> None:
        """The program has raised: close with 1011, or answer 500."""
        if self._closed or self._gone:
            return
        if self._socket is None:
            self._closed = True
            fields = {"Content-Type": "text/plain; charset=UTF-8"}
            if not self._exchange.responded:
                self._exchange.respond(500, fields, b"Internal Server Error\n")
        else:
            self.close(1011, "an error in the server")
