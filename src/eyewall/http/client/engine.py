"""The engine, as the client uses it."""

from eyewall._engine import (
    ClientConnection,
    ClientResponse,
    ClientTLS,
    EngineError,
    Reactor,
    RequestFailedError,
    StreamClosedError,
)

__all__ = [
    "ClientConnection",
    "ClientResponse",
    "ClientTLS",
    "EngineError",
    "Reactor",
    "RequestFailedError",
    "StreamClosedError",
]
