"""One message to many WebSockets."""

import asyncio
from typing import Any, Literal, final

from eyewall.base.escape import json_encode
from eyewall.realtime.websocket.engine import Fanout, Reactor, StreamClosedError, WebSocket
from eyewall.realtime.websocket.errors import WebSocketClosedError
from eyewall.realtime.websocket.handler import WebSocketHandler


@final
class WebSocketGroup:
    """WebSockets of this process that get the same messages.

    One call sends to all: the message is framed once, and compressed once for members that agreed
    on the same compression; what is sent in one turn of the loop goes to each in one write.
    Members that close leave by themselves.

    Args:
        slow: What becomes of a member for whom more than `max_queue_size` bytes wait:
            "disconnect" cuts it, "drop" leaves the message out, "latest" gives it, once there
            is room, only the latest message.
        max_queue_size: See above.

    Raises:
        ValueError: Another policy.

    Example:
        >>> class Chat(WebSocketHandler):
        ...     def initialize(self, room):
        ...         self.room = room
        ...
        ...     def open(self):
        ...         self.room.add(self)
        ...
        ...     def on_message(self, message):
        ...         self.room.send(message)
    """

    __slots__ = ("_elsewhere", "_fanout", "_max_queue_size", "_slow")

    def __init__(
        self,
        *,
        slow: Literal["disconnect", "drop", "latest"] = "disconnect",
        max_queue_size: int = 1024 * 1024,
    ) -> None:
        if slow not in {"disconnect", "drop", "latest"}:
            raise ValueError(f'slow={slow!r}: there are "disconnect", "drop" and "latest"')
        self._slow: Literal["disconnect", "drop", "latest"] = slow
        self._max_queue_size = max_queue_size
        # Made with the first member: a group may be made before there is a loop.
        self._fanout: Fanout | None = None
        self._elsewhere: set[WebSocketHandler] = set()

    def add(self, member: WebSocketHandler) -> None:
        """Send to it from now on.

        Raises:
            WebSocketClosedError: It is not open.
        """
        if member.socket is None:
            raise WebSocketClosedError("only an open WebSocket can join a group")
        if self._fanout is None:
            reactor = Reactor.of(asyncio.get_running_loop())
            self._fanout = Fanout(reactor, slow=self._slow, max_queue_bytes=self._max_queue_size)
        # The engine's, or what stands for it where a gateway has the connection.
        own: Any = member.socket
        if isinstance(own, WebSocket):
            self._fanout.add(own)
        else:
            self._elsewhere.add(member)

    def discard(self, member: WebSocketHandler) -> None:
        """Send to it no longer; it gets what was sent already."""
        self._elsewhere.discard(member)
        if isinstance(member.socket, WebSocket) and self._fanout is not None:
            self._fanout.discard(member.socket)

    def send(self, message: str | bytes | dict[str, Any], binary: bool | None = None) -> int:
        """Send a message to all; a dict is sent as JSON. Returns the number of members.

        Args:
            message: The message.
            binary: Whether it is binary; by default bytes are, and nothing else.

        Raises:
            ValueError: Text that is not UTF-8.
        """
        if self._fanout is None:
            return 0
        data = json_encode(message) if isinstance(message, dict) else message
        return self._fanout.send(data, binary=binary) + self._send_elsewhere(data, binary)

    def _send_elsewhere(self, data: str | bytes, binary: bool | None) -> int:
        for member in list(self._elsewhere):
            try:
                if member.socket is None:
                    self._elsewhere.discard(member)
                else:
                    member.socket.send(data, binary)
            except StreamClosedError:
                self._elsewhere.discard(member)
        return len(self._elsewhere)

    def __len__(self) -> int:
        """Members that are open."""
        engine = 0 if self._fanout is None else len(self._fanout)
        return engine + sum(member.socket is not None for member in self._elsewhere)
