"""`greenlet_handler`: a handler's method that waits without `await`."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from eyewall.aio.greenlets import run_in_greenlet


def greenlet_handler(method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """Run a handler's method in a greenlet, so that it may use `blocking_await`.

    It is written like any plain method and waits where it stands, in functions that it calls
    too; other requests are served meanwhile, all on one thread. It needs
    `pip install 'eyewall[greenlet]'`.

    Example:
        >>> from eyewall.web import RequestHandler
        >>> from eyewall.aio.greenlets import blocking_await
        >>> class Page(RequestHandler):
        ...     @greenlet_handler
        ...     def get(self):
        ...         self.write(blocking_await(self.settings["database"].load("page")))

    Raises:
        TypeError: The method is a coroutine function, which may simply await.
    """
    if inspect.iscoroutinefunction(method):
        raise TypeError(
            f"@greenlet_handler is for plain methods; {method.__qualname__} is async and can await"
        )

    @functools.wraps(method)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await run_in_greenlet(method, *args, **kwargs)

    return wrapper


tornalet = greenlet_handler
"""The name that older programs use."""
