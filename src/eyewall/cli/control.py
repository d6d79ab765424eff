"""`eyewall ctl`: ask a running server, and where its control socket is."""

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

from eyewall.base.errors import ConfigurationError, StartupError
from eyewall.base.log import gen_log
from eyewall.cli.options import Settings
from eyewall.cli.table import table
from eyewall.cli.times import seconds
from eyewall.ops.control import ControlServer, ask, default_path, live_paths
from eyewall.ops.messages import Handle, PeerError
from eyewall.ops.metrics.merge import read
from eyewall.ops.metrics.prometheus import render

_FAILED: Final = 1
_USAGE: Final = 2

VERBS: Final = {
    "status": "what the server does, and whether traffic is suspended",
    "workers": "the worker processes",
    "connections": "how many connections and requests there are",
    "reload": "replace all workers by new ones, without losing a request",
    "upgrade": "replace the supervisor itself by the installed version",
    "scale": "have another number of workers",
    "suspend": "hold new requests, and return when none runs any more",
    "resume": "let the held requests go",
    "window": "suspend, run a command, resume whatever happens",
    "log-level": "change what is logged",
    "stacks": "where every task stands",
    "memory": "what memory is used for",
    "metrics": "what is counted, as Prometheus reads it",
    "stop": "finish running requests and end",
}


def control_path(settings: Settings, sockets: Sequence[socket.socket]) -> str | None:
    """Where the control socket of a server is; None when it has none."""
    path = settings["control"]
    if path == "off":
        return None
    if path is not None:
        return str(path)
    if not sockets:
        return default_path(f"process-{os.getpid()}")
    name = sockets[0].getsockname()
    return default_path(Path(name).name if isinstance(name, str) else str(name[1]))


@contextlib.asynccontextmanager
async def control_server(path: str | None, handle: Handle) -> AsyncIterator[None]:
    """Listen for `eyewall ctl` while the block runs; a place that cannot be used is a warning."""
    server = None
    if path is not None:
        server = ControlServer(path, handle)
        try:
            await server.start()
        except StartupError as exc:
            gen_log.warning("There is no control socket: %s", exc)
            server = None
    try:
        yield
    finally:
        if server is not None:
            server.close()


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `ctl` and its own verbs."""
    text = "ask a running server"
    parser = verbs.add_parser("ctl", help=text, description=f"{text.capitalize()}.")
    subs = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, meaning in VERBS.items():
        sub = subs.add_parser(name, help=meaning, description=f"{meaning.capitalize()}.")
        sub.add_argument(
            "--control", metavar="PATH", help="its control socket, where there are several"
        )
        sub.add_argument("--json", action="store_true", help="print the answer as one line of JSON")
        if name == "scale":
            sub.add_argument("count", type=int)
        elif name == "log-level":
            sub.add_argument("level", choices=["debug", "info", "warning", "error", "critical"])
        elif name in {"suspend", "window"}:
            sub.add_argument(
                "--route", metavar="PATTERN", help="only paths that match, as '/orders/*'"
            )
            sub.add_argument(
                "--wait", type=seconds, default=10.0, metavar="TIME",
                help="how long running requests may take to finish (default: 10s)",
            )  # fmt: skip
        if name == "suspend":
            sub.add_argument(
                "--for",
                dest="for_s",
                type=seconds,
                metavar="TIME",
                help="resume by itself after that time, as 10s",
            )
        elif name == "window":
            sub.add_argument("run", nargs=argparse.REMAINDER, metavar="-- COMMAND")


def control(given: dict[str, Any], configured: str | None) -> int:
    """Ask, and print the answer; returns the exit code.

    Args:
        given: What the command line said.
        configured: The control socket that the configuration names.

    Raises:
        ConfigurationError: No server, or several, could be meant.
    """
    path = given["control"] or configured or only_server()
    command = given["command"]
    if command == "window":
        return _window(path, given)
    more = {
        key: given[name]
        for name, key in (
            ("count", "count"), ("level", "level"), ("route", "route"),
            ("for_s", "for_s"), ("wait", "wait_s"),
        )
        if given.get(name) is not None
    }  # fmt: skip
    try:
        answer = ask(path, command, more)
    except PeerError as exc:
        return _say(str(exc), _FAILED)
    if command == "metrics" and not given["json"]:
        print(render(read(answer, "of this server")), end="")  # noqa: T201 - what was asked for
    else:
        print(json.dumps(answer) if given["json"] else _readable(answer))  # noqa: T201 - what was asked for
    return 0


def only_server() -> str:
    """The control socket of the one server of this user.

    Raises:
        ConfigurationError: There is none, or there are several.
    """
    paths = list(live_paths())
    if not paths:
        raise ConfigurationError("no server of this user is running; --control names its socket")
    if len(paths) > 1:
        listed = "\n  ".join(paths)
        raise ConfigurationError(
            f"several servers are running; name one with --control:\n  {listed}"
        )
    return paths[0]


def _say(text: str, code: int) -> int:
    print(f"eyewall: {text}", file=sys.stderr)  # noqa: T201 - the command's own line
    return code


def _window(path: str, given: dict[str, Any]) -> int:
    """Suspend, run a command, resume."""
    run = given["run"][1:] if given["run"][:1] == ["--"] else given["run"]
    if not run:
        return _say("window needs a command: eyewall ctl window -- ./migrate.sh", _USAGE)
    order = {"wait_s": given["wait"]} | ({"route": given["route"]} if given["route"] else {})
    try:
        ask(path, "suspend", order)
        try:
            code = subprocess.run(run, check=False).returncode  # noqa: S603 - the user's own command
        except OSError as exc:
            code = _say(f"{run[0]}: {exc.strerror}", 127)
        finally:
            released = ask(path, "resume", {})["released"]
    except PeerError as exc:
        return _say(str(exc), _FAILED)
    print(f"{released} requests had been held", file=sys.stderr)  # noqa: T201 - the command's own line
    return code if code >= 0 else 128 - code


def _readable(answer: Any, indent: str = "") -> str:
    """An answer for a person: a value a line, tables for lists of the same shape."""
    if isinstance(answer, list) and answer and all(isinstance(row, dict) for row in answer):
        if any(isinstance(value, list) for row in answer for value in row.values()):
            return "\n\n".join(_readable(row, indent) for row in answer)
        return table(answer)
    if isinstance(answer, dict):
        lines = []
        for name, value in answer.items():
            if isinstance(value, dict | list) and value:
                lines.append(f"{indent}{name}:")
                lines.append(_readable(value, indent + "  "))
            else:
                lines.append(f"{indent}{name}: {value}")
        return "\n".join(lines)
    if isinstance(answer, list):
        return "\n".join(f"{indent}{value}" for value in answer)
    return f"{indent}{answer}"
