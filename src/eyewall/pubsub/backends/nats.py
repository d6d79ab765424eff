"""The backplane in NATS JetStream: one stream of all topics, which every process reads."""

import asyncio
import json
import re
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Self, final

from eyewall.base.errors import ConfigurationError
from eyewall.base.log import gen_log
from eyewall.pubsub.backends.base import Backplane, Outgoing, Sink
from eyewall.pubsub.backends.pump import Item, Pump
from eyewall.pubsub.errors import BackplaneError
from eyewall.pubsub.message import Page, Position, Record
from eyewall.pubsub.topics import matches

_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 2.0
_ANSWER_S: Final = 5.0
_HEARTBEAT_S: Final = 2.0
_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9_-]")
_ESCAPE: Final = re.compile(rb"=([0-9A-F]{2})")


def _escaped(found: "re.Match[bytes]") -> bytes:
    return f"={found[0][0]:02X}".encode()


def subject_of(topic: str) -> str:
    """A topic, or a pattern, as NATS writes it: "." between segments, strange bytes as "=2A"."""
    segments = topic.split("/")
    if segments[-1] == "**":
        segments[-1:] = [">"]
    return ".".join(
        each
        if each in {"*", ">"} and "*" in topic
        else _UNSAFE.sub(_escaped, each.encode()).decode()
        for each in segments
    )


def topic_of(subject: str) -> str:
    """The topic of a subject."""
    return "/".join(
        _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), each.encode()).decode()
        for each in subject.split(".")
    )


class _Link:
    """One connection, until it is lost."""

    def __init__(self, client: Any, context: Any, lost: "asyncio.Future[None]") -> None:
        self.client = client
        self.context = context
        self.lost = lost

    async def until_lost(self, work: Awaitable[Any]) -> Any:
        """Wait for something that the connection's end ends too."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, self.lost}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise BackplaneError("NATS was lost")
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


@final
class NatsBackplane(Backplane):
    """Keeps messages in a JetStream stream.

    The stream's own bounds decide what is kept at most; a topic's retention is applied to what
    is read.

    Args:
        url: The server, for example "nats://localhost:4222".
        stream: The stream's name, and the first token of its subjects; it is made when it does
            not exist. Hubs of one stream share their messages.
        most_messages: Most messages of all topics that a new stream keeps.
        most_age_s: Seconds after which a new stream drops messages.
        patience_s: Seconds that a publication or a reading waits for a lost connection.

    Raises:
        ConfigurationError: The `nats-py` library is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        stream: str = "eyewall-hub",
        most_messages: int = 100_000,
        most_age_s: float = 86_400.0,
        patience_s: float = 10.0,
    ) -> None:
        try:
            import nats  # noqa: PLC0415 - an optional dependency
            from nats import errors  # noqa: PLC0415
            from nats.js import api  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                "a hub on NATS needs the nats-py library: pip install 'eyewall[nats]'"
            ) from None
        self._nats: Any = nats
        self._api: Any = api
        self._errors: tuple[type[Exception], ...] = (
            BackplaneError,
            errors.Error,
            OSError,
            TimeoutError,
        )
        self._url = url
        self._stream = stream
        self._limits = (most_messages, most_age_s)
        self._patience_s = patience_s
        self._name = secrets.token_hex(8)
        self._sink: Sink | None = None
        self._position = Position("", 0)
        self._link: asyncio.Future[_Link] | None = None
        self._pump = Pump(self._write, patience_s=patience_s)
        self._listening: asyncio.Task[None] | None = None

    # Connections

    async def start(self, sink: Sink) -> Position:
        """Connect."""
        self._link = asyncio.get_running_loop().create_future()
        link = await self._connect()
        self._position, _ = await self._state(link)
        self._sink = sink
        self._listening = asyncio.ensure_future(self._listen(link))
        return self._position

    async def close(self) -> None:
        """Disconnect."""
        self._sink = None
        await self._pump.close()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        if self._link is not None and self._link.done():
            await self._link.result().client.close()

    async def _connect(self) -> _Link:
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def closed() -> None:
            if not lost.done():
                lost.set_result(None)

        async def failed(_error: Exception) -> None:
            pass

        client: Any = self._nats.NATS()
        try:
            # A connection of its own after each loss: what the old one had not sent yet must not
            # overtake what is repeated.
            await client.connect(
                self._url,
                allow_reconnect=False,
                max_reconnect_attempts=0,
                connect_timeout=_ANSWER_S,
                ping_interval=5,
                max_outstanding_pings=2,
                closed_cb=closed,
                error_cb=failed,
            )
            link = _Link(client, client.jetstream(timeout=_ANSWER_S), lost)
            await self._ensure_stream(link)
        except self._errors as exc:
            await client.close()
            raise BackplaneError(f"NATS does not answer at {self._url}: {exc}") from exc
        if self._link is None or self._link.done():
            self._link = asyncio.get_running_loop().create_future()
        self._link.set_result(link)
        return link

    async def _ensure_stream(self, link: _Link) -> None:
        try:
            await link.until_lost(link.context.stream_info(self._stream))
        except self._nats.js.errors.NotFoundError:
            most, age_s = self._limits
            config = self._api.StreamConfig(
                name=self._stream,
                subjects=[f"{self._stream}.>"],
                max_msgs=most,
                max_age=age_s,
                duplicate_window=120,
            )
            await link.until_lost(link.context.add_stream(config))

    async def _linked(self) -> _Link:
        """The connection, when there is one.

        Raises:
            BackplaneError: There was none for too long.
        """
        if self._link is None:
            raise BackplaneError("the hub has not been started")
        done, _ = await asyncio.wait({self._link}, timeout=self._patience_s)
        if not done:
            raise BackplaneError(f"NATS does not answer at {self._url}")
        return self._link.result()

    async def _state(self, link: _Link) -> tuple[Position, int]:
        """The newest position, and the number of the oldest message that is kept."""
        raw = await link.until_lost(
            link.client.request(f"$JS.API.STREAM.INFO.{self._stream}", b"", timeout=_ANSWER_S)
        )
        found = json.loads(raw.data)
        if "error" in found:
            raise BackplaneError(f"NATS refuses: {found['error'].get('description')}")
        epoch = re.sub(r"[^0-9]", "", found["created"])[:26]
        state = found["state"]
        return Position(epoch, state["last_seq"]), state["first_seq"]

    # Publishing

    def publish(self, message: Outgoing) -> Awaitable[Position]:
        """Add a message."""
        return self._pump.put(message)

    async def _write(self, items: Sequence[Item]) -> Sequence[Position]:
        link = await self._linked()
        try:
            kept = await link.until_lost(
                asyncio.gather(*(self._write_one(link, item) for item in items))
            )
        except self._errors as exc:
            raise BackplaneError(f"NATS does not answer at {self._url}: {exc}") from exc
        epoch = self._position.epoch
        return [Position(epoch, each.seq) for each in kept]

    def _write_one(self, link: _Link, item: Item) -> Any:
        topic, body, key, keep = item.message
        headers = {
            "Nats-Msg-Id": f"{self._name}-{item.n}",
            "Eyewall-Keep": f"{keep.count} {keep.age_s:g}",
        }
        if key is not None:
            headers["Eyewall-Key"] = json.dumps(key)
        subject = f"{self._stream}.{subject_of(topic)}"
        return link.context.publish(subject, body, timeout=_ANSWER_S, headers=headers)

    # Reading

    async def read(self, patterns: Sequence[str], after: int, limit: int) -> Page:
        """What is kept after a number."""
        deadline = time.monotonic() + self._patience_s
        while True:
            link = await self._linked()
            try:
                return await self._read_once(link, patterns, after, limit)
            except self._errors as exc:
                if time.monotonic() >= deadline:
                    raise BackplaneError(f"NATS does not answer at {self._url}: {exc}") from exc
                await asyncio.sleep(_FIRST_PAUSE_S)

    async def _read_once(
        self, link: _Link, patterns: Sequence[str], after: int, limit: int
    ) -> Page:
        newest, oldest = await self._state(link)
        found: dict[int, Any] = {}
        for pattern in patterns if after < newest.seq else ():
            found |= await self._messages(link, pattern, after, newest.seq)
        kept, lost = _kept([found[seq] for seq in sorted(found)], time.time())
        lost = max(lost, oldest - 1)
        return Page.of(kept, after=after, lost=lost, limit=limit, top=newest.seq)

    async def _messages(self, link: _Link, pattern: str, after: int, top: int) -> dict[int, Any]:
        """Messages of one pattern, by their numbers."""
        subject = f"{self._stream}.{subject_of(pattern)}"
        subjects = [subject, subject[:-2]] if pattern.endswith("/**") else [subject]
        found: dict[int, Any] = {}
        for each in subjects:
            async with _Consumer(self, link, each, after) as consumer:
                for _ in range(consumer.pending):
                    message = await link.until_lost(consumer.get(_ANSWER_S))
                    seq = message.metadata.sequence.stream
                    if seq > top:
                        break
                    if matches(pattern, _topic(message)):
                        found[seq] = message
        return found

    def consumer_config(self, subject: str, after: int, inbox: str) -> Any:
        """How messages of a subject after a number are delivered to an inbox."""
        return self._api.ConsumerConfig(
            deliver_subject=inbox,
            deliver_policy=self._api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=self._api.AckPolicy.NONE,
            filter_subject=subject,
            idle_heartbeat=_HEARTBEAT_S,
            inactive_threshold=30.0,
            mem_storage=True,
            max_deliver=1,
            num_replicas=1,
        )

    @property
    def stream(self) -> str:
        """The stream's name."""
        return self._stream

    # Listening

    async def _listen(self, link: _Link) -> None:
        pause_s = _FIRST_PAUSE_S
        while self._sink is not None:
            try:
                await self._listen_on(link)
            except self._errors as exc:
                gen_log.warning("NATS is lost, connecting again: %s", exc)
            if link.lost.done() and self._link is not None and self._link.done():
                self._link = asyncio.get_running_loop().create_future()
            while link.lost.done() and self._sink is not None:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                try:
                    link = await self._connect()
                except BackplaneError:
                    continue
            pause_s = _FIRST_PAUSE_S

    async def _listen_on(self, link: _Link) -> None:
        """Hear messages until the connection is lost, or a message is missing."""
        newest, oldest = await self._state(link)
        here = self._position
        if newest.epoch != here.epoch or newest.seq < here.seq:
            self._moved(newest)
        elif oldest > here.seq + 1:
            self._moved(Position(here.epoch, oldest - 1))
        after = self._position.seq
        async with _Consumer(self, link, f"{self._stream}.>", after) as consumer:
            while True:
                # The server says every two seconds that it is there.
                first = await link.until_lost(consumer.get(3 * _HEARTBEAT_S))
                batch = [first, *consumer.waiting()]
                heard = [each for each in batch if each.reply]
                if heard and not self._heard(heard):
                    return

    def _moved(self, position: Position) -> None:
        self._position = position
        if self._sink is not None:
            self._sink.moved(position)

    def _heard(self, messages: list[Any]) -> bool:
        """Tell what follows without a hole; whether that was all."""
        records: list[Record] = []
        seq = self._position.seq
        for message in messages:
            record = _record(message)
            if record.seq <= seq:
                continue
            if record.seq != seq + 1:
                break
            seq = record.seq
            records.append(record)
        if records:
            self._position = Position(self._position.epoch, seq)
            if self._sink is not None:
                self._sink.added(records)
        return seq >= _record(messages[-1]).seq


class _Consumer:
    """What a stream delivers of a subject, until it is left."""

    def __init__(self, owner: NatsBackplane, link: _Link, subject: str, after: int) -> None:
        self._owner = owner
        self._link = link
        self._subject = subject
        self._after = after
        self._messages: deque[Any] = deque()
        self._arrived = asyncio.Event()
        self._close: list[Callable[[], Awaitable[Any]]] = []
        self.pending = 0

    async def __aenter__(self) -> Self:
        link = self._link
        inbox = link.client.new_inbox()
        subscription = await link.client.subscribe(inbox, cb=self._take)
        self._close.append(subscription.unsubscribe)
        config = self._owner.consumer_config(self._subject, self._after, inbox)
        info = await link.until_lost(link.context.add_consumer(self._owner.stream, config))
        self.pending = info.num_pending + info.delivered.consumer_seq
        self._close.append(lambda: link.context.delete_consumer(self._owner.stream, info.name))
        return self

    async def __aexit__(self, *exc: object) -> None:
        for close in self._close:
            if not self._link.lost.done():
                await asyncio.gather(self._link.until_lost(close()), return_exceptions=True)

    async def _take(self, message: Any) -> None:
        self._messages.append(message)
        self._arrived.set()

    async def get(self, timeout_s: float) -> Any:
        """The next message; heartbeats count as such, without an address to answer to."""
        async with asyncio.timeout(timeout_s):
            while not self._messages:
                self._arrived.clear()
                await self._arrived.wait()
        return self._messages.popleft()

    def waiting(self) -> list[Any]:
        """Messages that have arrived too."""
        messages = list(self._messages)
        self._messages.clear()
        return messages


def _topic(message: Any) -> str:
    return topic_of(message.subject.partition(".")[2])


def _record(message: Any) -> Record:
    about = message.metadata
    key = (message.headers or {}).get("Eyewall-Key")
    return Record(
        about.sequence.stream,
        _topic(message),
        message.data,
        None if key is None else json.loads(key),
        about.timestamp.timestamp(),
    )


def _kept(messages: list[Any], now: float) -> tuple[list[Record], int]:
    """What the retention of their topics leaves of messages, and up to where some are lost."""
    left: dict[str, int] = {}
    kept: list[Record] = []
    lost = 0
    for message in reversed(messages):
        record = _record(message)
        count, _, age = (message.headers or {}).get("Eyewall-Keep", "100 3600").partition(" ")
        if record.topic not in left:
            left[record.topic] = int(count)
        if left[record.topic] > 0 and record.time + float(age) > now:
            left[record.topic] -= 1
            kept.append(record)
        elif not record.topic.startswith("$"):
            lost = max(lost, record.seq)
    kept.reverse()
    return kept, lost
