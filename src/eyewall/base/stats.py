"""Counters, gauges and histograms; how they are published is somebody else's affair."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, final

DURATIONS_S: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds of durations in seconds."""

_MOST_SERIES: Final = 1000
"""Label values that come from clients must not fill the memory."""


@final
@dataclass(slots=True)
class Family:
    """One metric with all its series, as it is at a moment.

    Attributes:
        name: As "eyewall_requests_total".
        kind: "counter", "gauge" or "histogram".
        help: What it is, in a clause.
        labels: Names of the labels.
        series: By the values of the labels: a number, or for a histogram the counts of each
            bucket, that of the last one without a bound, and the sum of all values.
        bounds: Upper bounds of a histogram's buckets.
        each: Several processes keep their values apart, instead of adding them up.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    series: dict[tuple[str, ...], Any] = field(default_factory=dict)
    bounds: tuple[float, ...] = ()
    each: bool = False

    def as_json(self) -> dict[str, Any]:
        """What JSON can say of it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "help": self.help,
            "labels": list(self.labels),
            "series": [[list(labels), value] for labels, value in self.series.items()],
            "bounds": list(self.bounds),
            "each": self.each,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Family":
        """The opposite of `as_json`.

        Raises:
            KeyError: Something is missing.
        """
        return cls(
            told["name"],
            told["kind"],
            told["help"],
            tuple(told["labels"]),
            {tuple(labels): value for labels, value in told["series"]},
            tuple(told["bounds"]),
            told["each"],
        )


@final
class Counter:
    """Counts up."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def inc(self, amount: float = 1) -> None:
        """Count.

        Raises:
            ValueError: A negative amount.
        """
        if amount < 0:
            raise ValueError(f"a counter counts up, not by {amount!r}; use a gauge")
        self.value += amount


@final
class Gauge:
    """Goes up and down."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def set(self, value: float) -> None:
        """Be this value."""
        self.value = value

    def inc(self, amount: float = 1) -> None:
        """Go up, or with a negative amount down."""
        self.value += amount


@final
class Histogram:
    """Counts values by their size.

    Args:
        bounds: Upper bounds of the buckets, in order; values above the last are counted too.
    """

    __slots__ = ("bounds", "value")

    def __init__(self, bounds: Sequence[float] = DURATIONS_S) -> None:
        self.bounds = tuple(bounds)
        self.value: list[float] = [0] * (len(self.bounds) + 2)

    def observe(self, value: float) -> None:
        """Count one value."""
        counts = self.value
        counts[bisect_left(self.bounds, value)] += 1
        counts[-1] += value


M = TypeVar("M", bound=Counter | Gauge | Histogram)


@final
class Metric(Generic[M]):
    """A metric with labels.

    Args:
        family: What it is.
        make: Makes the part for one set of label values.
    """

    __slots__ = ("_family", "_make", "_parts")

    def __init__(self, family: Family, make: Callable[[], M]) -> None:
        self._family = family
        self._make = make
        self._parts: dict[tuple[str, ...], M] = {}

    def labels(self, *values: str) -> M:
        """The part with these label values; of more than 1000 sets, the rest are one: "other".

        Raises:
            ValueError: Not as many values as the metric has labels.
        """
        part = self._parts.get(values)
        if part is None:
            names = self._family.labels
            if len(values) != len(names):
                raise ValueError(f"{self._family.name} has the labels {names}, not {values!r}")
            if len(self._parts) >= _MOST_SERIES:
                values = ("other",) * len(names)
            part = self._parts.setdefault(values, self._make())
        return part

    def family(self) -> Family:
        """What it is now."""
        known = self._family
        series = {labels: _copy(part.value) for labels, part in self._parts.items()}
        return Family(known.name, known.kind, known.help, known.labels, series, known.bounds)


def _copy(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


Source = Callable[[], Iterable[Family]]


@final
class Registry:
    """All metrics of a process.

    Example:
        >>> registry = Registry()
        >>> orders = registry.counter("shop_orders_total", "orders taken", "country")
        >>> orders.labels("de").inc()
        >>> [family.series for family in registry.families()]
        [{('de',): 1}]
    """

    def __init__(self) -> None:
        self._metrics: dict[str, Metric[Any]] = {}
        self._sources: list[Source] = []

    def counter(self, name: str, text: str, *labels: str) -> Metric[Counter]:
        """A metric that counts up; asked for again, the same one.

        Args:
            name: As "shop_orders_total".
            text: What it is, in a clause.
            labels: Names of its labels.

        Raises:
            ValueError: The name is taken by a metric of another kind, or with other labels.
        """
        return self._metric(Family(name, "counter", text, labels), Counter)

    def gauge(self, name: str, text: str, *labels: str) -> Metric[Gauge]:
        """A metric that goes up and down; see `counter`."""
        return self._metric(Family(name, "gauge", text, labels), Gauge)

    def histogram(
        self, name: str, text: str, *labels: str, bounds: Sequence[float] = DURATIONS_S
    ) -> Metric[Histogram]:
        """A metric that counts values by their size; see `counter`.

        Args:
            name: As "shop_order_seconds".
            text: What it is, in a clause.
            labels: Names of its labels.
            bounds: Upper bounds of its buckets, in order.
        """
        family = Family(name, "histogram", text, labels, bounds=tuple(bounds))
        return self._metric(family, lambda: Histogram(bounds))

    def _metric(self, family: Family, make: Callable[[], Any]) -> Metric[Any]:
        known = self._metrics.get(family.name)
        if known is None:
            made: Metric[Any] = Metric(family, make)
            self._metrics[family.name] = made
            return made
        other = known.family()
        if (other.kind, other.labels) != (family.kind, family.labels):
            raise ValueError(
                f"{family.name} is a {other.kind} with the labels {other.labels} already"
            )
        return known

    def add_source(self, source: Source) -> Callable[[], None]:
        """Ask this function for more families whenever somebody looks; returns what ends that."""
        self._sources.append(source)

        def remove() -> None:
            if source in self._sources:
                self._sources.remove(source)

        return remove

    def families(self) -> list[Family]:
        """All metrics as they are now."""
        found = [metric.family() for metric in self._metrics.values()]
        for source in self._sources:
            found.extend(source())
        return found


registry: Final = Registry()
"""The process's metrics; programs add their own."""
