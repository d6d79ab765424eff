"""The traffic gate: requests wait inside the server while something else must have its peace."""

import asyncio
import fnmatch
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, final

from eyewall.base.log import gen_log
from eyewall.http.exchange import Exchange
from eyewall.ops.serving import Serving

_POLL_S: Final = 0.005
_BATCH: Final = 64
_BUFFERED: Final = 64 * 1024
"""The engine reads so much of a body ahead."""


@final
@dataclass(frozen=True, slots=True)
class GateLimits:
    """How much may wait.

    Attributes:
        requests: How many.
        bytes: What they may hold in memory, as far as their sizes are announced.
        wait_s: How long one waits before it is answered 503.
    """

    requests: int = 10_000
    bytes: int = 64 * 1024 * 1024
    wait_s: float = 30.0


@dataclass(eq=False, slots=True)
class _Held:
    exchange: Exchange
    size: int
    until: float


@final
class Gate:
    """Holds requests of a server, in order, and lets them go.

    While it is open it is not on the way of any request.

    Args:
        server: Whose requests.
        passes: Paths that are never held, such as those of health checks.
        limits: How much may wait.
    """

    def __init__(
        self,
        server: Serving,
        passes: frozenset[str] = frozenset(),
        limits: GateLimits | None = None,
    ) -> None:
        self._server = server
        self._passes = passes
        self._limits = limits or GateLimits()
        self._held: deque[_Held] = deque()
        self._bytes = 0
        self._pattern: str | None = None
        self._closed_at: float | None = None
        self._reopening: asyncio.TimerHandle | None = None
        self._expiring: asyncio.TimerHandle | None = None
        self._released: asyncio.Task[None] | None = None
        self._refused = 0

    @property
    def is_suspended(self) -> bool:
        """Whether requests are held."""
        return self._closed_at is not None

    @property
    def is_full(self) -> bool:
        """Whether requests are held, and no more can be."""
        if self._closed_at is None or self._pattern is not None:
            return False
        limits = self._limits
        return len(self._held) >= limits.requests or self._bytes + 1024 > limits.bytes

    def report(self) -> dict[str, Any]:
        """What `eyewall ctl status` shows of it."""
        if self._closed_at is None:
            return {"suspended": False}
        return {
            "suspended": True,
            "route": self._pattern,
            "held": len(self._held),
            "refused": self._refused,
            "since_s": round(time.monotonic() - self._closed_at, 1),
        }

    def close(self, pattern: str | None = None, for_s: float | None = None) -> None:
        """Hold requests that come from now on.

        Args:
            pattern: Only those whose path matches, as "/orders/*"; None for all.
            for_s: Seconds after which it opens by itself; None for when it is told to.
        """
        loop = asyncio.get_running_loop()
        if self._closed_at is None:
            self._closed_at = time.monotonic()
            self._refused = 0
        self._pattern = pattern
        self._server.divert(self._arrived)
        if self._reopening is not None:
            self._reopening.cancel()
        self._reopening = None if for_s is None else loop.call_later(for_s, self._time_is_up)

    async def quiet(self, wait_s: float) -> int:
        """Wait until nothing runs; returns how many requests still do when the time is up.

        Args:
            wait_s: Seconds.
        """
        end = time.monotonic() + wait_s
        while (running := self.running()) and time.monotonic() < end:  # noqa: ASYNC110 - the engine counts, and has no such event
            await asyncio.sleep(_POLL_S)
        return running

    def running(self) -> int:
        """How many requests run, without those that are held."""
        return max(0, self._server.stats()["exchanges"] - len(self._held))

    def open(self) -> int:
        """Let the held requests go, in order; returns how many."""
        if self._closed_at is None:
            return 0
        for timer in (self._reopening, self._expiring):
            if timer is not None:
                timer.cancel()
        self._reopening = self._expiring = None
        waited = time.monotonic() - self._closed_at
        count = len(self._held)
        gen_log.info("Resumed after %.1f s; %d requests were held", waited, count)
        self._closed_at = None
        if self._released is None or self._released.done():
            self._released = asyncio.ensure_future(self._release())
        return count

    def _time_is_up(self) -> None:
        gen_log.warning("The time of the suspension is up")
        self.open()

    def _arrived(self, exchange: Exchange) -> object:
        path = exchange.path
        if path in self._passes or not self._concerns(path):
            return self._server.app(exchange)
        size = min(exchange.content_length or 0, _BUFFERED) + 1024
        limits = self._limits
        if len(self._held) >= limits.requests or self._bytes + size > limits.bytes:
            self._refuse(exchange)
            return None
        loop = asyncio.get_running_loop()
        held = _Held(exchange, size, loop.time() + limits.wait_s)
        self._held.append(held)
        self._bytes += size
        exchange.on_disconnect(partial(self._leave, held))
        if self._expiring is None and self._closed_at is not None:
            self._expiring = loop.call_at(held.until, self._expire)
        return None

    def _concerns(self, path: str) -> bool:
        return self._pattern is None or fnmatch.fnmatchcase(path, self._pattern)

    def _refuse(self, exchange: Exchange) -> None:
        if self._refused == 0:
            gen_log.warning("More requests wait than may: others are answered 503")
        self._refused += 1
        if exchange.connected:
            exchange.respond(
                503, {"Retry-After": "5", "Content-Type": "text/plain"}, b"suspended\n"
            )

    def _expire(self) -> None:
        """Answer those that have waited too long."""
        loop = asyncio.get_running_loop()
        self._expiring = None
        while self._held and self._held[0].until <= loop.time():
            self._refuse(self._take().exchange)
        if self._held:
            self._expiring = loop.call_at(self._held[0].until, self._expire)

    def _leave(self, held: _Held) -> None:
        """Its client has gone."""
        if held in self._held:
            self._held.remove(held)
            self._bytes -= held.size

    def _take(self) -> _Held:
        held = self._held.popleft()
        self._bytes -= held.size
        held.exchange.on_disconnect(None)
        return held

    async def _release(self) -> None:
        """Serve what waited; who comes meanwhile queues behind."""
        app: Callable[[Exchange], object] = self._server.app
        while self._held and self._closed_at is None:
            for _ in range(min(_BATCH, len(self._held))):
                exchange = self._take().exchange
                if exchange.connected:
                    _serve(app, exchange)
            await asyncio.sleep(0)
        if self._closed_at is None:
            self._server.divert(None)


def _serve(app: Callable[[Exchange], object], exchange: Exchange) -> None:
    try:
        app(exchange)
    except Exception as exc:  # noqa: BLE001 - as the engine does with what an application raises
        context = {"message": "Exception in a request that was held", "exception": exc}
        asyncio.get_running_loop().call_exception_handler(context)
        if not exchange.responded:
            exchange.respond(500, {"Content-Type": "text/plain"}, b"Internal Server Error\n")
