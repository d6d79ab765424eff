"""The backplane of a program that is one process."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import final

from eyewall.pubsub.backends.base import Backplane, Outgoing, Settled, Sink
from eyewall.pubsub.history import MemoryLog
from eyewall.pubsub.message import Page, Position, Record


@final
class MemoryBackplane(Backplane):
    """Keeps the log in this process; it ends with the process.

    Messages published in one turn of the loop are delivered together at its end.
    """

    def __init__(self) -> None:
        self._log = MemoryLog()
        self._sink: Sink | None = None
        self._pending: list[Record] = []

    async def start(self, sink: Sink) -> Position:
        """Begin to deliver to this sink."""
        self._sink = sink
        return Position(self._log.epoch, self._log.top)

    def publish(self, message: Outgoing) -> Awaitable[Position]:
        """Add a message; it is in the log at once."""
        log = self._log
        record = log.append(
            message.topic, message.body, message.key, message.retention, now=time.time()
        )
        if self._sink is not None:
            if not self._pending:
                asyncio.get_running_loop().call_soon(self._deliver)
            self._pending.append(record)
        return Settled(Position(log.epoch, record.seq))

    def _deliver(self) -> None:
        pending, self._pending = self._pending, []
        if self._sink is not None:
            self._sink.added(pending)

    async def read(self, patterns: Sequence[str], after: int, limit: int) -> Page:
        """What is kept after a number."""
        return self._log.read(patterns, after, limit, now=time.time())

    async def close(self) -> None:
        """Deliver nothing more; the log stays."""
        self._sink = None
        self._pending = []
