"""The kinds of loop that Tornado's `platform.asyncio` names."""

import asyncio
from asyncio import Future
from typing import Any

from eyewall.aio.yielded import convert_yielded
from eyewall.loop.ioloop import IOLoop

BaseAsyncIOLoop = IOLoop


class AsyncIOLoop(IOLoop):
    """A loop of its own; it is the thread's, unless `make_current=False` is given.

    Args:
        make_current: Whether it becomes the thread's loop.
        asyncio_loop: asyncio's loop; by default a new one.
    """

    def __init__(
        self, make_current: bool = True, asyncio_loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(asyncio_loop, make_current=make_current)


class AsyncIOMainLoop(IOLoop):
    """The face of the loop that asyncio has for this thread.

    Args:
        kwargs: `make_current`, which has no meaning here.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(asyncio.get_event_loop(), **kwargs)

    def install(self) -> None:
        """Make it the thread's loop, which it is."""
        self.make_current()


class AddThreadSelectorEventLoop:
    """The loop itself; loops that cannot watch sockets are those of Windows.

    Args:
        real_loop: The loop.
    """

    def __init__(self, real_loop: asyncio.AbstractEventLoop) -> None:
        self._real_loop = real_loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real_loop, name)

    def close(self) -> None:
        """Close the loop; closing it again changes nothing."""
        self._real_loop.close()


class SelectorThread:
    """Nothing: the loop watches sockets by itself.

    Args:
        real_loop: The loop.
    """

    def __init__(self, real_loop: asyncio.AbstractEventLoop) -> None:
        self._real_loop = real_loop

    def close(self) -> None:
        """There is no thread to end."""


class AnyThreadEventLoopPolicy(asyncio.DefaultEventLoopPolicy):
    """A policy by which every thread that asks gets a loop, not the main one alone."""

    def get_event_loop(self) -> asyncio.AbstractEventLoop:
        """The thread's loop, made where there is none."""
        try:
            return super().get_event_loop()
        except RuntimeError:
            loop = self.new_event_loop()
            self.set_event_loop(loop)
            return loop


def to_tornado_future(asyncio_future: "Future[Any]") -> "Future[Any]":
    """The future itself: there is only one kind."""
    return asyncio_future


def to_asyncio_future(tornado_future: Any) -> "Future[Any]":
    """A future of whatever a coroutine may yield."""
    return convert_yielded(tornado_future)  # type: ignore[return-value]
