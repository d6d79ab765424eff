"""What is watched of a serving process: its loop, its figures, its requests."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

from eyewall.base.stats import registry
from eyewall.cli.options import Settings
from eyewall.loop.guard import LoopGuard
from eyewall.ops.metrics.process import ProcessStats
from eyewall.ops.metrics.requests import RequestStats
from eyewall.ops.serving import Serving


@asynccontextmanager
async def watched(app: Any, server: Serving, settings: Settings) -> AsyncIterator[None]:
    """Watch a server while the block runs.

    Args:
        app: Its application; one of Eyewall's own is asked to tell of its answers, with --metrics.
        server: The server.
        settings: All options.
    """
    process = ProcessStats(server)
    with ExitStack() as ending:
        ending.callback(registry.add_source(process.families))
        if settings["metrics"]:
            requests = RequestStats()
            ending.callback(registry.add_source(requests.families))
            observe = getattr(app, "observe", None)
            if observe is not None:
                observe(requests)
        if settings["blocked_after"]:
            guard = LoopGuard(settings["blocked_after"], on_lag=process.lag.observe)
            guard.start()
            ending.callback(guard.stop)
        yield
