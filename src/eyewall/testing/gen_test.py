"""`gen_test`: test methods that are coroutines, with a time limit."""

import asyncio
import concurrent.futures
import functools
import inspect
import os
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final, TypeVar, overload

T = TypeVar("T", bound=Callable[..., Any])

_VARIABLE: Final = "ASYNC_TEST_TIMEOUT"
_DEFAULT_S: Final = 5.0


def get_async_test_timeout() -> float:
    """Seconds that a test may take: the environment's `ASYNC_TEST_TIMEOUT`, or 5.

    Raises:
        ValueError: The variable is no number.
    """
    text = os.environ.get(_VARIABLE, "")
    if not text:
        return _DEFAULT_S
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{_VARIABLE} must be a number of seconds, not {text!r}") from None


@overload
def gen_test(func: None = None, timeout: float | None = None) -> Callable[[T], T]: ...


@overload
def gen_test(func: T, timeout: float | None = None) -> T: ...


def gen_test(
    func: Callable[..., Any] | None = None, timeout: float | None = None
) -> Callable[..., Any]:
    """Run a test method of an `AsyncTestCase` in its loop, to its end.

    Args:
        func: A coroutine function, a generator that yields awaitables, or a plain function.
        timeout: Seconds that it may take; by default those of `get_async_test_timeout`.

    Raises:
        TimeoutError: It took longer; it has been cancelled then.

    Example:
        >>> class Test(AsyncTestCase):  # doctest: +SKIP
        ...     @gen_test(timeout=10)
        ...     async def test_it(self):
        ...         assert await ask() == "answer"
    """
    if func is None:
        return functools.partial(gen_test, timeout=timeout)
    method = func

    @functools.wraps(method)
    def test(self: Any, *args: Any, **kwargs: Any) -> Any:
        def start() -> Any:
            result = method(self, *args, **kwargs)
            return _drive(result) if inspect.isgenerator(result) else result

        self.io_loop.run_sync(
            start, timeout=get_async_test_timeout() if timeout is None else timeout
        )

    # The method is no coroutine function any more, whatever it wraps: unittest looks for that.
    del test.__wrapped__
    return test


def _drive(generator: Generator[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
    """A generator that yields awaitables, as a coroutine."""

    async def run() -> Any:
        send: Callable[[Any], Any] = generator.send
        value: Any = None
        while True:
            try:
                awaited = send(value)
            except StopIteration as stop:
                return stop.value
            try:
                value, send = await _one(awaited), generator.send
            except BaseException as exc:  # noqa: BLE001 - the generator is to see each
                value, send = exc, generator.throw

    return run()


async def _one(awaited: Any) -> Any:
    if awaited is None:
        return await asyncio.sleep(0)
    if isinstance(awaited, list | tuple):
        return await asyncio.gather(*awaited)
    if isinstance(awaited, dict):
        return dict(zip(awaited, await asyncio.gather(*awaited.values()), strict=True))
    if isinstance(awaited, concurrent.futures.Future):
        return await asyncio.wrap_future(awaited)
    return await awaited
