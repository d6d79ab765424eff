"""The `eyewall` command: its verbs, and how it fails."""

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from eyewall import __version__
from eyewall.base.errors import ConfigurationError, StartupError
from eyewall.cli.alone import serve_alone
from eyewall.cli.bench import add_parser as add_bench_parser
from eyewall.cli.bench import bench
from eyewall.cli.check import check
from eyewall.cli.completion import SHELLS, completion
from eyewall.cli.control import add_parser, control
from eyewall.cli.develop import CHILD, develop, develop_child
from eyewall.cli.dispatch import check_dispatch
from eyewall.cli.new import TEMPLATES, new
from eyewall.cli.options import OPTIONS, Settings, add_arguments, gather
from eyewall.cli.routes import routes
from eyewall.cli.topics import add_topics_parsers, publish, tail
from eyewall.cli.workers import WORKER, supervise, worker, worker_count

_STARTUP_FAILED: Final = 3
_USAGE: Final = 2


_SERVING: Final = {
    "run": "serve an application in production",
    "dev": "serve an application while you work on it: reload, error pages",
    "front": "accept HTTP and hand each request to Redis, for workers elsewhere",
    "config": "show each option's value and where it came from",
    "check": "look for mistakes of a configuration before it serves",
    "routes": "show which path of an application is served by what",
}
"""Verbs about an application, which take all options."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eyewall", description="Serve web applications that hold very many connections."
    )
    parser.add_argument("--version", action="version", version=f"eyewall {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, text in _SERVING.items():
        sub = verbs.add_parser(verb, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if verb != "front":
            sub.add_argument(
                "target",
                nargs="?",
                help="MODULE:NAME of the application; by default app, application or make_app "
                "of app.py or main.py",
            )
        add_arguments(sub)
        if verb == "config":
            sub.add_argument("--show", action="store_true", help="accepted; it always shows")
        elif verb == "routes":
            sub.add_argument("--json", action="store_true", help="as JSON")
    add_parser(verbs)
    add_bench_parser(verbs)
    add_topics_parsers(verbs)
    text = "begin a program: make its first files"
    sub = verbs.add_parser("new", help=text, description=f"{text.capitalize()}.")
    sub.add_argument("name", help="the program's name, which must do as a Python module's")
    sub.add_argument("--template", "-t", choices=TEMPLATES, default=TEMPLATES[0])
    sub.add_argument("--folder", help="where the files go (default: a folder of that name)")
    text = "print what a shell reads to complete this command's words"
    sub = verbs.add_parser("completion", help=text, description=f"{text.capitalize()}.")
    sub.add_argument("shell", choices=SHELLS)
    return parser


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit: 0 after a stop, 2 for wrong usage, 3 for a failed start."""
    if os.environ.get(CHILD):
        sys.exit(_guarded(develop_child, None))
    if os.environ.get(WORKER):
        sys.exit(_guarded(worker, None))
    parser = _parser()
    given: dict[str, Any] = vars(parser.parse_args(argv))
    verb, target = given.pop("verb"), given.pop("target", None)
    given.pop("show", None)
    if verb in _APART:
        sys.exit(_guarded(lambda: _APART[verb](given, parser), None))
    asked = given if verb == "ctl" else {"json": given.pop("json", False)}
    given = {} if verb == "ctl" else given
    folder = Path(given.get("app_dir", os.environ.get("EYEWALL_APP_DIR", ".")))
    try:
        settings, named = gather(given, os.environ, folder)
    except ConfigurationError as exc:
        sys.exit(_fail(str(exc), _USAGE))
    target = target or named
    sys.exit(_guarded(lambda: _do(verb, target, settings, asked), settings))


_APART: Final[dict[str, Callable[[dict[str, Any], argparse.ArgumentParser], int]]] = {
    "bench": lambda given, _parser: bench(given),
    "new": lambda given, _parser: new(given["name"], given["template"], given["folder"]),
    "publish": lambda given, _parser: publish(given),
    "tail": lambda given, _parser: tail(given),
    "completion": lambda given, parser: _complete(given["shell"], parser),
}
"""Verbs that have nothing to do with the configuration of a server."""


def _complete(shell: str, parser: argparse.ArgumentParser) -> int:
    print(completion(shell, parser), end="")  # noqa: T201 - what was asked for
    return 0


def _do(verb: str, target: str | None, settings: Settings, asked: dict[str, Any]) -> int | None:
    if verb == "config":
        return _show(settings)
    if verb == "ctl":
        return control(asked, settings["control"])
    if verb == "check":
        return check(target, settings)
    if verb == "routes":
        return routes(target, settings, as_json=asked["json"])
    return _serve(verb, target, settings)


def _serve(verb: str, target: str | None, settings: Settings) -> int:
    check_dispatch(verb, settings)
    if verb == "front":
        settings = settings.as_front()
    reload = verb == "dev" if settings["reload"] is None else settings["reload"]
    if settings["workers"] is not None:
        if reload:
            raise ConfigurationError("--workers and --reload exclude each other")
        worker_count(settings["workers"])
        return supervise(target, settings)
    if reload:
        return develop(target, settings)
    serve_alone(target, settings, debug=verb == "dev")
    return 0


def _guarded(work: Callable[[], int | None], settings: Settings | None) -> int:
    """Do the verb's work; what may go wrong at a start becomes one line and an exit code."""
    try:
        return work() or 0
    except StartupError as exc:
        if settings is not None and settings["log_level"].lower() == "debug":
            traceback.print_exc()
        return _fail(str(exc), _STARTUP_FAILED)
    except ConfigurationError as exc:
        return _fail(str(exc), _USAGE)
    except ValueError as exc:
        # The engine's word on limits, trusted networks and the like.
        if settings is not None and settings["log_level"].lower() == "debug":
            traceback.print_exc()
        return _fail(str(exc), _USAGE)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _fail(text: str, code: int) -> int:
    print(f"eyewall: {text}", file=sys.stderr)  # noqa: T201 - the command's own line
    return code


def _show(settings: Settings) -> int:
    width = max(len(option.name) for option in OPTIONS)
    for option in OPTIONS:
        value = settings[option.name]
        if value is not None and option.name.endswith("password"):
            value = "(not shown)"
        print(f"{option.name:{width}}  {value!r:24} {settings.sources[option.name]}")  # noqa: T201 - what was asked for
    return 0
