"""What a decorated coroutine may yield, and the future that it is taken for."""

import asyncio
import concurrent.futures
import inspect
from asyncio import Future
from collections.abc import Generator
from functools import singledispatch
from typing import Any, Final, final


class BadYieldError(Exception):
    """A coroutine yielded what cannot be waited for."""


@final
class Moment:
    """Yielded, it lets the loop run one turn. It counts as a future that is done."""

    __slots__ = ()

    def done(self) -> bool:
        """Always true."""
        return True

    def cancelled(self) -> bool:
        """Never."""
        return False

    def exception(self) -> None:
        """There is none."""

    def result(self) -> None:
        """There is none."""

    def __await__(self) -> Generator[None, None, None]:
        """Let the loop run one turn."""
        yield

    def __repr__(self) -> str:
        return "<gen.moment>"


moment: Final = Moment()


@singledispatch
def convert_yielded(yielded: Any) -> "Future[Any] | Moment":
    """The future of something that a coroutine yielded.

    Futures stay what they are; other awaitables become tasks; a list or a dict stands for all
    that is in it; None is `moment`. Types of your own are added with
    `convert_yielded.register(Type, function)`.

    Raises:
        BadYieldError: It cannot be waited for.
    """
    if asyncio.isfuture(yielded):
        return yielded
    if inspect.isawaitable(yielded):
        return asyncio.ensure_future(yielded)
    raise BadYieldError(
        f"a coroutine cannot wait for {yielded!r}: yield a future, an awaitable, "
        "or a list or dict of them"
    )


@convert_yielded.register
def _(yielded: Future) -> Future[Any]:  # type: ignore[type-arg]
    return yielded


@convert_yielded.register
def _(yielded: concurrent.futures.Future) -> Future[Any]:  # type: ignore[type-arg]
    return asyncio.wrap_future(yielded)


@convert_yielded.register(Moment)
@convert_yielded.register(type(None))
def _(_yielded: Moment | None) -> Moment:
    return moment
