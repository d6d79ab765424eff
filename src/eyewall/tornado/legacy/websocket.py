"""`WebSocketHandler` on the `RequestHandler` that programs for Tornado know."""

from typing import Any

from eyewall.realtime.websocket import handler
from eyewall.tornado.legacy.handler import RequestHandler
from eyewall.web.errors import HTTPError


class WebSocketHandler(handler.WebSocketHandler, RequestHandler):
    """As `eyewall.realtime.websocket.WebSocketHandler`."""

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what was raised, but for the refusal of an origin."""
        refused = isinstance(value, HTTPError) and value.status_code == 403
        if not (refused and "WebSocket" in (value.log_message or "")):
            super().log_exception(typ, value, tb)
