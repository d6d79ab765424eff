"""The engine, as the server uses it."""

from eyewall._engine import DEFAULT_LIMITS, Reactor, Server, TLSConfig

__all__ = ["DEFAULT_LIMITS", "Reactor", "Server", "TLSConfig"]
