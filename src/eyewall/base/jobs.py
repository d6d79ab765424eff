"""What is to be done again and again: declared here, run by `eyewall.ops.jobs`."""

import datetime
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, final

from eyewall.base.cron import Cron

Scope: TypeAlias = Literal["fleet", "machine", "worker"]
_SCOPES: Final[tuple[Scope, ...]] = ("fleet", "machine", "worker")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SHORTEST_S: Final = 0.1


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """Every so many seconds of the clock, counted from 1970: all processes agree on the moments.

    Attributes:
        seconds: How many.
    """

    seconds: float

    def next_after(self, moment: float) -> float:
        """The first time after a moment, both in seconds since 1970."""
        found = (math.floor(moment / self.seconds) + 1) * self.seconds
        return found if found > moment else found + self.seconds


@final
@dataclass(frozen=True, slots=True)
class ByCron:
    """When a cron line comes true."""

    cron: Cron

    def next_after(self, moment: float) -> float:
        """The first time after a moment, both in seconds since 1970."""
        at = datetime.datetime.fromtimestamp(moment, datetime.UTC)
        return self.cron.next_after(at).timestamp()


@final
@dataclass(frozen=True, slots=True)
class Job:
    """One thing to do.

    Attributes:
        name: What logs, metrics and locks call it.
        function: Does it; a plain function runs in a thread.
        schedule: When.
        once_per: "fleet" (or the machine, where machines share nothing), "machine" or "worker".
        timeout_s: Seconds after which it is cancelled; None for never.
    """

    name: str
    function: Callable[[], Awaitable[Any] | Any]
    schedule: Interval | ByCron
    once_per: Scope = "fleet"
    timeout_s: float | None = None


def make_schedule(
    interval: float | str | datetime.timedelta | None,
    cron: str | None,
    zone: datetime.tzinfo,
) -> Interval | ByCron:
    """A schedule as people write it.

    Args:
        interval: Seconds, a timedelta, or text such as "90s", "5m", "2h".
        cron: A cron line instead.
        zone: Whose hours the cron line has.

    Raises:
        ValueError: Both or neither, or one that cannot be used.
    """
    if (interval is None) == (cron is None):
        raise ValueError(
            'say either how often, as every("10s"), or when, as every(cron="0 6 * * *")'
        )
    if cron is not None:
        return ByCron(Cron(cron, zone))
    seconds = _seconds(interval)
    if not _SHORTEST_S <= seconds < math.inf:
        raise ValueError(f"a job comes every {_SHORTEST_S} s at most, not every {interval!r}")
    return Interval(seconds)


def check_scope(once_per: str) -> Scope:
    """A scope that there is.

    Raises:
        ValueError: There is none of that name.
    """
    for scope in _SCOPES:
        if scope == once_per:
            return scope
    raise ValueError(f"once_per is one of {', '.join(_SCOPES)}, not {once_per!r}")


def _seconds(interval: Any) -> float:
    if isinstance(interval, datetime.timedelta):
        return interval.total_seconds()
    if isinstance(interval, str):
        for unit in ("ms", "s", "m", "h", "d"):
            if interval.endswith(unit):
                try:
                    return float(interval.removesuffix(unit)) * _UNITS[unit]
                except ValueError:
                    continue
        raise ValueError(f'{interval!r} is no time such as "500ms", "10s", "5m", "2h" or "1d"')
    return float(interval)
