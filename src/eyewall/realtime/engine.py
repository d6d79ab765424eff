"""The engine, as events and polling use it."""

from eyewall._engine import Exchange, Fanout, Reactor, StreamClosedError

__all__ = ["Exchange", "Fanout", "Reactor", "StreamClosedError"]
