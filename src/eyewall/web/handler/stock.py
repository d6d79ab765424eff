"""Handlers for what every application needs."""

import inspect
from collections.abc import Callable
from typing import Any

from eyewall.http.body import read_piece
from eyewall.http.delegates import HTTPServerConnectionDelegate
from eyewall.web.errors import HTTPError
from eyewall.web.handler.handler import RequestHandler
from eyewall.web.routing.router import Router
from eyewall.web.safe_redirect import leads_elsewhere


class ErrorHandler(RequestHandler):
    """Answers everything with one status."""

    def initialize(self, status_code: int = 404, **_: Any) -> None:
        """Set the status."""
        self.set_status(status_code)

    def prepare(self) -> None:
        """End the request."""
        raise HTTPError(self._status_code)

    def check_xsrf_cookie(self) -> None:
        """Nothing: an error changes nothing, whoever has asked for it."""

    check_cross_origin = check_xsrf_cookie


class RedirectHandler(RequestHandler):
    """Redirects; groups of the route's pattern fill `{0}`, `{1}` or names in the URL."""

    def initialize(self, url: str = "/", permanent: bool = True, **_: Any) -> None:
        """Set the target."""
        self._url = url
        self._permanent = permanent

    def get(self, *args: str, **kwargs: str) -> None:
        """Redirect, with the request's query."""
        target = self._url.format(*args, **kwargs)
        if leads_elsewhere(self._url, target):
            raise HTTPError(400, "Redirect URL cannot change the scheme or netloc of %r", self._url)
        if not target.isprintable():
            raise HTTPError(400, "Redirect URL contains invalid characters: %.80r", target)
        query = self.exchange.query
        if query:
            target = f"{target}{'&' if '?' in target else '?'}{query}"
        self.redirect(target, permanent=self._permanent)


class FallbackHandler(RequestHandler):
    """Hands requests on to something else: an application, or a function of the request."""

    # What gets the request reads its body.
    _stream_request_body = True

    def initialize(self, fallback: Callable[[Any], object] | None = None, **_: Any) -> None:
        """Set what gets the requests."""
        if fallback is None:
            raise TypeError("a FallbackHandler needs a fallback, in its route's arguments")
        self._fallback = fallback

    async def prepare(self) -> None:
        """Hand the request on; it answers, and logs, by itself."""
        self._finished = True
        fallback = self._fallback
        known = isinstance(fallback, Router | HTTPServerConnectionDelegate)
        if known or getattr(fallback, "serves_exchanges", False):
            fallback(self.exchange)
        else:
            pieces: list[bytes] = []
            while self.exchange.has_body and (piece := await read_piece(self.exchange)):
                pieces.append(piece)
            self._receive(b"".join(pieces))
            result = fallback(self.request)
            if inspect.isawaitable(result):
                await result
        self.on_finish()
