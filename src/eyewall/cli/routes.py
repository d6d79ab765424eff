"""`eyewall routes`: which path is served by what."""

import json
from dataclasses import asdict
from typing import Any

from eyewall.base.errors import StartupError
from eyewall.cli.loader import load
from eyewall.cli.options import Settings
from eyewall.cli.table import table
from eyewall.web.application import Application
from eyewall.web.listing import list_routes


def routes(target: str | None, settings: Settings, *, as_json: bool) -> int:
    """Print the routes of an application; returns the exit code.

    Raises:
        StartupError: There is no such application, or it is none of Eyewall's.
    """
    app: Any = load(target, app_dir=settings["app_dir"], factory=settings["factory"])
    if not isinstance(app, Application):
        raise StartupError(f"{type(app).__name__} keeps its routes to itself")
    lines = list(list_routes(app))
    if as_json:
        print(json.dumps([asdict(line) for line in lines], indent=2))  # noqa: T201 - what was asked for
        return 0
    rows = [
        {"path": line.path, "methods": " ".join(line.methods) or "?", "served by": line.serves}
        | ({"name": line.name} if any(each.name for each in lines) else {})
        | ({"host": line.host or "any"} if any(each.host for each in lines) else {})
        for line in lines
    ]
    print(table(rows) if rows else "there are no routes")  # noqa: T201 - what was asked for
    return 0
