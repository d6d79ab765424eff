"""The front: it accepts HTTP, puts each request on a Redis stream, and hands back what workers answer."""

import asyncio
import os
import secrets
import socket
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, final

from eyewall.base.log import gen_log
from eyewall.http.exchange import Exchange
from eyewall.ops.dispatch.forwarded import Forwarded
from eyewall.ops.dispatch.link import Command, Link
from eyewall.ops.dispatch.wire import WHOLE, Frame, FrameError, Keys

BEAT_S: Final = 1.0

# KEYS: the stream, the hash of numbers; ARGV: the front, its request's number, the longest queue,
# then the entry. A front repeats itself when it has heard no answer: the number tells.
_ADD: Final = """
if tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0') >= tonumber(ARGV[2]) then return 'again' end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 'full' end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return redis.call('XADD', KEYS[1], '*', unpack(ARGV, 4))
"""


def own_name(kind: str) -> str:
    """A name that no other process has."""
    return f"{kind}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


@final
@dataclass(frozen=True, slots=True)
class FrontLimits:
    """How much a front lets wait.

    Attributes:
        queue: Requests on the stream, of all fronts together; more are answered 503.
        wait_s: Seconds until a worker must have taken a request; 504 after that.
        whole: Bytes of a body that travels with its head; larger ones go in pieces.
    """

    queue: int = 10_000
    wait_s: float = 60.0
    whole: int = WHOLE


@final
class Front:
    """Serves exchanges by workers elsewhere.

    Args:
        url: The Redis.
        keys: Names of everything there.
        limits: How much may wait.
    """

    serves_exchanges = True

    def __init__(self, url: str, keys: Keys, limits: FrontLimits | None = None) -> None:
        self.name = own_name("front")
        self.keys = keys
        self.limits = limits or FrontLimits()
        self.link = Link(url)
        self._waiting: dict[str, Forwarded] = {}
        self._last_number = 0
        self._taken_number = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._is_full = False

    async def startup(self) -> None:
        """Connect.

        Raises:
            StartupError: Redis cannot be reached.
        """
        await self.link.start()
        self.link.on_return = lambda: self._tasks.append(asyncio.ensure_future(self._look()))
        self._tasks += [
            asyncio.ensure_future(self.link.follow(self.keys.inbox(self.name), self._hear)),
            asyncio.ensure_future(self._beat()),
        ]

    async def drain(self, deadline_s: float = 30.0) -> None:
        """Leave Redis; the server has finished its requests."""
        for name in (self.keys.alive, self.keys.sent):
            self.link.put(("HDEL", name, self.name))
        self.link.put(("DEL", self.keys.inbox(self.name)))
        await self.link.flushed(min(deadline_s, 2.0))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.link.close()

    # Requests

    def __call__(self, exchange: Exchange) -> None:
        """Serve an exchange."""
        if len(self._waiting) >= self.limits.queue:
            self._refuse(exchange)
            return
        request = secrets.token_hex(12)
        forwarded = self._waiting[request] = Forwarded(self, request, exchange)
        forwarded.begin()

    def add(self, forwarded: Forwarded, head: bytes, body: bytes) -> None:
        """Put a request on the stream."""
        self._last_number += 1
        number = forwarded.order = self._last_number
        fields: list[Any] = ["r", forwarded.request, "f", self.name, "h", head]
        if body:
            fields += ["d", body]
        keys = (self.keys.requests, self.keys.sent)
        arguments = (self.name, number, self.limits.queue, *fields)
        command: Command = ("EVAL", _ADD, 2, *keys, *arguments)
        self.link.put(command, then=partial(self._added, forwarded, number))

    def _added(self, forwarded: Forwarded, number: int, result: Any) -> None:
        if isinstance(result, Exception) or result == b"full":
            if isinstance(result, Exception):
                gen_log.error("Redis refuses requests: %.200s", result)
            self._waiting.pop(forwarded.request, None)
            forwarded.close()
            self._refuse(forwarded.exchange)
            return
        self._taken_number = number
        if self._is_full and len(self._waiting) * 2 < self.limits.queue:
            # Not at once, or a queue that is just full would fill the log.
            self._is_full = False
        if result != b"again":
            forwarded.added(result)

    def _refuse(self, exchange: Exchange) -> None:
        if not self._is_full:
            self._is_full = True
            gen_log.warning("More requests wait than may: others are answered 503")
        if exchange.connected and not exchange.responded:
            headers = {"Retry-After": "1", "Content-Type": "text/plain"}
            exchange.respond(503, headers, b"too many requests wait\n")

    def say(self, worker: str, frame: Frame) -> None:
        """Send a frame to a worker's inbox."""
        fields = [part for pair in frame.encode().items() for part in pair]
        self.link.put(("XADD", self.keys.inbox(worker), "*", *fields))

    def withdraw(self, entry: bytes) -> None:
        """Take back a request that no worker has taken yet, as far as is known."""
        self.link.put(("XDEL", self.keys.requests, entry))

    def forget(self, request: str) -> None:
        """It is over."""
        self._waiting.pop(request, None)

    # Answers

    def _hear(self, fields: dict[bytes, bytes]) -> None:
        try:
            frame = Frame.decode(fields)
        except FrameError as exc:
            gen_log.warning("A frame of a worker was ignored: %.200s", exc)
            return
        forwarded = self._waiting.get(frame.request)
        if forwarded is not None:
            forwarded.hear(frame)
        elif frame.kind in {"taken", "head", "socket"}:
            # Its client has gone meanwhile.
            self.say(frame.sender, Frame("gone", frame.request, self.name, 1))

    # Being there

    async def _beat(self) -> None:
        while True:
            self.link.put(("HINCRBY", self.keys.alive, self.name, 1))
            await asyncio.sleep(BEAT_S)

    async def _look(self) -> None:
        """Redis has come back: find out whether it has kept what was given to it."""
        found = await self.link.ask("HGET", self.keys.sent, self.name)
        if int(found or 0) >= self._taken_number:
            return
        lost = [each for each in self._waiting.values() if int(found or 0) < each.order]
        lost = [each for each in lost if each.order <= self._taken_number]
        gen_log.error("Redis has lost %d requests", len(lost))
        for forwarded in lost:
            forwarded.lost()
