"""A chat: rooms, messages, a vote for each message, by long polling.

Run it with `eyewall run app:app --app-dir examples/chat`, or `make demo`.
"""

import asyncio
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from store import Store

from eyewall import Application, HTTPError, RequestHandler
from eyewall.base.escape import json_decode

HERE = Path(__file__).parent
WAIT_S = 10.0
LONGEST_TEXT = 2000
LONGEST_NAME = 40


class Rooms:
    """Who waits for news of which room."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[None]]] = defaultdict(set)

    async def wait(self, room: str, gone: "asyncio.Future[None]") -> None:
        """Wait until something happens in the room, the client goes, or the time is up."""
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[room].add(news)
        try:
            await asyncio.wait({news, gone}, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting[room].discard(news)
            if not self._waiting[room]:
                del self._waiting[room]

    def wake(self, room: str) -> None:
        """Something has happened in the room."""
        for news in self._waiting.get(room, ()):
            if not news.done():
                news.set_result(None)


class Handler(RequestHandler):
    """What the chat's handlers have in common."""

    max_body_size = 64 * 1024

    @property
    def store(self) -> Store:
        """Where events are kept."""
        store: Store = self.settings["store"]
        return store

    @property
    def rooms(self) -> Rooms:
        """Who waits for them."""
        rooms: Rooms = self.settings["rooms"]
        return rooms

    def json_body(self) -> dict[str, Any]:
        """The request's body, which must be a JSON object."""
        try:
            body = json_decode(self.request.body)
        except ValueError as exc:
            raise HTTPError(400, str(exc), reason="Not JSON") from exc
        if not isinstance(body, dict):
            raise HTTPError(400, "the body is no object", reason="Not an object")
        return body

    def text(self, body: dict[str, Any], name: str, most: int) -> str:
        """A text of the body: required, not blank, not too long."""
        value = body.get(name)
        if not isinstance(value, str) or not value.strip() or len(value) > most:
            raise HTTPError(400, "%s is missing, blank or too long", name, reason=f"Bad {name}")
        return value.strip()

    def write_error(self, status_code: int, **_: Any) -> None:
        """Errors are JSON, as all answers."""
        self.finish({"error": self._reason or "error", "status": status_code})


class Wait(Handler):
    """GET /wait?room=&after=: the events after that number, as soon as there are any."""

    def initialize(self) -> None:
        """Make what tells that the client has gone."""
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def get(self) -> None:
        """Answer at once when there is news, else wait for it."""
        room = self.get_query_argument("room")
        after = self.get_query_argument("after", "0")
        if not after.isdigit() or len(after) > 18:
            raise HTTPError(400, "after=%r is no number", after, reason="Bad after")
        events = self.store.since(room, int(after))
        if not events:
            await self.rooms.wait(room, self._gone)
            events = self.store.since(room, int(after))
        self.set_header("Cache-Control", "no-store")
        self.write({"events": events})

    def on_connection_close(self) -> None:
        """Wait no longer: nobody is there."""
        if not self._gone.done():
            self._gone.set_result(None)


class Messages(Handler):
    """POST /messages: say something in a room."""

    def post(self) -> None:
        """Keep the message, and wake who waits for it."""
        body = self.json_body()
        room = self.text(body, "room", LONGEST_NAME)
        author = self.text(body, "author", LONGEST_NAME)
        number = self.store.add_message(room, author, self.text(body, "text", LONGEST_TEXT))
        self.rooms.wake(room)
        self.set_status(201)
        self.write({"id": number})


class Votes(Handler):
    """POST /votes: vote for a message, or take the vote back."""

    def post(self) -> None:
        """Keep the vote, and wake who waits in the message's room."""
        body = self.json_body()
        message = body.get("message")
        if not isinstance(message, int) or isinstance(message, bool) or not 0 < message < 2**62:
            raise HTTPError(400, "message is no number", reason="Bad message")
        room = self.store.toggle_vote(message, self.text(body, "voter", LONGEST_NAME))
        if room is None:
            raise HTTPError(404, "there is no message %d", message)
        self.rooms.wake(room)
        self.write({"message": message})


class RoomList(Handler):
    """GET /rooms: the rooms that there are."""

    def get(self) -> None:
        """List them."""
        self.write({"rooms": self.store.rooms()})


class Asset(Handler):
    """The page and its two files, read once."""

    def initialize(self, name: str, kind: str) -> None:
        """Take the file's name and content type from the route."""
        self._body = (HERE / name).read_bytes()
        self._kind = kind

    def get(self) -> None:
        """Send it."""
        self.set_header("Content-Type", f"{self._kind}; charset=utf-8")
        self.write(self._body)


def make_app(database: str | None = None) -> Application:
    """The application, with its events in `database` (CHAT_DB, or chat.sqlite3 here)."""
    path = database or os.environ.get("CHAT_DB") or str(HERE / "chat.sqlite3")
    return Application(
        [
            (r"/", Asset, {"name": "index.html", "kind": "text/html"}),
            (r"/chat\.js", Asset, {"name": "chat.js", "kind": "text/javascript"}),
            (r"/chat\.css", Asset, {"name": "chat.css", "kind": "text/css"}),
            (r"/wait", Wait),
            (r"/messages", Messages),
            (r"/votes", Votes),
            (r"/rooms", RoomList),
        ],
        store=Store(path),
        rooms=Rooms(),
    )


app = make_app()
