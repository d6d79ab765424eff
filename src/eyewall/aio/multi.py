"""Waiting for several futures: all of them, one after the other, or for a limited time."""

import asyncio
from asyncio import CancelledError, Future
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from eyewall.aio.deadlines import Timeout, seconds_left
from eyewall.aio.futures import copy_outcome
from eyewall.aio.yielded import Moment, convert_yielded
from eyewall.base.log import app_log

Quiet = type[BaseException] | tuple[type[BaseException], ...]


def multi(children: Sequence[Any] | Mapping[Any, Any], quiet_exceptions: Quiet = ()) -> Future[Any]:
    """Wait for all of a list or a dict; the results come in the same order or under the same keys.

    When some fail, the first failure in that order is raised, and the others are logged.

    Args:
        children: Futures, or anything that `convert_yielded` takes.
        quiet_exceptions: Failures not to log.
    """
    keys = list(children) if isinstance(children, Mapping) else None
    source = children.values() if isinstance(children, Mapping) else children
    futures = [convert_yielded(child) for child in source]
    outcome: Future[Any] = Future()
    left = {future for future in futures if not future.done()}

    def arrived(future: Any) -> None:
        left.discard(future)
        if not left:
            _gather(outcome, futures, keys, quiet_exceptions)

    if left:
        for future in tuple(left):
            future.add_done_callback(arrived)  # type: ignore[union-attr]
    else:
        _gather(outcome, futures, keys, quiet_exceptions)
    return outcome


multi_future = multi
convert_yielded.register(list, multi)
convert_yielded.register(dict, multi)


def _gather(
    outcome: Future[Any],
    futures: "list[Future[Any] | Moment]",
    keys: list[Any] | None,
    quiet: Quiet,
) -> None:
    if outcome.done():
        return
    results = []
    first: BaseException | None = None
    for future in futures:
        try:
            results.append(future.result())
        except (Exception, CancelledError) as exc:  # noqa: BLE001 - it is the outcome's
            if first is None:
                first = exc
            elif not isinstance(exc, CancelledError) and not isinstance(exc, quiet):
                app_log.error("Multiple exceptions in yield list", exc_info=exc)
    if first is not None:
        outcome.set_exception(first)
    else:
        outcome.set_result(results if keys is None else dict(zip(keys, results, strict=True)))


@final
class WaitIterator:
    """Gives the results of several futures, each as soon as it is there.

    Use it with `async for`, or with `yield`: `while not waits.done(): result = yield waits.next()`.
    A failure is raised where its result would have been given; the iteration can go on.

    Args:
        args: Futures; `current_index` is then a number.
        kwargs: Futures by name; `current_index` is then the name.

    Raises:
        ValueError: Some futures have names and some have none.
    """

    current_index: int | str | None
    """Which future the last result came from."""

    current_future: Any
    """The future the last result came from."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError("WaitIterator takes futures with names or without, not both")
        self.current_index = self.current_future = None
        self._names: dict[Any, list[int | str]] = {}
        self._finished: deque[tuple[int | str, Any]] = deque()
        self._next: Future[Any] | None = None
        named: Any = kwargs.items() if kwargs else enumerate(args)
        for name, child in named:
            future = convert_yielded(child)
            if future.done():
                self._finished.append((name, future))
            elif future in self._names:
                self._names[future].append(name)
            else:
                self._names[future] = [name]
                future.add_done_callback(self._arrived)  # type: ignore[union-attr]

    def done(self) -> bool:
        """Whether all results have been given."""
        if self._finished or self._names:
            return False
        self.current_index = self.current_future = None
        return True

    def next(self) -> Future[Any]:
        """A future of the next result.

        Raises:
            RuntimeError: All results have been given.
        """
        if not self._finished and not self._names:
            raise RuntimeError("WaitIterator has no more results; ask done() before next()")
        self._next = Future()
        outcome = self._next
        self._deliver()
        return outcome

    def _arrived(self, future: Any) -> None:
        self._finished.extend((name, future) for name in self._names.pop(future))
        self._deliver()

    def _deliver(self) -> None:
        if self._next is None or not self._finished:
            return
        outcome, self._next = self._next, None
        if outcome.done():
            # Its waiter has gone; the result stays for the next one.
            return
        self.current_index, self.current_future = self._finished.popleft()
        copy_outcome(self.current_future, outcome)

    def __aiter__(self) -> "WaitIterator":
        """The iterator itself."""
        return self

    def __anext__(self) -> Future[Any]:
        """A future of the next result."""
        if self.done():
            raise StopAsyncIteration
        return self.next()


@final
class _Sleep(Future[None]):
    """A future that stops its timer when it is cancelled."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._timer = self.get_loop().call_later(max(0.0, seconds), self._wake)

    def _wake(self) -> None:
        if not self.done():
            self.set_result(None)

    def cancel(self, msg: Any | None = None) -> bool:
        self._timer.cancel()
        return super().cancel(msg)


def sleep(duration: float) -> Future[None]:
    """A future that is done after `duration` seconds."""
    return _Sleep(duration)


@dataclass(frozen=True, slots=True)
class _LateFailure:
    """Logs the failure of a future that nobody waits for any more. Equal ones are one."""

    quiet: Quiet

    def __call__(self, future: Future[Any]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is not None and not isinstance(error, self.quiet):
            app_log.error("a future failed after its time-out: %r", future, exc_info=error)


def with_timeout(
    timeout: Timeout,
    future: Any,
    quiet_exceptions: Quiet = (),
    *,
    message: str | Callable[[], str] = "Timeout",
) -> Future[Any]:
    """Wait for a future for a limited time. The future itself goes on when the time is over.

    Args:
        timeout: A timedelta from now, or a point on the loop's clock.
        future: What to wait for: anything that `convert_yielded` takes.
        quiet_exceptions: When the future fails after the time is over, that is logged, unless
            it is one of these.
        message: The error's message, or a function that makes it.

    Returns:
        A future that fails with `TimeoutError` when the time is over.
    """
    inner = convert_yielded(future)
    outcome: Future[Any] = Future()
    if isinstance(inner, Moment) or inner.done():
        copy_outcome(inner, outcome)  # type: ignore[arg-type]
        return outcome
    loop = outcome.get_loop()

    def arrived(inner: Future[Any]) -> None:
        copy_outcome(inner, outcome)

    def expire() -> None:
        if inner.done() or outcome.done():
            return
        late = _LateFailure(quiet_exceptions)
        inner.remove_done_callback(late)
        inner.add_done_callback(late)
        outcome.set_exception(TimeoutError(message() if callable(message) else message))

    def over(_outcome: Future[Any]) -> None:
        timer.cancel()
        inner.remove_done_callback(arrived)

    timer = loop.call_later(seconds_left(timeout, loop), expire)
    inner.add_done_callback(arrived)
    outcome.add_done_callback(over)
    return outcome


def maybe_future(value: Any) -> Future[Any]:
    """The future itself, or a future that is done with `value` for anything else."""
    if asyncio.isfuture(value):
        return value
    future: Future[Any] = Future()
    future.set_result(value)
    return future
