"""Notes in PostgreSQL: a pool for the application, and news as they are written."""

import asyncio
import json
import os

import asyncpg

from eyewall import Application, HTTPError, RequestHandler

TABLE = "CREATE TABLE IF NOT EXISTS notes (id SERIAL PRIMARY KEY, text TEXT NOT NULL)"


class Notes(RequestHandler):
    """All notes."""

    async def get(self):
        """The newest first."""
        rows = await self.settings["pool"].fetch("SELECT id, text FROM notes ORDER BY id DESC")
        self.write({"notes": [dict(row) for row in rows]})

    async def post(self):
        """Write one, and tell all processes that listen."""
        async with self.settings["pool"].acquire() as connection, connection.transaction():
            note = await connection.fetchrow(
                "INSERT INTO notes (text) VALUES ($1) RETURNING id, text", self.get_argument("text")
            )
            # Sent when the transaction ends well.
            await connection.execute("SELECT pg_notify('notes', $1)", json.dumps(dict(note)))
        self.set_status(201)
        self.write(dict(note))


class Note(RequestHandler):
    """One note."""

    async def get(self, note_id):
        """Show it."""
        query = "SELECT id, text FROM notes WHERE id = $1"
        note = await self.settings["pool"].fetchrow(query, int(note_id))
        if note is None:
            raise HTTPError(404)
        self.write(dict(note))


class News(RequestHandler):
    """The next note that is written, in whatever process."""

    async def get(self):
        """Wait for it."""
        arrived = asyncio.get_running_loop().create_future()
        self.settings["readers"].add(arrived)
        self.settings["reading"].set()
        try:
            self.write(await arrived)
        finally:
            self.settings["readers"].discard(arrived)


async def database(app):
    """A pool, and a connection that listens."""
    url = os.environ["DATABASE_URL"]

    def heard(_connection, _pid, _channel, payload):
        for reader in app.settings["readers"]:
            if not reader.done():
                reader.set_result(json.loads(payload))

    async with asyncpg.create_pool(url, min_size=1, max_size=10) as pool:
        await pool.execute(TABLE)
        async with pool.acquire() as listening:
            await listening.add_listener("notes", heard)
            app.settings["pool"] = pool
            try:
                yield
            finally:
                await listening.remove_listener("notes", heard)


app = Application(
    [(r"/notes", Notes), (r"/notes/([0-9]{1,9})", Note), (r"/news", News)],
    readers=set(),
    reading=asyncio.Event(),
)
app.resource(database)
