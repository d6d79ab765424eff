"""`eyewall dev`: serve while somebody works on the program."""

import asyncio
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any, Final

from eyewall.base.errors import StartupError
from eyewall.cli.options import Settings
from eyewall.cli.serve import addresses, open_sockets, serve
from eyewall.ops.reload.restarter import Restarter
from eyewall.ops.reload.watcher import changes
from eyewall.web.engine import escape_html

CHILD: Final = "EYEWALL_DEV_CHILD"

_GRACE_S: Final = 1.0


def develop(target: str | None, settings: Settings) -> None:
    """Serve `target`, and start it anew whenever a file changes.

    Raises:
        StartupError: There is nothing to listen on.
    """
    sockets = open_sockets(settings)
    for sock in sockets:
        sock.set_inheritable(True)
    fds = [sock.fileno() for sock in sockets]

    def environment(ready_fd: int, alone: bool) -> dict[str, str]:
        told = {
            "target": target,
            "values": {**settings.values, "timeout_graceful_shutdown": _GRACE_S},
            "fds": fds,
            "ready_fd": ready_fd,
            "alone": alone,
        }
        return {**os.environ, CHILD: json.dumps(told)}

    scheme = "https" if settings["certfile"] else "http"

    def ready() -> None:
        print(  # noqa: T201 - the banner
            f"Eyewall serves {target or 'the application'} on {addresses(sockets, scheme)} "
            f"(pid {os.getpid()}, reloading); stop with Ctrl-C",
            file=sys.stderr,
            flush=True,
        )

    folders = settings["reload_dir"] or [str(Path(settings["app_dir"]).resolve())]
    restarter = Restarter([sys.executable, "-m", "eyewall"], environment, fds)
    try:
        asyncio.run(restarter.run(changes(folders), ready))
    finally:
        for sock in sockets:
            if sock.family == socket.AF_UNIX:
                Path(sock.getsockname()).unlink(missing_ok=True)
            sock.close()


def develop_child() -> None:
    """Be the child that serves: the parent's word is in the environment.

    Raises:
        StartupError: The program does not start, and an older child still serves.
    """
    told: dict[str, Any] = json.loads(os.environ.pop(CHILD))
    settings = Settings(told["values"], {})
    sockets = [socket.socket(fileno=fd) for fd in told["fds"]]
    try:
        serve(told["target"], settings, sockets=sockets, ready_fd=told["ready_fd"], debug=True)
    except StartupError as exc:
        if not told["alone"]:
            raise
        # Nobody serves yet, so the browser is told what the console is told.
        print(f"eyewall: {exc}", file=sys.stderr, flush=True)  # noqa: T201 - the command's own line
        module = _placeholder(str(exc))
        sys.modules["eyewall_placeholder"] = module
        serve(
            "eyewall_placeholder:app",
            settings,
            sockets=sockets,
            ready_fd=told["ready_fd"],
        )


def _placeholder(text: str) -> Any:
    """A module whose `app` answers everything with the reason why the program does not start."""
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>The program does not start</title>"
        f"<h1>The program does not start</h1><pre>{escape_html(text)}</pre>"
        "<p>Mend it and save the file; then reload this page.</p></html>"
    ).encode()

    def app(exchange: Any) -> None:
        exchange.respond(500, {"Content-Type": "text/html; charset=UTF-8"}, page)

    module = type(sys)("eyewall_placeholder")
    module.app = app  # type: ignore[attr-defined]  # a module made here
    return module
