"""A circuit breaker: servers that fail are left alone for a while."""

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum

from eyewall.http.client.errors import HTTPCircuitOpenError, HTTPClientError


class CircuitState(Enum):
    """What a breaker does with requests."""

    CLOSED = "closed"
    """It lets them through."""
    OPEN = "open"
    """It refuses them."""
    TRYING = "trying"
    """It lets one through, to see."""


class CircuitBreaker:
    """Refuses to ask a server that has failed too often, until it has had time to recover.

    After `pause_s` one request is let through: when it succeeds, all are again; when it fails,
    the pause begins anew. Failures are errors without a response and statuses from 500 on.

    Args:
        failures: So many failures open it...
        within_s: ...when they come within so many seconds.
        pause_s: Seconds that it stays open.
        clock: Tells the time in seconds.

    Example:
        breaker = CircuitBreaker()
        async with breaker.guard():
            response = await client.fetch(url)
    """

    def __init__(
        self,
        failures: int = 5,
        within_s: float = 30.0,
        pause_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if failures < 1:
            raise ValueError("a circuit breaker opens after one failure at least")
        self._failures = failures
        self._within_s = within_s
        self._pause_s = pause_s
        self._clock = clock
        self._failed: deque[float] = deque(maxlen=failures)
        self._opened: float | None = None
        self._trying = False

    @property
    def state(self) -> CircuitState:
        """What it does with the next request."""
        if self._opened is None:
            return CircuitState.CLOSED
        if self._trying or self._clock() - self._opened < self._pause_s:
            return CircuitState.OPEN
        return CircuitState.TRYING

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Let a block that asks the server run, and learn from how it ends.

        Raises:
            HTTPCircuitOpenError: The server is left alone now.
        """
        trying = self.enter()
        try:
            yield
        except HTTPClientError as error:
            self.leave(is_failure=error.code >= 500, was_trying=trying)
            raise
        except BaseException:
            self.forget(was_trying=trying)
            raise
        self.leave(is_failure=False, was_trying=trying)

    def enter(self) -> bool:
        """Ask to ask; returns whether this is the one request that shows how things are.

        Raises:
            HTTPCircuitOpenError: The server is left alone now.
        """
        state = self.state
        if state is CircuitState.OPEN:
            raise HTTPCircuitOpenError("the server has failed too often, and is left alone")
        if state is CircuitState.TRYING:
            self._trying = True
            return True
        return False

    def forget(self, *, was_trying: bool) -> None:
        """Say that a request has ended in a way that tells nothing about the server."""
        if was_trying:
            self._trying = False

    def leave(self, *, is_failure: bool, was_trying: bool = False) -> None:
        """Say how a request has ended; `was_trying` is what `enter` returned."""
        now = self._clock()
        if was_trying:
            self._trying = False
        if not is_failure:
            if was_trying:
                self._opened = None
                self._failed.clear()
            return
        if was_trying:
            self._opened = now
            return
        self._failed.append(now)
        full = len(self._failed) == self._failures
        if self._opened is None and full and now - self._failed[0] <= self._within_s:
            self._opened = now
