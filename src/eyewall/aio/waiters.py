"""A future for one who waits in a line: it leaves the line when it is cancelled or late."""

import asyncio
from asyncio import CancelledError, Future
from collections import OrderedDict
from collections.abc import Callable, Generator
from typing import Any, TypeVar, final

from eyewall.aio.deadlines import Timeout, seconds_left

T = TypeVar("T")

# Ordered, and left from the middle in constant time, however long it is.
Line = OrderedDict["Waiter[T]", None]


@final
class Waiter(Future[T]):
    """What a lock or a queue returns to one who has to wait.

    A task that is cancelled just after it was served, and before it ran, never sees what it
    was given. Awaiting a `Waiter` hands such a gift back.

    Args:
        line: Where it waits; it takes its place at the end.
        give_back: Called with the result when the awaiting task was cancelled after all.
    """

    offer: Any = None
    """What one who waits to give wants to give."""

    def __init__(self, line: "Line[T]", give_back: Callable[[T], object]) -> None:
        super().__init__()
        self._line = line
        self._give_back = give_back
        self._timer: asyncio.TimerHandle | None = None
        self._awaiting = 0
        line[self] = None

    def expire_after(self, timeout: Timeout, expire: Callable[["Waiter[T]"], object]) -> None:
        """Leave the line and call `expire(self)` when the time is over."""
        loop = self.get_loop()
        left = seconds_left(timeout, loop)
        self._timer = loop.call_later(left, self._expire, expire)

    def serve(self, value: T) -> None:
        """Give it what it waits for; it stands in the line no more."""
        if self._timer is not None:
            self._timer.cancel()
        self.set_result(value)

    def cancel(self, msg: Any | None = None) -> bool:
        """Leave the line; False when it was served already."""
        if not super().cancel(msg):
            return False
        self._line.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
        return True

    def __await__(self) -> Generator[Any, None, T]:
        """Wait; a cancelled wait gives back what it was given."""
        if self.done():
            return self.result()
        self._awaiting += 1
        try:
            return (yield from super().__await__())
        except CancelledError:
            if self._awaiting == 1 and self._was_served():
                self._give_back(self.result())
            raise
        finally:
            self._awaiting -= 1

    __iter__ = __await__

    def _was_served(self) -> bool:
        return self.done() and not self.cancelled() and self.exception() is None

    def _expire(self, expire: Callable[["Waiter[T]"], object]) -> None:
        if not self.done():
            self._line.pop(self, None)
            expire(self)


def time_out(waiter: "Waiter[Any]") -> None:
    """Fail a wait that took too long."""
    waiter.set_exception(TimeoutError("Timeout"))
