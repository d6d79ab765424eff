"""Handlers for what every application needs."""

from typing import Any

from eyewall.web.errors import HTTPError
from eyewall.web.handler.handler import RequestHandler


class ErrorHandler(RequestHandler):
    """Answers everything with one status."""

    def initialize(self, status_code: int = 404, **_: Any) -> None:
        """Set the status."""
        self.set_status(status_code)

    def prepare(self) -> None:
        """End the request."""
        raise HTTPError(self._status_code)


class RedirectHandler(RequestHandler):
    """Redirects; groups of the route's pattern fill `{0}`, `{1}` or names in the URL."""

    def initialize(self, url: str = "/", permanent: bool = True, **_: Any) -> None:
        """Set the target."""
        self._url = url
        self._permanent = permanent

    def get(self, *args: str, **kwargs: str) -> None:
        """Redirect, with the request's query."""
        target = self._url.format(*args, **kwargs)
        query = self.exchange.query
        if query:
            target = f"{target}{'&' if '?' in target else '?'}{query}"
        self.redirect(target, permanent=self._permanent)
