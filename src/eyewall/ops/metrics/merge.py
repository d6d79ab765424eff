"""Metrics of several workers as those of one server."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

from eyewall.base.log import gen_log
from eyewall.base.stats import Family

_ADDED = frozenset({"counter", "histogram"})


def add(left: Any, right: Any) -> Any:
    """Two values of a series, added: numbers, or counts of buckets."""
    if isinstance(left, list):
        return [a + b for a, b in zip(left, right, strict=True)]
    return left + right


def read(told: Any, whose: str) -> list[Family]:
    """A worker's families; what cannot be read is a log line.

    Args:
        told: What it answered.
        whose: The worker, for the line.
    """
    try:
        return [Family.from_json(each) for each in told]
    except (KeyError, TypeError, ValueError) as exc:
        gen_log.error("Worker %s has metrics that cannot be read: %r", whose, exc)
        return []


@final
class Totals:
    """Adds up what workers count, those too that have gone.

    A counter must not go down when a worker ends, so what it counted last is kept.
    """

    def __init__(self) -> None:
        self._gone: dict[str, Family] = {}
        self._last: dict[str, list[Family]] = {}

    def update(self, worker: str, families: Sequence[Family]) -> None:
        """Note what a worker has counted so far."""
        self._last[worker] = list(families)

    def retire(self, worker: str) -> None:
        """A worker has ended: keep its counts."""
        for family in self._last.pop(worker, ()):
            if family.kind in _ADDED and not family.each:
                _merge(self._gone, family, None)

    def families(self, names: Mapping[str, str]) -> list[Family]:
        """All of it.

        Args:
            names: The label of each worker, for the values that are kept apart.
        """
        merged: dict[str, Family] = {}
        for family in self._gone.values():
            _merge(merged, family, None)
        for worker, families in self._last.items():
            for family in families:
                _merge(merged, family, names.get(worker, worker))
        return list(merged.values())


def _merge(into: dict[str, Family], family: Family, worker: str | None) -> None:
    labels, series = family.labels, family.series
    if family.each and worker is not None:
        labels = (*labels, "worker")
        series = {(*values, worker): value for values, value in series.items()}
    known = into.get(family.name)
    if known is None:
        into[family.name] = Family(
            family.name, family.kind, family.help, labels, dict(series), family.bounds
        )
        return
    if (known.kind, known.labels, known.bounds) != (family.kind, labels, family.bounds):
        # Two generations of a program may mean different things by a name; the newer counts.
        into[family.name] = Family(
            family.name, family.kind, family.help, labels, dict(series), family.bounds
        )
        return
    for values, value in series.items():
        known.series[values] = add(known.series[values], value) if values in known.series else value


def as_json(families: Iterable[Family]) -> list[dict[str, Any]]:
    """Families for a control message."""
    return [family.as_json() for family in families]
