"""The HTTP server, under Tornado's names."""

from eyewall.tornado.legacy.server import HTTPServer

__all__ = ["HTTPServer"]
