"""The web framework: applications, routes, handlers."""

from eyewall.web.application import Application
from eyewall.web.errors import Finish, HTTPError, MissingArgumentError
from eyewall.web.functions import Response
from eyewall.web.handler.decorators import (
    addslash,
    asynchronous,
    authenticated,
    removeslash,
    stream_request_body,
)
from eyewall.web.handler.handler import RequestHandler
from eyewall.web.handler.stock import ErrorHandler, RedirectHandler
from eyewall.web.rate_limit import rate_limit
from eyewall.web.routing.mount import Mount
from eyewall.web.routing.rules import URLSpec, url
from eyewall.web.static.handler import StaticFileHandler
from eyewall.web.ui_modules import UIModule

__all__ = [
    "Application",
    "ErrorHandler",
    "Finish",
    "HTTPError",
    "MissingArgumentError",
    "Mount",
    "RedirectHandler",
    "RequestHandler",
    "Response",
    "StaticFileHandler",
    "UIModule",
    "URLSpec",
    "addslash",
    "asynchronous",
    "authenticated",
    "rate_limit",
    "removeslash",
    "stream_request_body",
    "url",
]
