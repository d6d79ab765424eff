"""Realtime: WebSockets, events and long polling."""

from eyewall.realtime.events import Event
from eyewall.realtime.longpoll import LongPollHandler, News, wait_for_news
from eyewall.realtime.sse import EventSourceHandler
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
    "Event",
    "EventSourceHandler",
    "LongPollHandler",
    "News",
    "WebSocketClientConnection",
    "WebSocketClosedError",
    "WebSocketError",
    "WebSocketGroup",
    "WebSocketHandler",
    "wait_for_news",
    "websocket",
    "websocket_connect",
]
