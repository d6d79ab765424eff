"""Delivery that is acknowledged: a named reader gets each message until it says that it is done."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, final

import msgspec

from eyewall.pubsub.backends.base import Outgoing
from eyewall.pubsub.history import Retention
from eyewall.pubsub.hub import Hub
from eyewall.pubsub.message import Gap, Message, Position
from eyewall.pubsub.topics import check_topic

if TYPE_CHECKING:
    from eyewall.pubsub.subscription import Subscription

_RETENTION: Final = Retention(1, 10 * 365 * 86_400.0)


@final
class Receipts:
    """Reads topics under a name, and goes on after the last message that was acknowledged.

    The hub keeps the name's place. A reader that dies before it acknowledges gets the message
    again, in whichever process it comes back: each message at least once. One reader at a time
    should use a name.

    Args:
        hub: The hub.
        name: The reader's name, a topic's segment.
        patterns: What it reads.
        start: Where a new name begins; None for "from now on".
        limit: Most messages that wait to be read.

    Example:
        >>> async def send_mails(hub: Hub) -> None:
        ...     async with Receipts(hub, "mailer", "orders/*") as orders:
        ...         async for order in orders:
        ...             ...
        ...             await orders.done(order)
    """

    def __init__(
        self,
        hub: Hub,
        name: str,
        *patterns: str,
        start: Position | None = None,
        limit: int = 1000,
    ) -> None:
        if "/" in name:
            raise ValueError(f"a reader's name is one segment, not {name!r}")
        self._topic = check_topic(f"$done/{name}")
        self._hub = hub
        self._patterns = patterns
        self._start = start
        self._limit = limit
        self._subscription: Subscription | None = None
        self._place = Position("", 0)
        self._telling: asyncio.Lock = asyncio.Lock()

    async def __aenter__(self) -> "Receipts":
        """Begin after what was acknowledged last.

        Raises:
            BackplaneError: The place cannot be read.
        """
        found = await self._hub.history(self._topic, limit=1)
        since = self._start
        if found:
            since = Position.parse(msgspec.json.decode(found[-1].body, type=str))
        subscription = self._hub.subscribe(*self._patterns, since=since, limit=self._limit)
        await subscription.start()
        self._subscription = subscription
        self._place = subscription.position if since is None else since
        if since is None:
            # A reader that dies before its first message must find its place again.
            await self._tell(self._place)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End reading; the place stays."""
        if self._subscription is not None:
            self._subscription.close()

    async def __aiter__(self) -> AsyncIterator[Message | Gap]:
        """The messages, and gaps where some are lost for ever."""
        if self._subscription is None:
            raise RuntimeError("enter Receipts with `async with` before you read it")
        async for item in self._subscription:
            yield item

    async def done(self, item: Message | Gap) -> None:
        """Acknowledge a message, and all before it; when this returns, the place is kept.

        Raises:
            BackplaneError: It is not known whether the place is kept.
        """
        async with self._telling:
            if item.position.epoch == self._place.epoch and item.position <= self._place:
                return
            await self._tell(item.position)
            self._place = item.position

    async def _tell(self, position: Position) -> Any:
        body = msgspec.json.encode(str(position))
        return await self._hub.send(Outgoing(self._topic, body, None, _RETENTION))
