"""The stock handlers on the `RequestHandler` that programs for Tornado know."""

from eyewall.tornado.legacy.handler import RequestHandler
from eyewall.web.handler import stock


class ErrorHandler(stock.ErrorHandler, RequestHandler):
    """Answers everything with one status."""


class RedirectHandler(stock.RedirectHandler, RequestHandler):
    """Redirects; groups of the route's pattern fill `{0}`, `{1}` or names in the URL."""


class FallbackHandler(stock.FallbackHandler, RequestHandler):
    """Hands requests on to something else: an application, or a function of the request."""
