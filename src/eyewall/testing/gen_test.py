"""`gen_test`: test methods that are coroutines, with a time limit."""

import functools
import inspect
import os
from collections.abc import Callable, Generator
from typing import Any, Final, TypeVar, overload

from eyewall.aio.coroutine import coroutine

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
        limit = get_async_test_timeout() if timeout is None else timeout
        result: Any = None

        @coroutine
        def start() -> Any:
            nonlocal result
            result = method(self, *args, **kwargs)
            return result if inspect.isgenerator(result) else _finish(result)

        try:
            self.io_loop.run_sync(start, timeout=limit)
        except TimeoutError as exc:
            if inspect.isgenerator(result) and inspect.getgeneratorstate(result) == "GEN_SUSPENDED":
                # The traceback is to show what the test was waiting for.
                result.throw(exc)
            raise

    # The method is no coroutine function any more, whatever it wraps: unittest looks for that.
    del test.__wrapped__
    return test


def _finish(result: Any) -> Generator[Any, Any, Any]:
    """What is not to be awaited is done."""
    return (yield result) if inspect.isawaitable(result) else result
