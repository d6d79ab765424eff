"""`Application`: settings and routes; the callable that a server gives its exchanges to."""

import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, final

from eyewall.base.log import access_log, gen_log
from eyewall.base.objects import import_object
from eyewall.http.asgi_exchange import ASGIGateway
from eyewall.http.delegates import HTTPServerConnectionDelegate
from eyewall.http.exchange import Exchange
from eyewall.http.request import HTTPServerRequest
from eyewall.http.server.server import HTTPServer
from eyewall.web.background import Background
from eyewall.web.compression import Compression
from eyewall.web.cors import Cors
from eyewall.web.functions import FunctionRoute
from eyewall.web.handler.handler import RequestHandler
from eyewall.web.handler.lifecycle import ClassRoute
from eyewall.web.handler.stock import ErrorHandler
from eyewall.web.leaving import Leaving
from eyewall.web.openapi import add_openapi
from eyewall.web.resources import M, Resources
from eyewall.web.routing.mount import Mount, MountRoute
from eyewall.web.routing.router import (
    DelegateRoute,
    ExchangeRoute,
    ReversibleRouter,
    Router,
    RouterFinder,
)
from eyewall.web.routing.rules import (
    HostMatches,
    Rule,
    URLSpec,
    from_template,
    from_tuple,
    lenient_groups,
    named_groups,
    plain_groups,
)
from eyewall.web.routing.table import RouteTable
from eyewall.web.scheduled import Scheduled
from eyewall.web.secure_headers import CSP, HSTS, NONCE, secure_headers
from eyewall.web.static.handler import StaticFileHandler
from eyewall.web.ui_modules import collect_methods, collect_modules

if TYPE_CHECKING:
    from eyewall.web.handler.response_output import Transform
    from eyewall.web.routing.router import Observer
    from eyewall.web.templates.loader import BaseLoader

    Route = ClassRoute | FunctionRoute | ExchangeRoute | DelegateRoute | MountRoute

F = TypeVar("F", bound=Callable[..., Any])
N = TypeVar("N", bound="ClassRoute | FunctionRoute | ExchangeRoute | MountRoute")


class Application(Scheduled, ReversibleRouter):
    """A web application.

    Args:
        handlers: Rules: `(pattern, handler)`, with keyword arguments for `initialize` and a
            name behind where wanted, `URLSpec`, `Rule` or `Mount`. The first that matches
            serves. A target is a `RequestHandler` subclass, a function, another application or
            router, or a list of rules.
        default_host: The host whose routes serve requests for unknown hosts.
        transforms: Classes of output transforms for every class handler's answers.
        settings: Anything that handlers want to know. `docs/reference/settings.md` lists those
            that the framework itself looks at.

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
        handlers: Iterable[Any] | None = None,
        default_host: str | None = None,
        transforms: Iterable[Any] | None = None,
        **settings: Any,
    ) -> None:
        if settings.get("debug"):
            settings.setdefault("serve_traceback", True)
        self.settings = settings
        self.default_host = default_host
        self.transforms: list[Callable[[HTTPServerRequest], Transform]] = list(transforms or ())
        self.compression = Compression.from_setting(
            settings.get("compress_response", settings.get("gzip") and {"encodings": ["gzip"]})
        )
        if self.compression is not None:
            self.transforms.append(self.compression)
        secure, self.hsts = secure_headers(settings.get("secure_headers"))
        self.cors = Cors.from_setting(settings.get("cors"))
        self.adds_headers = bool(secure or self.cors)
        self._has_nonce = NONCE in secure.get(CSP, "")
        # Whether they differ from request to request beyond the scheme.
        self.headers_differ = bool(self.cors or self._has_nonce)
        self.default_headers = {"Content-Type": "text/html; charset=UTF-8", **secure}
        self.ui_modules = collect_modules(settings.get("ui_modules"))
        self.ui_methods = collect_methods(settings.get("ui_methods"))
        self.template_loaders: dict[Any, BaseLoader] = {}
        self.background = Background()
        self.resources = Resources()
        self.leaving = Leaving()
        self._named: dict[str, Rule] = {}
        self._routers: list[ReversibleRouter] = []
        self._templates: dict[str, FunctionRoute] = {}
        self._hosts: list[tuple[HostMatches, RouteTable[Route]]] = []
        self._log_function: Callable[[RequestHandler], object] | None = settings.get("log_function")
        self.logs_requests = bool(
            self._log_function or (settings.get("access_log", True) and not access_log.disabled)
        )
        self.observer: Observer | None = None
        self._observers: list[Observer] = []
        self.times_requests = self.logs_requests
        self._routes: list[ClassRoute | FunctionRoute | ExchangeRoute | MountRoute] = []
        default = settings.get("default_handler_class", ErrorHandler)
        arguments = settings.get("default_handler_args", {})
        if default is ErrorHandler and not arguments:
            arguments = {"status_code": 404}
        self._default = self._noted(ClassRoute(self, default, arguments, label="unmatched"))
        self._paths: list[tuple[re.Pattern[str], Route]] = []
        handlers = [*_static_rules(settings), *(handlers or ())]
        self._table: RouteTable[Route] = self._make_table(handlers)
        if openapi := settings.get("openapi"):
            add_openapi(self, {} if openapi is True else dict(openapi))

    def __call__(self, exchange: Exchange) -> None:
        """Serve a request whose head has come."""
        tree = self._table.sole
        if tree is None or self._hosts:
            self._serve_found(exchange)
            return
        path = exchange.path
        sole = tree.sole.get(path)
        if sole is not None:
            sole.serve(exchange, (), {})
            return
        found = tree.find(path)
        if found is None:
            self._default.serve(exchange, (), {})
            return
        route, match, named = found
        if match is None:
            route.serve(exchange, (), {})
            return
        try:
            if named:
                route.serve(exchange, (), named_groups(match))
            elif "%" in path:
                route.serve(exchange, plain_groups(match), {})
            else:
                route.serve(exchange, match.groups(), {})
        except UnicodeDecodeError:
            if getattr(route, "decodes", False):
                # The handler knows the encoding.
                route.serve(exchange, *lenient_groups(match))
            else:
                self._bad_path(exchange)

    def _serve_found(self, exchange: Exchange) -> None:
        try:
            found = self.find(HTTPServerRequest(exchange))
        except UnicodeDecodeError:
            self._bad_path(exchange)
            return
        if found is None:
            self._default.serve(exchange, (), {})
        else:
            route, args, kwargs = found
            route.serve(exchange, args, kwargs)

    def _bad_path(self, exchange: Exchange) -> None:
        gen_log.warning("400 %s %s: Invalid unicode in the path", exchange.method, exchange.path)
        exchange.respond(400, {"Content-Type": "text/plain"}, b"400: the path is not UTF-8\n")

    def find(
        self, request: HTTPServerRequest, **given: Any
    ) -> "tuple[Route, tuple[str, ...], dict[str, str]] | None":
        """The route of a request: of its host first, then of any, then of the default host."""
        for matcher, table in self._hosts:
            if matcher.match(request) is not None:
                found = table.find(request, **given)
                if found is not None:
                    return found
        found = self._table.find(request, **given)
        # Behind a proxy the host is what the proxy says, so there is no default.
        if found is None and self.default_host is not None and "X-Real-Ip" not in request.headers:
            for matcher, table in self._hosts:
                if matcher.host_pattern.match(self.default_host):
                    found = table.find(request, **given)
                    if found is not None:
                        return found
        return found

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> "HandlerDelegate":
        """What serves the request; where no rule matches, the default handler."""
        found = self.find(request, **kwargs)
        if found is None:
            return HandlerDelegate(self._default, (), {})
        return HandlerDelegate(*found)

    def get_handler_delegate(
        self,
        request: HTTPServerRequest,
        target_class: type[RequestHandler],
        target_kwargs: dict[str, Any] | None = None,
        path_args: Iterable[str] = (),
        path_kwargs: dict[str, str] | None = None,
    ) -> "HandlerDelegate":
        """What serves the request with a handler class of this application.

        Args:
            request: The request.
            target_class: The handler.
            target_kwargs: Keyword arguments for its `initialize`.
            path_args: Arguments for the verb.
            path_kwargs: Keyword arguments for the verb.
        """
        route = ClassRoute(self, target_class, target_kwargs or {})
        return HandlerDelegate(route, tuple(path_args), path_kwargs or {})

    @property
    def asgi(self) -> ASGIGateway:
        """The application as an ASGI 3 program, for uvicorn, Hypercorn and others.

        Example:
            >>> app = Application([(r"/", lambda request: "Hello")])
            >>> asgi = app.asgi  # uvicorn module:asgi
        """
        return ASGIGateway(self)

    def headers_for(self, exchange: Exchange) -> dict[str, str]:
        """The headers that an answer begins with."""
        headers = self.default_headers.copy()
        if self.hsts is not None and exchange.scheme == "https":
            headers[HSTS] = self.hsts
        if self._has_nonce:
            headers[CSP] = headers[CSP].replace(NONCE, secrets.token_urlsafe(16))
        if self.cors is not None:
            headers.update(self.cors.answer_headers(exchange))
        return headers

    def add_transform(self, transform_class: "Callable[[HTTPServerRequest], Transform]") -> None:
        """Add an output transform for class handlers; it is called with each request."""
        self.transforms.append(transform_class)

    def _make_table(self, handlers: Iterable[Any]) -> "RouteTable[Route]":
        table: RouteTable[Route] = RouteTable()
        for rule in handlers:
            self._add(table, from_tuple(rule))
        return table

    def _add(self, table: "RouteTable[Route]", rule: Rule) -> None:
        if isinstance(rule.target, str):
            rule.target = import_object(rule.target)
        target = rule.target
        if isinstance(target, list | tuple):
            table.add(rule.matcher, None, self._make_table(target))
        elif self._asks(rule):
            table.add(rule.matcher, None, RouterFinder(target))
            if isinstance(target, ReversibleRouter):
                self._routers.append(target)
        elif isinstance(rule, URLSpec):
            route = self._route(rule)
            table.add_path(rule.regex, route)
            self._paths.append((rule.regex, route))
        else:
            table.add(rule.matcher, self._route(rule))
        self._name(rule)

    def _asks(self, rule: Rule) -> bool:
        """Whether the rule's target is a router, that may have nothing for a request."""
        target = rule.target
        return (
            isinstance(target, Router)
            and not isinstance(target, Application)
            and not isinstance(rule, Mount)
        )

    def paths(self) -> "Iterator[tuple[re.Pattern[str], Route]]":
        """The patterns of all paths and what serves them, in order; for documents of them."""
        return iter(self._paths)

    def tables(self) -> "Iterator[tuple[HostMatches | None, RouteTable[Route]]]":
        """All rules: those of each host, then those of every host (None)."""
        yield from self._hosts
        yield None, self._table

    def name_of(self, pattern: str, targets: Iterable[Any]) -> str | None:
        """The name of the rule with this pattern that leads to one of these, if it has one."""
        known = list(targets)
        for name, rule in self._named.items():
            if isinstance(rule, URLSpec) and rule.regex.pattern == pattern and rule.target in known:
                return name
        return None

    def add_hidden(self, path: str, function: Callable[..., Any]) -> None:
        """Serve GET of a path with a function, and leave it out of `paths`."""
        route = FunctionRoute(self)
        route.add(("GET",), function)
        self._table.add_path(re.compile(f"{re.escape(path)}$"), route)

    def _route(self, rule: Rule) -> "Route":
        target = rule.target
        if isinstance(rule, Mount):
            return self._noted(MountRoute(rule))
        label = rule.regex.pattern.removesuffix("$") if isinstance(rule, URLSpec) else None
        if isinstance(target, type) and issubclass(target, RequestHandler):
            return self._noted(ClassRoute(self, target, rule.target_kwargs, label=label))
        takes_exchanges = getattr(target, "serves_exchanges", False)
        if takes_exchanges or isinstance(target, Application | HTTPServerConnectionDelegate):
            return self._noted(ExchangeRoute(target))
        if callable(target) and not isinstance(target, type):
            route = self._noted(FunctionRoute(self, label=label))
            named = tuple(rule.regex.groupindex) if isinstance(rule, URLSpec) else None
            route.add(("*",), target, path_names=named or None)
            return route
        raise TypeError(
            f"{rule!r}: {target!r} is neither a RequestHandler subclass nor a function, "
            "an application, a router or a list of rules"
        )

    def _noted(self, route: "N") -> "N":
        self._routes.append(route)
        return route

    def observe(self, observer: "Observer", prefix: str = "") -> None:
        """Call a function after each answer of a handler, of mounted applications too.

        Args:
            observer: Called with the route's pattern, the method, the status, and the seconds
                that it took.
            prefix: What to put before the patterns.
        """
        if observer in self._observers:
            return
        if self._observers:
            # The patterns have their prefix already.
            prefix = ""
        self._observers.append(observer)
        self.observer = observer if len(self._observers) == 1 else self._tell_all
        self.times_requests = True
        for route in self._routes:
            route.observe(observer, "" if route is self._default else prefix)

    def _tell_all(self, route: str, method: str, status: int, seconds: float) -> None:
        for observer in self._observers:
            observer(route, method, status, seconds)

    def _name(self, rule: Rule) -> None:
        if rule.name:
            if rule.name in self._named:
                gen_log.warning("Multiple handlers named %s; replacing previous value", rule.name)
            self._named[rule.name] = rule

    def add_handlers(self, host_pattern: str, host_handlers: Iterable[Any]) -> None:
        """Add rules for the hosts that a regular expression matches.

        Those of a host come before those of every host; ".*" adds to the latter.
        """
        if host_pattern in {".*", ".*$"}:
            for rule in host_handlers:
                self._add(self._table, from_tuple(rule))
        else:
            table = self._make_table(host_handlers)
            self._hosts.append((HostMatches(host_pattern), table))

    def reverse_url(self, name: str, *args: Any) -> str:
        """The path of the route of that name.

        Raises:
            KeyError: There is no such route.
        """
        rule = self._named.get(name)
        if rule is None:
            for router in self._routers:
                inner = router.reverse_url(name, *args)
                if inner is not None:
                    return inner
            raise KeyError(f"there is no route named {name!r}")
        path = rule.reverse(*args)
        if path is None:
            raise ValueError(f"route {name!r} cannot be reversed: it does not go by path")
        return path

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
        names = tuple(re.compile(pattern).groupindex)

        def register(function: F) -> F:
            route = self._templates.get(template)
            if route is None:
                route = self._noted(FunctionRoute(self, label=template))
                self._templates[template] = route
                spec = URLSpec(pattern, function, None, name)
                self._table.add_path(spec.regex, route)
                self._paths.append((spec.regex, route))
                self._name(spec)
            route.add(
                tuple(method.upper() for method in methods),
                function,
                path_names=names,
                converters=converters,
            )
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

    def resource(self, maker: M) -> M:
        """Open something when the application starts, and close it when it stops; a decorator.

        Args:
            maker: An async generator function of the application that yields once: what is
                before runs when the application starts, what is after when it has drained. If a
                later one fails to start, its error is raised at the `yield`.

        Example:
            >>> app = Application()
            >>> @app.resource
            ... async def numbers(app):
            ...     app.settings["numbers"] = [1, 2, 3]
            ...     yield
            ...     del app.settings["numbers"]
        """
        self.resources.add(maker)
        return maker

    async def startup(self) -> None:
        """Open the resources; servers await it before the first request.

        Override it to make ready what else handlers need, and await the inherited one.
        """
        await self.resources.open(self)

    def leave(self) -> None:
        """Tell answers that would go on for long to end: the server goes away.

        Servers call it when they begin to drain. Event streams end and say when to come back, long
        polls get an empty answer; `leaving.add` is how others hear of it.
        """
        self.leaving.begin()

    async def drain(self, deadline_s: float = 30.0) -> None:
        """Wait for background work, at most `deadline_s` seconds, then close the resources.

        Servers call it at the end.
        """
        try:
            await self.background.drain(deadline_s)
        finally:
            await self.resources.close()

    def log_request(self, handler: RequestHandler) -> None:
        """Write the log line of a request; override it, or set `log_function`."""
        if self._log_function is not None:
            self._log_function(handler)
            return
        self.log_exchange(
            handler.exchange,
            handler.get_status(),
            time.monotonic() - handler._logged_at,
            handler._logged_target,
        )

    def log_exchange(
        self, exchange: Exchange, status: int, seconds: float, target: str | None = None
    ) -> None:
        """Write a log line: `200 GET / (127.0.0.1) 1.23ms`.

        Args:
            exchange: The request.
            status: Status of the answer.
            seconds: What it took.
            target: What the line says instead of the request's target.
        """
        target = target or exchange.target
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
            target,
            exchange.remote_ip,
            seconds * 1000,
            extra={
                "status": status,
                "method": exchange.method,
                "target": target,
                "remote_ip": exchange.remote_ip,
                "duration_ms": round(seconds * 1000, 3),
            },
        )


@final
class HandlerDelegate:
    """What an application serves one request with."""

    __slots__ = ("_args", "_kwargs", "_route")

    def __init__(self, route: "Route", args: tuple[str, ...], kwargs: dict[str, str]) -> None:
        self._route = route
        self._args = args
        self._kwargs = kwargs

    def serve(self, exchange: Exchange) -> None:
        """Answer the request."""
        self._route.serve(exchange, self._args, self._kwargs)


def _static_rules(settings: dict[str, Any]) -> list[Any]:
    """The routes of the setting `static_path`, before all others."""
    settings.setdefault("static_handler_class", StaticFileHandler)
    if not settings.get("static_path"):
        return []
    handler = settings["static_handler_class"]
    arguments = {"path": settings["static_path"], **settings.get("static_handler_args", {})}
    prefix = re.escape(settings.setdefault("static_url_prefix", "/static/"))
    paths = [f"{prefix}(.*)", r"/(favicon\.ico)", r"/(robots\.txt)"]
    return [(path, handler, arguments) for path in paths]
