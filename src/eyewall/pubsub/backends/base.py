"""What a backplane does: it keeps the log, and tells every process what is added to it."""

import abc
from collections.abc import Awaitable, Generator, Sequence
from typing import Any, NamedTuple, Protocol, final

from eyewall.pubsub.history import Retention
from eyewall.pubsub.message import Page, Position, Record


class Sink(Protocol):
    """Hears what is added to the log."""

    def added(self, records: Sequence[Record]) -> None:
        """Messages that follow the last ones without a hole."""
        ...

    def moved(self, position: Position) -> None:
        """Messages up to this position may have been missed; what is added next follows it."""
        ...


class Outgoing(NamedTuple):
    """A message on its way to the log.

    Attributes:
        topic: Its topic.
        body: Its data as JSON.
        key: What it is about, or None.
        retention: How much of the topic is kept.
    """

    topic: str
    body: bytes
    key: str | None
    retention: Retention


@final
class Settled:
    """Something awaitable that has its value already."""

    __slots__ = ("_position",)

    def __init__(self, position: Position) -> None:
        self._position = position

    def __await__(self) -> Generator[Any, None, Position]:
        yield from ()
        return self._position


class Backplane(abc.ABC):
    """Keeps the log of all messages.

    The numbers of messages grow by one from one message to the next in the order in which every
    process hears them. A publication that is repeated after a lost connection is one message.
    """

    @abc.abstractmethod
    async def start(self, sink: Sink) -> Position:
        """Connect; the sink hears what follows the position that is returned.

        Raises:
            BackplaneError: It cannot be reached.
        """

    @abc.abstractmethod
    def publish(self, message: Outgoing) -> Awaitable[Position]:
        """Add a message; the order of calls is the order in the log.

        Raises:
            BackplaneError: When awaited: it is not known to be in the log.
        """

    @abc.abstractmethod
    async def read(self, patterns: Sequence[str], after: int, limit: int) -> Page:
        """What is kept of some topics after a number; at most the newest `limit` messages.

        Raises:
            BackplaneError: It cannot be reached.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Disconnect; the sink hears nothing more."""
