"""What is known of this process: memory, time, descriptors, garbage, the engine's turns."""

import asyncio
import gc
import os
import resource
import time
from pathlib import Path
from typing import Final, final

from eyewall.base.stats import Family, Histogram
from eyewall.http.server.engine import Reactor
from eyewall.ops.serving import Serving

_LAGS_S: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_began: Final = time.time()


@final
class ProcessStats:
    """Figures of a server and its process; nothing is counted before somebody asks.

    Args:
        server: The server.
    """

    def __init__(self, server: Serving) -> None:
        self._server = server
        self.lag = Histogram(_LAGS_S)
        """How late the loop was, as the loop's guard has it."""

    def families(self) -> list[Family]:
        """The figures as they are now; call it on the server's loop."""
        stats = self._server.stats()
        engine = Reactor.of(asyncio.get_running_loop()).stats()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return [
            _one("eyewall_requests_total", "counter", "requests so far", stats["requests"]),
            _one("eyewall_requests_refused_total", "counter",
                 "requests that broke the protocol or a limit", stats["refused"]),
            _one("eyewall_requests_in_flight", "gauge", "requests that run", stats["exchanges"]),
            _one("eyewall_connections", "gauge", "open connections", stats["connections"]),
            _one("eyewall_engine_turns_total", "counter", "turns of the engine", engine["turns"]),
            _one("eyewall_engine_turns_exhausted_total", "counter",
                 "turns that ended with work left", engine["exhausted"]),
            _one("eyewall_engine_timers", "gauge", "timers of the engine", engine["timers"]),
            Family("eyewall_loop_lag_seconds", "histogram", "how late the loop was", (),
                   {(): list(self.lag.value)}, self.lag.bounds),
            _own("process_resident_memory_bytes", "gauge", "memory", _resident_bytes()),
            _own("process_cpu_seconds_total", "counter", "processor time used",
                 usage.ru_utime + usage.ru_stime),
            _own("process_start_time_seconds", "gauge", "when it began, since 1970", _began),
            _own("process_open_fds", "gauge", "open descriptors", _open_fds()),
            Family("python_gc_collections_total", "counter", "collections of garbage",
                   ("generation",),
                   {(str(n),): each["collections"] for n, each in enumerate(gc.get_stats())}),
        ]  # fmt: skip


def _one(name: str, kind: str, text: str, value: float) -> Family:
    return Family(name, kind, text, (), {(): value})


def _own(name: str, kind: str, text: str, value: float) -> Family:
    return Family(name, kind, text, (), {(): value}, each=True)


def _resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def _open_fds() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0
