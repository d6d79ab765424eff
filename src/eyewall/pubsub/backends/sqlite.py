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
from typing import Final, TypeVar, final

from eyewall.base.log import gen_log
from eyewall.pubsub.backends.base import Backplane, Outgoing, Sink
from eyewall.pubsub.backends.pump import Item, Pump
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
        self._pump = Pump(self._write)
        self._unheard = asyncio.Event()
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
        return self._pump.put(message)

    async def read(self, patterns: Sequence[str], after: int, limit: int) -> Page:
        """What is kept after a number."""
        log = self._opened()
        return await self._in_thread(lambda: log.read(patterns, after, limit, now=time.time()))

    async def close(self) -> None:
        """Close the database; what was published is written first."""
        self._sink = None
        await self._pump.close()
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

    async def _write(self, items: Sequence[Item]) -> Sequence[Position]:
        log, messages = self._opened(), [item.message for item in items]
        positions = await self._in_thread(lambda: log.append(messages, now=time.time()))
        self._unheard.set()
        return positions

    async def _look(self) -> None:
        log = self._opened()
        while True:
            try:
                async with asyncio.timeout(self._look_s):
                    await self._unheard.wait()
            except TimeoutError:
                pass
            mine = self._unheard.is_set()
            self._unheard.clear()
            try:
                if mine or await self._in_thread(log.has_changed):
                    await self._tell()
            except BackplaneError as exc:
                gen_log.warning("%s", exc)
                await asyncio.sleep(1.0)

    async def _tell(self) -> None:
        """Tell the sink what it has not heard yet."""
        while self._sink is not None and not await self._tell_some(self._sink):
            pass

    async def _tell_some(self, sink: Sink) -> bool:
        """Tell some of it; whether that was all."""
        log, here = self._opened(), self._position
        newest, records = await self._in_thread(lambda: log.since(here.seq, _MOST_AT_ONCE))
        if newest.epoch != here.epoch or newest.seq < here.seq:
            self._position = newest
            sink.moved(newest)
        elif records and records[0].seq != here.seq + 1:
            self._position = Position(here.epoch, records[0].seq - 1)
            sink.moved(self._position)
        elif records:
            self._position = Position(here.epoch, records[-1].seq)
            sink.added(records)
        return self._position.seq >= newest.seq
