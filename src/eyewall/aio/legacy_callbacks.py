"""Yielding functions that take a callback: `Task`, `Callback`, `Wait`, `WaitAll`, `engine`."""

import functools
from asyncio import Future
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple, ParamSpec, final

from eyewall.aio.coroutine import Runner, YieldPoint, coroutine
from eyewall.aio.futures import ReturnValueIgnoredError, future_add_done_callback
from eyewall.aio.multi import multi
from eyewall.loop.callback_errors import on_callback_error

P = ParamSpec("P")


class KeyReuseError(Exception):
    """A key was given to two callbacks at the same time."""


class UnknownKeyError(Exception):
    """No callback has that key."""


class LeakedCallbackError(Exception):
    """A coroutine ended without waiting for callbacks that it made."""


class Arguments(NamedTuple):
    """What a callback was called with, when that was more than one value."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def _into(future: Future[Any]) -> Callable[..., None]:
    """A callback that completes a future with what it is called with."""

    def called(*args: Any, **kwargs: Any) -> None:
        result: Any = None
        if kwargs or len(args) > 1:
            result = Arguments(args, kwargs)
        elif args:
            result = args[0]
        if not future.done():
            future.set_result(result)

    return called


def Task(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: N802
    """Call a function that takes `callback=`, and wait until it calls back.

    Args:
        func: What to call.
        args: Its arguments.
        kwargs: Its arguments by name, without `callback`.

    Returns:
        A future of what the callback was given: its one argument, None, or `Arguments`.
    """
    future: Future[Any] = Future()
    func(*args, callback=_into(future), **kwargs)
    return future


@final
class _Keys:
    """The callbacks of one coroutine that it has not waited for."""

    __slots__ = ("futures",)

    def __init__(self) -> None:
        self.futures: dict[Hashable, Future[Any]] = {}

    def leak(self) -> Exception | None:
        """The error of a coroutine that ends now."""
        if not self.futures:
            return None
        keys = ", ".join(map(repr, self.futures))
        return LeakedCallbackError(f"a coroutine ended without waiting for its callbacks {keys}")


def _keys_of(runner: Runner) -> dict[Hashable, Future[Any]]:
    keys = runner.keys
    if not isinstance(keys, _Keys):
        keys = runner.keys = _Keys()
    return keys.futures


@final
class Callback(YieldPoint):
    """Yielded, it is worth a callback; `Wait(key)` waits until that is called.

    Args:
        key: The name by which to wait for it.
    """

    __slots__ = ("_key",)

    def __init__(self, key: Hashable) -> None:
        self._key = key

    def attach(self, runner: Runner) -> Future[Any]:
        """Make the callback.

        Raises:
            KeyReuseError: The coroutine has one with this key.
        """
        futures = _keys_of(runner)
        if self._key in futures:
            raise KeyReuseError(f"key {self._key!r} is in use; wait for its callback first")
        future: Future[Any] = Future()
        futures[self._key] = future
        ready: Future[Any] = Future()
        ready.set_result(_into(future))
        return ready


@final
class Wait(YieldPoint):
    """Yielded, it waits for a `Callback`, and is worth what that was called with.

    Args:
        key: Which callback.
    """

    __slots__ = ("_key",)

    def __init__(self, key: Hashable) -> None:
        self._key = key

    def attach(self, runner: Runner) -> Future[Any]:
        """The future of the callback.

        Raises:
            UnknownKeyError: The coroutine has no callback with this key.
        """
        try:
            return _keys_of(runner).pop(self._key)
        except KeyError:
            raise UnknownKeyError(f"no callback has the key {self._key!r}") from None


@final
class WaitAll(YieldPoint):
    """Yielded, it waits for several callbacks, and is worth a list.

    Args:
        keys: Which callbacks.
    """

    __slots__ = ("_keys",)

    def __init__(self, keys: Iterable[Hashable]) -> None:
        self._keys = list(keys)

    def attach(self, runner: Runner) -> Future[Any]:
        """The future of them all.

        Raises:
            UnknownKeyError: The coroutine has no callback with one of these keys.
        """
        return multi([Wait(key).attach(runner) for key in self._keys])


def engine(func: Callable[P, Any]) -> Callable[P, None]:
    """Make a generator function a coroutine that returns nothing, for callers that do not wait.

    A failure is given to `on_callback_error`. When nobody has set that, one before the first wait
    is raised, and a later one goes to the loop's exception handler.
    """
    wrapped = coroutine(func)

    @functools.wraps(func)
    def start(*args: P.args, **kwargs: P.kwargs) -> None:
        take_error = on_callback_error.get()

        def ended(future: Future[Any]) -> None:
            error = None if future.cancelled() else future.exception()
            if error is None and not future.cancelled() and future.result() is not None:
                error = ReturnValueIgnoredError(
                    f"{func!r} is a gen.engine: its value {future.result()!r} goes nowhere"
                )
            if error is None:
                return
            if take_error is None:
                raise error
            take_error(error)

        future_add_done_callback(wrapped(*args, **kwargs), ended)

    return start
