"""An ASGI program's start and end (ASGI lifespan protocol 2.0)."""

import asyncio
from typing import Any, Final, final

from eyewall.base.errors import StartupError
from eyewall.base.log import gen_log

_SCOPE: Final = {"version": "3.0", "spec_version": "2.0"}


@final
class Lifespan:
    """Runs a program's lifespan in a task of the running loop.

    Args:
        application: The program.
    """

    def __init__(self, application: Any) -> None:
        self._application = application
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._stopped: asyncio.Future[None] = self._loop.create_future()
        self._stopping = False
        self.state: dict[str, Any] = {}
        """What the program has put aside for its requests."""
        self._events.put_nowait({"type": "lifespan.startup"})
        self._task = self._loop.create_task(self._run(), name="ASGI lifespan")

    @property
    def is_started(self) -> bool:
        """Whether requests may come."""
        return self._started.done() and self._started.exception() is None

    def belongs_to(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether it runs in this loop."""
        return self._loop is loop

    async def started(self) -> None:
        """Wait until the program is ready.

        Raises:
            StartupError: It says that it cannot be.
        """
        await asyncio.shield(self._started)

    async def stop(self, deadline_s: float) -> None:
        """Have the program end, and wait for it.

        Args:
            deadline_s: Seconds to wait; then it is cancelled.
        """
        if self._task.done() or self._stopping:
            return
        self._stopping = True
        self._events.put_nowait({"type": "lifespan.shutdown"})
        await asyncio.wait({self._stopped, self._task}, timeout=deadline_s,
                           return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
        if not self._task.done() and not self._stopped.done():
            gen_log.warning("The ASGI program's shutdown took more than %g s", deadline_s)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": _SCOPE.copy(), "state": self.state}
        try:
            await self._application(scope, self._events.get, self._take)
        except Exception as exc:  # noqa: BLE001 - the boundary of the program
            if self._started.done():
                if self._started.exception() is None:
                    gen_log.error("The ASGI program's lifespan failed", exc_info=exc)
            else:
                # ASGI: a program that raises for this scope does not support it.
                gen_log.debug("The ASGI program has no lifespan: %.200r", exc)
        finally:
            for future in (self._started, self._stopped):
                if not future.done():
                    future.set_result(None)

    async def _take(self, message: Any) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            if not self._started.done():
                self._started.set_result(None)
        elif kind == "lifespan.startup.failed":
            text = str(message.get("message", "")).strip() or "it gives no reason"
            if not self._started.done():
                self._started.set_exception(
                    StartupError(f"the ASGI program's startup failed: {text}")
                )
                # Where nobody waits for it, it is logged by those who want to be served.
                self._started.exception()
        elif kind == "lifespan.shutdown.complete":
            if not self._stopped.done():
                self._stopped.set_result(None)
        elif kind == "lifespan.shutdown.failed":
            gen_log.error("The ASGI program's shutdown failed: %.500s", message.get("message", ""))
            if not self._stopped.done():
                self._stopped.set_result(None)
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r}")
