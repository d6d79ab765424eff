"""The engine's small functions, as `web` uses them."""

from eyewall._engine import ProtocolError, StreamClosedError, escape_html, etag

__all__ = ["ProtocolError", "StreamClosedError", "escape_html", "etag"]
