"""Publishes in order through a connection that may be lost: one batch at a time, repeated until kept."""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, final

from eyewall.pubsub.backends.base import Outgoing
from eyewall.pubsub.errors import BackplaneError
from eyewall.pubsub.message import Position

_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 1.0
_MOST_AT_ONCE: Final = 500
_MOST_BYTES_AT_ONCE: Final = 8 * 1024 * 1024


class LogLostError(BackplaneError):
    """The log is another one than when the message was sent first; nobody knows its fate."""


@final
class Item:
    """A message that waits to be kept.

    Attributes:
        n: Its number among those of this process, by which a repetition is known.
        message: The message.
        is_repeated: Whether it was sent before, and the answer is not known.
    """

    __slots__ = ("is_repeated", "kept", "message", "n", "since")

    def __init__(self, n: int, message: Outgoing) -> None:
        self.n = n
        self.message = message
        self.is_repeated = False
        self.since = time.monotonic()
        self.kept: asyncio.Future[Position] = asyncio.get_running_loop().create_future()

    def fail(self, error: BackplaneError) -> None:
        """It is not known to be kept."""
        if not self.kept.done():
            self.kept.set_exception(error)
            # Not everybody awaits what was published.
            self.kept.exception()


@final
class Pump:
    """Keeps the order of publications, and what is not confirmed yet.

    Args:
        write: Adds messages to the log; raises BackplaneError when it is not known whether it did.
        patience_s: Seconds that a message is tried for.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[Sequence[Position]]],
        *,
        patience_s: float = 10.0,
    ) -> None:
        self._write = write
        self._patience_s = patience_s
        self._numbers = itertools.count(1)
        self._items: deque[Item] = deque()
        self._pumping: asyncio.Task[None] | None = None
        self._is_closed = False

    def put(self, message: Outgoing) -> "asyncio.Future[Position]":
        """Publish a message; those of one turn of the loop go together."""
        item = Item(next(self._numbers), message)
        if self._is_closed:
            item.fail(BackplaneError("the hub was closed"))
            return item.kept
        self._items.append(item)
        if self._pumping is None or self._pumping.done():
            self._pumping = asyncio.ensure_future(self._pump())
        return item.kept

    async def close(self) -> None:
        """Publish what waits, when that is possible at once, and nothing more."""
        self._is_closed = True
        if self._pumping is not None:
            await asyncio.gather(self._pumping, return_exceptions=True)

    def _batch(self) -> list[Item]:
        batch: list[Item] = []
        size = 0
        for item in itertools.islice(self._items, _MOST_AT_ONCE):
            size += len(item.message.body)
            if batch and size > _MOST_BYTES_AT_ONCE:
                break
            batch.append(item)
        return batch

    async def _pump(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while self._items:
            batch = self._batch()
            try:
                positions = await self._write(batch)
            except LogLostError as exc:
                for item in batch:
                    if item.is_repeated:
                        self._items.remove(item)
                        item.fail(exc)
            except BackplaneError as exc:
                self._give_up(batch, exc)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                pause_s = _FIRST_PAUSE_S
                for item, position in zip(batch, positions, strict=True):
                    self._items.popleft()
                    if not item.kept.done():
                        item.kept.set_result(position)

    def _give_up(self, batch: list[Item], error: BackplaneError) -> None:
        for item in batch:
            item.is_repeated = True
        oldest = time.monotonic() - self._patience_s
        while self._items and (self._is_closed or self._items[0].since <= oldest):
            self._items.popleft().fail(error)
