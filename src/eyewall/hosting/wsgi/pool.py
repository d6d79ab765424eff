"""Threads that run blocking programs, and hand their results back to the loop in batches."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from queue import SimpleQueue
from typing import Any, final


@final
class LoopCalls:
    """Calls from other threads, made on the loop's thread; many share one wake-up.

    Args:
        loop: The loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: deque[Callable[[], object]] = deque()
        self._lock = threading.Lock()
        self._woken = False

    def post(self, call: Callable[[], object]) -> None:
        """Have it called on the loop's thread, soon; after the loop has closed, never."""
        self._calls.append(call)
        with self._lock:
            if self._woken:
                return
            self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._make)
        except RuntimeError:
            # The loop is closed: nobody waits for the result.
            self._calls.clear()

    def _make(self) -> None:
        with self._lock:
            self._woken = False
        for _ in range(len(self._calls)):
            call = self._calls.popleft()
            try:
                call()
            except Exception as exc:  # noqa: BLE001 - one call must not hinder the next
                context = {"message": "Exception in a call from another thread", "exception": exc}
                self._loop.call_exception_handler(context)


@final
class Threads:
    """Some daemon threads, started when they are needed.

    Unlike the standard library's pool they make no future for each call, and the interpreter does
    not wait for one that hangs.

    Args:
        most: How many there may be.
    """

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError(f"there must be a thread, not {most}")
        self._most = most
        self._waiting: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0
        self._lock = threading.Lock()

    def run(self, call: Callable[[], object]) -> None:
        """Have it called in a thread."""
        if not self._idle.acquire(blocking=False):
            with self._lock:
                if self._started < self._most:
                    self._started += 1
                    name = f"wsgi-{self._started}"
                    threading.Thread(target=self._work, name=name, daemon=True).start()
        self._waiting.put(call)

    def _work(self) -> None:
        while (call := self._waiting.get()) is not None:
            call()
            del call
            self._idle.release()

    def close(self) -> None:
        """End the threads when they have done what waits."""
        for _ in range(self._started):
            self._waiting.put(None)


def runner_of(executor: Executor | None, threads: int) -> Callable[[Callable[[], object]], Any]:
    """What runs a call elsewhere: an executor of the user's own, or threads."""
    return Threads(threads).run if executor is None else executor.submit
