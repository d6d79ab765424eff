"""What an application serves, as operations, and the two routes that show it."""

import inspect
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import msgspec

from eyewall.web.functions import FunctionRoute, Response
from eyewall.web.handler.lifecycle import ClassRoute
from eyewall.web.routing.patterns import reversible_parts
from eyewall.web.typed.openapi import Operation, document

if TYPE_CHECKING:
    from eyewall.http.request import HTTPServerRequest
    from eyewall.web.application import Application

JSON_PATH: Final = "/openapi.json"
PAGE_PATH: Final = "/docs"


def operations(application: "Application") -> Iterator[Operation]:
    """All methods of all paths whose patterns can be written as paths."""
    for regex, route in application.paths():
        if isinstance(route, ClassRoute | FunctionRoute):
            plans, sources = route.plans, route.sources
        else:
            continue
        for method, source in sources.items():
            shown = "GET" if method == "*" else method
            made = _path(regex, source)
            if made is not None:
                plan = plans.get(method)
                path, names = made
                hints = _path_types(source, names, plan.path if plan else {})
                yield Operation(path, shown, source, plan, hints)


def _path(regex: re.Pattern[str], function: Any) -> tuple[str, list[str]] | None:
    parts = reversible_parts(regex.pattern)
    if parts is None:
        return None
    names = [name for name, _ in sorted(regex.groupindex.items(), key=lambda item: item[1])]
    if not names and len(parts) > 1:
        taken = list(inspect.signature(function).parameters)[1 : len(parts)]
        names = [*taken, *(f"arg{number}" for number in range(len(taken) + 1, len(parts)))]
    path = parts[0] + "".join(
        f"{{{name}}}{part}" for name, part in zip(names, parts[1:], strict=True)
    )
    return path, names


def _path_types(function: Any, names: list[str], known: dict[str, Any]) -> dict[str, Any]:
    hints = getattr(function, "__annotations__", {})
    types = {name: known.get(name, hints.get(name, str)) for name in names}
    empty = inspect.Parameter.empty
    return {
        name: str if kind is empty or isinstance(kind, str) else kind
        for name, kind in types.items()
    }


def add_openapi(application: "Application", info: dict[str, Any]) -> None:
    """Serve the document at `/openapi.json`, and a page that shows it at `/docs`."""
    made: list[bytes] = []

    def show_json(_: "HTTPServerRequest") -> Response:
        if not made:
            made.append(msgspec.json.encode(document(operations(application), info)))
        return Response(made[0], headers={"Content-Type": "application/json"})

    page = files("eyewall.web").joinpath("openapi.html").read_bytes()

    def show_page(_: "HTTPServerRequest") -> Response:
        return Response(page, headers={"Content-Type": "text/html; charset=UTF-8"})

    application.add_hidden(JSON_PATH, show_json)
    application.add_hidden(PAGE_PATH, show_page)
