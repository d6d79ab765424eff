"""Sessions: what is remembered of a browser between its requests."""

from eyewall.web.sessions.session import Session, SessionMixin
from eyewall.web.sessions.stores import (
    CookieStore,
    MemoryStore,
    SessionStore,
    SessionStoreError,
)

__all__ = [
    "CookieStore",
    "MemoryStore",
    "Session",
    "SessionMixin",
    "SessionStore",
    "SessionStoreError",
]
