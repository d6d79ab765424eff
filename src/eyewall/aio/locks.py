"""Locks for coroutines: Semaphore, BoundedSemaphore, Lock. First come, first served."""

from asyncio import Future
from collections import OrderedDict
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, NoReturn, final

from eyewall.aio.deadlines import Timeout
from eyewall.aio.waiters import Line, stand_in_line


@final
class _Held(AbstractContextManager[None]):
    """A permit: the end of the block gives it back."""

    __slots__ = ("_owner",)

    def __init__(self, owner: "Semaphore | Lock") -> None:
        self._owner = owner

    def __enter__(self) -> None:
        """The permit is held already."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give it back."""
        self._owner.release()


class _Acquired:
    """The block forms of what has `acquire` and `release`."""

    def acquire(self, timeout: Timeout | None = None) -> Future[Any]:
        raise NotImplementedError

    def release(self) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> None:
        """Wait for a permit."""
        await self.acquire()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give it back."""
        self.release()

    def __enter__(self) -> NoReturn:
        """Refuse: a plain block cannot wait."""
        name = type(self).__name__
        raise RuntimeError(
            f"use `async with` with a {name}, or `with (yield {name.lower()}.acquire())`"
        )

    def __exit__(self, *error: object) -> None:
        """Never reached."""


class Semaphore(_Acquired):
    """So many permits; who asks when none is left waits until one is given back.

    Use it as `async with semaphore:` or `with (yield semaphore.acquire()):`. Permits go to
    waiters in the order in which they came, and one that was given to a task which is then
    cancelled goes to the next.

    Args:
        value: How many permits there are.

    Raises:
        ValueError: It is negative.
    """

    def __init__(self, value: int = 1) -> None:
        if value < 0:
            raise ValueError("a semaphore starts with 0 permits or more")
        self._value = value
        self._waiters: Line[Any] = OrderedDict()

    def __repr__(self) -> str:
        state = "locked" if self._value == 0 else f"unlocked,value:{self._value}"
        waiting = f",waiters:{len(self._waiters)}" if self._waiters else ""
        return f"<{type(self).__name__} [{state}{waiting}]>"

    def acquire(self, timeout: Timeout | None = None) -> Future[Any]:
        """Take a permit, or wait for one.

        Args:
            timeout: A timedelta from now, or a point on the loop's clock.

        Returns:
            A future of a context manager that gives the permit back; it fails with
            `TimeoutError` when the time is over.
        """
        if self._value > 0:
            self._value -= 1
            taken: Future[Any] = Future()
            taken.set_result(_Held(self))
            return taken
        return stand_in_line(self._waiters, self._take_back, timeout)

    def release(self) -> None:
        """Give a permit back: to the first who waits, if any."""
        if self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            waiter.serve(_Held(self))
        else:
            self._value += 1

    def _take_back(self, _held: _Held) -> None:
        self.release()


class BoundedSemaphore(Semaphore):
    """A semaphore that refuses more permits than it started with."""

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._initial = value

    def release(self) -> None:
        """Give a permit back.

        Raises:
            ValueError: None was taken.
        """
        if self._value >= self._initial:
            raise ValueError("a BoundedSemaphore was released more often than acquired")
        super().release()


class Lock(_Acquired):
    """One holder at a time. It may be released by another task than took it.

    Use it as `async with lock:` or `with (yield lock.acquire()):`.
    """

    def __init__(self) -> None:
        self._held = False
        self._waiters: Line[Any] = OrderedDict()

    def __repr__(self) -> str:
        waiting = f",waiters:{len(self._waiters)}" if self._waiters else ""
        return f"<Lock [{'locked' if self._held else 'unlocked'}{waiting}]>"

    def acquire(self, timeout: Timeout | None = None) -> Future[Any]:
        """Take the lock, or wait for it.

        Args:
            timeout: A timedelta from now, or a point on the loop's clock.

        Returns:
            A future of a context manager that releases the lock; it fails with `TimeoutError`
            when the time is over.
        """
        if not self._held:
            self._held = True
            taken: Future[Any] = Future()
            taken.set_result(_Held(self))
            return taken
        return stand_in_line(self._waiters, self._take_back, timeout)

    def release(self) -> None:
        """Release the lock: to the first who waits, if any.

        Raises:
            RuntimeError: Nobody holds it.
        """
        if not self._held:
            raise RuntimeError("a Lock was released that nobody holds")
        if self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            waiter.serve(_Held(self))
        else:
            self._held = False

    def _take_back(self, _held: _Held) -> None:
        self.release()
