"""Blocking code on the loop: it runs in a greenlet, which steps aside while it waits.

The greenlet is driven by a coroutine. What the blocking code waits for is handed to that
coroutine, which awaits it as part of its own task, so cancellation, time-outs and context
variables are those of the task.
"""

import inspect
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, Final, ParamSpec, TypeVar

from eyewall.base.errors import ConfigurationError

P = ParamSpec("P")
T = TypeVar("T")

_DRIVER: Final = "_eyewall_driver"


@cache
def _library() -> Any:
    try:
        import greenlet  # type: ignore[import-untyped]  # noqa: PLC0415 - optional
    except ImportError as exc:
        raise ConfigurationError(
            "greenlets need the library greenlet: pip install 'eyewall[greenlet]'"
        ) from exc
    return greenlet


async def run_in_greenlet(func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in which `blocking_await` may be used, however deep.

    It runs on the loop's thread, so between its waits it holds the loop up as any code does.

    Args:
        func: A plain function.
        args: Its arguments.
        kwargs: The same, by name.

    Raises:
        ConfigurationError: The library greenlet is not installed.
    """
    library = _library()
    child: Any = library.greenlet(func)
    child.gr_context = library.getcurrent().gr_context
    step = _switch(child, child.switch, *args, **kwargs)
    while not child.dead:
        try:
            result = await step
        except GeneratorExit:
            # Nobody waits for this coroutine any more, and it may not wait for anything.
            _abandon(child)
            raise
        except BaseException as exc:  # noqa: BLE001 - the blocking code may handle it
            step = _switch(child, child.throw, exc)
        else:
            step = _switch(child, child.switch, result)
    return step  # type: ignore[no-any-return] # what the function returned


def _switch(child: Any, enter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run it until its next wait or its end, either of which comes back to here."""
    # The loop may go on in another greenlet than the one that this coroutine began in.
    here = _library().getcurrent()
    child.parent = here
    setattr(child, _DRIVER, here)
    return enter(*args, **kwargs)


def _abandon(child: Any) -> None:
    setattr(child, _DRIVER, None)
    child.parent = _library().getcurrent()
    child.throw()


def in_greenlet() -> bool:
    """Whether `blocking_await` can be used here."""
    try:
        current = _library().getcurrent()
    except ConfigurationError:
        return False
    return getattr(current, _DRIVER, None) is not None


def blocking_await(awaitable: Awaitable[T]) -> T:
    """Wait for something in plain code; other work of the loop goes on meanwhile.

    Args:
        awaitable: What `await` takes.

    Returns:
        What it results in; what it raises is raised here.

    Raises:
        RuntimeError: The code was not called by `run_in_greenlet`.
        TypeError: It can't be awaited.

    Example:
        >>> import asyncio
        >>> def total(prices):
        ...     return sum(blocking_await(price) for price in prices)
        >>> async def price(amount):
        ...     await asyncio.sleep(0)
        ...     return amount
        >>> asyncio.run(run_in_greenlet(total, [price(2), price(3)]))
        5
    """
    driver = getattr(_library().getcurrent(), _DRIVER, None)
    if driver is None:
        if inspect.iscoroutine(awaitable):
            # A coroutine that nobody will await would warn about it.
            awaitable.close()
        raise RuntimeError(
            "blocking_await works only in code that run_in_greenlet or @greenlet_handler has "
            "called, on the same thread, and not when its task is being thrown away"
        )
    if not hasattr(awaitable, "__await__"):
        raise TypeError(f"blocking_await takes an awaitable, not {awaitable!r}")
    return driver.switch(awaitable)  # type: ignore[no-any-return] # what it results in
