"""Start the program anew, in the same process, when one of its files changes.

For programs that run themselves; `eyewall dev` does it without a gap in serving.

    python -m eyewall.ops.autoreload [--until-success] program.py [ARGS]
    python -m eyewall.ops.autoreload [--until-success] -m module [ARGS]

runs a program, waits for a change when it has ended or failed, and runs it anew.
"""

import importlib
import importlib.util
import os
import runpy
import signal
import sys
import traceback
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from eyewall.base.log import gen_log
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.timers import PeriodicCallback

_USAGE: Final = """\
Usage: python -m {name} [--until-success] program.py [ARGS]
       python -m {name} [--until-success] -m module [ARGS]"""

_watched: Final[set[str]] = set()
_hooks: Final[list[Callable[[], object]]] = []
_started: Final[weakref.WeakKeyDictionary[IOLoop, PeriodicCallback]] = weakref.WeakKeyDictionary()
# Relative names of the command line are meant from here, wherever the program goes.
_FOLDER: Final = os.getcwd()


def start(check_time: int = 500) -> None:
    """Look for changed files again and again, in the current loop, and start anew at the first.

    Args:
        check_time: Milliseconds between two looks.
    """
    loop = IOLoop.current()
    if loop is None or loop in _started:
        return
    if any(not other.asyncio_loop.is_closed() for other in _started):
        gen_log.warning("files are watched in more than one loop of this process")
    stamps: dict[str, int] = dict(_stamps())

    def look() -> None:
        changed = _changed(stamps)
        if changed is not None:
            gen_log.info("%s changed; starting anew", changed)
            _reload()

    periodic = _started[loop] = PeriodicCallback(look, check_time)
    periodic.start()


def wait() -> None:
    """Wait for a changed file, and start anew then."""
    _wait(lambda: None)


def _wait(say: Callable[[], object]) -> None:
    loop = IOLoop(make_current=True)
    loop.add_callback(start)
    # What is said is true then: a change that follows it is seen.
    loop.add_callback(say)
    loop.start()


def watch(filename: str) -> None:
    """Count a file among the program's; modules that it imports are watched anyway."""
    _watched.add(filename)


def add_reload_hook(fn: Callable[[], object]) -> None:
    """Call `fn` before the program is started anew: to close what a new start would find open.

    Descriptors that are not inheritable, which is Python's default, are closed anyway.
    """
    _hooks.append(fn)


def main() -> None:
    """Be the command: run a program, and run it anew when it has ended and a file changes.

    With `--until-success` it ends when the program does so without an error.
    """
    name = _own_name()
    # So that the program, and its own use of this module, meet the one that runs it.
    importlib.import_module(name)
    words = sys.argv[1:]
    until_success = words[:1] == ["--until-success"]
    if until_success:
        del words[0]
    is_module = words[:1] == ["-m"]
    if is_module:
        del words[0]
    if not words or words[0].startswith("-"):
        print(_USAGE.format(name=name), file=sys.stderr)  # noqa: T201 - the command's own line
        sys.exit(2)
    sys.argv = words
    error = _run(words[0], is_module)
    code = error.code if isinstance(error, SystemExit) else error
    if until_success and not code:
        return
    _wait(partial(_report, error))


def _run(target: str, is_module: bool) -> BaseException | None:
    """Run a program to its end; returns what it ended with, `SystemExit` or an error."""
    try:
        if is_module:
            runpy.run_module(target, run_name="__main__", alter_sys=True)
        else:
            if Path(target).is_file():
                watch(target)
                # As Python has it for the program itself.
                sys.path.insert(0, str(Path(target).resolve().parent))
            runpy.run_path(target, run_name="__main__")
    except BaseException as error:  # noqa: BLE001 - whatever it is, a change may mend it
        _watch_culprits(error)
        return error
    finally:
        if is_module:
            _watch_module(target)
    return None


def _report(error: BaseException | None) -> None:
    if error is None:
        gen_log.info("the program ended; waiting for a change")
    elif isinstance(error, SystemExit):
        gen_log.info("the program ended with %r; waiting for a change", error.code)
    else:
        gen_log.warning("the program failed; waiting for a change", exc_info=error)


def _watch_module(name: str) -> None:
    """Watch what is run as the main module, which is not to be found by its own name."""
    try:
        spec = importlib.util.find_spec(name)
    except Exception:  # noqa: BLE001 - its package may be what failed
        return
    if spec is None:
        return
    for place in spec.submodule_search_locations or ():
        watch(os.path.join(place, "__main__.py"))
    if spec.origin is not None:
        watch(spec.origin)


def _watch_culprits(error: BaseException) -> None:
    """Watch the files that an error came from: a module that failed is not imported."""
    if isinstance(error, SyntaxError) and error.filename:
        watch(error.filename)
    for frame in traceback.extract_tb(error.__traceback__):
        watch(frame.filename)


def _own_name() -> str:
    """The name that the command was given by, under which it is to be found."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return __name__ if spec is None or spec.name == "__main__" else spec.name


def _files() -> Iterator[str]:
    yield from list(_watched)
    for module in list(sys.modules.values()):
        # Modules can be anything that a program has put there.
        name = getattr(module, "__file__", None)
        if isinstance(name, str):
            yield name[:-1] if name.endswith(".pyc") else name


def _stamps() -> Iterator[tuple[str, int]]:
    for name in _files():
        try:
            yield name, os.stat(name).st_mtime_ns
        except OSError:
            continue


def _changed(known: dict[str, int]) -> str | None:
    """A file that is not as it was when it was first looked at."""
    for name, stamp in _stamps():
        if known.setdefault(name, stamp) != stamp:
            return name
    return None


def _reload() -> NoReturn:
    for hook in _hooks:
        hook()
    # Timers outlive exec, and the new program does not expect their signal.
    signal.setitimer(signal.ITIMER_REAL, 0)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os.chdir(_FOLDER)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - its own command


if __name__ == "__main__":
    importlib.import_module("eyewall.ops.autoreload").main()
