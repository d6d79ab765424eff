"""Event streams of the same topics: one subscription, and one call into the engine for all."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, final
from weakref import WeakKeyDictionary

from eyewall.pubsub import Gap, Hub, Message, Subscription
from eyewall.realtime.engine import Fanout, Reactor
from eyewall.realtime.events import HEARTBEAT

Encode: TypeAlias = Callable[[Message | Gap], bytes]

_streams: Final[WeakKeyDictionary[Hub, dict[tuple[tuple[str, ...], Encode], "TopicStream"]]] = (
    WeakKeyDictionary()
)


@final
class TopicStream:
    """The event streams of some topics of a hub.

    A member catches up by a subscription of its own, and comes here when both are at the same
    place; from then on it costs no Python call.

    Args:
        hub: The hub.
        patterns: The topics.
        heartbeat_s: Seconds between two heartbeats.
        encode: Makes an event of a message or a gap.
    """

    def __init__(
        self, hub: Hub, patterns: tuple[str, ...], heartbeat_s: float, encode: Encode
    ) -> None:
        self._encode = encode
        loop = asyncio.get_running_loop()
        self._hub = hub
        self._patterns = patterns
        self._heartbeat_s = heartbeat_s
        self._members: dict[Any, Callable[[], None]] = {}
        self._fanout = Fanout(Reactor.of(loop), slow="disconnect")
        self._subscription: Subscription = hub.subscribe(*patterns, reader=self)
        self._timer = loop.call_later(heartbeat_s, self._beat)

    @classmethod
    async def of(
        cls, hub: Hub, patterns: tuple[str, ...], heartbeat_s: float, encode: Encode
    ) -> "TopicStream":
        """The stream of these topics; it is made for the first member.

        Raises:
            BackplaneError: The hub cannot be reached.
        """
        streams = _streams.setdefault(hub, {})
        stream = streams.get((patterns, encode))
        if stream is None or not stream.is_open:
            stream = cls(hub, patterns, heartbeat_s, encode)
            streams[patterns, encode] = stream
        await stream.start()
        return stream

    @property
    def is_open(self) -> bool:
        """Whether it can get members."""
        return not self._subscription.is_closed

    async def start(self) -> None:
        """Begin to receive.

        Raises:
            BackplaneError: The hub cannot be reached.
        """
        await self._subscription.start()

    def take_over(
        self, exchange: Any, subscription: Subscription, on_end: Callable[[], None]
    ) -> bool:
        """Take over a member, when nothing can be lost or doubled by it.

        Args:
            exchange: The answer; all that the subscription received is written to it.
            subscription: Its own one.
            on_end: Called when the topics end.
        """
        if not (self._subscription.is_level and subscription.is_level):
            return False
        self._fanout.add(exchange)
        self._members[exchange] = on_end
        return True

    def leave(self, exchange: Any) -> None:
        """Send to a member no more; the last one ends the subscription."""
        self._members.pop(exchange, None)
        self._fanout.discard(exchange)
        if not self._members:
            self._close()

    def _close(self) -> None:
        self._timer.cancel()
        self._subscription.close()
        streams = _streams.get(self._hub, {})
        name = self._patterns, self._encode
        if streams.get(name) is self:
            del streams[name]

    def _beat(self) -> None:
        self._fanout.send(stream=HEARTBEAT)
        self._timer = asyncio.get_running_loop().call_later(self._heartbeat_s, self._beat)

    # As the hub's reader

    def deliver(self, batch: Sequence[Message]) -> None:
        """Send messages to all members."""
        self._fanout.send(stream=b"".join([self._encode(message) for message in batch]))

    def gap(self, gap: Gap) -> None:
        """Tell all members what is missing."""
        self._fanout.send(stream=self._encode(gap))

    def ended(self, error: Exception | None) -> None:
        """End all members' streams."""
        self._timer.cancel()
        members, self._members = self._members, {}
        for member, on_end in members.items():
            self._fanout.discard(member)
            on_end()
