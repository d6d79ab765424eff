"""What is counted of the hubs of this process."""

from collections import Counter
from collections.abc import Iterator
from typing import Final, Protocol
from weakref import WeakSet

from eyewall.base.stats import Counter as Count
from eyewall.base.stats import Family, registry

_MOST_TOPICS: Final = 50


class Counted(Protocol):
    """A hub."""

    def subscribed(self) -> Iterator[tuple[str, int]]:
        """The patterns, and how many subscribe to each."""
        ...


hubs: Final[WeakSet[Counted]] = WeakSet()
"""All that there are."""

received: Final[Count] = registry.counter(
    "eyewall_hub_messages_received_total", "messages that reached the hub of a process"
).labels()


def families() -> list[Family]:
    """Subscriptions by topic; of more than 50 topics those with most, the rest as "other"."""
    counts: Counter[str] = Counter()
    for hub in list(hubs):
        for pattern, number in hub.subscribed():
            counts[pattern] += number
    series: dict[tuple[str, ...], int] = {
        (pattern,): number for pattern, number in counts.most_common(_MOST_TOPICS)
    }
    left = counts.total() - sum(series.values())
    if left:
        series["other",] = series.get(("other",), 0) + left
    text = "subscriptions to topics of the hub"
    return [Family("eyewall_hub_subscriptions", "gauge", text, ("topic",), series)]


registry.add_source(families)
