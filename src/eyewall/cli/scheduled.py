"""The jobs of the application that is served."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from eyewall.cli.options import Settings
from eyewall.ops.control import control_folder
from eyewall.ops.jobs.locks import MachineLock, RedisFleet
from eyewall.ops.jobs.scheduler import Scheduler


@asynccontextmanager
async def scheduled(app: Any, target: str | None, settings: Settings) -> AsyncIterator[None]:
    """Run an application's jobs while the block runs.

    Args:
        app: The application; only one of Eyewall's own has jobs.
        target: What it was imported as.
        settings: All options.

    Raises:
        StartupError: There is no place for the lock of this machine.
    """
    jobs = list(getattr(app, "jobs", ()))
    if not jobs or not settings["jobs"]:
        yield
        return
    fleet = RedisFleet(settings["jobs_redis"]) if settings["jobs_redis"] else None
    scheduler = Scheduler(jobs, MachineLock(_lock_path(target, settings)), fleet)
    scheduler.start()
    try:
        yield
    finally:
        await scheduler.stop(settings["timeout_graceful_shutdown"])


def _lock_path(target: str | None, settings: Settings) -> str:
    if settings["jobs_lock"]:
        return str(settings["jobs_lock"])
    program = f"{Path(settings['app_dir']).resolve()}:{target or ''}"
    name = hashlib.sha256(program.encode()).hexdigest()[:16]
    return str(control_folder() / f"{name}.jobs")
