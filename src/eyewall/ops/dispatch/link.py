"""The way to Redis: it is mended when it breaks, and what was to be sent is sent then, in order."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar, final

from eyewall.base.errors import ConfigurationError, StartupError
from eyewall.base.log import gen_log

T = TypeVar("T")
Command = tuple[Any, ...]
Unit = tuple[Command, ...]
"""Commands that Redis carries out together, or not at all."""

BLOCK_MS: Final = 4000
_TIMEOUT_S: Final = 8.0
_BATCH: Final = 64
_HEARD_AT_ONCE: Final = 256
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0
_WAITER_PAUSE_S: Final = 0.1


@final
class Link:
    """Two kinds of connections to one Redis: one that sends, and one for each that waits.

    Args:
        url: Where, for example "redis://localhost:6379/0" or "unix:///run/redis.sock".

    Raises:
        ConfigurationError: The `redis` library is not installed, or the URL is none.
    """

    def __init__(self, url: str) -> None:
        try:
            # An optional dependency.
            from redis import asyncio as redis  # noqa: PLC0415
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415
            from redis.exceptions import RedisError  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                "dispatch through Redis needs the redis library: pip install 'eyewall[redis]'"
            ) from None

        def client() -> Any:
            # What is repeated, and when, is decided here and not in the library.
            return redis.from_url(
                url,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
            )

        try:
            self.client: Any = client()
        except ValueError as exc:
            raise ConfigurationError(f"{url!r} is no address of a Redis: {exc}") from exc
        self._make_client = client
        self._waiting_clients: list[Any] = []
        self.errors: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
        """What the clients raise while Redis does not serve."""
        self._queue: deque[tuple[Unit, Callable[[Any], None] | None]] = deque()
        self._more = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._sending: asyncio.Task[None] | None = None
        self._is_down = False
        self.on_return: Callable[[], object] = _nothing
        """Called when Redis is reached again."""

    async def start(self) -> None:
        """Look whether Redis is there, and send from now on.

        Raises:
            StartupError: It is not.
        """
        try:
            await self.client.ping()
        except self.errors as exc:
            await self.client.aclose()
            raise StartupError(f"Redis cannot be reached: {exc}"[:300]) from exc
        self._sending = asyncio.ensure_future(self._send())

    async def close(self) -> None:
        """Close all connections; what was not sent is not sent."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        for client in (self.client, *self._waiting_clients):
            with contextlib.suppress(*self.errors):
                await client.aclose()

    # Sending

    def put(self, *unit: Command, then: Callable[[Any], None] | None = None) -> None:
        """Send commands, after all that was put before; it is repeated until Redis has taken them.

        They may be carried out twice, when Redis did not come to answer.

        Args:
            unit: Commands that belong together.
            then: Called with the first one's result.
        """
        self._queue.append((unit, then))
        self._empty.clear()
        self._more.set()

    async def flushed(self, timeout_s: float) -> None:
        """Wait until all that was put has been taken, or the time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()

    async def _send(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._queue:
                count = min(_BATCH, len(self._queue))
                units = [self._queue[place] for place in range(count)]
                results = await self.repeat(partial(self._execute, units))
                for _ in range(count):
                    self._queue.popleft()
                for (_, then), result in zip(units, results, strict=True):
                    if then is not None:
                        then(result)
            self._empty.set()

    async def _execute(
        self, units: Sequence[tuple[Unit, Callable[[Any], None] | None]]
    ) -> list[Any]:
        """The first result of each unit."""
        if len(units) == 1 and len(units[0][0]) == 1:
            return [await self.client.execute_command(*units[0][0][0])]
        async with self.client.pipeline(transaction=True) as pipeline:
            for unit, _ in units:
                for command in unit:
                    pipeline.execute_command(*command)
            results = iter(await pipeline.execute(raise_on_error=False))
        firsts: list[Any] = []
        for unit, _ in units:
            of_unit = [next(results) for _ in unit]
            firsts.append(of_unit[0])
        return firsts

    async def ask(self, *command: Any) -> Any:
        """Ask at once; it is repeated until Redis answers."""
        return await self.repeat(lambda: self.client.execute_command(*command))

    # Waiting

    def reader(self) -> Any:
        """A client of its own, for commands that wait; its errors are the library's."""
        client = self._make_client()
        self._waiting_clients.append(client)
        return client

    async def follow(self, stream: str, hear: Callable[[dict[bytes, bytes]], None]) -> None:
        """Hear a stream from its begin and for ever, and shorten it by what was heard.

        Args:
            stream: Its key.
            hear: Called with the fields of each entry.
        """
        client, last = self.reader(), b"0"
        command = ("XREAD", "COUNT", _HEARD_AT_ONCE, "BLOCK", BLOCK_MS, "STREAMS", stream)
        while True:
            try:
                found = entries(await client.execute_command(*command, last))
            except self.errors as exc:
                self.note(exc)
                await asyncio.sleep(_WAITER_PAUSE_S)
                continue
            for entry, fields in found:
                last = entry
                hear(fields)
            if found:
                self.put(("XTRIM", stream, "MINID", after(last)))

    async def repeat(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something with Redis until it succeeds; an outage is one line in the log."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                result = await work()
            except self.errors as exc:
                self.note(exc)
                await asyncio.sleep(pause_s)
                pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
            else:
                self.note(None)
                return result

    def note(self, error: Exception | None) -> None:
        """Remember that Redis fails, or answers."""
        if error is not None and not self._is_down:
            self._is_down = True
            gen_log.error("Redis does not serve, requests wait: %.200s", error)
        elif error is None and self._is_down:
            self._is_down = False
            gen_log.info("Redis serves again")
            self.on_return()


def entries(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The entries of one stream in what XREAD or XREADGROUP has answered."""
    if not answer:
        return []
    return [(entry, fields or {}) for _, items in answer for entry, fields in items]


def after(entry: bytes) -> str:
    """The id that follows this one in a stream."""
    moment, _, place = entry.decode().partition("-")
    return f"{moment}-{int(place) + 1}"


def _nothing() -> None:
    """Nothing."""
