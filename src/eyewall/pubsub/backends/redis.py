"""The backplane in Redis: one stream that every process reads, and a stream for each topic's history."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Sequence
from typing import Any, Final, final

from eyewall.base.errors import ConfigurationError
from eyewall.base.log import gen_log
from eyewall.pubsub.backends.base import Backplane, Outgoing, Sink
from eyewall.pubsub.backends.pump import Item, LogLostError, Pump
from eyewall.pubsub.backends.redis_scripts import NEWEST, PUBLISH, READ
from eyewall.pubsub.errors import BackplaneError
from eyewall.pubsub.history import new_epoch
from eyewall.pubsub.message import Page, Position, Record
from eyewall.pubsub.topics import is_pattern, matches

_WINDOW: Final = 10_000
_MOST_TOPICS: Final = 100_000
_BLOCK_MS: Final = 1000
_TIMEOUT_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 2.0


@final
class RedisBackplane(Backplane):
    """Keeps messages in Redis 6 or newer.

    Redis must not evict keys (`maxmemory-policy noeviction`), and what survives its restart is
    what its persistence is set to.

    Args:
        url: The server, for example "redis://localhost:6379/0" or "unix:///run/redis.sock".
        prefix: What the keys begin with; hubs of one prefix share their messages.
        patience_s: Seconds that a publication or a reading waits for a lost connection.

    Raises:
        ConfigurationError: The `redis` library is not installed.
    """

    def __init__(
        self, url: str, *, prefix: str = "{eyewall-hub}:", patience_s: float = 10.0
    ) -> None:
        try:
            from redis import asyncio as redis  # noqa: PLC0415 - an optional dependency
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415
            from redis.exceptions import RedisError  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                "a hub on Redis needs the redis library: pip install 'eyewall[redis]'"
            ) from None
        # What is repeated, and how, is decided here: only a publication that is known again may be.
        self._client: Any = redis.from_url(
            url,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._errors: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
        self._url = url
        self._prefix = prefix
        self._patience_s = patience_s
        self._name = secrets.token_hex(8)
        self._publish = self._client.register_script(PUBLISH)
        self._newest = self._client.register_script(NEWEST)
        self._read = self._client.register_script(READ)
        self._sink: Sink | None = None
        self._position = Position("", 0)
        self._sent_to = ""
        self._pump = Pump(self._write, patience_s=patience_s)
        self._listening: asyncio.Task[None] | None = None

    # Life

    async def start(self, sink: Sink) -> Position:
        """Connect."""
        try:
            self._position = await self._top()
        except self._errors as exc:
            raise BackplaneError(f"Redis does not answer: {exc}") from exc
        self._sent_to = self._position.epoch
        self._sink = sink
        self._listening = asyncio.ensure_future(self._listen())
        return self._position

    async def close(self) -> None:
        """Disconnect."""
        self._sink = None
        await self._pump.close()
        if self._listening is not None:
            self._listening.cancel()
            # The library may take the cancellation for a time-out, and read on without this.
            await self._client.connection_pool.disconnect()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._client.aclose()

    async def _top(self) -> Position:
        epoch, seq = await self._newest(keys=[self._prefix], args=[new_epoch()])
        return Position(epoch.decode(), int(seq))

    # Publishing

    def publish(self, message: Outgoing) -> Awaitable[Position]:
        """Add a message; those of one turn of the loop are one command."""
        return self._pump.put(message)

    async def _write(self, items: Sequence[Item]) -> Sequence[Position]:
        expected = self._sent_to if items[0].is_repeated else ""
        args: list[Any] = [new_epoch(), self._name, expected, _WINDOW, _MOST_TOPICS]
        for item in items:
            topic, body, key, keep = item.message
            args += [item.n, topic, body, _packed(key), keep.count, keep.age_s]
        try:
            answer = await self._publish(keys=[self._prefix], args=args)
        except self._errors as exc:
            raise BackplaneError(f"Redis does not answer: {exc}") from exc
        epoch = self._sent_to = answer[0].decode()
        if len(answer) == 1:
            raise LogLostError("Redis lost its data before it confirmed the message")
        return [Position(epoch, int(seq)) for seq in answer[1:]]

    # Reading

    async def read(self, patterns: Sequence[str], after: int, limit: int) -> Page:
        """What is kept after a number."""
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                return await self._read_once(patterns, after, limit)
            except self._errors as exc:
                if time.monotonic() >= deadline:
                    raise BackplaneError(f"Redis does not answer: {exc}") from exc
                await asyncio.sleep(_FIRST_PAUSE_S)

    async def _read_once(self, patterns: Sequence[str], after: int, limit: int) -> Page:
        topics = list(patterns)
        has_wildcards = any(map(is_pattern, patterns))
        if has_wildcards:
            found = await self._client.zrangebyscore(self._prefix + "last", f"({after}", "+inf")
            names = [name.decode() for name in found]
            topics = [each for each in names if any(matches(p, each) for p in patterns)]
        top, floor, *found = await self._read(keys=[self._prefix], args=[after, limit, *topics])
        now = time.time()
        records: list[Record] = []
        lost = floor if has_wildcards else 0
        for topic, (last, dropped, rows) in zip(topics, found, strict=True):
            alive = [_record(topic, row) for row in rows if _ends(row) > now]
            lost = max([lost, dropped, *(_seq(row) for row in rows if _ends(row) <= now)])
            if last < 0:
                lost = max(lost, floor)
            elif last > after and not rows:
                # All of it was too old.
                lost = max(lost, last)
            records.extend(alive)
        records.sort(key=lambda record: record.seq)
        return Page.of(records, after=after, lost=lost, limit=limit, top=top)

    # Listening

    async def _listen(self) -> None:
        log = self._prefix + "log"
        pause_s, is_sure = _FIRST_PAUSE_S, True
        # A library that takes a cancellation for a time-out must not keep this alive.
        while self._sink is not None:
            try:
                if not is_sure:
                    self._compare(await self._top())
                found = await self._client.xread(
                    {log: f"{self._position.seq}-1"}, count=500, block=_BLOCK_MS
                )
            except self._errors as exc:
                if is_sure or pause_s == _FIRST_PAUSE_S:
                    gen_log.warning("Redis is lost, connecting again: %s", exc)
                is_sure = False
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            pause_s, is_sure = _FIRST_PAUSE_S, bool(found)
            if found:
                rows = found[log.encode()][0] if isinstance(found, dict) else found[0][1]
                self._heard([_record(row[1][b"t"].decode(), row) for row in map(_as_map, rows)])

    def _compare(self, newest: Position) -> None:
        """Notice a log that was lost, or has gone back."""
        if newest.epoch != self._position.epoch or newest.seq < self._position.seq:
            self._position = newest
            if self._sink is not None:
                self._sink.moved(newest)

    def _heard(self, records: list[Record]) -> None:
        first = records[0].seq
        if self._sink is not None and first != self._position.seq + 1:
            self._sink.moved(Position(self._position.epoch, first - 1))
        self._position = Position(self._position.epoch, records[-1].seq)
        if self._sink is not None:
            self._sink.added(records)


def _packed(key: str | None) -> str:
    return "" if key is None else "=" + key


def _as_map(row: Any) -> Any:
    name, fields = row
    if not isinstance(fields, dict):
        fields = dict(zip(fields[::2], fields[1::2], strict=True))
    return name, fields


def _record(topic: str, row: Any) -> Record:
    fields = _as_map(row)[1]
    key = fields[b"k"].decode()
    return Record(_seq(row), topic, fields[b"b"], key[1:] if key else None, float(fields[b"c"]))


def _seq(row: Any) -> int:
    return int(row[0].partition(b"-")[0])


def _ends(row: Any) -> float:
    fields = _as_map(row)[1]
    return float(fields[b"c"]) + float(fields[b"a"])
