"""Futures: copy one to another, complete them safely, and run functions on executors."""

import asyncio
import concurrent.futures
import functools
from asyncio import Future
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar, overload

from eyewall.base.log import app_log

T = TypeVar("T")
AnyFuture = Future[T] | concurrent.futures.Future[T]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

FUTURES = (concurrent.futures.Future, Future)


class ReturnValueIgnoredError(Exception):
    """A function returned a value to one who takes none."""


def is_future(value: object) -> bool:
    """Whether it is a future, of asyncio or of an executor."""
    return asyncio.isfuture(value) or isinstance(value, concurrent.futures.Future)


def future_set_result_unless_cancelled(future: AnyFuture[T], value: T) -> None:
    """Set the result of a future that nobody has cancelled."""
    if not future.cancelled():
        future.set_result(value)


def future_set_exception_unless_cancelled(future: AnyFuture[Any], exc: BaseException) -> None:
    """Set the exception of a future; when it was cancelled, log the exception instead."""
    if future.cancelled():
        app_log.error("a future failed after it was cancelled", exc_info=exc)
    else:
        future.set_exception(exc)


def future_set_exc_info(future: AnyFuture[Any], exc_info: ExcInfo) -> None:
    """Set the exception of a future from what `sys.exc_info()` returned.

    Raises:
        ValueError: There is no exception in it.
    """
    if exc_info[1] is None:
        raise ValueError("future_set_exc_info was called outside of an except block")
    future_set_exception_unless_cancelled(future, exc_info[1])


def future_add_done_callback(future: AnyFuture[T], callback: Callable[[Any], object]) -> None:
    """Call `callback(future)` when it is done: at once when it is done already."""
    if future.done():
        callback(future)
    else:
        future.add_done_callback(callback)


def copy_outcome(source: AnyFuture[T], target: AnyFuture[T]) -> None:
    """Give `target` the result, exception or cancellation of `source`, which is done."""
    if target.done():
        return
    if source.cancelled():
        target.cancel()
    elif (error := source.exception()) is not None:
        target.set_exception(error)
    else:
        target.set_result(source.result())


def chain_future(source: AnyFuture[T], target: AnyFuture[T]) -> None:
    """Complete `target` as `source` is completed, unless it is done by then.

    Each may be a future of asyncio or of an executor.
    """
    if isinstance(source, concurrent.futures.Future) and isinstance(target, Future):
        loop = target.get_loop()

        def arrived(source: "concurrent.futures.Future[T]") -> None:
            # An executor's threads may outlive the loop.
            if not loop.is_closed():
                loop.call_soon_threadsafe(copy_outcome, source, target)

        source.add_done_callback(arrived)
    else:
        future_add_done_callback(source, functools.partial(_copy_to, target))


def _copy_to(target: AnyFuture[T], source: AnyFuture[T]) -> None:
    copy_outcome(source, target)


class DummyExecutor(concurrent.futures.Executor):
    """An executor that calls functions at once, in the thread that submits them."""

    def submit(
        self, fn: Callable[..., T], /, *args: Any, **kwargs: Any
    ) -> "concurrent.futures.Future[T]":
        """Call `fn` now; returns a future that is done."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as exc:  # noqa: BLE001 - it is the future's
            future.set_exception(exc)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing is left to wait for."""


dummy_executor = DummyExecutor()

Method = Callable[..., T]


@overload
def run_on_executor(method: Method[T], /) -> Callable[..., Future[T]]: ...


@overload
def run_on_executor(
    *, executor: str = "executor"
) -> Callable[[Method[T]], Callable[..., Future[T]]]: ...


def run_on_executor(method: Method[Any] | None = None, /, *, executor: str = "executor") -> Any:
    """Make a method run on an executor of its object; calling it returns a future.

    Args:
        method: What blocks.
        executor: The attribute that holds the executor.

    Example:
        >>> class Files:
        ...     executor = dummy_executor
        ...     @run_on_executor
        ...     def read(self, path):
        ...         return Path(path).read_bytes()
    """

    def decorate(method: Method[T]) -> Callable[..., Future[T]]:
        @functools.wraps(method)
        def submit(self: Any, *args: Any, **kwargs: Any) -> Future[T]:
            pool: concurrent.futures.Executor = getattr(self, executor)
            return asyncio.wrap_future(pool.submit(method, self, *args, **kwargs))

        return submit

    return decorate if method is None else decorate(method)
