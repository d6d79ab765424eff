"""A chat: rooms, votes, who is there and who is typing, pages of history, in the store that a URL names.

Run it with `eyewall run app:make_app --app-dir examples/chat`, or `make demo`.
"""

import os
from pathlib import Path

from stores import open_store

from eyewall.pubsub import Hub
from eyewall.realtime.live import Live, RefusedError
from eyewall.web import Application, HTTPError, RequestHandler

HERE = Path(__file__).parent
LONGEST_TEXT = 2000
LONGEST_NAME = 40
MOST = 50


def clean(value, name, most):
    """A text that is there, not blank and not too long.

    Raises:
        RefusedError: It is not.
    """
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise RefusedError(f"{name} is missing, blank or too long", name)
    return value.strip()


class Chat(Application):
    """The page, the pages of history, and the live connection."""

    def __init__(self, store_url, hub_url):
        self.store = open_store(store_url)
        # Whoever connects says a name; a site of yours would look at its session.
        self.live = Live(Hub(hub_url), authenticate=lambda name: clean(name, "name", LONGEST_NAME))
        # For those who are away for a moment; what is older comes from the store.
        self.live.hub.retain("rooms/*", count=200, age_s=3600)
        self.live.rule("rooms/*")(self.may)
        self.live.receive("rooms/*")(self.received)
        shared = {"chat": self}
        super().__init__(
            [
                (r"/", Page, {"name": "index.html", "kind": "text/html"}),
                (r"/chat\.js", Page, {"name": "chat.js", "kind": "text/javascript"}),
                (r"/chat\.css", Page, {"name": "chat.css", "kind": "text/css"}),
                (r"/messages", Messages, shared),
                (r"/rooms", Rooms, shared),
                *self.live.routes(),
            ]
        )

    async def startup(self):
        """Open the store and the hub."""
        await self.store.open()
        await self.live.hub.start()

    async def drain(self, deadline_s=30.0):
        """Close them when the last request has gone."""
        await super().drain(deadline_s)
        await self.live.presence.close()
        await self.live.hub.close()
        await self.store.close()

    @staticmethod
    def may(user, action, topic):
        """Whoever has a name may see and be seen; messages are published here alone."""
        return user is not None and action.value != "publish"

    async def received(self, session, topic, data):
        """Somebody says something, or votes: keep it, then tell everybody in the room."""
        room, author = topic.partition("/")[2], session.identity
        if not isinstance(data, dict):
            raise RefusedError("an object is wanted", "data")
        if "vote" in data:
            message = await self.store.vote(room, clean(data["vote"], "vote", 100), author)
            if message is None:
                raise RefusedError("there is no such message", "vote")
        else:
            text = clean(data.get("text"), "text", LONGEST_TEXT)
            message = await self.store.add(room, author, text)
        await self.live.hub.publish(topic, message, key=message["id"])
        return message["id"]


class Messages(RequestHandler):
    """GET /messages?room=&before=&after=: a page of a room's messages, oldest first."""

    def initialize(self, chat):
        """Set the chat."""
        self.chat = chat

    async def get(self):
        """Answer with messages, and with where the live connection has to begin."""
        room = self.get_query_argument("room")
        before = self.get_query_argument("before", None)
        after = self.get_query_argument("after", None)
        # Asked before the store: what comes in between is told twice rather than never.
        since = str(self.chat.live.hub.position)
        try:
            messages = await self.chat.store.page(room, MOST, before=before, after=after)
        except ValueError as exc:
            raise HTTPError(400, "before=%r, after=%r are no ids", before, after) from exc
        self.set_header("Cache-Control", "no-store")
        self.write({"messages": messages, "since": since})


class Rooms(RequestHandler):
    """GET /rooms: the rooms that have messages."""

    def initialize(self, chat):
        """Set the chat."""
        self.chat = chat

    async def get(self):
        """List them."""
        self.write({"rooms": await self.chat.store.rooms()})


class Page(RequestHandler):
    """The page and its two files, read once."""

    def initialize(self, name, kind):
        """Take the file's name and content type from the route."""
        self._body = (HERE / name).read_bytes()
        self._kind = kind

    def get(self):
        """Send it."""
        self.set_header("Content-Type", f"{self._kind}; charset=utf-8")
        self.write(self._body)


def make_app(store=None, hub=None):
    """The chat; CHAT_STORE and CHAT_HUB name its store and its hub's backplane."""
    data = Path(os.environ.get("CHAT_DATA", HERE / "data"))
    data.mkdir(parents=True, exist_ok=True)
    return Chat(
        store or os.environ.get("CHAT_STORE") or f"sqlite://{data / 'chat.sqlite3'}",
        hub or os.environ.get("CHAT_HUB") or f"sqlite://{data / 'hub.sqlite3'}",
    )
