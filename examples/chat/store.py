"""Messages and votes in SQLite.

Everything that happens in a room is an event with a number that only grows: a message, or a
vote. A client that knows the last number it has seen misses nothing and sees nothing twice.
Writes are committed before they are answered, so a restart loses nothing.
"""

import sqlite3
import time
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room TEXT NOT NULL,
    kind TEXT NOT NULL,
    author TEXT NOT NULL,
    text TEXT NOT NULL DEFAULT '',
    message INTEGER,
    votes INTEGER NOT NULL DEFAULT 0,
    at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_room ON events (room, id);
CREATE TABLE IF NOT EXISTS votes (
    message INTEGER NOT NULL,
    voter TEXT NOT NULL,
    PRIMARY KEY (message, voter)
);
"""


class Store:
    """The events of all rooms.

    Its transactions take some 50 microseconds each, less than handing them to a thread would:
    so they run on the loop.
    """

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)

    def rooms(self) -> list[str]:
        """The names of all rooms that have a message."""
        return [row["room"] for row in self._db.execute("SELECT DISTINCT room FROM events")]

    def since(self, room: str, after: int, most: int = 500) -> list[dict[str, Any]]:
        """The events of a room after that number, oldest first."""
        rows = self._db.execute(
            "SELECT * FROM events WHERE room = ? AND id > ? ORDER BY id LIMIT ?",
            (room, after, most),
        )
        return [dict(row) for row in rows]

    def add_message(self, room: str, author: str, text: str) -> int:
        """Add a message; returns its number."""
        cursor = self._db.execute(
            "INSERT INTO events (room, kind, author, text, at) VALUES (?, 'message', ?, ?, ?)",
            (room, author, text, time.time()),
        )
        return cursor.lastrowid or 0

    def toggle_vote(self, message: int, voter: str) -> str | None:
        """Give or take back a vote; returns the message's room, or None if there is none."""
        found = self._db.execute(
            "SELECT room FROM events WHERE id = ? AND kind = 'message'", (message,)
        ).fetchone()
        if found is None:
            return None
        with self._transaction():
            taken = self._db.execute(
                "DELETE FROM votes WHERE message = ? AND voter = ?", (message, voter)
            )
            if not taken.rowcount:
                self._db.execute("INSERT INTO votes VALUES (?, ?)", (message, voter))
            count = self._db.execute(
                "SELECT count(*) FROM votes WHERE message = ?", (message,)
            ).fetchone()[0]
            self._db.execute(
                "INSERT INTO events (room, kind, author, message, votes, at) "
                "VALUES (?, 'vote', ?, ?, ?, ?)",
                (found["room"], voter, message, count, time.time()),
            )
        return str(found["room"])

    def _transaction(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def close(self) -> None:
        """Close the file."""
        self._db.close()
