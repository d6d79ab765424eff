"""`eyewall dev`: serve while somebody works on the program."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import ModuleType
from typing import Any, Final

from eyewall.base.errors import StartupError
from eyewall.cli.options import Settings
from eyewall.cli.serve import addresses, banner, close_sockets, open_sockets, serve
from eyewall.ops.reload.restarter import Restarter, Start, Word
from eyewall.ops.reload.watcher import Watched, changes
from eyewall.web.engine import escape_html

CHILD: Final = "EYEWALL_DEV_CHILD"

_GRACE_S: Final = 1.0
_STAND_IN: Final = "eyewall_stand_in"


def develop(target: str | None, settings: Settings) -> int:
    """Serve `target`, and start it anew whenever a file changes.

    Returns:
        The exit code.

    Raises:
        StartupError: There is nothing to listen on.
    """
    sockets = open_sockets(settings)
    fds = [sock.fileno() for sock in sockets]

    def environment(start: Start) -> Mapping[str, str]:
        told = {
            "target": target,
            "values": {**settings.values, "timeout_graceful_shutdown": _GRACE_S},
            "fds": fds,
            "start": asdict(start),
        }
        return {**os.environ, CHILD: json.dumps(told)}

    def ready() -> None:
        scheme = "https" if settings["certfile"] else "http"
        banner(target, addresses(sockets, scheme), ", reloading")

    watched = Watched(
        settings["reload_dir"] or [settings["app_dir"]],
        settings["reload_include"],
        settings["reload_exclude"],
    )
    restarter = Restarter([sys.executable, "-m", "eyewall"], environment, fds)
    try:
        return asyncio.run(restarter.run(changes(watched), ready))
    finally:
        close_sockets(sockets)


def develop_child() -> None:
    """Be the child that serves: the parent's word is in the environment.

    Raises:
        StartupError: The program does not start, and an older child still serves.
    """
    told: dict[str, Any] = json.loads(os.environ.pop(CHILD))
    start = Start(**told["start"])
    for fd in (start.ready_fd, start.life_fd, *told["fds"]):
        # What the program starts has no business with these.
        os.set_inheritable(fd, False)
    settings = Settings(told["values"], {})
    sockets = [socket.socket(fileno=fd) for fd in told["fds"]]

    def serve_as(target: str | None, word: Word) -> None:
        serve(
            target,
            settings,
            sockets=sockets,
            on_ready=_telling(start.ready_fd, word),
            life_fd=start.life_fd,
            debug=True,
        )

    fault = start.fault
    if fault is None:
        try:
            return serve_as(told["target"], Word.GOOD)
        except StartupError as exc:
            if not start.alone:
                raise
            # Nobody serves yet, so the browser is told what the console is told.
            fault = str(exc)
            print(f"eyewall: {fault}", file=sys.stderr, flush=True)  # noqa: T201 - the command's own line
    sys.modules[_STAND_IN] = _stand_in(fault)
    return serve_as(f"{_STAND_IN}:app", Word.STANDS_IN)


def _telling(fd: int, word: Word) -> Callable[[], None]:
    def tell() -> None:
        os.write(fd, word.value)
        os.close(fd)

    return tell


def _stand_in(text: str) -> ModuleType:
    """A module whose `app` answers everything with the reason why the program does not serve."""
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>The program does not run</title>"
        f"<h1>The program does not run</h1><pre>{escape_html(text)}</pre>"
        "<p>Mend it and save the file; then reload this page.</p></html>"
    ).encode()

    def app(exchange: Any) -> None:
        fields = {"Content-Type": "text/html; charset=UTF-8", "Cache-Control": "no-store"}
        exchange.respond(500, fields, page)

    module = ModuleType(_STAND_IN)
    vars(module)["app"] = app
    return module
