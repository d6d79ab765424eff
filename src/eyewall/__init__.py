"""Eyewall: a framework and networking toolkit for programs that hold very many connections."""

from importlib.metadata import PackageNotFoundError, version

from eyewall.loop import IOLoop, PeriodicCallback
from eyewall.web import Application, HTTPError, RequestHandler, Response

try:
    __version__ = version("eyewall")
except PackageNotFoundError:  # a source tree on the path, not an installed package
    __version__ = "0+unknown"

__all__ = [
    "Application",
    "HTTPError",
    "IOLoop",
    "PeriodicCallback",
    "RequestHandler",
    "Response",
    "__version__",
]
