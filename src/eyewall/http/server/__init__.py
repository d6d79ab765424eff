"""The HTTP server."""

from eyewall.http.server.server import HTTPServer

__all__ = ["HTTPServer"]
