"""What the status page shows, gathered from all workers."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, final

from eyewall.base.log_tail import log_tail
from eyewall.base.stats import Family
from eyewall.ops.messages import Handle, PeerError
from eyewall.ops.metrics.merge import read

_MOST_LINES: Final = 100
_MOST_ROUTES: Final = 200


@final
class Feed:
    """Asks as `eyewall ctl` does.

    Args:
        handle: Answers.
    """

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def ask(self, verb: str, **more: Any) -> Any:
        """Ask.

        Raises:
            PeerError: It cannot be done.
        """
        return await self._handle(verb, more)

    async def snapshot(self) -> dict[str, Any]:
        """All of it as it is now."""
        status = await self.ask("status")
        families = {
            family.name: family for family in read(await self.ask("metrics"), "of this server")
        }
        gate = status.get("gate", status)
        return {
            "time": time.time(),
            # Those too that workers have answered which have gone.
            "requests": _one(families.get("eyewall_requests_total"), status["requests"]),
            "refused": status["refused"],
            "connections": status["connections"],
            "in_flight": status["exchanges"],
            "memory_mib": status["memory_mib"],
            "suspended": bool(gate.get("suspended")),
            "held": gate.get("held", 0),
            "lag_ms": round(
                _percentile(_sole(families.get("eyewall_loop_lag_seconds")), 99) * 1e3, 2
            ),
            "workers": await self._workers(status),
            "routes": _routes(families.get("eyewall_request_duration_seconds")),
            "topics": _topics(families.get("eyewall_hub_subscriptions")),
            "jobs": _jobs(families.get("eyewall_job_runs_total")),
            "log": await self._log(),
        }

    async def _workers(self, status: Mapping[str, Any]) -> list[dict[str, Any]]:
        try:
            workers: list[dict[str, Any]] = await self.ask("workers")
        except PeerError:
            names = ("pid", "requests", "connections", "exchanges", "memory_mib")
            return [{"state": "ready"} | {name: status[name] for name in names}]
        return workers

    async def _log(self) -> list[dict[str, Any]]:
        told = await self.ask("log-tail")
        of_workers = told.values() if isinstance(told, dict) else [told]
        lines = {line["id"]: line for line in log_tail()}
        for each in of_workers:
            if isinstance(each, list):
                lines |= {line["id"]: line for line in each}
        return sorted(lines.values(), key=lambda line: float(line["time"]))[-_MOST_LINES:]


def _one(family: Family | None, otherwise: float) -> float:
    if family is None:
        return otherwise
    value: float = family.series.get((), otherwise)
    return value


def _sole(family: Family | None) -> tuple[Sequence[float], Sequence[float]]:
    """The bounds and counts of all series of a histogram together."""
    if family is None or not family.series:
        return (), ()
    return family.bounds, _sum(family.series.values())


def _sum(values: Iterable[Sequence[float]]) -> list[float]:
    return [sum(column) for column in zip(*values, strict=True)]


def _percentile(histogram: tuple[Sequence[float], Sequence[float]], percent: float) -> float:
    bounds, value = histogram
    counts = value[:-1]
    wanted, so_far = sum(counts) * percent / 100, 0.0
    if not wanted:
        return 0.0
    for bound, count in zip(bounds, counts, strict=False):
        so_far += count
        if so_far >= wanted:
            return bound
    return bounds[-1]


def _routes(family: Family | None) -> list[dict[str, Any]]:
    """Each route with its answers, the busiest first."""
    if family is None:
        return []
    by_route: dict[str, dict[str, Sequence[float]]] = {}
    for (route, method, status), value in family.series.items():
        by_route.setdefault(route, {})[f"{method} {status}"] = value
    rows: list[dict[str, Any]] = []
    for route, answers in by_route.items():
        together = family.bounds, _sum(answers.values())
        failed = sum(
            sum(value[:-1]) for key, value in answers.items() if key.rpartition(" ")[2] >= "500"
        )
        rows.append(
            {
                "route": route,
                "answers": int(sum(together[1][:-1])),
                "failed": int(failed),
                "p50_ms": round(_percentile(together, 50) * 1e3, 2),
                "p99_ms": round(_percentile(together, 99) * 1e3, 2),
            }
        )
    rows.sort(key=lambda row: -int(row["answers"]))
    return rows[:_MOST_ROUTES]


def _topics(family: Family | None) -> list[dict[str, Any]]:
    rows = [
        {"topic": topic, "subscriptions": int(count)}
        for (topic,), count in (family.series if family else {}).items()
    ]
    return sorted(rows, key=lambda row: -int(str(row["subscriptions"])))


def _jobs(family: Family | None) -> list[dict[str, Any]]:
    by_job: dict[str, dict[str, Any]] = {}
    for (job, outcome), count in (family.series if family else {}).items():
        by_job.setdefault(job, {"job": job, "done": 0, "failed": 0})[outcome] = int(count)
    return list(by_job.values())
