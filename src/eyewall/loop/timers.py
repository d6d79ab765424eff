"""`PeriodicCallback`: call something again and again."""

import datetime
import inspect
import random
from collections.abc import Callable
from typing import Any, final

from eyewall.base.log import app_log
from eyewall.loop.ioloop import IOLoop


@final
class PeriodicCallback:
    """Calls `callback` every `callback_time` milliseconds while it is started.

    Runs that are missed are left out, and one run never overlaps the next: when `callback`
    returns an awaitable, the next run waits for it.

    Args:
        callback: What to call; it may be async.
        callback_time: Milliseconds, or a timedelta.
        jitter: Part of the period by which each is randomly shorter or longer, 0 to 1.

    Raises:
        ValueError: The period is not positive.
    """

    def __init__(
        self,
        callback: Callable[[], Any],
        callback_time: float | datetime.timedelta,
        jitter: float = 0,
    ) -> None:
        if isinstance(callback_time, datetime.timedelta):
            callback_time = callback_time / datetime.timedelta(milliseconds=1)
        if callback_time <= 0:
            raise ValueError("the period of a PeriodicCallback must be positive")
        self.callback = callback
        self.callback_time = callback_time
        self.jitter = jitter
        self._running = False
        self._timeout: Any = None
        self._next = 0.0
        self._loop: IOLoop | None = None

    def start(self) -> None:
        """Start; the first call comes after one period."""
        if self._running:
            return
        self._running = True
        self._loop = IOLoop.current()
        if self._loop is not None:
            self._next = self._loop.time()
            self._schedule(self._loop)

    def stop(self) -> None:
        """Stop; a run that is under way goes on to its end."""
        self._running = False
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    def is_running(self) -> bool:
        """Whether it is started."""
        return self._running

    def _schedule(self, loop: IOLoop) -> None:
        period = self.callback_time / 1000
        if self.jitter:
            period *= 1 + self.jitter * (random.random() - 0.5)  # noqa: S311 - no secret
        now = loop.time()
        self._next += period
        if self._next <= now:
            # Runs were missed: go on in step with the periods before.
            self._next += ((now - self._next) // period + 1) * period
        self._timeout = loop.call_at(self._next, self._run, loop)

    async def _run(self, loop: IOLoop) -> None:
        if not self._running:
            return
        try:
            result = self.callback()
            if result is not None and inspect.isawaitable(result):
                await result
        except Exception:  # noqa: BLE001 - the boundary of a callback
            app_log.exception("Exception in periodic callback %r", self.callback)
        finally:
            if self._running:
                self._schedule(loop)
