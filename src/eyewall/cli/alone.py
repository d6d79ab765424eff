"""Serve in one process, which can be asked what workers can be asked too."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from eyewall.base.stats import Family, registry
from eyewall.cli.admin import admin_server
from eyewall.cli.control import control_path, control_server
from eyewall.cli.options import Settings
from eyewall.cli.serve import Served, serve
from eyewall.ops.commands import Commands
from eyewall.ops.gate import Gate
from eyewall.ops.health import HEALTH_PATHS
from eyewall.ops.messages import PeerError
from eyewall.ops.notify import Notifier


async def _families() -> list[Family]:
    return registry.families()


def serve_alone(target: str | None, settings: Settings, *, debug: bool) -> None:
    """Serve in this process, which has a control socket too.

    Raises:
        StartupError: It cannot be started.
    """

    @contextlib.asynccontextmanager
    async def attach(served: Served) -> AsyncIterator[None]:
        gate = served.health.gate = Gate(served.server, HEALTH_PATHS)
        commands = Commands(served.server, gate)

        async def handle(verb: str, message: Mapping[str, Any]) -> Any:
            if verb == "stop":
                served.stop()
                return {"stopping": 1}
            if verb in {"reload", "scale", "workers", "upgrade"}:
                raise PeerError(f"{verb} needs workers: start the server with --workers")
            return await commands.handle(verb, message)

        notifier = Notifier()
        async with (
            control_server(control_path(settings, served.sockets), handle),
            admin_server(settings, served.health.why_not_ready, _families, handle),
        ):
            notifier.send(READY=1)
            alive = asyncio.ensure_future(_keep_alive(notifier, served.stopping))
            try:
                yield
            finally:
                alive.cancel()
                await asyncio.gather(alive, return_exceptions=True)

    serve(target, settings, attach=attach, debug=debug)


async def _keep_alive(notifier: Notifier, stopping: asyncio.Event) -> None:
    pause_s = None if notifier.watchdog_s is None else notifier.watchdog_s / 3
    while not stopping.is_set():
        notifier.send(WATCHDOG=1)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause_s)
    notifier.send(STOPPING=1)
