"""Messages in a SQLite file, which a thread of its own asks."""

import asyncio
import json
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


class SQLiteStore:
    """Keeps messages in a file."""

    def __init__(self, path):
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chat-store")
        self._db = None

    async def _run(self, work, *args):
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    async def open(self):
        """Open the file, and make the table."""
        await self._run(self._open)

    def _open(self):
        Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT,"
            " room TEXT NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL, time REAL NOT NULL,"
            " votes TEXT NOT NULL DEFAULT '[]')"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS by_room ON messages (room, id)")

    async def close(self):
        """Close the file."""
        await self._run(self._db.close)
        self._thread.shutdown(wait=False)

    async def add(self, room, author, text):
        """Keep a message."""
        return await self._run(self._add, room, author, text)

    def _add(self, room, author, text):
        row = self._db.execute(
            "INSERT INTO messages (room, author, text, time) VALUES (?, ?, ?, ?) RETURNING *",
            (room, author, text, time.time()),
        ).fetchone()
        return _message(row)

    async def vote(self, room, message, voter):
        """Vote, or take the vote back."""
        return await self._run(self._vote, room, message, voter)

    def _vote(self, room, message, voter):
        if not message.isdecimal() or len(message) > 18:
            return None
        self._db.execute("BEGIN IMMEDIATE")
        try:
            found = self._db.execute(
                "SELECT votes FROM messages WHERE room = ? AND id = ?", (room, int(message))
            ).fetchone()
            if found is None:
                return None
            votes = json.loads(found["votes"])
            votes = [name for name in votes if name != voter] if voter in votes else [*votes, voter]
            row = self._db.execute(
                "UPDATE messages SET votes = ? WHERE id = ? RETURNING *",
                (json.dumps(votes), int(message)),
            ).fetchone()
            return _message(row)
        finally:
            self._db.execute("COMMIT")

    async def page(self, room, limit, *, before=None, after=None):
        """Messages of a room, oldest first."""
        return await self._run(self._page, room, limit, before, after)

    def _page(self, room, limit, before, after):
        if after is not None:
            which, order, number = "id > ?", "ASC", int(after)
        else:
            which, order, number = "id < ?", "DESC", int(before) if before else 2**62
        rows = self._db.execute(
            f"SELECT * FROM messages WHERE room = ? AND {which} ORDER BY id {order} LIMIT ?",
            (room, number, limit),
        ).fetchall()
        return [_message(row) for row in (rows if order == "ASC" else rows[::-1])]

    async def rooms(self):
        """The rooms."""
        query = "SELECT DISTINCT room FROM messages ORDER BY room"
        return await self._run(lambda: [room for (room,) in self._db.execute(query)])


def _message(row):
    return {**row, "id": str(row["id"]), "votes": json.loads(row["votes"])}


def make(url):
    """The store of `sqlite:///PATH`."""
    return SQLiteStore(url.removeprefix("sqlite://"))
