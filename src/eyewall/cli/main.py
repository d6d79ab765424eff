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
from eyewall.cli.control import add_parser, control
from eyewall.cli.develop import CHILD, develop, develop_child
from eyewall.cli.dispatch import check_dispatch
from eyewall.cli.options import OPTIONS, Settings, add_arguments, gather
from eyewall.cli.workers import WORKER, supervise, worker, worker_count

_STARTUP_FAILED: Final = 3
_USAGE: Final = 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eyewall", description="Serve web applications that hold very many connections."
    )
    parser.add_argument("--version", action="version", version=f"eyewall {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, text in (
        ("run", "serve an application in production"),
        ("dev", "serve an application while you work on it: reload, error pages"),
        ("front", "accept HTTP and hand each request to Redis, for workers elsewhere"),
        ("config", "show each option's value and where it came from"),
    ):
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
    add_parser(verbs)
    return parser


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit: 0 after a stop, 2 for wrong usage, 3 for a failed start."""
    if os.environ.get(CHILD):
        sys.exit(_guarded(develop_child, None))
    if os.environ.get(WORKER):
        sys.exit(_guarded(worker, None))
    given: dict[str, Any] = vars(_parser().parse_args(argv))
    verb, target = given.pop("verb"), given.pop("target", None)
    given.pop("show", None)
    asked = given if verb == "ctl" else {}
    given = {} if verb == "ctl" else given
    folder = Path(given.get("app_dir", os.environ.get("EYEWALL_APP_DIR", ".")))
    try:
        settings, named = gather(given, os.environ, folder)
    except ConfigurationError as exc:
        sys.exit(_fail(str(exc), _USAGE))
    target = target or named
    sys.exit(_guarded(lambda: _do(verb, target, settings, asked), settings))


def _do(verb: str, target: str | None, settings: Settings, asked: dict[str, Any]) -> int | None:
    if verb == "config":
        return _show(settings)
    if verb == "ctl":
        return control(asked, settings["control"])
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
        print(f"{option.name:{width}}  {value!r:24} {settings.sources[option.name]}")  # noqa: T201 - what was asked for
    return 0
