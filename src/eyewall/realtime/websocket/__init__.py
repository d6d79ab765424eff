"""WebSockets: the handler, and what it raises."""

from eyewall.realtime.websocket.errors import WebSocketClosedError, WebSocketError
from eyewall.realtime.websocket.handler import WebSocketHandler

__all__ = ["WebSocketClosedError", "WebSocketError", "WebSocketHandler"]
