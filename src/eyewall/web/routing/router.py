"""`Router`: what finds the handler of a request; subclass it for ways of your own."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, final

from eyewall.http.exchange import Exchange
from eyewall.http.request import HTTPServerRequest

Observer: TypeAlias = Callable[[str, str, int, float], object]
"""Told of an answer: the route's pattern, the method, the status, the seconds."""


def observe_in(app: Any, observer: Observer, prefix: str) -> None:
    """Let what serves exchanges tell of its answers, if it is an application."""
    observe = getattr(app, "observe", None)
    if observe is not None:
        observe(observer, prefix)


class Delegate(Protocol):
    """What serves one request that a router was asked about."""

    def serve(self, exchange: Exchange) -> None:
        """Answer the request."""
        ...


class Router:
    """Finds what serves a request.

    A router can be given to a server, and stand as a target in an application's rules.

    Example:
        >>> class ByLanguage(Router):
        ...     def __init__(self, apps):
        ...         self.apps = apps
        ...     def find_handler(self, request, **kwargs):
        ...         language = request.headers.get("Accept-Language", "en")[:2]
        ...         return self.apps[language].find_handler(request)
    """

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Delegate | None:
        """What serves the request; None where there is nothing.

        It is what another router's `find_handler`, or an application's `get_handler_delegate`,
        returned, or an `HTTPMessageDelegate`.

        Args:
            request: The request.
            kwargs: What the matchers above have found.
        """
        raise NotImplementedError(f"{type(self).__name__} must define find_handler()")

    def __call__(self, exchange: Exchange) -> None:
        """Serve a request whose head has come."""
        delegate = self.find_handler(HTTPServerRequest(exchange))
        if delegate is None:
            exchange.respond(404, {"Content-Type": "text/plain"}, b"404: Not Found\n")
        else:
            delegate.serve(exchange)


class ReversibleRouter(Router):
    """A router that knows the paths of its names."""

    def reverse_url(self, name: str, *args: Any) -> str | None:
        """The path of the route of that name; None where there is none."""
        raise NotImplementedError(f"{type(self).__name__} must define reverse_url()")


@final
class ExchangeRoute:
    """Serves requests with what takes exchanges, such as another application."""

    __slots__ = ("_app",)

    def __init__(self, app: Callable[[Exchange], object]) -> None:
        self._app = app

    def serve(self, exchange: Exchange, _args: tuple[str, ...], _kwargs: dict[str, str]) -> None:
        """Handle one request."""
        self._app(exchange)

    @property
    def app(self) -> Callable[[Exchange], object]:
        """What takes them."""
        return self._app

    def observe(self, observer: Observer, prefix: str) -> None:
        """Let the application tell of its answers, if it can."""
        observe_in(self._app, observer, prefix)


@final
class DelegateRoute:
    """Serves the one request that a router was asked about."""

    __slots__ = ("_delegate",)

    def __init__(self, delegate: Delegate) -> None:
        self._delegate = delegate

    def serve(self, exchange: Exchange, _args: tuple[str, ...], _kwargs: dict[str, str]) -> None:
        """Handle the request."""
        self._delegate.serve(exchange)


@final
class RouterFinder:
    """Asks another router; where it has nothing, the next rule is tried."""

    __slots__ = ("_router",)

    def __init__(self, router: Router) -> None:
        self._router = router

    def find(
        self, request: HTTPServerRequest, **given: Any
    ) -> tuple[DelegateRoute, tuple[str, ...], dict[str, str]] | None:
        """What the router gives for a request."""
        delegate = self._router.find_handler(request, **given)
        return None if delegate is None else (DelegateRoute(delegate), (), {})
