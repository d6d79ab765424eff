"""What a serving process can be asked through the control socket."""

import asyncio
import gc
import logging
import os
import resource
import sys
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, final

from eyewall.base.log import access_log, app_log, gen_log
from eyewall.base.log_tail import log_tail
from eyewall.base.stats import registry
from eyewall.ops.gate import Gate
from eyewall.ops.messages import PeerError
from eyewall.ops.metrics.merge import as_json
from eyewall.ops.serving import Serving

_LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_DEEPEST: Final = 50
_TOP: Final = 20
_FRAMES: Final = ("cr_frame", "gi_frame", "ag_frame")
_AWAITED: Final = ("cr_await", "gi_yieldfrom", "ag_await")


def memory_mib() -> int:
    """Resident memory of this process."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() >> 20
    except OSError:
        # The most that it ever was; kilobytes, but bytes on macOS.
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit >> 20


@final
class Commands:
    """Answers for one server in this process.

    Args:
        server: The server.
        gate: Its gate.
    """

    def __init__(self, server: Serving, gate: Gate) -> None:
        self._server = server
        self._gate = gate
        self._verbs = {
            "status": self._status,
            "connections": self._connections,
            "suspend": self._suspend,
            "resume": self._resume,
            "log-level": self._log_level,
            "stacks": self._stacks,
            "memory": self._memory,
            "metrics": self._metrics,
            "log-tail": self._log_tail,
        }

    async def handle(self, verb: str, message: Mapping[str, Any]) -> Any:
        """Do what a message asks for.

        Raises:
            PeerError: It cannot be done.
        """
        command = self._verbs.get(verb)
        if command is None:
            raise PeerError(f"there is no command {verb[:100]!r}")
        return await command(message)

    def figures(self) -> dict[str, int]:
        """What a worker tells its supervisor with each beat."""
        return {**self._server.stats(), "memory_mib": memory_mib()}

    async def _log_tail(self, _message: Mapping[str, Any]) -> list[dict[str, Any]]:
        return log_tail()

    async def _metrics(self, _message: Mapping[str, Any]) -> list[dict[str, Any]]:
        return as_json(registry.families())

    async def _status(self, _message: Mapping[str, Any]) -> dict[str, Any]:
        return {"pid": os.getpid(), **self.figures(), "gate": self._gate.report()}

    async def _connections(self, _message: Mapping[str, Any]) -> dict[str, int]:
        return self._server.stats()

    async def _suspend(self, message: Mapping[str, Any]) -> dict[str, Any]:
        route, for_s = message.get("route"), message.get("for_s")
        wait_s = message.get("wait_s", 10.0)
        if not isinstance(wait_s, int | float) or not isinstance(for_s, int | float | None):
            raise PeerError("for_s and wait_s are seconds")
        self._gate.close(None if route is None else str(route), for_s)
        running = await self._gate.quiet(wait_s) if route is None else 0
        if running:
            self._gate.open()
            raise PeerError(f"{running} requests still ran after {wait_s:g} s; traffic goes on")
        return self._gate.report()

    async def _resume(self, _message: Mapping[str, Any]) -> dict[str, int]:
        return {"released": self._gate.open()}

    async def _log_level(self, message: Mapping[str, Any]) -> dict[str, str]:
        level = str(message.get("level", "")).lower()
        if level not in _LEVELS:
            raise PeerError(f"the level is one of {', '.join(_LEVELS)}")
        for logger in (logging.getLogger(), access_log, app_log, gen_log):
            logger.setLevel(level.upper())
        return {"level": level}

    async def _stacks(self, _message: Mapping[str, Any]) -> list[dict[str, Any]]:
        tasks = sorted(asyncio.all_tasks(), key=lambda task: task.get_name())
        return [
            {
                "task": task.get_name(),
                "coroutine": getattr(task.get_coro(), "__qualname__", repr(task.get_coro())),
                "stack": _stack(task.get_coro()),
            }
            for task in tasks
        ]

    async def _memory(self, _message: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {"memory_mib": memory_mib(), "objects": len(gc.get_objects())}
        if tracemalloc.is_tracing():
            snapshot = await asyncio.to_thread(tracemalloc.take_snapshot)
            found["top"] = [str(line) for line in snapshot.statistics("lineno")[:_TOP]]
        else:
            found["note"] = "start with PYTHONTRACEMALLOC=1 to see where memory is allocated"
        return found


def _stack(waiting: Any) -> list[str]:
    """Where a coroutine stands, and where what it waits for stands; the innermost comes last."""
    lines: list[str] = []
    while waiting is not None and len(lines) < _DEEPEST:
        frame = next(
            (f for name in _FRAMES if (f := getattr(waiting, name, None)) is not None), None
        )
        if frame is None:
            break
        code = frame.f_code
        lines.append(f"{code.co_filename}:{frame.f_lineno} {code.co_qualname}")
        waiting = next(
            (w for name in _AWAITED if (w := getattr(waiting, name, None)) is not None), None
        )
    return lines
