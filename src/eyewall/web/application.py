"""`Application`: settings and routes; the callable that a server gives its exchanges to."""

import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import unquote_to_bytes

from eyewall.base.log import access_log, gen_log
from eyewall.http.exchange import Exchange
from eyewall.http.server.server import HTTPServer
from eyewall.web.functions import FunctionRoute
from eyewall.web.handler.handler import RequestHandler
from eyewall.web.handler.lifecycle import ClassRoute
from eyewall.web.handler.stock import ErrorHandler
from eyewall.web.routing.rules import URLSpec, from_template, from_tuple
from eyewall.web.routing.tree import RouteTree

if TYPE_CHECKING:
    Route = ClassRoute | FunctionRoute

F = TypeVar("F", bound=Callable[..., Any])

_ANY_HOST: Final = re.compile(".*$")


class Application:
    """A web application.

    Args:
        handlers: Routes: `(pattern, handler)`, with keyword arguments for `initialize` and a
            name behind where wanted, or `URLSpec`. The first that matches serves.
        default_host: The host whose routes serve requests for unknown hosts.
        settings: Anything that handlers want to know. Of these the application itself uses
            `debug` (with `serve_traceback`), `default_handler_class` with
            `default_handler_args`, `log_function` and `access_log`.

    Example:
        >>> def home(request):
        ...     return "hello"
        >>> app = Application([(r"/", home)])
        >>> @app.get("/users/{id:int}")
        ... def user(request, id):
        ...     return {"id": id}
    """

    def __init__(
        self,
        handlers: Iterable[Any] = (),
        default_host: str | None = None,
        **settings: Any,
    ) -> None:
        if settings.get("debug"):
            settings.setdefault("serve_traceback", True)
        self.settings = settings
        self.default_host = default_host
        self._named: dict[str, URLSpec] = {}
        self._templates: dict[str, FunctionRoute] = {}
        self._routes: RouteTree[Route] = RouteTree()
        self._hosts: list[tuple[re.Pattern[str], RouteTree[Route]]] = []
        default = settings.get("default_handler_class", ErrorHandler)
        arguments = settings.get("default_handler_args", {})
        if default is ErrorHandler and not arguments:
            arguments = {"status_code": 404}
        self._log_function: Callable[[RequestHandler], object] | None = settings.get("log_function")
        self.logs_requests = bool(
            self._log_function or (settings.get("access_log", True) and not access_log.disabled)
        )
        self._default = ClassRoute(self, default, arguments)
        for rule in handlers:
            self._add(self._routes, from_tuple(rule))

    def __call__(self, exchange: Exchange) -> None:
        """Serve a request whose head has come."""
        routes = self._routes if not self._hosts else self._routes_for(exchange)
        path = exchange.path
        sole = routes.sole.get(path)
        if sole is not None:
            sole.serve(exchange, (), {})
            return
        found = routes.find(path)
        if found is None:
            self._default.serve(exchange, (), {})
            return
        route, match, named = found
        if match is None:
            route.serve(exchange, (), {})
            return
        try:
            if named:
                route.serve(exchange, (), _named_groups(match))
            elif "%" in path:
                route.serve(exchange, tuple(map(_unquote_group, match.groups())), {})
            else:
                route.serve(exchange, match.groups(), {})
        except UnicodeDecodeError:
            gen_log.warning("400 %s %s: the path is not UTF-8", exchange.method, path)
            exchange.respond(400, {"Content-Type": "text/plain"}, b"400: the path is not UTF-8\n")

    def _routes_for(self, exchange: Exchange) -> "RouteTree[Route]":
        host = exchange.host.rpartition(":")[0] or exchange.host
        host = host.lower()
        for pattern, routes in self._hosts:
            if pattern.match(host):
                return routes
        if self.default_host is not None and not exchange.header("X-Real-Ip"):
            for pattern, routes in self._hosts:
                if pattern.match(self.default_host):
                    return routes
        return self._routes

    def _add(self, tree: "RouteTree[Route]", spec: URLSpec) -> None:
        if isinstance(spec.handler, type) and issubclass(spec.handler, RequestHandler):
            route: Route = ClassRoute(self, spec.handler, spec.kwargs)
        elif callable(spec.handler) and not isinstance(spec.handler, type):
            route = FunctionRoute(self)
            route.add(("*",), spec.handler)
        else:
            raise TypeError(
                f"route {spec.pattern!r}: {spec.handler!r} is neither a RequestHandler "
                "subclass nor a function"
            )
        tree.add(spec.regex, route)
        self._name(spec)

    def _name(self, spec: URLSpec) -> None:
        if spec.name:
            if spec.name in self._named:
                gen_log.warning("Multiple handlers named %s; replacing previous value", spec.name)
            self._named[spec.name] = spec

    def add_handlers(self, host_pattern: str, host_handlers: Iterable[Any]) -> None:
        """Add routes for the hosts that a regular expression matches."""
        if not host_pattern.endswith("$"):
            host_pattern += "$"
        tree = self._routes
        if host_pattern != _ANY_HOST.pattern:
            tree = RouteTree()
            self._hosts.append((re.compile(host_pattern), tree))
        for rule in host_handlers:
            self._add(tree, from_tuple(rule))

    def reverse_url(self, name: str, *args: Any) -> str:
        """The path of the route of that name.

        Raises:
            KeyError: There is no such route.
        """
        try:
            spec = self._named[name]
        except KeyError:
            raise KeyError(f"there is no route named {name!r}") from None
        return spec.reverse(*args)

    def route(
        self, template: str, *, methods: Iterable[str] = ("GET",), name: str | None = None
    ) -> Callable[[F], F]:
        """Serve a path with the decorated function.

        Args:
            template: A path; `{name}`, or `{name:int}` with one of str, int, float, path and
                uuid, becomes a keyword argument.
            methods: The methods that it serves.
            name: For `reverse_url`.
        """
        pattern, converters = from_template(template)

        def register(function: F) -> F:
            served: Callable[..., Any] = function
            if converters:
                served = _converting(function, converters)
            route = self._templates.get(template)
            if route is None:
                route = self._templates[template] = FunctionRoute(self)
                spec = URLSpec(pattern, function, None, name)
                self._routes.add(spec.regex, route)
                self._name(spec)
            route.add(tuple(method.upper() for method in methods), served)
            return function

        return register

    def get(self, template: str, *, name: str | None = None) -> Callable[[F], F]:
        """Serve GET and HEAD of a path with the decorated function; see `route`."""
        return self.route(template, methods=("GET",), name=name)

    def post(self, template: str, *, name: str | None = None) -> Callable[[F], F]:
        """Serve POST; see `route`."""
        return self.route(template, methods=("POST",), name=name)

    def put(self, template: str, *, name: str | None = None) -> Callable[[F], F]:
        """Serve PUT; see `route`."""
        return self.route(template, methods=("PUT",), name=name)

    def patch(self, template: str, *, name: str | None = None) -> Callable[[F], F]:
        """Serve PATCH; see `route`."""
        return self.route(template, methods=("PATCH",), name=name)

    def delete(self, template: str, *, name: str | None = None) -> Callable[[F], F]:
        """Serve DELETE; see `route`."""
        return self.route(template, methods=("DELETE",), name=name)

    def listen(self, port: int, address: str | None = None, **options: Any) -> HTTPServer:
        """Serve on a TCP port of the current loop; options are those of `HTTPServer`.

        Raises:
            StartupError: The port cannot be used.
        """
        server = HTTPServer(self, **options)
        server.listen(port, address)
        return server

    def log_request(self, handler: RequestHandler) -> None:
        """Write the log line of a request; override it, or set `log_function`."""
        if self._log_function is not None:
            self._log_function(handler)
            return
        self.log_exchange(
            handler.exchange, handler.get_status(), time.monotonic() - handler._logged_at
        )

    def log_exchange(self, exchange: Exchange, status: int, seconds: float) -> None:
        """Write a log line: `200 GET / (127.0.0.1) 1.23ms`."""
        if status < 400:
            log = access_log.info
        elif status < 500:
            log = access_log.warning
        else:
            log = access_log.error
        log(
            "%d %s %s (%s) %.2fms",
            status,
            exchange.method,
            exchange.target,
            exchange.remote_ip,
            seconds * 1000,
            extra={
                "status": status,
                "method": exchange.method,
                "target": exchange.target,
                "remote_ip": exchange.remote_ip,
                "duration_ms": round(seconds * 1000, 3),
            },
        )


def _unquote(value: str) -> str:
    return unquote_to_bytes(value).decode() if "%" in value else value


def _named_groups(match: re.Match[str]) -> dict[str, str]:
    groups = match.groupdict().items()
    return {name: _unquote(value) for name, value in groups if value is not None}


def _unquote_group(value: str | None) -> Any:
    return None if value is None else _unquote(value)


def _converting(function: F, converters: dict[str, Callable[[str], Any]]) -> F:
    def converted(request: Any, **kwargs: Any) -> Any:
        for name, convert in converters.items():
            kwargs[name] = convert(kwargs[name])
        return function(request, **kwargs)

    return converted  # type: ignore[return-value]  # the same signature
