"""Static files."""

from eyewall.web.static.handler import StaticFileHandler

__all__ = ["StaticFileHandler"]
