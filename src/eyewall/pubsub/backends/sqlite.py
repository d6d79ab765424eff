"""The backplane in a SQLite database: it survives a restart, and serves the processes of a machine.

Every process looks whether the database has changed a hundred times a second, which SQLite answers
from shared memory; a process hears its own messages as soon as they are kept. Messages of one turn
of the loop are one transaction.
"""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar, final

from eyewall.base.log import gen_log
from eyewall.pubsub.backends.base import Backplane, Outgoing, Sink
from eyewall.pubsub.backends.sqlite_log import SqliteLog
from eyewall.pubsub.errors import BackplaneError
from eyewall.pubsub.message import Page, Position

T = TypeVar("T")

_LOOK_S: Final = 0.01
_MOST_AT_ONCE: Final = 1000


@final
class SqliteBackplane(Backplane):
    """Keeps messages in a file.

    Args:
        path: The database; it is made when it does not exist. It must be on a disk of this
            machine: SQLite's locks do not work over a network.
        look_s: Seconds between two looks for messages of other processes.
    """

    def __init__(self, path: str, *, look_s: float = _LOOK_S) -> None:
        self._path = path
        self._look_s = look_s
        self._log: SqliteLog | None = None
        self._sink: Sink | None = None
        self._position = Position("", 0)
        self._outbox: list[tuple[Outgoing, asyncio.Future[Position]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="hub-sqlite")

    async def start(self, sink: Sink) -> Position:
        """Open the database."""
        self._log = await self._in_thread(lambda: SqliteLog(self._path))
        self._position = await self._in_thread(self._log.newest)
        self._sink = sink
        self._looking = asyncio.ensure_future(self._look())
        return self._position

    def publish(self, message: Outgoing) -> Awaitable[Position]:
        """Add a message; those of one turn of the loop are added together."""
        kept: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        self._outbox.append((message, kept))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._write())
        return kept

    async def read(self, patterns: Sequence[str], after: int, limit: int) -> Page:
        """What is kept after a number."""
        log = self._opened()
        return await self._in_thread(lambda: log.read(patterns, after, limit, now=time.time()))

    async def close(self) -> None:
        """Close the database; what was published is written first."""
        self._sink = None
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._log is not None:
            await self._in_thread(self._log.close)
        self._worker.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Work in the thread of the database.

        Raises:
            BackplaneError: The database fails.
        """
        # A cancelled caller must not leave before the thread: the next call would find it busy.
        working = asyncio.get_running_loop().run_in_executor(self._worker, work)
        try:
            return await asyncio.shield(working)
        except (sqlite3.Error, OSError) as exc:
            raise BackplaneError(f"the database {self._path} fails: {exc}") from exc

    def _opened(self) -> SqliteLog:
        if self._log is None:
            raise BackplaneError("the hub has not been started")
        return self._log

    async def _write(self) -> None:
        log = self._opened()
        while self._outbox:
            batch = self._outbox[:_MOST_AT_ONCE]
            del self._outbox[:_MOST_AT_ONCE]
            messages = [message for message, _ in batch]
            try:
                positions = await self._in_thread(
                    lambda messages=messages: log.append(messages, now=time.time())
                )
            except BackplaneError as exc:
                for _, kept in batch:
                    if not kept.done():
                        kept.set_exception(exc)
                        # Not everybody awaits what was published.
                        kept.exception()
                continue
            for (_, kept), position in zip(batch, positions, strict=True):
                if not kept.done():
                    kept.set_result(position)
            await self._tell()

    async def _look(self) -> None:
        log = self._opened()
        while True:
            await asyncio.sleep(self._look_s)
            try:
                if await self._in_thread(log.has_changed):
                    await self._tell()
            except BackplaneError as exc:
                gen_log.warning("%s", exc)
                await asyncio.sleep(1.0)

    async def _tell(self) -> None:
        """Tell the sink what it has not heard yet."""
        log = self._opened()
        while self._sink is not None:
            after = self._position
            newest, records = await self._in_thread(lambda: log.since(after.seq, _MOST_AT_ONCE))
            if after is not self._position:
                # The writer and the looking one met; the other has told this.
                continue
            if newest.epoch != after.epoch or newest.seq < after.seq:
                self._position = newest
                self._heard(lambda sink: sink.moved(newest))
            elif records and records[0].seq != after.seq + 1:
                self._position = Position(after.epoch, records[0].seq - 1)
                self._heard(lambda sink: sink.moved(self._position))
            elif records:
                self._position = Position(after.epoch, records[-1].seq)
                self._heard(lambda sink: sink.added(records))
            if self._position.seq >= newest.seq:
                return

    def _heard(self, tell: Callable[[Sink], Any]) -> None:
        if self._sink is not None:
            tell(self._sink)
