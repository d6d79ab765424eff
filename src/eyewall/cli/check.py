"""`eyewall check`: mistakes of a configuration, found before it serves."""

import importlib.util
import os
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from eyewall.base.errors import ConfigurationError, StartupError
from eyewall.cli.admin import check_admin
from eyewall.cli.interface import hosted
from eyewall.cli.loader import load
from eyewall.cli.options import Settings
from eyewall.cli.serve import close_sockets, make_tls, open_place, open_sockets
from eyewall.cli.workers import worker_count
from eyewall.web.application import Application
from eyewall.web.listing import list_routes

Finding = tuple[str, str]
"""How bad it is, "error" or "warning", and what it is."""

_SHORTEST_SECRET: Final = 32
_FOLDERS: Final = ("static_path", "template_path")
_LIBRARIES: Final = (("otel", "opentelemetry", "otel"),)


def check(target: str | None, settings: Settings) -> int:
    """Look for mistakes and print them; returns 1 when there is an error, else 0."""
    found = [finding for look in _looks(target, settings) for finding in look()]
    for level, text in found:
        print(f"{level}: {text}")  # noqa: T201 - what was asked for
    errors = sum(level == "error" for level, _ in found)
    print(f"{errors} errors, {len(found) - errors} warnings")  # noqa: T201 - what was asked for
    return 1 if errors else 0


def _looks(target: str | None, settings: Settings) -> "list[Callable[[], Iterator[Finding]]]":
    return [
        lambda: _options(settings),
        lambda: _status(settings),
        lambda: _logs(settings),
        lambda: _libraries(settings),
        lambda: _trust(settings),
        lambda: _certificates(settings),
        lambda: _addresses(settings),
        lambda: _files(settings),
        lambda: _application(target, settings),
    ]


def _options(settings: Settings) -> Iterator[Finding]:
    workers = settings["workers"]
    if workers is not None:
        try:
            worker_count(workers)
        except ConfigurationError as exc:
            yield "error", str(exc)
        if settings["reload"]:
            yield "error", "--workers and --reload exclude each other"


def _status(settings: Settings) -> Iterator[Finding]:
    try:
        check_admin(settings)
    except ConfigurationError as exc:
        yield "error", str(exc)


def _logs(settings: Settings) -> Iterator[Finding]:
    if settings["log_level"].lower() not in {"debug", "info", "warning", "error", "critical"}:
        yield "error", f"there is no log level {settings['log_level']!r}"
    if settings["log_format"] not in {"text", "json"}:
        yield "error", f'the log format is "text" or "json", not {settings["log_format"]!r}'


def _libraries(settings: Settings) -> Iterator[Finding]:
    if settings["loop"] == "uvloop" and importlib.util.find_spec("uvloop") is None:
        yield "error", "uvloop is not installed: pip install 'eyewall[uvloop]'"
    for option, module, extra in _LIBRARIES:
        if settings[option] and importlib.util.find_spec(module) is None:
            yield "error", f"--{option} needs more: pip install 'eyewall[{extra}]'"


def _trust(settings: Settings) -> Iterator[Finding]:
    if settings["forwarded_allow_ips"].strip() == "*":
        yield (
            "warning",
            (
                "every client's forwarding headers are believed (--forwarded-allow-ips '*'): "
                "anybody can say where a request comes from"
            ),
        )
    if settings["metrics"] and settings["admin"] is None:
        yield "warning", "--metrics counts, but only --admin and eyewall ctl metrics show it"


def _certificates(settings: Settings) -> Iterator[Finding]:
    try:
        make_tls(settings)
    except StartupError as exc:
        yield "error", str(exc)


def _addresses(settings: Settings) -> Iterator[Finding]:
    def opened() -> None:
        close_sockets(open_sockets(settings))

    def opened_beside() -> None:
        if settings["admin"] is not None:
            close_sockets(open_place(settings["admin"]))

    for open_them in (opened, opened_beside):
        try:
            open_them()
        except StartupError as exc:
            yield "error", str(exc)


def _files(settings: Settings) -> Iterator[Finding]:
    for option in ("log_file", "pid", "control"):
        path = settings[option]
        if path is None or path == "off":
            continue
        folder = Path(path).absolute().parent
        flag = f"--{option.replace('_', '-')}"
        if not folder.is_dir():
            yield "error", f"{flag}: there is no folder {folder}"
        elif not os.access(folder, os.W_OK):
            yield "error", f"{flag}: {folder} cannot be written to"


def _application(target: str | None, settings: Settings) -> Iterator[Finding]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            app: Any = load(target, app_dir=settings["app_dir"], factory=settings["factory"])
            hosted(app, settings["interface"])
        except StartupError as exc:
            yield "error", str(exc)
            return
    if isinstance(app, Application):
        yield from _settings(app)
        yield from _routes(app)


def _settings(app: Application) -> Iterator[Finding]:
    settings = app.settings
    if settings.get("debug") or settings.get("serve_traceback"):
        yield "warning", "errors are answered with tracebacks (debug or serve_traceback)"
    secret = settings.get("cookie_secret")
    secrets = secret.values() if isinstance(secret, dict) else [secret]
    for each in secrets:
        if each is not None and len(each) < _SHORTEST_SECRET:
            yield (
                "error",
                (
                    f"cookie_secret has {len(each)} characters; make one with "
                    'python -c "import secrets; print(secrets.token_urlsafe(32))"'
                ),
            )
    if isinstance(secret, dict) and settings.get("key_version") not in secret:
        yield "error", f"key_version {settings.get('key_version')!r} is none of cookie_secret's"
    if settings.get("xsrf_cookies") and settings.get("cross_origin_protection"):
        yield "warning", "xsrf_cookies and cross_origin_protection do the same; one is enough"
    for name in _FOLDERS:
        path = settings.get(name)
        if path and not Path(path).is_dir():
            yield "error", f"{name}: there is no folder {path}"


def _routes(app: Application) -> Iterator[Finding]:
    seen: dict[tuple[str | None, str], str] = {}
    catch_all: dict[str | None, str] = {}
    for line in list_routes(app):
        key = (line.host, line.path)
        if key in seen:
            yield "warning", f"{line.path} is served by {seen[key]}, so never by {line.serves}"
        elif line.host in catch_all:
            yield (
                "warning",
                (
                    f"{line.path} stands behind {catch_all[line.host]}, which matches every path, "
                    f"so {line.serves} never serves"
                ),
            )
        seen.setdefault(key, line.serves)
        if re.fullmatch(r"/?\(?\.\*\)?", line.path):
            catch_all.setdefault(line.host, line.path)
