"""Deferreds in coroutines: `yield deferred`. It needs Twisted."""

import asyncio
from typing import Any

from eyewall.aio.yielded import convert_yielded

try:
    from twisted.internet.defer import Deferred
except ImportError as exc:
    raise ImportError("platform.twisted needs Twisted: pip install twisted") from exc

__all__ = ["install"]


@convert_yielded.register(Deferred)
def _future_of(deferred: Any) -> "asyncio.Future[Any]":
    future: asyncio.Future[Any] = deferred.asFuture(asyncio.get_running_loop())
    return future


def install() -> None:
    """Run Twisted's reactor on asyncio's loop; call it before anything imports a reactor."""
    from twisted.internet import asyncioreactor  # noqa: PLC0415 - chooses the reactor

    asyncioreactor.install(asyncio.get_event_loop())  # type: ignore[no-untyped-call]
