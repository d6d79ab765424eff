"""`FakeClock`: time-outs that pass at once, or when the test says so."""

import asyncio
import heapq
import selectors
import time
from collections.abc import Callable, Mapping
from contextvars import Context
from itertools import count
from typing import Any, Final, final

from eyewall.http.server.engine import Reactor

_BEGINNING: Final = 1000.0
# Sockets and threads of the test's own process answer within this.
_GRACE_S: Final = 0.01
_STUCK_S: Final = 10.0
_SETTLING_TURNS: Final = 20


@final
class FakeClock:
    """A clock for event loops, which stands still until it is moved.

    Everything that asks the loop for the time follows it: `asyncio.sleep` and `timeout`,
    `IOLoop.call_later`, `PeriodicCallback`, the HTTP client. The engine's own deadlines
    (headers, idle connections) and `time.time()` stay with the real time.

    Args:
        autojump: When nothing else is left to do, move to the next timer, so that no test
            waits for one. Otherwise only `advance` moves the clock.

    Example:
        >>> clock = FakeClock()
        >>> with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        ...     runner.run(asyncio.sleep(3600, "at once"))
        'at once'
    """

    def __init__(self, *, autojump: bool = True) -> None:
        self.autojump = autojump
        self._now = _BEGINNING
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = count()

    def time(self) -> float:
        """The clock's time, in seconds; what loops give as theirs."""
        return self._now

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A new loop that goes by this clock."""
        return _Loop(self)

    async def advance(self, seconds: float) -> None:
        """Move the clock, and let what becomes due on the way run, in its order.

        Args:
            seconds: How far.

        Raises:
            ValueError: Clocks do not go backwards.
        """
        if seconds < 0:
            raise ValueError("a clock cannot go backwards")
        end = self._now + seconds
        autojump, self.autojump = self.autojump, False
        try:
            await _settle()
            while (due := self._next()) is not None and due <= end:
                self._now = max(self._now, due)
                await _settle()
            self._now = end
            await _settle()
        finally:
            self.autojump = autojump

    def _add(self, timer: asyncio.TimerHandle) -> None:
        heapq.heappush(self._timers, (timer.when(), next(self._numbers), timer))

    def _next(self) -> float | None:
        """When the next timer is due that has not been reached."""
        while self._timers:
            when, _, timer = self._timers[0]
            if when > self._now and not timer.cancelled():
                return when
            heapq.heappop(self._timers)
        return None

    def _jump(self, seconds: float) -> None:
        self._now += seconds


@final
class _RealTimer:
    """A timer of the engine, whose deadlines are in real time."""

    def __init__(
        self, delay: float, callback: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        self.due = time.monotonic() + delay
        self.callback, self.args = callback, args
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True

    def cancelled(self) -> bool:
        return self._cancelled


@final
class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._real: list[_RealTimer] = []
        super().__init__(_Selector(clock, self))

    def time(self) -> float:
        return self._clock.time()

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle | _RealTimer:
        if isinstance(getattr(callback, "__self__", None), Reactor):
            timer = _RealTimer(delay, callback, args)
            self._real.append(timer)
            return timer
        return super().call_later(delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = super().call_at(when, callback, *args, context=context)
        self._clock._add(timer)  # noqa: SLF001 - the clock's own loop
        return timer

    def real_wait(self) -> float | None:
        """Seconds until the first real timer is due; those that are due are run soon."""
        now = time.monotonic()
        self._real = [timer for timer in self._real if not timer.cancelled()]
        for timer in [timer for timer in self._real if timer.due <= now]:
            self._real.remove(timer)
            self.call_soon(timer.callback, *timer.args)
        return min((timer.due - now for timer in self._real), default=None)


@final
class _Selector(selectors.BaseSelector):
    """A real selector whose waits for timers are waits for the fake clock."""

    def __init__(self, clock: FakeClock, loop: _Loop) -> None:
        self._clock, self._loop = clock, loop
        self._inner = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        real = self._loop.real_wait()
        if real is not None and real <= 0:
            return self._inner.select(0)
        if timeout is None:
            return self._inner.select(real)
        if timeout <= 0:
            return self._inner.select(0)
        if self._clock.autojump:
            events = self._inner.select(_GRACE_S)
            if not events:
                self._clock._jump(timeout)  # noqa: SLF001 - the clock's own selector
            return events
        events = self._inner.select(_STUCK_S if real is None else min(real, _STUCK_S))
        if not events and (real is None or real > _STUCK_S):
            raise RuntimeError(
                "everything waits for the clock: call its advance(), or set autojump"
            )
        return events

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()


async def _settle() -> None:
    """Let the loop do what is to be done now, and what follows from that."""
    for _ in range(_SETTLING_TURNS):
        await asyncio.sleep(0)
