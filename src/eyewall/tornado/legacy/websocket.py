"""`WebSocketHandler` on the `RequestHandler` that programs for Tornado know."""

from eyewall.realtime.websocket import handler
from eyewall.tornado.legacy.handler import RequestHandler


class WebSocketHandler(handler.WebSocketHandler, RequestHandler):
    """As `eyewall.realtime.websocket.WebSocketHandler`."""
