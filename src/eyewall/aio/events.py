"""Telling coroutines that something has happened: Event, Condition."""

from asyncio import Future
from collections import OrderedDict

from eyewall.aio.deadlines import Timeout
from eyewall.aio.waiters import Line, Waiter, stand_in_line


def _nothing(_result: object) -> None:
    """What an event gives need not be given back."""


class Event:
    """A flag that coroutines wait for."""

    def __init__(self) -> None:
        self._set = False
        self._waiters: Line[None] = OrderedDict()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'set' if self._set else 'clear'}>"

    def is_set(self) -> bool:
        """Whether the flag is set."""
        return self._set

    def set(self) -> None:
        """Set the flag, and wake all who wait."""
        self._set = True
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            waiter.serve(None)

    def clear(self) -> None:
        """Unset the flag: who waits from now on waits for the next `set`."""
        self._set = False

    def wait(self, timeout: Timeout | None = None) -> Future[None]:
        """Wait until the flag is set.

        Args:
            timeout: A timedelta from now, or a point on the loop's clock.

        Returns:
            A future; it fails with `TimeoutError` when the time is over.
        """
        if self._set:
            done: Future[None] = Future()
            done.set_result(None)
            return done
        return stand_in_line(self._waiters, _nothing, timeout)


class Condition:
    """Wakes some of those who wait, in the order in which they came."""

    def __init__(self) -> None:
        self._waiters: Line[bool] = OrderedDict()

    def __repr__(self) -> str:
        waiting = f" waiters[{len(self._waiters)}]" if self._waiters else ""
        return f"<{type(self).__name__}{waiting}>"

    def wait(self, timeout: Timeout | None = None) -> Future[bool]:
        """Wait for a notice.

        Args:
            timeout: A timedelta from now, or a point on the loop's clock.

        Returns:
            A future: True when there was a notice, False when the time was over.
        """
        return stand_in_line(self._waiters, self._pass_on, timeout, _miss)

    def notify(self, n: int = 1) -> None:
        """Wake the first `n` who wait."""
        while n > 0 and self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            waiter.serve(True)
            n -= 1

    def notify_all(self) -> None:
        """Wake all who wait."""
        self.notify(len(self._waiters))

    def _pass_on(self, notified: bool) -> None:
        if notified:
            self.notify()


def _miss(waiter: Waiter[bool]) -> None:
    waiter.set_result(False)
