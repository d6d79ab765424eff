"""People and entries in SQLite.

Its statements take some tens of microseconds, less than handing them to a thread would: so they
run on the loop. Entries are paged by key: a page costs the same however far back it is.
"""

import re
import sqlite3
import time
import unicodedata
from dataclasses import dataclass
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS people (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    password TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    slug TEXT NOT NULL UNIQUE,
    author INTEGER NOT NULL REFERENCES people (id),
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    picture TEXT,
    at REAL NOT NULL
);
"""
ENTRY = "SELECT entries.*, people.name FROM entries JOIN people ON people.id = entries.author "


class NameTakenError(Exception):
    """Somebody else has this name."""


@dataclass(frozen=True)
class Person:
    """Somebody who writes."""

    id: int
    name: str
    password: str


@dataclass(frozen=True)
class Entry:
    """Something written."""

    id: int
    slug: str
    author: int
    title: str
    text: str
    picture: str | None
    at: float
    name: str


def slug_of(title: str) -> str:
    """A title as the last part of an address."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "entry"


class Store:
    """The blog's database.

    Args:
        path: The file; it is made when it is missing.
    """

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(SCHEMA)

    def _one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
        return row

    def add_person(self, name: str, password: str) -> Person:
        """Add somebody; `password` is a hash.

        Raises:
            NameTakenError: There is somebody of that name.
        """
        sql = "INSERT INTO people (name, password) VALUES (?, ?) RETURNING *"
        try:
            row = self._one(sql, name, password)
        except sqlite3.IntegrityError as exc:
            raise NameTakenError(name) from exc
        return Person(**dict(row or {}))

    def person(self, number: int) -> Person | None:
        """Somebody by number."""
        row = self._one("SELECT * FROM people WHERE id = ?", number)
        return Person(**dict(row)) if row else None

    def person_named(self, name: str) -> Person | None:
        """Somebody by name."""
        row = self._one("SELECT * FROM people WHERE name = ?", name)
        return Person(**dict(row)) if row else None

    def entries(self, before: int | None = None, most: int = 5) -> list[Entry]:
        """The newest entries, or the newest of those that came before that number."""
        sql = ENTRY + "WHERE entries.id < ? ORDER BY entries.id DESC LIMIT ?"
        rows = self._db.execute(sql, (before or 2**62, most))
        return [Entry(**dict(row)) for row in rows]

    def entry(self, slug: str) -> Entry | None:
        """The entry with that address."""
        row = self._one(ENTRY + "WHERE slug = ?", slug)
        return Entry(**dict(row)) if row else None

    def add_entry(self, author: Person, title: str, text: str, picture: str | None) -> str:
        """Add an entry; returns the last part of its address."""
        base, number = slug_of(title), 1
        while True:
            slug = base if number == 1 else f"{base}-{number}"
            try:
                self._db.execute(
                    "INSERT INTO entries (slug, author, title, text, picture, at)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (slug, author.id, title, text, picture, time.time()),
                )
            except sqlite3.IntegrityError:
                number += 1
            else:
                return slug

    def change_entry(self, entry: Entry, title: str, text: str, picture: str | None) -> None:
        """Change an entry; its address stays."""
        self._db.execute(
            "UPDATE entries SET title = ?, text = ?, picture = ? WHERE id = ?",
            (title, text, picture, entry.id),
        )

    def remove_entry(self, entry: Entry) -> None:
        """Remove an entry."""
        self._db.execute("DELETE FROM entries WHERE id = ?", (entry.id,))

    def close(self) -> None:
        """Close the database."""
        self._db.close()
