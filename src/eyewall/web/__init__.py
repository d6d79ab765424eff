"""The web framework: applications, routes, handlers."""

from eyewall.web.application import Application
from eyewall.web.errors import Finish, HTTPError, MissingArgumentError
from eyewall.web.functions import Response
from eyewall.web.handler.handler import RequestHandler
from eyewall.web.handler.stock import ErrorHandler, RedirectHandler
from eyewall.web.routing.rules import URLSpec, url

__all__ = [
    "Application",
    "ErrorHandler",
    "Finish",
    "HTTPError",
    "MissingArgumentError",
    "RedirectHandler",
    "RequestHandler",
    "Response",
    "URLSpec",
    "url",
]
