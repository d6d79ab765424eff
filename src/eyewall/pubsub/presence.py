"""Presence: who is here, in this process and in the others."""

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, final

import msgspec

from eyewall.base.log import app_log, gen_log
from eyewall.pubsub.backends.base import Outgoing
from eyewall.pubsub.delivery import Callback
from eyewall.pubsub.errors import BackplaneError, HubClosedError
from eyewall.pubsub.history import Retention
from eyewall.pubsub.hub import Hub
from eyewall.pubsub.message import Message
from eyewall.pubsub.presence_state import Change, Entry, NodeState, Roster
from eyewall.pubsub.topics import TopicTree, check_pattern, check_topic

if TYPE_CHECKING:
    from eyewall.pubsub.subscription import Subscription

_TOPIC: Final = "$presence"
_RETENTION: Final = Retention(0, 0)


class Whole(msgspec.Struct, tag="state", frozen=True):
    """A node says who is present through it."""

    node: str
    clock: int
    entries: dict[int, Entry]


class Step(msgspec.Struct, tag="step", frozen=True):
    """A node says what has changed since its state before."""

    node: str
    clock: int
    joins: dict[int, Entry]
    leaves: list[int]


class Beat(msgspec.Struct, tag="beat", frozen=True):
    """A node says that it is alive, and the number of its state."""

    node: str
    clock: int


class Ask(msgspec.Struct, tag="ask", frozen=True):
    """A node asks another one, or all, for their whole state."""

    node: str
    whom: str | None


class Bye(msgspec.Struct, tag="bye", frozen=True):
    """A node ends."""

    node: str


Word = Whole | Step | Beat | Ask | Bye

_decoder: Final = msgspec.json.Decoder(Word)


@final
class Tracked:
    """One entry of this process; leaving the block, or `leave`, ends it."""

    __slots__ = ("_number", "_presence")

    def __init__(self, presence: "Presence", number: int) -> None:
        self._presence = presence
        self._number = number

    def update(self, meta: Any) -> None:
        """Tell something else of it."""
        self._presence.change(self._number, meta)

    def leave(self) -> None:
        """End it; the second call does nothing."""
        self._presence.end(self._number)

    def __enter__(self) -> "Tracked":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()


@final
class Presence:
    """Knows who is present in which topic, over all processes of a hub.

    Every process knows the whole; changes are told within one turn of the loop. A process that
    dies is noticed by its silence.

    Args:
        hub: Carries the words between the processes.
        beat_s: Seconds between two signs of life.
        silence_s: Seconds without one after which a process is taken for dead; by default three
            beats.

    Example:
        >>> async def enter(presence: "Presence") -> None:
        ...     with presence.track("rooms/7", "ann", {"typing": False}):
        ...         print(presence.who("rooms/7"))
    """

    def __init__(self, hub: Hub, *, beat_s: float = 5.0, silence_s: float | None = None) -> None:
        self._hub = hub
        self._beat_s = beat_s
        self._silence_s = 3 * beat_s if silence_s is None else silence_s
        self._node = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._roster = Roster()
        self._mine = NodeState()
        self._joins: dict[int, Entry] = {}
        self._leaves: list[int] = []
        self._heard: dict[str, float] = {}
        self._asked: set[str] = set()
        self._watchers: TopicTree[dict[object, Callable[[Change], None]]] = TopicTree()
        self._subscription: Subscription | None = None
        self._beating: asyncio.TimerHandle | None = None
        self._is_closed = False

    # Life

    async def start(self) -> None:
        """Join the other processes; what is known of them comes within moments.

        Raises:
            BackplaneError: The hub cannot be reached.
        """
        if self._subscription is None:
            reader = Callback(self._deliver, gap=lambda _: self._greet())
            subscription = self._subscription = self._hub.subscribe(_TOPIC, reader=reader)
            await subscription.start()
            self._greet()
            self._beat()

    async def close(self) -> None:
        """Tell the others that everybody of this process has gone."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._beating is not None:
            self._beating.cancel()
        if self._subscription is not None:
            self._subscription.close()
            # Where that fails, they notice the silence.
            with contextlib.suppress(BackplaneError, HubClosedError):
                await self._say(Bye(self._node))

    async def __aenter__(self) -> "Presence":
        """Join the other processes."""
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Leave them."""
        await self.close()

    # What programs ask

    def track(self, topic: str, key: str, meta: Any = None) -> Tracked:
        """Somebody is present from now on.

        Args:
            topic: Where.
            key: Who; all entries of one key are one person, who has left with the last of them.
            meta: What else is told; anything that JSON can hold.

        Raises:
            ValueError: A topic that is none.
            HubClosedError: This was closed.
        """
        check_topic(topic)
        if self._is_closed:
            raise HubClosedError("the presence was closed")
        number = next(self._numbers)
        self._later({number: Entry(topic, key, _plain(meta))}, ())
        return Tracked(self, number)

    def change(self, number: int, meta: Any) -> None:
        """Tell something else of an entry; see `Tracked.update`."""
        entry = self._joins.get(number) or self._mine.entries.get(number)
        if entry is not None and number not in self._leaves:
            self._later({number: Entry(entry.topic, entry.key, _plain(meta))}, ())

    def end(self, number: int) -> None:
        """End an entry; see `Tracked.leave`."""
        if self._joins.pop(number, None) is None and number not in self._mine.entries:
            return
        self._later({}, (number,))

    def who(self, topic: str) -> dict[str, list[Any]]:
        """Who is present: for each key what is told of its entries."""
        self._settle()
        return self._roster.who(topic)

    def watch(self, pattern: str, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Be told who comes and goes.

        Args:
            pattern: Topics.
            callback: Called with each change; must return at once.

        Returns:
            A function that ends it.

        Raises:
            ValueError: A pattern that is none.
        """
        check_pattern(pattern)
        watchers = self._watchers.get(pattern)
        if watchers is None:
            watchers = {}
            self._watchers.set(pattern, watchers)
        name = object()
        watchers[name] = callback

        def end() -> None:
            watchers.pop(name, None)
            if not watchers and self._watchers.get(pattern) is watchers:
                self._watchers.remove(pattern)

        return end

    # What this process changes

    def _later(self, joins: dict[int, Entry], leaves: Sequence[int]) -> None:
        if not self._joins and not self._leaves:
            asyncio.get_running_loop().call_soon(self._settle)
        self._joins.update(joins)
        self._leaves.extend(leaves)

    def _settle(self) -> None:
        """Make one state of the changes of this turn, and tell it."""
        if not self._joins and not self._leaves:
            return
        joins, leaves = self._joins, self._leaves
        self._joins, self._leaves = {}, []
        self._mine = self._mine.after(joins, leaves)
        self._changed(self._roster.update(self._node, self._mine))
        if self._subscription is not None and not self._is_closed:
            _ = self._say(Step(self._node, self._mine.clock, joins, leaves))

    def _say(self, word: Word) -> Any:
        return self._hub.send(Outgoing(_TOPIC, msgspec.json.encode(word), None, _RETENTION))

    def _greet(self) -> None:
        """Tell everything, and ask for it."""
        _ = self._say(Ask(self._node, None))
        _ = self._say(Whole(self._node, self._mine.clock, dict(self._mine.entries)))

    def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for node, heard in list(self._heard.items()):
            if heard < now - self._silence_s:
                gen_log.warning("A process is silent; whoever was present through it has left")
                self._forget(node)
        self._asked.clear()
        try:
            _ = self._say(Beat(self._node, self._mine.clock))
        except HubClosedError:
            return
        self._beating = loop.call_later(self._beat_s, self._beat)

    # What other processes say

    def _deliver(self, batch: Sequence[Message]) -> None:
        for message in batch:
            try:
                word = _decoder.decode(message.body)
            except msgspec.DecodeError as exc:
                gen_log.warning("A process spoke no sense about presence: %s", exc)
                continue
            if word.node != self._node:
                self._hear(word)

    def _hear(self, word: Word) -> None:
        if isinstance(word, Bye):
            self._forget(word.node)
            return
        self._heard[word.node] = asyncio.get_running_loop().time()
        if isinstance(word, Ask):
            if word.whom in {None, self._node}:
                self._settle()
                _ = self._say(Whole(self._node, self._mine.clock, dict(self._mine.entries)))
        elif isinstance(word, Whole):
            self._asked.discard(word.node)
            self._changed(self._roster.update(word.node, NodeState(word.clock, word.entries)))
        elif isinstance(word, Step) and self._roster.clock_of(word.node) == word.clock - 1:
            state = self._roster.state_of(word.node).after(word.joins, word.leaves)
            self._changed(self._roster.update(word.node, state))
        elif self._is_behind(word) and word.node not in self._asked:
            self._asked.add(word.node)
            _ = self._say(Ask(self._node, word.node))

    def _is_behind(self, word: Step | Beat) -> bool:
        known = self._roster.clock_of(word.node)
        return known is None or known < word.clock

    def _forget(self, node: str) -> None:
        self._heard.pop(node, None)
        self._changed(self._roster.forget(node))

    def _changed(self, changes: Sequence[Change]) -> None:
        for change in changes:
            for watchers in self._watchers.match(change.topic):
                for callback in list(watchers.values()):
                    try:
                        callback(change)
                    except Exception:  # noqa: BLE001 - one watcher's fault must not reach others
                        app_log.exception("A watcher of %s failed", change.topic)


def _plain(meta: Any) -> Any:
    """What JSON makes of it, so that every process sees the same."""
    return msgspec.json.decode(msgspec.json.encode(meta))
