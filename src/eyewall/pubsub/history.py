"""The log in memory: all messages in one order, and of each topic as many as its retention says."""

import itertools
import secrets
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from eyewall.pubsub.message import Page, Record
from eyewall.pubsub.topics import is_pattern, matches

_MOST_TOPICS: Final = 100_000
_MOST_BYTES: Final = 256 * 1024 * 1024
_OVERHEAD_BYTES: Final = 200
"""What a message takes beside its body, about."""
_WINDOW: Final = 4096


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of a topic is kept.

    Attributes:
        count: The newest so many messages; 0 keeps none.
        age_s: And none older than so many seconds.
    """

    count: int = 100
    age_s: float = 3600.0

    def check(self) -> "Retention":
        """Return it.

        Raises:
            ValueError: A bound that is negative.
        """
        if self.count < 0 or self.age_s < 0:
            raise ValueError(f"a retention has no negative bounds: {self}")
        return self


def new_epoch() -> str:
    """A name for a new log."""
    return secrets.token_hex(6)


class _Topic:
    __slots__ = ("dropped", "last", "records", "retention")

    def __init__(self) -> None:
        self.records: deque[Record] = deque()
        self.dropped = 0
        self.last = 0
        self.retention = Retention()

    def trim(self, now: float) -> int:
        """Drop what is kept no more; returns the bytes that it took."""
        freed = 0
        records, count = self.records, self.retention.count
        oldest = now - self.retention.age_s
        while records and (len(records) > count or records[0].time < oldest):
            oldest_record = records.popleft()
            self.dropped = oldest_record.seq
            freed += len(oldest_record.body) + _OVERHEAD_BYTES
        return freed

    def size(self) -> int:
        """The bytes that its messages take."""
        return sum(len(record.body) + _OVERHEAD_BYTES for record in self.records)


@final
class MemoryLog:
    """Messages in memory.

    Args:
        most_topics: So many topics are remembered; of those used longest ago, it is forgotten
            that they ever had messages, and reading them from an old position is a gap.
        most_bytes: The same happens while the messages of all topics take more than this.
        window: The newest so many messages of all topics can be read by `since`, whatever their
            topic's retention.

    Attributes:
        epoch: Its name.
        top: Number of the newest message.
    """

    __slots__ = (
        "_bytes",
        "_floor",
        "_most_bytes",
        "_most_topics",
        "_recent",
        "_topics",
        "epoch",
        "top",
    )

    def __init__(
        self,
        *,
        most_topics: int = _MOST_TOPICS,
        most_bytes: int = _MOST_BYTES,
        window: int = _WINDOW,
    ) -> None:
        self._bytes = 0
        self._most_bytes = most_bytes
        self.epoch = new_epoch()
        self.top = 0
        self._topics: OrderedDict[str, _Topic] = OrderedDict()
        self._most_topics = most_topics
        self._floor = 0
        self._recent: deque[Record] = deque(maxlen=window)

    def append(
        self, topic: str, body: bytes, key: str | None, retention: Retention, *, now: float
    ) -> Record:
        """Add a message.

        Args:
            topic: Its topic.
            body: Its data as JSON.
            key: What it is about.
            retention: How much of the topic is kept from now on.
            now: Seconds since 1970.
        """
        self.top += 1
        record = Record(self.top, topic, body, key, now)
        self._recent.append(record)
        if retention.count == 0 and topic.startswith("$"):
            return record
        kept = self._topics.get(topic)
        if kept is None:
            kept = self._topics[topic] = _Topic()
        else:
            self._topics.move_to_end(topic)
        kept.last = self.top
        kept.retention = retention
        kept.records.append(record)
        self._bytes += len(body) + _OVERHEAD_BYTES - kept.trim(now)
        while len(self._topics) > self._most_topics or (
            self._bytes > self._most_bytes and len(self._topics) > 1
        ):
            forgotten = self._topics.popitem(last=False)[1]
            self._floor = forgotten.last
            self._bytes -= forgotten.size()
        return record

    def since(self, seq: int) -> list[Record] | None:
        """All messages after a number, of all topics; None when they are not all there."""
        missing = self.top - seq
        if not 0 <= missing <= len(self._recent):
            return None
        start = len(self._recent) - missing
        return list(itertools.islice(self._recent, start, None))

    def read(self, patterns: Sequence[str], after: int, limit: int, *, now: float) -> Page:
        """What is kept of some topics after a number.

        Args:
            patterns: Which topics.
            after: Number of the last message that is not wanted.
            limit: At most the newest so many.
            now: Seconds since 1970.
        """
        found: list[Record] = []
        lost = 0 if self._knows_all(patterns) else self._floor
        for topic in self._changed_since(patterns, after):
            kept = self._topics[topic]
            self._bytes -= kept.trim(now)
            lost = max(lost, kept.dropped)
            for record in reversed(kept.records):
                if record.seq <= after:
                    break
                found.append(record)
        found.sort(key=lambda record: record.seq)
        return Page.of(found, after=after, lost=lost, limit=limit, top=self.top)

    def _knows_all(self, patterns: Sequence[str]) -> bool:
        return all(not is_pattern(each) and each in self._topics for each in patterns)

    def _changed_since(self, patterns: Sequence[str], after: int) -> list[str]:
        if not any(map(is_pattern, patterns)):
            return [
                each
                for each in dict.fromkeys(patterns)
                if each in self._topics and self._topics[each].last > after
            ]
        # The topics are in the order of their last message.
        changed = itertools.takewhile(
            lambda item: item[1].last > after, reversed(self._topics.items())
        )
        return [topic for topic, _ in changed if any(matches(each, topic) for each in patterns)]
