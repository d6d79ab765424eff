"""The engine, as WebSockets use it."""

from eyewall._engine import (
    Fanout,
    ProtocolError,
    Reactor,
    StreamClosedError,
    WebSocket,
    WebSocketCodec,
)

__all__ = [
    "Fanout",
    "ProtocolError",
    "Reactor",
    "StreamClosedError",
    "WebSocket",
    "WebSocketCodec",
]
