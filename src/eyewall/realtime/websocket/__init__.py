"""WebSockets: the handler, the client, and what they raise."""

from eyewall.realtime.websocket.client import WebSocketClientConnection, websocket_connect
from eyewall.realtime.websocket.errors import WebSocketClosedError, WebSocketError
from eyewall.realtime.websocket.function import websocket
from eyewall.realtime.websocket.group import WebSocketGroup
from eyewall.realtime.websocket.handler import WebSocketHandler

__all__ = [
    "WebSocketClientConnection",
    "WebSocketClosedError",
    "WebSocketError",
    "WebSocketGroup",
    "WebSocketHandler",
    "websocket",
    "websocket_connect",
]
