"""A future for one who waits in a line: it leaves the line when it is cancelled or late."""

import asyncio
from asyncio import CancelledError, Future
from collections import OrderedDict
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from eyewall.aio.deadlines import Timeout, seconds_left

T = TypeVar("T")

# Ordered, and left from the middle in constant time, however long it is.
Line = OrderedDict["Waiter[T]", None]


class Waiter(Future[T]):
    """What a lock or a queue returns to one who has to wait.

    A task that is cancelled just after it was served, and before it ran, never sees what it
    was given. Awaiting a `Waiter` hands such a gift back.
    """

    __slots__ = ("awaiting", "give_back", "line", "offer", "timer")

    line: "Line[T]"
    give_back: Callable[[T], object]
    timer: asyncio.TimerHandle | None
    awaiting: int
    offer: Any
    """What one who waits to give wants to give."""

    def serve(self, value: T) -> None:
        """Give it what it waits for; it stands in the line no more."""
        if self.timer is not None:
            self.timer.cancel()
        self.set_result(value)

    def cancel(self, msg: Any | None = None) -> bool:
        """Leave the line; False when it was served already."""
        if not super().cancel(msg):
            return False
        self.line.pop(self, None)
        if self.timer is not None:
            self.timer.cancel()
        return True

    def expire(self, outcome: Callable[["Waiter[T]"], object]) -> None:
        """Leave the line: the time is over."""
        if not self.done():
            self.line.pop(self, None)
            outcome(self)

    def __await__(self) -> Generator[Any, None, T]:
        """Wait; a cancelled wait gives back what it was given."""
        if not self.done():
            self.awaiting += 1
            # How a future tells its task that it is waited for.
            self._asyncio_future_blocking = True
            try:
                yield self
            except CancelledError:
                self.awaiting -= 1
                # The last one who could have taken it is gone.
                if not self.awaiting and self._was_served():
                    self.give_back(self.result())
                raise
        return self.result()

    __iter__ = __await__

    def _was_served(self) -> bool:
        return self.done() and not self.cancelled() and self.exception() is None


def time_out(waiter: "Waiter[Any]") -> None:
    """Fail a wait that took too long."""
    waiter.set_exception(TimeoutError("Timeout"))


def stand_in_line(
    line: "Line[T]",
    give_back: Callable[[T], object],
    timeout: Timeout | None = None,
    late: Callable[[Waiter[T]], object] = time_out,
) -> Waiter[T]:
    """One who waits, at the end of a line. Hot path: it sets what a constructor would.

    Args:
        line: Where it waits.
        give_back: Called with the result when the awaiting task was cancelled after all.
        timeout: A timedelta from now, or a point on the loop's clock.
        late: Called with the waiter when the time is over.
    """
    waiter: Waiter[T] = Waiter()
    waiter.line = line
    waiter.give_back = give_back
    waiter.timer = None
    waiter.awaiting = 0
    if timeout is not None:
        loop = waiter.get_loop()
        waiter.timer = loop.call_later(seconds_left(timeout, loop), waiter.expire, late)
    line[waiter] = None
    return waiter
