"""`op`: a database's operation as something to yield."""

from asyncio import Future
from collections.abc import Callable
from inspect import isawaitable
from typing import Any

from eyewall.aio.coroutine import set_failure
from eyewall.aio.yielded import convert_yielded


def op(function: Callable[..., Any], *args: Any, **kwargs: Any) -> "Future[Any]":
    """Call a function and give the future of what it returns.

    The operation begins at once. A function that raises, or that returns something plain, gives
    a future that is done.

    Args:
        function: A function, a coroutine function or a method of a client.
        args: Its arguments.
        kwargs: The same, by name.

    Example:
        >>> from eyewall.aio import coroutine
        >>> @coroutine
        ... def add(db, text):
        ...     result = yield op(db.messages.insert_one, {"text": text})
        ...     return result.inserted_id
    """
    try:
        result = function(*args, **kwargs)
        if isawaitable(result):
            future: Any = convert_yielded(result)
            return future  # type: ignore[no-any-return] # what is awaited has a future
    except Exception as exc:  # noqa: BLE001 - it is the future's
        failed: Future[Any] = Future()
        set_failure(failed, exc)
        return failed
    done: Future[Any] = Future()
    done.set_result(result)
    return done
