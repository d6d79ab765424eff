"""Work that goes on when its request has been answered."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar, final

from eyewall.base.log import app_log, gen_log

T = TypeVar("T")


@final
class Background:
    """Tasks that belong to an application: held, awaited when it stops, their errors logged."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(
        self, coroutine: Coroutine[Any, Any, T], *, label: str, request_id: str | None = None
    ) -> "asyncio.Task[T]":
        """Start a task on the running loop.

        Args:
            coroutine: What to run.
            label: What the log calls it.
            request_id: The request that it comes from, for the log.

        Raises:
            TypeError: It is no coroutine.
        """
        if not asyncio.iscoroutine(coroutine):
            raise TypeError(
                f"spawn() takes a coroutine, what calling an async function gives, not "
                f"{coroutine!r}"
            )
        task = asyncio.get_running_loop().create_task(coroutine, name=label)
        self._tasks.add(task)

        def done(task: "asyncio.Task[T]") -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                origin = f" of request {request_id}" if request_id else ""
                app_log.error(
                    "Background work %s%s failed",
                    label,
                    origin,
                    exc_info=error,
                    extra={"request_id": request_id},
                )

        task.add_done_callback(done)
        return task

    async def drain(self, deadline_s: float = 30.0) -> None:
        """Wait until all work is done, that too which it starts; then cancel what is left.

        Args:
            deadline_s: Seconds to wait.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        while self._tasks and loop.time() < end:
            await asyncio.wait(self._tasks, timeout=end - loop.time())
            # The callbacks that take finished tasks out run in the loop's next turn.
            await asyncio.sleep(0)
        left = list(self._tasks)
        if left:
            gen_log.warning(
                "%d pieces of background work were cancelled after %g s", len(left), deadline_s
            )
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
