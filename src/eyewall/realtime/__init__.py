"""Realtime: WebSockets."""

from eyewall.realtime.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketError,
    WebSocketHandler,
    websocket,
    websocket_connect,
)

__all__ = [
    "WebSocketClientConnection",
    "WebSocketClosedError",
    "WebSocketError",
    "WebSocketHandler",
    "websocket",
    "websocket_connect",
]
