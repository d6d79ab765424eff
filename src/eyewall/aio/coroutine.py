"""`coroutine`: generators that yield what they wait for.

Calling one runs it at once, up to the first thing that is not there yet; what is done
already never costs a turn of the loop.
"""

import functools
from abc import ABC, abstractmethod
from asyncio import CancelledError, Future
from collections.abc import Callable, Generator
from contextvars import Context, copy_context
from inspect import iscoroutine
from typing import Any, ParamSpec, Protocol, TypeVar

from eyewall.aio.yielded import Moment, convert_yielded, moment

P = ParamSpec("P")
T = TypeVar("T")


class Return(Exception):  # noqa: N818 - the name that programs raise
    """Raised by a coroutine to return a value; the same as `return value`.

    Args:
        value: What the coroutine's future results in.
    """

    def __init__(self, value: Any = None) -> None:
        super().__init__(value)
        self.value = value


class YieldPoint(ABC):
    """Something to yield that needs to know which coroutine yielded it."""

    __slots__ = ()

    @abstractmethod
    def attach(self, runner: "Runner") -> "Future[Any] | Moment":
        """The future to wait for."""


class Keys(Protocol):
    """Callbacks that a coroutine has to wait for before it ends."""

    def leak(self) -> Exception | None:
        """What to fail with when it ends now; None when it has waited for all."""


class Runner:
    """One running coroutine: sends it what it waited for until it ends.

    Args:
        generator: The coroutine's body.
        future: What its caller waits for.
        context: The context variables it runs with.
    """

    __slots__ = ("__weakref__", "context", "future", "generator", "keys")

    def __init__(
        self, generator: Generator[Any, Any, Any], future: Future[Any], context: Context
    ) -> None:
        self.generator: Generator[Any, Any, Any] | None = generator
        self.future: Future[Any] | None = future
        self.context = context
        self.keys: Keys | None = None

    def step(self, waited: Any = None) -> None:
        """Run up to the next wait, or to the end. Hot path: each call and wake-up comes here.

        Args:
            waited: What it waited for, which is done; None when it gave up a turn.
        """
        generator: Any = self.generator
        value: Any = None
        error: BaseException | None = None
        try:
            while True:
                if waited is not None:
                    try:
                        value = waited.result()
                    except BaseException as exc:  # noqa: BLE001 - the coroutine may handle it
                        error = exc
                try:
                    waited = generator.send(value) if error is None else generator.throw(error)
                except (StopIteration, Return) as end:
                    return self._succeed(end.value)
                except BaseException as exc:  # noqa: BLE001 - it is the future's
                    return self._fail(exc)
                value = error = None
                if not isinstance(waited, Future):
                    waited = self._convert(waited)
                    if waited is moment:
                        return self._wait_a_turn()
                if not waited.done():
                    return self._wait(waited)
        finally:
            # An exception's traceback holds this frame: a name left here would be a cycle.
            del waited, value, error, generator

    def _convert(self, yielded: Any) -> Any:
        """The future of what was yielded, or `moment`; a failed one of what is none."""
        if yielded is None or yielded is moment:
            return moment
        try:
            if isinstance(yielded, YieldPoint):
                return yielded.attach(self)
            return convert_yielded(yielded)
        except Exception as exc:  # noqa: BLE001 - the coroutine may handle it
            failed: Future[Any] = Future()
            failed.set_exception(exc)
            try:
                return failed
            finally:
                del failed

    def _wait(self, waited: Future[Any]) -> None:
        # Whoever holds the future holds the coroutine, whatever it waits for.
        self.future._eyewall_runner = self  # type: ignore[union-attr]  # noqa: SLF001
        waited.add_done_callback(self.step, context=self.context)

    def _wait_a_turn(self) -> None:
        assert self.future is not None
        self.future.get_loop().call_soon(self.step, context=self.context)

    def _succeed(self, value: Any) -> None:
        future = self.future
        assert future is not None
        self.generator = self.future = None
        if self.keys is not None and (leak := self.keys.leak()) is not None:
            set_failure(future, leak)
        elif not future.done():
            future.set_result(value)

    def _fail(self, exc: BaseException) -> None:
        future = self.future
        assert future is not None
        self.generator = self.future = None
        set_failure(future, exc)


def set_failure(future: Future[Any], exc: BaseException) -> None:
    """Fail a future as a task fails: a cancellation cancels it."""
    if isinstance(exc, KeyboardInterrupt | SystemExit):
        if not future.done():
            future.set_exception(exc)
            future.exception()
        raise exc
    if isinstance(exc, CancelledError):
        future.cancel(*exc.args)
    elif not future.done():
        future.set_exception(exc)


def coroutine(func: Callable[P, Any]) -> Callable[P, Future[Any]]:
    """Make a generator function a coroutine: calling it returns a future.

    It runs at once, up to its first real wait. Each `yield` waits for a future, an awaitable,
    or a list or dict of them, and is worth its result; `yield None` and `yield moment` let the
    loop run one turn. `return value` or `raise Return(value)` ends it. Context variables set
    inside stay inside. Functions that are no generators work too: their future is done when
    they return.

    The future's failure is the coroutine's. Cancelling the future does not stop it.

    Example:
        >>> @coroutine
        ... def total(client, urls):
        ...     pages = yield [client.fetch(url) for url in urls]
        ...     return sum(len(page.body) for page in pages)
    """

    @functools.wraps(func)
    def start(*args: P.args, **kwargs: P.kwargs) -> Future[Any]:
        future: Future[Any] = Future()
        made = getattr(future, "_source_traceback", None)
        if made:
            # In the loop's debug mode a future tells who made it: our caller.
            del made[-1]
        context = copy_context()
        try:
            result = context.run(func, *args, **kwargs)
        except (StopIteration, Return) as end:
            result = end.value
        except BaseException as exc:  # noqa: BLE001 - it is the future's
            set_failure(future, exc)
            try:
                return future
            finally:
                # The exception's traceback holds this frame.
                del future
        if iscoroutine(result):
            result = _await(result)
        if isinstance(result, Generator):
            context.run(Runner(result, future, context).step)
        else:
            future.set_result(result)
        try:
            return future
        finally:
            del future

    start.__tornado_coroutine__ = True  # type: ignore[attr-defined]
    return start


def _await(awaitable: Any) -> Generator[Any, Any, Any]:
    return (yield awaitable)


def is_coroutine_function(func: object) -> bool:
    """Whether it was made by `coroutine`."""
    return getattr(func, "__tornado_coroutine__", False)
