"""Connecting to whichever of several addresses answers first (RFC 8305)."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, TypeVar

from eyewall.net.resolver import Addresses

T = TypeVar("T")

ATTEMPT_DELAY: Final = 0.25
"""Seconds after which the next address is tried too (RFC 8305, section 5)."""


def interleaved(addresses: Addresses) -> Addresses:
    """The addresses with families taking turns, the first one's first (section 4)."""
    families: dict[int, Addresses] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    rounds = itertools.zip_longest(*families.values())
    return [address for each in rounds for address in each if address is not None]


async def first_connected(
    addresses: Addresses,
    connect: Callable[[int, Any], Awaitable[T]],
    delay: float = ATTEMPT_DELAY,
) -> T:
    """What `connect(family, address)` returns for the address that answers first.

    The next attempt begins when the one before has failed, or has lasted `delay` seconds. When
    one succeeds the others are cancelled.

    Raises:
        OSError: All have failed; this is how the first one did.
    """
    if not addresses:
        raise OSError("the name has no address")
    following = iter(interleaved(addresses))
    race = Race(connect)
    try:
        while True:
            winner = await race.step(following, delay)
            if winner is not None:
                result: T = winner.result()
                return result
    finally:
        race.cancel()


class Race:
    """Attempts that are under way."""

    def __init__(self, connect: Callable[[int, Any], Awaitable[Any]]) -> None:
        self._connect = connect
        self._running: set[asyncio.Task[Any]] = set()
        self._error: OSError | None = None

    async def step(
        self, following: Iterator[tuple[int, Any]], delay: float
    ) -> "asyncio.Task[Any] | None":
        """Start one attempt more and wait; the one that has succeeded, if any.

        Raises:
            OSError: None is left; the first error.
        """
        address = next(following, None)
        if address is not None:
            self._running.add(asyncio.ensure_future(self._attempt(*address)))
        elif not self._running:
            assert self._error is not None
            raise self._error
        done, _ = await asyncio.wait(
            self._running,
            timeout=None if address is None else delay,
            return_when=asyncio.FIRST_COMPLETED,
        )
        winner = None
        for task in done:
            self._running.discard(task)
            error = task.exception()
            if error is None and winner is None:
                winner = task
            elif error is None:
                _close(task.result())
            elif isinstance(error, OSError):
                self._error = self._error or error
            else:
                raise error
        return winner

    async def _attempt(self, family: int, address: Any) -> Any:
        return await self._connect(family, address)

    def cancel(self) -> None:
        """End the attempts that are still under way."""
        for task in self._running:
            if task.done() and not task.cancelled() and task.exception() is None:
                _close(task.result())
            task.cancel()


def _close(stream: Any) -> None:
    stream.close()
