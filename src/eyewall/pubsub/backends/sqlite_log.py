"""The log in SQLite; blocking, for one thread."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, final

from eyewall.pubsub.backends.base import Outgoing
from eyewall.pubsub.history import new_epoch
from eyewall.pubsub.message import Page, Position, Record
from eyewall.pubsub.topics import is_pattern, matches

_WINDOW: Final = 10_000
_CLEAN_EVERY: Final = 512
_BUSY_S: Final = 10.0

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS hub (epoch TEXT NOT NULL, top INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS message (
    seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, body BLOB NOT NULL, key TEXT,
    time REAL NOT NULL, ends REAL NOT NULL, kept INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS message_of_topic ON message (topic, seq) WHERE kept = 1;
CREATE TABLE IF NOT EXISTS topic (
    name TEXT PRIMARY KEY, last INTEGER NOT NULL, dropped INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS topic_last ON topic (last);
"""


@final
class SqliteLog:
    """Messages in a database.

    Beyond what its topic keeps, a message stays among the newest 10,000 for the processes that
    have not heard it yet; `kept` says whether it belongs to the history.

    Args:
        path: The file.

    Raises:
        sqlite3.Error: It cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(
            path, isolation_level=None, timeout=_BUSY_S, check_same_thread=False
        )
        self._version = -1
        self._added = 0
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("BEGIN IMMEDIATE")
            for statement in _TABLES.split(";"):
                self._db.execute(statement)
            if self._db.execute("SELECT 1 FROM hub").fetchone() is None:
                self._db.execute("INSERT INTO hub VALUES (?, 0)", (new_epoch(),))
            self._db.execute("COMMIT")
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def newest(self) -> Position:
        """The position of the newest message."""
        return Position(*self._db.execute("SELECT epoch, top FROM hub").fetchone())

    def has_changed(self) -> bool:
        """Whether another process has written since the last call."""
        version: int
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        before, self._version = self._version, version
        return version != before

    def append(self, messages: Sequence[Outgoing], *, now: float) -> list[Position]:
        """Add messages in one transaction."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            epoch, top = db.execute("SELECT epoch, top FROM hub").fetchone()
            first = top + 1
            for message in messages:
                top += 1
                self._add(top, message, now)
            db.execute("UPDATE hub SET top = ?", (top,))
            self._added += len(messages)
            if self._added >= _CLEAN_EVERY:
                self._added = 0
                self._clean(top, now)
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        return [Position(epoch, seq) for seq in range(first, top + 1)]

    def _add(self, seq: int, message: Outgoing, now: float) -> None:
        topic, body, key, retention = message
        db = self._db
        db.execute(
            "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)",
            (seq, topic, body, key, now, now + retention.age_s, int(retention.count > 0)),
        )
        if retention.count == 0 and topic.startswith("$"):
            return
        beyond = (
            (seq,)
            if retention.count == 0
            else db.execute(
                "SELECT seq FROM message WHERE topic = ? AND kept = 1"
                " ORDER BY seq DESC LIMIT 1 OFFSET ?",
                (topic, retention.count),
            ).fetchone()
        )
        if beyond is None:
            dropped = 0
        else:
            (dropped,) = beyond
            db.execute(
                "UPDATE message SET kept = 0 WHERE topic = ? AND kept = 1 AND seq <= ?",
                (topic, dropped),
            )
        db.execute(
            "INSERT INTO topic VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
            " SET last = excluded.last, dropped = max(dropped, excluded.dropped)",
            (topic, seq, dropped),
        )

    def _clean(self, top: int, now: float) -> None:
        """Remove what is neither history nor new."""
        db = self._db
        db.execute(
            "UPDATE topic SET dropped = max(dropped, ("
            " SELECT coalesce(max(seq), 0) FROM message"
            " WHERE topic = name AND kept = 1 AND ends <= ?))"
            " WHERE name IN (SELECT topic FROM message WHERE kept = 1 AND ends <= ?)",
            (now, now),
        )
        db.execute("UPDATE message SET kept = 0 WHERE kept = 1 AND ends <= ?", (now,))
        db.execute("DELETE FROM message WHERE kept = 0 AND seq <= ?", (top - _WINDOW,))

    def since(self, seq: int, limit: int) -> tuple[Position, list[Record]]:
        """The newest position, and the oldest messages after a number, of all topics."""
        self._db.execute("BEGIN")
        try:
            newest = self.newest()
            rows = self._db.execute(
                "SELECT seq, topic, body, key, time FROM message"
                " WHERE seq > ? ORDER BY seq LIMIT ?",
                (seq, limit),
            ).fetchall()
        finally:
            self._db.execute("COMMIT")
        # What follows a hole is told after the hole is.
        dense = [row for place, row in enumerate(rows) if row[0] == rows[0][0] + place]
        return newest, [Record(*row) for row in dense]

    def read(self, patterns: Sequence[str], after: int, limit: int, *, now: float) -> Page:
        """What is kept of some topics after a number; as `MemoryLog.read`."""
        self._db.execute("BEGIN")
        try:
            top = self.newest().seq
            rows: list[Any] = []
            lost = 0
            for name, dropped in self._changed_since(patterns, after):
                found = self._db.execute(
                    "SELECT seq, topic, body, key, time, ends FROM message"
                    " WHERE topic = ? AND kept = 1 AND seq > ? ORDER BY seq DESC LIMIT ?",
                    (name, after, limit + 1),
                ).fetchall()
                lost = max([lost, dropped, *(row[0] for row in found if row[5] <= now)])
                rows.extend(row for row in found if row[5] > now)
        finally:
            self._db.execute("COMMIT")
        rows.sort()
        records = [Record(*row[:5]) for row in rows]
        return Page.of(records, after=after, lost=lost, limit=limit, top=top)

    def _changed_since(self, patterns: Sequence[str], after: int) -> list[tuple[str, int]]:
        if not any(map(is_pattern, patterns)):
            marks = ", ".join("?" for _ in patterns)
            return self._db.execute(
                f"SELECT name, dropped FROM topic WHERE last > ? AND name IN ({marks})",  # noqa: S608 - only question marks
                (after, *patterns),
            ).fetchall()
        rows = self._db.execute("SELECT name, dropped FROM topic WHERE last > ?", (after,))
        return [row for row in rows if any(matches(each, row[0]) for each in patterns)]
