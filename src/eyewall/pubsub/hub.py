"""The hub: where messages are published and subscribed to. Hot path."""

import asyncio
import contextlib
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any, Final, NamedTuple, final

import msgspec

from eyewall.base.log import gen_log
from eyewall.pubsub.backends.base import Backplane, Outgoing
from eyewall.pubsub.backends.choose import choose
from eyewall.pubsub.delivery import Overflow, Reader, ReaderQueue
from eyewall.pubsub.errors import BackplaneError, HubClosedError, InvalidMessageError
from eyewall.pubsub.figures import hubs, received
from eyewall.pubsub.history import Retention
from eyewall.pubsub.message import Message, Position, Record
from eyewall.pubsub.subscription import Missed, Subscription
from eyewall.pubsub.topics import TopicTree, check_pattern, check_topic

_MOST_KNOWN: Final = 4096
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 5.0


class _Group:
    """The subscriptions of one pattern."""

    __slots__ = ("mixed", "plain")

    def __init__(self) -> None:
        self.plain: dict[Subscription, None] = {}
        self.mixed: dict[Subscription, None] = {}


class _Known(NamedTuple):
    retention: Retention
    type: Any


@final
class Hub:
    """Publishes messages to whoever subscribes, in this process and in others.

    Everything happens in the loop in which it is first used.

    Args:
        backplane: Where messages are kept, an object or a URL: "memory:", "local:/run/hub.sock",
            "sqlite:///var/lib/hub.db", "redis://localhost" or "nats://localhost". By default
            the memory of this process; where the supervisor has started several workers, it is
            the backplane that the supervisor keeps for them.
        history: How much of a topic is kept where `retain` says nothing else.
        most_recovered: Most messages that one subscription gets at once when it comes back; who
            has missed more gets the newest of them after a gap.

    Raises:
        ConfigurationError: A URL that is not understood, or a library that is missing.
    """

    def __init__(
        self,
        backplane: Backplane | str | None = None,
        *,
        history: Retention = Retention(),  # noqa: B008 - immutable
        most_recovered: int = 1000,
    ) -> None:
        self._backplane = backplane if isinstance(backplane, Backplane) else choose(backplane)
        self._history = history.check()
        self._most_recovered = most_recovered
        self._retentions: TopicTree[tuple[int, Retention]] = TopicTree()
        self._types: TopicTree[tuple[int, Any]] = TopicTree()
        self._known: dict[str, _Known] = {}
        self._groups: TopicTree[_Group] = TopicTree()
        self._position = Position("", 0)
        self._starting: asyncio.Future[None] | None = None
        self._early = 0
        self._moves = 0
        self._is_open = False
        self._is_closed = False
        self._tasks: set[asyncio.Task[Any]] = set()
        hubs.add(self)

    # Settings

    def retain(self, pattern: str, *, count: int, age_s: float = 3600.0) -> None:
        """Say how much of some topics is kept.

        Args:
            pattern: Which topics; where several patterns fit, the one that was given last counts.
            count: The newest so many messages; 0 keeps none.
            age_s: And none older than so many seconds.

        Raises:
            ValueError: A pattern or a bound that is none.
        """
        rank = len(self._retentions) + 1
        retention = Retention(count, age_s).check()
        self._retentions.set(check_pattern(pattern), (rank, retention))
        self._known.clear()

    def describe(self, pattern: str, type_: Any) -> None:
        """Say what the messages of some topics are; others are refused when published.

        Args:
            pattern: Which topics; where several patterns fit, the one that was given last counts.
            type_: A type that msgspec can check: a Struct, a dataclass, a union of them.

        Raises:
            ValueError: A pattern that is none.
        """
        self._types.set(check_pattern(pattern), (len(self._types) + 1, type_))
        self._known.clear()

    def described(self) -> list[tuple[str, Any]]:
        """The patterns that were described, with their types, in their order."""
        ordered = sorted(self._types, key=lambda item: item[1][0])
        return [(pattern, type_) for pattern, (_, type_) in ordered]

    # Life

    async def start(self) -> None:
        """Connect to the backplane; the first publication or subscription does it too.

        Raises:
            BackplaneError: It cannot be reached.
            HubClosedError: The hub was closed.
        """
        if self._is_open:
            return
        if self._is_closed:
            raise HubClosedError("the hub was closed")
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._start())
        try:
            await asyncio.shield(self._starting)
        except BackplaneError:
            self._starting = None
            raise

    async def _start(self) -> None:
        self._position = await self._backplane.start(self)
        self._is_open = True

    async def close(self) -> None:
        """End all subscriptions and disconnect from the backplane."""
        if self._is_closed:
            return
        self._is_closed = True
        self._is_open = False
        for _, group in list(self._groups):
            for subscription in [*group.plain, *group.mixed]:
                subscription.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._starting is not None:
            with contextlib.suppress(BackplaneError):
                await self._starting
        await self._backplane.close()

    async def __aenter__(self) -> "Hub":
        """Connect."""
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close it."""
        await self.close()

    @property
    def position(self) -> Position:
        """Up to where messages were handed out."""
        return self._position

    # Publishing

    def publish(self, topic: str, data: Any, *, key: str | None = None) -> Awaitable[Position]:
        """Publish a message. Awaiting is needed only to know that it is kept, and where.

        Args:
            topic: The topic.
            data: Anything that msgspec encodes as JSON.
            key: What it is about; for readers that want only the latest message of each key.

        Raises:
            ValueError: A topic that is none, or one of the hub's own.
            TypeError: Data that cannot be encoded.
            InvalidMessageError: The topic was described with another type.
            HubClosedError: The hub was closed.
            BackplaneError: When awaited: it is not known whether the message is kept.
        """
        known = self._known.get(topic) or self._learn(topic)
        if known.type is not None:
            data = _checked(topic, data, known.type)
        return self.send(Outgoing(topic, msgspec.json.encode(data), key, known.retention))

    def publish_json(
        self, topic: str, body: bytes | str, *, key: str | None = None
    ) -> Awaitable[Position]:
        """Publish JSON that comes from outside.

        Raises:
            InvalidMessageError: It is no JSON, or not of the type that the topic was described
                with.
        """
        known = self._known.get(topic) or self._learn(topic)
        kind = Any if known.type is None else known.type
        try:
            data = msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise InvalidMessageError(f"this is no message for {topic!r}: {exc}") from None
        return self.send(Outgoing(topic, msgspec.json.encode(data), key, known.retention))

    def send(self, message: Outgoing) -> Awaitable[Position]:
        """Publish a message that is encoded already; for the hub's own topics."""
        if self._is_open and not self._early:
            return self._backplane.publish(message)
        if self._is_closed:
            raise HubClosedError("the hub was closed")
        self._early += 1
        return self.do(self._send_when_open(message))

    async def _send_when_open(self, message: Outgoing) -> Position:
        try:
            await self.start()
            sent = self._backplane.publish(message)
        finally:
            self._early -= 1
        return await sent

    def _learn(self, topic: str) -> _Known:
        check_topic(topic)
        if topic.startswith("$"):
            raise ValueError(f"topics that begin with $ are the hub's own: {topic!r}")
        retentions = self._retentions.match(topic)
        types = self._types.match(topic)
        known = _Known(
            max(retentions)[1] if retentions else self._history,
            max(types, key=lambda each: each[0])[1] if types else None,
        )
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[topic] = known
        return known

    # Subscribing

    def subscribe(
        self,
        *patterns: str,
        since: Position | str | None = None,
        reader: Reader | None = None,
        limit: int = 1000,
        overflow: Overflow = Overflow.DROP_OLDEST,
    ) -> Subscription:
        """Subscribe to topics; the subscription begins when it is awaited, entered or read.

        Args:
            patterns: Topics, or patterns of them.
            since: The id of the last message that was received: what was missed since then comes
                first, or a gap. By default messages come from now on.
            reader: Gets the messages; by default they are read from the subscription.
            limit: Most messages that wait to be read.
            overflow: What happens to more.

        Raises:
            ValueError: No pattern, one that is none, or an id that is none.
        """
        if not patterns:
            raise ValueError("subscribe() takes at least one topic")
        for pattern in patterns:
            check_pattern(pattern)
        if isinstance(since, str):
            since = Position.parse(since)
        if reader is None:
            reader = ReaderQueue(limit=limit, overflow=overflow)
        return Subscription(self, tuple(dict.fromkeys(patterns)), since, reader)

    async def history(
        self, *patterns: str, limit: int = 50, before: Position | None = None
    ) -> list[Message]:
        """The newest messages that are kept, oldest first.

        Args:
            patterns: Topics, or patterns of them.
            limit: At most so many.
            before: Only messages before this one, to page backwards.

        Raises:
            ValueError: A pattern that is none.
            BackplaneError: The log cannot be read.
        """
        for pattern in patterns:
            check_pattern(pattern)
        await self.start()
        if before is not None and before.epoch != self._position.epoch:
            return []
        wanted = limit if before is None else _MOST_KNOWN
        records = (await self._backplane.read(patterns, 0, wanted)).records
        if before is not None:
            records = [each for each in records if each.seq < before.seq]
        epoch = self._position.epoch
        return [Message(epoch, each) for each in records[max(0, len(records) - limit) :]]

    # What subscriptions call

    async def enrol(self, subscription: Subscription) -> None:
        """Hand messages to a subscription from now on."""
        await self.start()
        for pattern in subscription.patterns:
            group = self._groups.get(pattern)
            if group is None:
                group = _Group()
                self._groups.set(pattern, group)
            (group.mixed if subscription.is_mixed else group.plain)[subscription] = None

    def discharge(self, subscription: Subscription) -> None:
        """Hand messages to a subscription no more."""
        for pattern in subscription.patterns:
            group = self._groups.get(pattern)
            if group is not None:
                (group.mixed if subscription.is_mixed else group.plain).pop(subscription, None)
                if not group.plain and not group.mixed:
                    self._groups.remove(pattern)

    async def missed(self, patterns: Sequence[str], since: Position) -> Missed:
        """What was published after a position; all that is kept when it is of another log."""
        epoch = self._position.epoch
        seq = since.seq if since.epoch == epoch else 0
        page = await self._backplane.read(patterns, seq, self._most_recovered)
        if since.epoch != epoch:
            return Missed(Position(epoch, 0), page, "epoch")
        return Missed(since, page, None if page.is_complete else "history")

    # What the backplane calls

    def subscribed(self) -> Iterator[tuple[str, int]]:
        """The patterns, and how many subscribe to each."""
        for pattern, group in self._groups:
            yield pattern, len(group.plain) + len(group.mixed)

    def added(self, records: Sequence[Record]) -> None:
        """Hand messages to their subscribers: one pass, no task for each."""
        epoch = self._position.epoch
        match = self._groups.match
        batches: dict[_Group, list[Message]] = {}
        mixed: dict[Subscription, list[Message]] = {}
        for record in records:
            groups = match(record.topic)
            if not groups:
                continue
            message = Message(epoch, record)
            for group in groups:
                if group in batches:
                    batches[group].append(message)
                else:
                    batches[group] = [message]
                for subscription in group.mixed:
                    batch = mixed.setdefault(subscription, [])
                    if not batch or batch[-1] is not message:
                        batch.append(message)
        self._position = Position(epoch, records[-1].seq)
        received.value += len(records)
        for group, batch in batches.items():
            for subscription in tuple(group.plain):
                subscription.take(batch)
        for subscription, batch in mixed.items():
            subscription.take(batch)

    def moved(self, position: Position) -> None:
        """Have every subscription recover what it missed."""
        self._moves += 1
        before, self._position = self._position, position
        live: dict[tuple[str, ...], set[Subscription]] = {}
        for _, group in list(self._groups):
            for subscription in [*group.plain, *group.mixed]:
                if subscription.pause():
                    live.setdefault(subscription.patterns, set()).add(subscription)
        for patterns, subscriptions in live.items():
            _ = self.do(self._recover(patterns, subscriptions, before))

    async def _recover(
        self, patterns: tuple[str, ...], subscriptions: set[Subscription], before: Position
    ) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            moves = self._moves
            try:
                missed = await self.missed(patterns, before)
            except BackplaneError as exc:
                gen_log.warning("Messages of %s cannot be recovered yet: %s", patterns, exc)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            # When the log has moved meanwhile, what was read may not fit to what came since.
            if moves == self._moves:
                break
        for subscription in subscriptions:
            subscription.resume(missed)

    def do(self, work: Any) -> "asyncio.Task[Any]":
        """Run a coroutine that ends with the hub at the latest."""
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _checked(topic: str, data: Any, type_: Any) -> Any:
    try:
        return msgspec.convert(data, type_, from_attributes=True)
    except msgspec.ValidationError as exc:
        raise InvalidMessageError(f"this is no message for {topic!r}: {exc}") from None
