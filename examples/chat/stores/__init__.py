"""Where a chat's messages are kept: a store for each kind of URL."""

import importlib
from typing import Any, Protocol

_MODULES = {
    "sqlite": "sqlite",
    "redis": "redis_store",
    "unix": "redis_store",
    "postgresql": "postgresql",
    "mongodb": "mongodb",
    "http": "couchdb",
    "https": "couchdb",
}

Message = dict[str, Any]
"""`id` (opaque, in order within a room), `room`, `author`, `text`, `time` and `votes`, a list of names."""


class Store(Protocol):
    """Keeps messages, and pages through those of a room."""

    async def open(self) -> None:
        """Connect, and make what is missing."""

    async def close(self) -> None:
        """Disconnect."""

    async def add(self, room: str, author: str, text: str) -> Message:
        """Keep a message."""

    async def vote(self, room: str, message: str, voter: str) -> Message | None:
        """Vote for a message, or take the vote back; None where there is none."""

    async def page(
        self, room: str, limit: int, *, before: str | None = None, after: str | None = None
    ) -> list[Message]:
        """Messages of a room, oldest first: those after an id, or those before one, or the newest."""

    async def rooms(self) -> list[str]:
        """The rooms that have messages, by name."""


def open_store(url: str) -> Store:
    """The store of a URL: sqlite:///PATH, redis:, postgresql:, mongodb:, or a CouchDB's http:.

    Raises:
        ValueError: There is no store for it.
    """
    scheme = url.partition(":")[0]
    if scheme not in _MODULES:
        raise ValueError(f"{url!r} is no store; there are {', '.join(sorted(_MODULES))}")
    module = importlib.import_module(f"stores.{_MODULES[scheme]}")
    return module.make(url)
