"""Counts answers by route, method and status. Hot path where metrics are on."""

from bisect import bisect_left
from typing import Final, final

from eyewall.base.stats import DURATIONS_S, Family

_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}
)
_CELLS: Final = len(DURATIONS_S) + 2


@final
class RequestStats:
    """Told of each answer, it counts them by their durations."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], list[float]] = {}

    def __call__(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer.

        Args:
            route: The route's pattern; there are only as many as the program has.
            method: The method, which is the client's word.
            status: The answer's status.
            seconds: How long it took.
        """
        key = (route, method, status)
        counts = self._counts.get(key)
        if counts is None:
            if method not in _METHODS:
                key = (route, "other", status)
            counts = self._counts.setdefault(key, [0] * _CELLS)
        counts[bisect_left(DURATIONS_S, seconds)] += 1
        counts[-1] += seconds

    def families(self) -> list[Family]:
        """What was counted."""
        series: dict[tuple[str, ...], list[float]] = {
            (route, method, str(status)): list(counts)
            for (route, method, status), counts in self._counts.items()
        }
        return [
            Family(
                "eyewall_request_duration_seconds",
                "histogram",
                "time from a request's head to its answer, by route",
                ("route", "method", "status"),
                series,
                DURATIONS_S,
            )
        ]
