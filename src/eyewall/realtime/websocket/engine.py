"""The engine, as WebSockets use it."""

from eyewall._engine import (
    ProtocolError,
    StreamClosedError,
    WebSocket,
    WebSocketCodec,
)

__all__ = ["ProtocolError", "StreamClosedError", "WebSocket", "WebSocketCodec"]
