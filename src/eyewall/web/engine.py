"""The engine's small functions, as `web` uses them."""

from eyewall._engine import (
    ProtocolError,
    StreamClosedError,
    escape_html,
    escape_value,
    etag,
    text_of,
)

__all__ = [
    "ProtocolError",
    "StreamClosedError",
    "escape_html",
    "escape_value",
    "etag",
    "text_of",
]
