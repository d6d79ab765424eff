"""Realtime: WebSockets."""

from eyewall.realtime.websocket import (
    WebSocketClosedError,
    WebSocketError,
    WebSocketHandler,
)

__all__ = ["WebSocketClosedError", "WebSocketError", "WebSocketHandler"]
