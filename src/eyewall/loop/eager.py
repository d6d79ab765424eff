"""Tasks whose first step runs at once. Hot path: each async handler starts here.

A coroutine that does not wait then never touches the loop. On Python 3.12 and later this is
`eager_start`. Python 3.11 has no such thing, but a Task's constructor schedules its first step
with `loop.call_soon`: we shadow that method while the Task is made, catch the step, and run
it. The Task is the standard one, so time-outs, TaskGroups and libraries that look for the
current task work in that step too.
"""

import asyncio
import sys
from asyncio import Task, current_task
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")

if sys.version_info >= (3, 12):

    def start_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]
    ) -> "asyncio.Task[T]":
        """Start `coroutine` as a task of `loop`, and run it until it waits.

        Call it on the loop's own thread, from a callback of the loop.
        """
        return asyncio.Task(coroutine, loop=loop, eager_start=True)

else:

    def start_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]
    ) -> "asyncio.Task[T]":
        """Start `coroutine` as a task of `loop`, and run it until it waits.

        Call it on the loop's own thread, from a callback of the loop.
        """
        if current_task(loop) is not None:
            # Steps of two tasks cannot nest.
            return loop.create_task(coroutine)
        caught: list[Any] = []

        def catch(step: Any, context: Context) -> None:
            caught.append((step, context))

        loop.call_soon = catch  # type: ignore[method-assign, assignment]
        try:
            task = Task(coroutine, loop=loop)
        finally:
            del loop.call_soon
        step, context = caught[0]
        context.run(step)
        return task
