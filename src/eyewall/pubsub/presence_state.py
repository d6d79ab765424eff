"""Who is where, as every process knows it: pure state that can be merged in any order.

Each process is a node that alone decides who is present through it. It numbers its states; of two
states of a node the one with the higher number holds. So merging is taking the greater, and what
arrives twice, late or in another order makes no difference.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, final

import msgspec


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """One presence: a connection, a tab, a device.

    Attributes:
        topic: Where.
        key: Who; several entries of one key are one person.
        meta: What else is told of it.
    """

    topic: str
    key: str
    meta: Any


@final
@dataclass(frozen=True, slots=True)
class NodeState:
    """What one node says.

    Attributes:
        clock: Number of this state.
        entries: Who is present through it, by a number of the node's own.
    """

    clock: int = 0
    entries: Mapping[int, Entry] = field(default_factory=dict)

    def after(self, joins: Mapping[int, Entry], leaves: Iterable[int]) -> "NodeState":
        """The next state."""
        entries = {**self.entries, **joins}
        for number in leaves:
            entries.pop(number, None)
        return NodeState(self.clock + 1, entries)


def merge_nodes(one: NodeState, other: NodeState) -> NodeState:
    """The newer of two states of a node."""
    return other if other.clock > one.clock else one


def merge(one: Mapping[str, NodeState], other: Mapping[str, NodeState]) -> Mapping[str, NodeState]:
    """What follows from the knowledge of two processes."""
    merged = dict(one)
    for name, state in other.items():
        merged[name] = merge_nodes(merged[name], state) if name in merged else state
    return merged


@final
@dataclass(frozen=True, slots=True)
class Change:
    """What has changed in one topic.

    Attributes:
        topic: Where.
        joined: Who has come, with what is told of them.
        left: Who has gone, with what was told of them.
        updated: Of whom something else is told now: what is told of all their entries.
    """

    topic: str
    joined: Mapping[str, Any]
    left: Mapping[str, Any]
    updated: Mapping[str, list[Any]] = field(default_factory=dict)


@final
class Roster:
    """Who is where, of all nodes together, kept ready to be asked."""

    __slots__ = ("_nodes", "_topics")

    def __init__(self) -> None:
        self._nodes: dict[str, NodeState] = {}
        self._topics: dict[str, dict[str, dict[tuple[str, int], Any]]] = {}

    def clock_of(self, node: str) -> int | None:
        """Number of the newest state that is known of a node; None when it is unknown."""
        state = self._nodes.get(node)
        return None if state is None else state.clock

    def state_of(self, node: str) -> NodeState:
        """What is known of a node."""
        return self._nodes.get(node, NodeState())

    def nodes(self) -> Iterator[str]:
        """The nodes that are known."""
        return iter(self._nodes)

    def who(self, topic: str) -> dict[str, list[Any]]:
        """Who is present, each with what is told of their entries."""
        keys = self._topics.get(topic, {})
        return {key: _metas(entries) for key, entries in keys.items()}

    def update(self, node: str, state: NodeState) -> list[Change]:
        """Take what is heard of a node; returns what has changed."""
        before = self._nodes.get(node, NodeState(-1))
        if merge_nodes(before, state) is before:
            return []
        self._nodes[node] = state
        return self._replace(node, before.entries, state.entries)

    def forget(self, node: str) -> list[Change]:
        """Take a node's entries for gone; returns what has changed."""
        state = self._nodes.pop(node, None)
        return [] if state is None else self._replace(node, state.entries, {})

    def _replace(
        self, node: str, before: Mapping[int, Entry], after: Mapping[int, Entry]
    ) -> list[Change]:
        joined: dict[str, dict[str, Any]] = {}
        left: dict[str, dict[str, Any]] = {}
        touched: dict[tuple[str, str], None] = {}
        # Joining first: who only changes an entry does not leave in between.
        for number, entry in after.items():
            if before.get(number) != entry:
                entries = self._topics.setdefault(entry.topic, {}).setdefault(entry.key, {})
                if not entries:
                    joined.setdefault(entry.topic, {})[entry.key] = entry.meta
                touched[entry.topic, entry.key] = None
                entries[node, number] = entry.meta
        for number, entry in before.items():
            new = after.get(number)
            if new is None or (new.topic, new.key) != (entry.topic, entry.key):
                touched[entry.topic, entry.key] = None
                self._drop(entry, (node, number), left)
        updated: dict[str, dict[str, list[Any]]] = {}
        for topic, key in touched:
            entries = self._topics.get(topic, {}).get(key, {})
            # Who has come with several entries at once is told of with all of them.
            if entries and (key not in joined.get(topic, {}) or len(entries) > 1):
                updated.setdefault(topic, {})[key] = _metas(entries)
        return [
            Change(topic, joined.get(topic, {}), left.get(topic, {}), updated.get(topic, {}))
            for topic in dict.fromkeys([*joined, *left, *updated])
        ]

    def _drop(self, entry: Entry, name: tuple[str, int], left: dict[str, dict[str, Any]]) -> None:
        keys = self._topics[entry.topic]
        entries = keys[entry.key]
        entries.pop(name, None)
        if not entries:
            left.setdefault(entry.topic, {})[entry.key] = entry.meta
            del keys[entry.key]
            if not keys:
                del self._topics[entry.topic]


def _metas(entries: Mapping[tuple[str, int], Any]) -> list[Any]:
    """What is told of somebody's entries, in an order that all processes share."""
    return [meta for _, meta in sorted(entries.items(), key=lambda item: item[0])]
