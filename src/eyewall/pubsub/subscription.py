"""One subscriber's place in the stream of messages."""

import enum
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Protocol, final

from eyewall.base.log import app_log
from eyewall.pubsub.delivery import Reader, ReaderQueue
from eyewall.pubsub.errors import HubClosedError
from eyewall.pubsub.message import Gap, Message, Page, Position


class Missed(NamedTuple):
    """What a subscription has to catch up with.

    Attributes:
        start: Messages after this position are meant.
        page: Those that are kept.
        reason: Why there is a gap before them; None when there is none.
    """

    start: Position
    page: Page
    reason: str | None


class Home(Protocol):
    """What a subscription needs of its hub."""

    @property
    def position(self) -> Position:
        """Up to where messages were handed out."""
        ...

    async def enrol(self, subscription: "Subscription") -> None:
        """Hand it messages from now on."""
        ...

    def discharge(self, subscription: "Subscription") -> None:
        """Hand it no more."""
        ...

    async def missed(self, patterns: Sequence[str], since: Position) -> Missed:
        """What was published after a position."""
        ...


class _State(enum.Enum):
    NEW = enum.auto()
    JOINING = enum.auto()
    LIVE = enum.auto()
    CLOSED = enum.auto()


@final
class Subscription:
    """Receives the messages of some topics, each once and in their order.

    Await it, or enter it with `async with`, to begin; then read with `async for`, which gives
    messages, and a `Gap` where some are missing. With a reader of your own there is nothing to
    iterate. Leaving the block, or `close`, ends it.

    Attributes:
        patterns: The topics.
        since: Where it began or begins; None for "from now on".
    """

    __slots__ = (
        "_home",
        "_last",
        "_queue",
        "_reader",
        "_resumes",
        "_state",
        "_taken",
        "_waiting",
        "is_mixed",
        "patterns",
        "since",
    )

    def __init__(
        self, home: Home, patterns: tuple[str, ...], since: Position | None, reader: Reader
    ) -> None:
        self.patterns = patterns
        self.since = since
        self.is_mixed = len(patterns) > 1
        self._home = home
        self._reader = reader
        self._queue = reader if isinstance(reader, ReaderQueue) else None
        self._state = _State.NEW
        self._last = 0
        self._waiting: list[Message] = []
        self._resumes = 0
        self._taken: Position | None = None

    # Beginning and end

    async def start(self) -> None:
        """Begin; messages that were missed since the position come first.

        Raises:
            BackplaneError: The log cannot be read.
            HubClosedError: The hub, or this subscription, was closed.
        """
        if self._state is _State.CLOSED:
            raise HubClosedError("the subscription was closed; make another one")
        if self._state is not _State.NEW:
            return
        self._state = _State.JOINING
        try:
            await self._home.enrol(self)
            if self.since is None:
                self.since = self._home.position
                self.go_live(self.since.seq)
            else:
                await self._catch_up(self.since)
        except BaseException:
            self.close()
            raise

    def __await__(self) -> Generator[Any, None, "Subscription"]:
        """Begin, as by `start`."""
        yield from self.start().__await__()
        return self

    async def __aenter__(self) -> "Subscription":
        """Begin, as by `start`."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.close()

    def close(self, error: Exception | None = None) -> None:
        """End it; it receives nothing more.

        Args:
            error: Raised in the task that reads.
        """
        if self._state is _State.CLOSED:
            return
        self._state = _State.CLOSED
        self._waiting.clear()
        self._home.discharge(self)
        self._reader.ended(error)

    @property
    def is_closed(self) -> bool:
        """Whether it has ended."""
        return self._state is _State.CLOSED

    @property
    def position(self) -> Position:
        """Up to where everything was handed out: the place to resume from."""
        if self._queue is not None and self._queue and self._taken is not None:
            return self._taken
        if self._state is _State.LIVE and (self._queue is None or not self._queue):
            return self._home.position
        return self._taken or self.since or self._home.position

    @property
    def is_level(self) -> bool:
        """Whether it has received everything up to the hub's position, and nothing beyond.

        Two of the same topics that are can stand in for each other.
        """
        return self._state is _State.LIVE and self._last <= self._home.position.seq

    # What the hub calls

    def take(self, batch: list[Message]) -> None:
        """Receive messages; those that were received before are left out."""
        if self._state is _State.LIVE:
            if batch[0].position.seq <= self._last:
                batch = [each for each in batch if each.position.seq > self._last]
                if not batch:
                    return
            self._last = batch[-1].position.seq
            try:
                self._reader.deliver(batch)
            except Exception:  # noqa: BLE001 - one subscriber's fault must not reach the others
                app_log.exception("A subscriber of %s failed", ", ".join(self.patterns))
            if self._queue is not None and self._queue.is_over:
                self.close()
        elif self._state is _State.JOINING:
            self._waiting.extend(batch)

    def pause(self) -> bool:
        """Keep what comes until `resume`; whether it was live."""
        was_live = self._state is _State.LIVE
        if was_live or self._state is _State.JOINING:
            self._waiting.clear()
            self._resumes += 1
            self._state = _State.JOINING
        return was_live

    def resume(self, missed: Missed) -> None:
        """Go on with what was missed, then with what came meanwhile."""
        if self._state is not _State.JOINING:
            return
        start, page, reason = missed
        # An id of the future is a forged one; it must not hide what is published until then.
        self._last = min(start.seq, page.top)
        if reason is not None:
            self._tell_gap(Gap(Position(start.epoch, page.lost), reason))
        waiting, self._waiting = self._waiting, []
        self.go_live(self._last)
        if page.records:
            self.take([Message(start.epoch, each) for each in page.records])
        self._last = max(self._last, page.top)
        if waiting:
            self.take(waiting)

    def go_live(self, seq: int) -> None:
        """Receive everything after this number."""
        if self._state is _State.JOINING:
            self._state = _State.LIVE
        self._last = seq

    def _tell_gap(self, gap: Gap) -> None:
        try:
            self._reader.gap(gap)
        except Exception:  # noqa: BLE001 - as for deliver
            app_log.exception("A subscriber of %s failed", ", ".join(self.patterns))

    async def _catch_up(self, since: Position) -> None:
        while self._state is _State.JOINING:
            resumes = self._resumes
            missed = await self._home.missed(self.patterns, since)
            # When the log has moved meanwhile, what was read may not fit to what came since.
            if resumes == self._resumes:
                self.resume(missed)
                return

    # Reading

    def __aiter__(self) -> "Subscription":
        """Read the messages."""
        if self._queue is None:
            raise TypeError(
                "this subscription has a reader of its own; there is nothing to iterate"
            )
        return self

    async def __anext__(self) -> Message | Gap:
        """The next message or gap."""
        if self._queue is None:
            raise TypeError(
                "this subscription has a reader of its own; there is nothing to iterate"
            )
        if self._state is _State.NEW:
            await self.start()
        item = await self._queue.get()
        self._taken = item.position
        return item

    def next_now(self) -> Message | Gap | None:
        """The next message or gap, when there is one already."""
        item = None if self._queue is None else self._queue.take()
        if item is not None:
            self._taken = item.position
        return item
