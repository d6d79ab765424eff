"""Runs jobs when their time comes."""

import asyncio
import inspect
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, final

from eyewall.base.errors import StartupError
from eyewall.base.jobs import Job
from eyewall.base.log import app_log, gen_log
from eyewall.base.stats import registry
from eyewall.ops.jobs.locks import Fleet, FleetError, MachineLock

# A clock that is set is noticed within this time.
_LONGEST_SLEEP_S: Final = 10.0
_TAKE_S: Final = 0.5
_RENEW_S: Final = 10.0
_LEAST_KEPT_S: Final = 3600.0


@final
class Scheduler:
    """Runs jobs in this process while it may.

    Args:
        jobs: What there is to do.
        lock: Which process of the machine runs them; None for this one.
        fleet: Which machine runs them; None for this one.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        lock: MachineLock | None = None,
        fleet: Fleet | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._jobs = list(jobs)
        self._lock = lock
        self._fleet = fleet
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._running: dict[str, asyncio.Task[None]] = {}
        self._runs = registry.counter("eyewall_job_runs_total", "runs of jobs", "job", "outcome")
        self._seconds = registry.histogram("eyewall_job_seconds", "how long jobs took", "job")

    def start(self) -> None:
        """Begin; call it on the loop."""
        own = [job for job in self._jobs if job.once_per == "worker"]
        shared = [job for job in self._jobs if job.once_per != "worker"]
        self._tasks = [asyncio.ensure_future(self._follow(job)) for job in own]
        if shared:
            self._tasks.append(asyncio.ensure_future(self._lead(shared)))

    async def stop(self, wait_s: float = 30.0) -> None:
        """Begin no more runs, wait for those under way, then let others run jobs.

        Args:
            wait_s: Seconds after which they are cancelled.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._running:
            await asyncio.wait(self._running.values(), timeout=wait_s)
        left = list(self._running.values())
        for run in left:
            run.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if self._lock is not None:
            self._lock.give()
        if self._fleet is not None:
            await self._fleet.close()

    async def _lead(self, jobs: list[Job]) -> None:
        try:
            while self._lock is not None and not self._lock.take():  # noqa: ASYNC110 - another process has it
                await asyncio.sleep(_TAKE_S)
        except StartupError as exc:
            gen_log.error("No scheduled jobs are run: %s", exc)
            return
        gen_log.info("This process runs %d scheduled jobs", len(jobs))
        await asyncio.gather(*(self._follow(job) for job in jobs))

    async def _follow(self, job: Job) -> None:
        """Start a job whenever its time comes."""
        due = job.schedule.next_after(self._clock())
        while True:
            now = self._clock()
            if now < due:
                # Sooner when the clock was set back.
                due = min(due, job.schedule.next_after(now))
                await asyncio.sleep(min(due - now, _LONGEST_SLEEP_S))
                continue
            self._begin(job, due)
            due = job.schedule.next_after(max(now, due))

    def _begin(self, job: Job, due: float) -> None:
        if job.name in self._running:
            gen_log.warning("Job %s still runs, so it is left out this time", job.name)
            self._runs.labels(job.name, "left out").inc()
            return
        run = asyncio.ensure_future(self._run(job, due))
        self._running[job.name] = run
        run.add_done_callback(lambda _: self._running.pop(job.name, None))

    async def _run(self, job: Job, due: float) -> None:
        fleet = self._fleet if job.once_per == "fleet" else None
        if fleet is None:
            await self._work(job)
            return
        kept_s = max(_LEAST_KEPT_S, 2 * (job.schedule.next_after(due) - due))
        try:
            if not await fleet.begin(job.name, due, kept_s):
                return
        except FleetError as exc:
            gen_log.error(
                "Job %s is left out, for nobody can say whose turn it is: %s", job.name, exc
            )
            self._runs.labels(job.name, "left out").inc()
            return
        renewing = asyncio.ensure_future(_renew(fleet, job.name))
        try:
            await self._work(job)
        finally:
            renewing.cancel()
            with suppress(FleetError):
                await fleet.end(job.name)

    async def _work(self, job: Job) -> None:
        began, outcome = time.monotonic(), "failed"
        limit = asyncio.timeout(job.timeout_s)
        try:
            async with limit:
                await _call(job.function)
            outcome = "done"
        except TimeoutError as exc:
            if limit.expired():
                app_log.error("Job %s was cancelled after %g s", job.name, job.timeout_s)
            else:
                app_log.error("Job %s failed", job.name, exc_info=exc)
        except Exception:  # noqa: BLE001 - the boundary of a job
            app_log.exception("Job %s failed", job.name)
        finally:
            self._runs.labels(job.name, outcome).inc()
            self._seconds.labels(job.name).observe(time.monotonic() - began)


async def _call(function: Callable[[], Any]) -> None:
    if inspect.iscoroutinefunction(function):
        await function()
        return
    result = await asyncio.to_thread(function)
    if inspect.isawaitable(result):
        await result


async def _renew(fleet: Fleet, name: str) -> None:
    while True:
        await asyncio.sleep(_RENEW_S)
        with suppress(FleetError):
            await fleet.renew(name)
