"""WebSockets, under Tornado's names."""

from eyewall.realtime.websocket import WebSocketClosedError, WebSocketError
from eyewall.tornado.legacy.websocket import WebSocketHandler

__all__ = ["WebSocketClosedError", "WebSocketError", "WebSocketHandler"]
