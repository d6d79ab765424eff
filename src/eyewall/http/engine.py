"""The engine's parsers and errors, as `http` uses them."""

from eyewall._engine import (
    ProtocolError,
    StreamClosedError,
    find_cookie,
    find_field,
    parse_cookie,
    parse_form,
)

__all__ = [
    "ProtocolError",
    "StreamClosedError",
    "find_cookie",
    "find_field",
    "parse_cookie",
    "parse_form",
]
