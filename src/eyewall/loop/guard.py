"""Notice when the loop is blocked, and say by what.

The loop sets a mark some times a second. A thread looks at the marks: when one is late, the loop
is stuck in some callback, and the thread logs where it stands. Python runs a callback of the loop
to its end, so nothing within the loop could.
"""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Final, final

from eyewall.base.log import app_log

_DEEPEST: Final = 30


@final
class LoopGuard:
    """Watches the running loop.

    Args:
        after_s: Seconds that one callback may take before its stack is logged.
        on_lag: Called on the loop, with each mark, with the seconds that it was late.
        report: Called by the thread with the stack, instead of logging it.
    """

    def __init__(
        self,
        after_s: float = 0.5,
        *,
        on_lag: Callable[[float], object] | None = None,
        report: Callable[[float, str], object] | None = None,
    ) -> None:
        if after_s <= 0:
            raise ValueError(f"a loop is blocked after a time above 0, not {after_s!r}")
        self._after_s = after_s
        self._period_s = min(max(after_s / 4, 0.01), 0.25)
        self._on_lag = on_lag
        self._report = report or _log
        self._ending = threading.Event()
        self._due = 0.0
        self._reported_due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._thread: threading.Thread | None = None
        self._watched = 0

    def start(self) -> None:
        """Watch the running loop until `stop`; call it on the loop's thread."""
        loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._due = time.monotonic() + self._period_s
        self._timer = loop.call_later(self._period_s, self._mark, loop)
        self._thread = threading.Thread(target=self._watch, name="eyewall-guard", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._ending.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _mark(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        late_s = max(0.0, now - self._due)
        if self._reported_due == self._due:
            app_log.warning("The loop goes on after %.2f s", late_s + self._period_s)
        if self._on_lag is not None:
            self._on_lag(late_s)
        self._due = now + self._period_s
        self._timer = loop.call_later(self._period_s, self._mark, loop)

    def _watch(self) -> None:
        looked = time.monotonic()
        while not self._ending.wait(self._period_s):
            now, before = time.monotonic(), looked
            looked = now
            if now - before > self._after_s:
                # This thread did not run either: the process was stopped, or the machine slept.
                continue
            due = self._due
            if now - due > self._after_s and self._reported_due != due:
                self._reported_due = due
                self._report(now - due, self._stack())

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 - the only way to see it
        lines = traceback.format_stack(frame, _DEEPEST) if frame is not None else []
        return "".join(lines).rstrip()


def _log(late_s: float, stack: str) -> None:
    app_log.warning(
        "The loop has been blocked for %.2f s; nothing else runs. It stands here:\n%s",
        late_s,
        stack,
        extra={"blocked_s": round(late_s, 3)},
    )
