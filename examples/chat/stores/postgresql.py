"""Messages in PostgreSQL."""

import asyncpg


class PostgreSQLStore:
    """Keeps messages in a table."""

    def __init__(self, url):
        self._url = url
        self._pool = None

    async def open(self):
        """Connect, and make the table."""
        self._pool = await asyncpg.create_pool(self._url, min_size=1, max_size=5)
        async with self._pool.acquire() as connection, connection.transaction():
            # Two servers that begin at once must not both make it.
            await connection.execute("SELECT pg_advisory_xact_lock(6172)")
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS messages (id BIGSERIAL PRIMARY KEY, room TEXT NOT NULL,"
                " author TEXT NOT NULL, text TEXT NOT NULL, time DOUBLE PRECISION NOT NULL"
                " DEFAULT extract(epoch FROM now()), votes TEXT[] NOT NULL DEFAULT '{}')"
            )
            await connection.execute("CREATE INDEX IF NOT EXISTS by_room ON messages (room, id)")

    async def close(self):
        """Close the connections."""
        await self._pool.close()

    async def add(self, room, author, text):
        """Keep a message."""
        query = "INSERT INTO messages (room, author, text) VALUES ($1, $2, $3) RETURNING *"
        # A text in PostgreSQL holds no NUL.
        return _message(await self._pool.fetchrow(query, room, author, text.replace("\0", "")))

    async def vote(self, room, message, voter):
        """Vote, or take the vote back."""
        if not message.isdecimal() or len(message) > 18:
            return None
        row = await self._pool.fetchrow(
            "UPDATE messages SET votes = CASE WHEN $3 = ANY(votes) THEN array_remove(votes, $3)"
            " ELSE array_append(votes, $3) END WHERE room = $1 AND id = $2 RETURNING *",
            room, int(message), voter,
        )  # fmt: skip
        return None if row is None else _message(row)

    async def page(self, room, limit, *, before=None, after=None):
        """Messages of a room, oldest first."""
        if after is not None:
            which, order, number = "id > $2", "ASC", int(after)
        else:
            which, order, number = "id < $2", "DESC", int(before) if before else 2**62
        query = f"SELECT * FROM messages WHERE room = $1 AND {which} ORDER BY id {order} LIMIT $3"
        rows = await self._pool.fetch(query, room, number, limit)
        return [_message(row) for row in (rows if order == "ASC" else rows[::-1])]

    async def rooms(self):
        """The rooms."""
        rows = await self._pool.fetch("SELECT DISTINCT room FROM messages ORDER BY room")
        return [row["room"] for row in rows]


def _message(row):
    return {**row, "id": str(row["id"]), "votes": list(row["votes"])}


def make(url):
    """The store of a PostgreSQL."""
    return PostgreSQLStore(url)
