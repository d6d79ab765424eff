"""`AsyncTestCase`: unittest cases with an event loop of their own."""

import asyncio
import contextlib
import inspect
import unittest
from collections.abc import Callable
from typing import Any, TypeVar

from eyewall.loop.ioloop import IOLoop
from eyewall.testing.gen_test import get_async_test_timeout

T = TypeVar("T")


class AsyncTestCase(unittest.TestCase):
    """A case whose tests have a loop, `self.io_loop`, that is made and closed for each.

    Tests that wait are decorated with `gen_test`. Those of callbacks call `self.stop` in the
    callback and `self.wait()` in the test. What a test leaves running is cancelled.
    """

    def __init__(self, methodName: str = "runTest") -> None:  # noqa: N803 - unittest's name
        super().__init__(methodName)
        self.io_loop: IOLoop
        self._stopped = False
        self._waiting = False
        self._stop_value: Any = None

    def setUp(self) -> None:  # noqa: D102 - unittest's
        super().setUp()
        self.io_loop = self.get_new_ioloop()
        self.io_loop.make_current()

    def tearDown(self) -> None:  # noqa: D102 - unittest's
        loop = self.io_loop.asyncio_loop
        if not loop.is_closed():
            loop.run_until_complete(cancel_all())
            loop.run_until_complete(loop.shutdown_asyncgens())
        self.io_loop.clear_current()
        if not loop.is_closed():
            self.io_loop.close(all_fds=True)
        super().tearDown()

    def get_new_ioloop(self) -> IOLoop:
        """The loop for a test; override it for another kind."""
        return IOLoop(make_current=False)

    def stop(self, _arg: Any = None, **kwargs: Any) -> None:
        """End the present `wait`, or the next one; what is given here is what it returns.

        Args:
            _arg: The value, unless there are keyword arguments: then it is their dictionary.
            kwargs: Several values by name.
        """
        self._stop_value = kwargs or _arg
        self._stopped = True
        if self._waiting:
            self.io_loop.stop()

    def wait(
        self, condition: Callable[..., bool] | None = None, timeout: float | None = None
    ) -> Any:
        """Run the loop until `stop` is called; returns what that was given.

        Args:
            condition: Called after each `stop`; while it is false, the wait goes on.
            timeout: Seconds; by default those of `get_async_test_timeout`.

        Raises:
            AssertionError: It took longer.
        """
        limit = get_async_test_timeout() if timeout is None else timeout
        expired: list[bool] = []

        def expire() -> None:
            expired.append(True)
            self.io_loop.stop()

        timer = self.io_loop.asyncio_loop.call_later(limit, expire) if limit else None
        self._waiting = True
        try:
            while not (self._stopped and (condition is None or condition())):
                self._stopped = False
                self.io_loop.start()
                if expired and not self._stopped:
                    self.fail(f"nothing called stop() within {limit} seconds")
        finally:
            self._waiting = self._stopped = False
            if timer is not None:
                timer.cancel()
        value, self._stop_value = self._stop_value, None
        return value

    def _callTestMethod(self, method: Callable[[], Any]) -> None:  # noqa: N802 - unittest's hook
        """Call a test; one that would only seem to have run is an error."""
        result = method()
        if inspect.isgenerator(result) or inspect.iscoroutine(result):
            result.close()
            raise TypeError("test methods that are coroutines should be decorated with gen_test")
        if result is not None:
            raise ValueError(f"Return value from test method ignored: {result!r}")


def setup_with_context_manager(
    testcase: unittest.TestCase, cm: contextlib.AbstractContextManager[T]
) -> T:
    """Enter a context in a test's `setUp`; it is left after `tearDown`."""
    return testcase.enterContext(cm)


async def cancel_all() -> None:
    """Cancel every other task of the running loop, and wait for its end."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)
    for task in left:
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a task that the test left running failed", "exception": error}
            )
