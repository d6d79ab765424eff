"""The routes of an application, for people to read."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

from eyewall.web.application import Application
from eyewall.web.functions import FunctionRoute
from eyewall.web.handler.lifecycle import ClassRoute
from eyewall.web.routing.mount import MountRoute
from eyewall.web.routing.router import ExchangeRoute
from eyewall.web.routing.table import RouteTable


@final
@dataclass(frozen=True, slots=True)
class RouteLine:
    """One route.

    Attributes:
        path: Its pattern, with the prefixes of mounts.
        methods: What it serves; empty where only what it leads to knows.
        serves: The handler class or function, with its module.
        name: For `reverse_url`.
        host: The host that it is for; None for any.
    """

    path: str
    methods: tuple[str, ...]
    serves: str
    name: str | None = None
    host: str | None = None


def list_routes(app: Application, prefix: str = "", host: str | None = None) -> Iterator[RouteLine]:
    """All routes in the order in which they are tried.

    Args:
        app: The application.
        prefix: What all paths begin with.
        host: The host that all of it is for.
    """
    for matcher, table in app.tables():
        own_host = matcher.host_pattern.pattern.removesuffix("$") if matcher else host
        yield from _of_table(app, table, prefix, own_host)


def _of_table(
    app: Application, table: "RouteTable[Any]", prefix: str, host: str | None
) -> Iterator[RouteLine]:
    for matcher, target in table.rules():
        if isinstance(matcher, re.Pattern):
            pattern = matcher.pattern
            path = getattr(target, "label", None) or pattern.removesuffix("$")
            if path == "function":
                path = pattern.removesuffix("$")
            name = app.name_of(pattern, _targets(target))
            yield _line(target, prefix + path, name, host)
            continue
        hosts = getattr(matcher, "host_pattern", None)
        inner_host = hosts.pattern.removesuffix("$") if hosts is not None else host
        if isinstance(target, RouteTable):
            yield from _of_table(app, target, prefix, inner_host)
        elif isinstance(target, MountRoute):
            yield from _of_app(target.app, prefix + target.prefix, inner_host)
        elif isinstance(target, ExchangeRoute):
            yield from _of_app(target.app, prefix, inner_host)
        else:
            yield _line(target, f"{prefix}{_named(matcher)}", None, inner_host)


def _of_app(app: Any, prefix: str, host: str | None) -> Iterator[RouteLine]:
    if isinstance(app, Application):
        yield from list_routes(app, prefix, host)
    else:
        yield RouteLine(f"{prefix}/...", (), _where(app), None, host)


def _line(route: Any, path: str, name: str | None, host: str | None) -> RouteLine:
    if isinstance(route, ClassRoute):
        return RouteLine(path, tuple(route.methods), _where(route.handler_class), name, host)
    if isinstance(route, FunctionRoute):
        methods = tuple("any" if method == "*" else method for method in route.sources)
        served = ", ".join(dict.fromkeys(_where(each) for each in route.sources.values()))
        return RouteLine(path, methods, served, name, host)
    return RouteLine(path, (), _where(getattr(route, "app", route)), name, host)


def _targets(route: Any) -> list[Any]:
    if isinstance(route, ClassRoute):
        return [route.handler_class]
    if isinstance(route, FunctionRoute):
        return list(route.sources.values())
    return [getattr(route, "app", None)]


def _named(matcher: Any) -> str:
    regex = getattr(matcher, "regex", None)
    return regex.pattern.removesuffix("$") if regex is not None else f"({type(matcher).__name__})"


def _where(thing: Any) -> str:
    name = getattr(thing, "__qualname__", None)
    if name is None:
        thing = type(thing)
        name = thing.__qualname__
    return f"{thing.__module__}.{name}"
