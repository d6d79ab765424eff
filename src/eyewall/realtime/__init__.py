"""Realtime: WebSockets."""

from eyewall.realtime.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketError,
    WebSocketGroup,
    WebSocketHandler,
    websocket,
    websocket_connect,
)

__all__ = [
    "WebSocketClientConnection",
    "WebSocketClosedError",
    "WebSocketError",
    "WebSocketGroup",
    "WebSocketHandler",
    "websocket",
    "websocket_connect",
]
