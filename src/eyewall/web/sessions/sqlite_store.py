"""Sessions in a SQLite file: they outlive restarts, and several processes share them."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, final

T = TypeVar("T")

_SWEEP_EVERY = 1000


@final
class SQLiteStore:
    """Keeps sessions in a SQLite file, in one thread of its own.

    Args:
        path: The file; it is made where there is none.
        clock: Gives seconds since the epoch.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = path
        self._clock = clock
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="eyewall-sessions")
        self._connection: sqlite3.Connection | None = None
        self._saves = 0

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, lambda: work(self._connected())
        )

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self._path, timeout=10, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS sessions"
                " (key TEXT PRIMARY KEY, until REAL NOT NULL, data BLOB NOT NULL) WITHOUT ROWID"
            )
            connection.execute("CREATE INDEX IF NOT EXISTS sessions_until ON sessions (until)")
            self._connection = connection
        return self._connection

    async def load(self, key: str) -> bytes | None:
        """The data of a session."""
        now = self._clock()

        def work(connection: sqlite3.Connection) -> Any:
            query = "SELECT data FROM sessions WHERE key = ? AND until > ?"
            return connection.execute(query, (key, now)).fetchone()

        row = await self._run(work)
        return None if row is None else bytes(row[0])

    async def save(self, key: str, data: bytes, max_age_s: int) -> None:
        """Keep a session; now and then those whose time is over are removed."""
        now = self._clock()

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)", (key, now + max_age_s, data)
            )
            self._saves += 1
            if self._saves % _SWEEP_EVERY == 1:
                connection.execute("DELETE FROM sessions WHERE until <= ?", (now,))

        await self._run(work)

    async def delete(self, key: str) -> None:
        """Forget a session."""
        await self._run(lambda db: db.execute("DELETE FROM sessions WHERE key = ?", (key,)))

    async def close(self) -> None:
        """Close the file; the store opens it again when it is used."""

        def work() -> None:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

        await asyncio.get_running_loop().run_in_executor(self._executor, work)
