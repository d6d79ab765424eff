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
from eyewall.web.handler.stock import ErrorHandler, FallbackHandler, RedirectHandler
from eyewall.web.output_transform import OutputTransform
from eyewall.web.rate_limit import rate_limit
from eyewall.web.routing.mount import Mount
from eyewall.web.routing.rules import URLSpec, url
from eyewall.web.static.handler import StaticFileHandler
from eyewall.web.ui_modules import TemplateModule, UIModule

__all__ = [
    "Application",
    "ErrorHandler",
    "FallbackHandler",
    "Finish",
    "HTTPError",
    "MissingArgumentError",
    "Mount",
    "OutputTransform",
    "RedirectHandler",
    "RequestHandler",
    "Response",
    "StaticFileHandler",
    "TemplateModule",
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
