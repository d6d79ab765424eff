"""How messages reach a subscriber: at once by a call, or through a queue that is read in order."""

import asyncio
import enum
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol, final

from eyewall.pubsub.errors import SlowReaderError
from eyewall.pubsub.message import Gap, Message


class Reader(Protocol):
    """Gets what a subscription receives; its methods must return at once.

    One reader may stand for many receivers: a set of sockets that get the same bytes, for example,
    which `Message.envelope` makes once.
    """

    def deliver(self, batch: Sequence[Message]) -> None:
        """New messages in their order; do not change the sequence."""
        ...

    def gap(self, gap: Gap) -> None:
        """Messages are missing here."""
        ...

    def ended(self, error: Exception | None) -> None:
        """Nothing follows: the subscription was closed (None), or ended by an error."""
        ...


@final
class Callback:
    """A reader made of functions.

    Args:
        deliver: Called with each batch.
        gap: Called where messages are missing.
        ended: Called once at the end.
    """

    __slots__ = ("_deliver", "_ended", "_gap")

    def __init__(
        self,
        deliver: Callable[[Sequence[Message]], None],
        gap: Callable[[Gap], None] | None = None,
        ended: Callable[[Exception | None], None] | None = None,
    ) -> None:
        self._deliver = deliver
        self._gap = gap or _ignore
        self._ended = ended or _ignore

    def deliver(self, batch: Sequence[Message]) -> None:
        """Call the function for messages."""
        self._deliver(batch)

    def gap(self, gap: Gap) -> None:
        """Call the function for gaps."""
        self._gap(gap)

    def ended(self, error: Exception | None) -> None:
        """Call the function for the end."""
        self._ended(error)


def _ignore(_what: Any) -> None:
    pass


class Overflow(enum.Enum):
    """What happens when a reader's queue is full."""

    DROP_OLDEST = "drop oldest"
    """The oldest message is dropped; the reader sees a gap in its place."""
    LATEST = "latest"
    """A message replaces a waiting one of the same topic and key, full or not; what still does
    not fit is dropped as above."""
    DISCONNECT = "disconnect"
    """The reading ends with `SlowReaderError`; the client can come back with its last id."""


@final
class ReaderQueue:
    """A reader from which messages are taken one by one.

    Args:
        limit: Most messages that wait.
        overflow: What happens to more.
    """

    def __init__(self, *, limit: int = 1000, overflow: Overflow = Overflow.DROP_OLDEST) -> None:
        if limit < 1:
            raise ValueError(f"a queue holds at least one message, not {limit}")
        self._limit = limit
        self._overflow = overflow
        self._items: OrderedDict[Any, Message | Gap] = OrderedDict()
        self._dropped: Gap | None = None
        self._end: Exception | None = None
        self._is_over = False
        self._waiter: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._items) + (self._dropped is not None)

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self._is_over

    def deliver(self, batch: Sequence[Message]) -> None:
        """Add messages."""
        for message in batch:
            if self._is_over:
                return
            self._add(message)
        self._wake()

    def gap(self, gap: Gap) -> None:
        """Add a gap."""
        if not self._is_over:
            self._items[object()] = gap
            self._make_room()
            self._wake()

    def ended(self, error: Exception | None) -> None:
        """End it; what waits can still be taken, unless the reader was too slow."""
        if not self._is_over:
            self._is_over = True
            self._end = error
            self._wake()

    def _add(self, message: Message) -> None:
        name: Any = message.position
        if self._overflow is Overflow.LATEST and message.key is not None:
            name = (message.topic, message.key)
            self._items.pop(name, None)
        self._items[name] = message
        self._make_room()

    def _make_room(self) -> None:
        if len(self._items) <= self._limit:
            return
        if self._overflow is Overflow.DISCONNECT:
            self._items.clear()
            self.ended(SlowReaderError(f"more than {self._limit} messages waited for the reader"))
            return
        _, oldest = self._items.popitem(last=False)
        upto, before = oldest.position, self._dropped
        if before is not None and before.position.epoch == upto.epoch:
            # A gap that was dropped may reach further than the messages that followed it.
            upto = max(upto, before.position)
        self._dropped = Gap(upto, "slow")

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def take(self) -> Message | Gap | None:
        """The next item, when there is one now."""
        gap = self._dropped
        if gap is not None:
            self._dropped = None
            return gap
        if self._items:
            return self._items.popitem(last=False)[1]
        return None

    async def get(self) -> Message | Gap:
        """The next item.

        Raises:
            StopAsyncIteration: The subscription was closed, and everything was taken.
            HubError: It was ended by an error.
        """
        while (item := self.take()) is None:
            if self._is_over:
                raise self._end or StopAsyncIteration
            if self._waiter is not None:
                raise RuntimeError("two tasks read from one subscription; give each its own")
            waiter = self._waiter = asyncio.get_running_loop().create_future()
            try:
                await waiter
            finally:
                if self._waiter is waiter:
                    self._waiter = None
        return item
