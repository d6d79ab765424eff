"""The jobs of an application."""

import datetime
from collections.abc import Callable
from typing import Any, TypeVar

from eyewall.base.jobs import Job, check_scope, make_schedule
from eyewall.base.lazy import lazy

F = TypeVar("F", bound=Callable[..., Any])


class Scheduled:
    """What an application has for work that comes again and again."""

    @lazy
    def jobs(self) -> list[Job]:
        """What `every` has declared; `eyewall run` runs them."""
        return []

    def every(
        self,
        interval: float | str | datetime.timedelta | None = None,
        *,
        cron: str | None = None,
        zone: datetime.tzinfo = datetime.UTC,
        name: str | None = None,
        once_per: str = "fleet",
        timeout_s: float | None = None,
    ) -> Callable[[F], F]:
        """Call the decorated function again and again, in one process of all that serve.

        A coroutine function runs on the loop, a plain one in a thread. A run that fails is
        logged; one that still runs when the next is due leaves that one out.

        Args:
            interval: Seconds, a timedelta, or text as "90s", "5m" or "2h".
            cron: A cron line instead, as "30 6 * * mon-fri" or "@daily"; see `Cron`.
            zone: Whose hours the cron line has.
            name: What logs, metrics and locks call it; by default the function's name.
            once_per: "fleet" for one run on all machines that share a Redis (`--jobs-redis`),
                "machine" for one on each machine, "worker" for one in each process.
            timeout_s: Seconds after which a run is cancelled.

        Raises:
            ValueError: The times cannot be used, or another job has the name.

        Example:
            >>> from eyewall import Application
            >>> app = Application()
            >>> @app.every("10m")
            ... async def refresh():
            ...     pass
        """
        schedule = make_schedule(interval, cron, zone)
        scope = check_scope(once_per)

        def register(function: F) -> F:
            called = name or f"{function.__module__}.{function.__qualname__}"
            if any(job.name == called for job in self.jobs):
                raise ValueError(f"there is a job named {called!r} already")
            self.jobs.append(Job(called, function, schedule, scope, timeout_s))
            return function

        return register
