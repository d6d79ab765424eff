"""Where sessions are kept: what a store is, and the two that need nothing else."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, final

from eyewall.base.errors import EyewallError

LARGEST_COOKIE = 3800
"""Bytes of a session in a cookie; browsers take about 4096 with name and attributes."""


class SessionTooLargeError(EyewallError):
    """More than the store takes."""


class SessionStoreError(EyewallError):
    """The store cannot be asked now; the request is answered 503."""


class SessionStore(Protocol):
    """Keeps the data of sessions by their ids, each for a time.

    Stores never see ids as browsers have them, only their SHA-256: who can read a store cannot
    take a session over. Each method raises `SessionStoreError` when the place cannot be reached.
    """

    async def load(self, key: str) -> bytes | None:
        """The data; None where there is none, or its time is over."""
        ...

    async def save(self, key: str, data: bytes, max_age_s: int) -> None:
        """Keep data for that many seconds; data of the same key is replaced."""
        ...

    async def delete(self, key: str) -> None:
        """Forget a session, if it is there."""
        ...


def key_of(session_id: str) -> str:
    """The key that stores know a session by."""
    return hashlib.sha256(session_id.encode()).hexdigest()


@final
class MemoryStore:
    """Keeps sessions in this process: for tests, and for one process that may forget.

    Args:
        most: Sessions that are kept; beyond it the one that was used least lately goes.
        clock: Gives seconds.
    """

    def __init__(self, *, most: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._sessions: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    async def load(self, key: str) -> bytes | None:
        """The data of a session."""
        found = self._sessions.get(key)
        if found is None:
            return None
        until, data = found
        if until <= self._clock():
            del self._sessions[key]
            return None
        self._sessions.move_to_end(key)
        return data

    async def save(self, key: str, data: bytes, max_age_s: int) -> None:
        """Keep a session."""
        self._sessions[key] = (self._clock() + max_age_s, data)
        self._sessions.move_to_end(key)
        while len(self._sessions) > self._most:
            self._sessions.popitem(last=False)

    async def delete(self, key: str) -> None:
        """Forget a session."""
        self._sessions.pop(key, None)


@final
class CookieStore:
    """Keeps the data in the cookie itself, signed: nothing on the server, readable by its owner.

    It needs the setting `cookie_secret`. What it holds cannot be taken back before its time is
    over: a copy of the cookie goes on counting after logging out.
    """
