"""Queues between coroutines: first in first out, by priority, last in first out."""

import asyncio
import heapq
from asyncio import Future
from collections import OrderedDict, deque
from typing import Any, Generic, TypeVar, final

from eyewall.aio.deadlines import Timeout
from eyewall.aio.events import Event
from eyewall.aio.waiters import Line, Waiter, time_out

T = TypeVar("T")


class QueueEmpty(asyncio.QueueEmpty):
    """`get_nowait` found nothing."""


class QueueFull(asyncio.QueueFull):
    """`put_nowait` found no room."""


def _nothing(_result: None) -> None:
    """An item that was taken stays put, whoever put it."""


@final
class _Items(Generic[T]):
    """The items of a queue, as `async for` takes them."""

    __slots__ = ("_queue",)

    def __init__(self, queue: "Queue[T]") -> None:
        self._queue = queue

    def __aiter__(self) -> "_Items[T]":
        """The iterator itself."""
        return self

    def __anext__(self) -> Future[T]:
        """A future of the next item."""
        return self._queue.get()


class Queue(Generic[T]):
    """Hands items from those who put to those who get, in order.

    `put` waits while `maxsize` items are there, `get` while there is none; who waits is served
    in the order in which they came. An item that was handed to a task which is then cancelled
    goes back to the front.

    Args:
        maxsize: How many items there may be; 0 for any number.

    Raises:
        TypeError: `maxsize` is None.
        ValueError: It is negative.
    """

    def __init__(self, maxsize: int = 0) -> None:
        if maxsize is None:
            raise TypeError("maxsize cannot be None; 0 is for a queue without limit")
        if maxsize < 0:
            raise ValueError("maxsize cannot be negative; 0 is for a queue without limit")
        self._maxsize = maxsize
        self._unfinished = 0
        self._finished = Event()
        self._finished.set()
        self._getters: Line[T] = OrderedDict()
        self._putters: Line[None] = OrderedDict()
        self._init()

    # What a queue with another order overrides.

    def _init(self) -> None:
        self._queue: Any = deque()

    def _put(self, item: T) -> None:
        self._queue.append(item)

    def _get(self) -> T:
        item: T = self._queue.popleft()
        return item

    def _put_back(self, item: T) -> None:
        if isinstance(self._queue, deque):
            self._queue.appendleft(item)
        else:
            self._put(item)

    @property
    def maxsize(self) -> int:
        """How many items there may be; 0 for any number."""
        return self._maxsize

    def qsize(self) -> int:
        """How many items there are."""
        return len(self._queue)

    def empty(self) -> bool:
        """Whether there is no item."""
        return not self._queue

    def full(self) -> bool:
        """Whether `put` would wait."""
        return self._maxsize != 0 and len(self._queue) >= self._maxsize

    def put(self, item: T, timeout: Timeout | None = None) -> Future[None]:
        """Put an item, waiting for room.

        Args:
            item: What to put.
            timeout: A timedelta from now, or a point on the loop's clock.

        Returns:
            A future; it fails with `TimeoutError` when the time is over.
        """
        if self._getters or not self.full():
            self.put_nowait(item)
            done: Future[None] = Future()
            done.set_result(None)
            return done
        waiter: Waiter[None] = Waiter(self._putters, _nothing)
        waiter.offer = item
        if timeout is not None:
            waiter.expire_after(timeout, time_out)
        return waiter

    def put_nowait(self, item: T) -> None:
        """Put an item.

        Raises:
            QueueFull: There is no room.
        """
        if not self._getters and self.full():
            raise QueueFull
        self._admit(item)
        if self._getters:
            getter, _ = self._getters.popitem(last=False)
            getter.serve(self._get())

    def get(self, timeout: Timeout | None = None) -> Future[T]:
        """Get the next item, waiting for one.

        Args:
            timeout: A timedelta from now, or a point on the loop's clock.

        Returns:
            A future of the item; it fails with `TimeoutError` when the time is over.
        """
        if self._queue:
            done: Future[T] = Future()
            done.set_result(self.get_nowait())
            return done
        waiter: Waiter[T] = Waiter(self._getters, self._take_back)
        if timeout is not None:
            waiter.expire_after(timeout, time_out)
        return waiter

    def get_nowait(self) -> T:
        """Get the next item.

        Raises:
            QueueEmpty: There is none.
        """
        if not self._queue:
            raise QueueEmpty
        # Items that were given back may exceed the limit; then there is no room yet.
        if self._putters and len(self._queue) <= self._maxsize:
            putter, _ = self._putters.popitem(last=False)
            self._admit(putter.offer)
            putter.serve(None)
        return self._get()

    def task_done(self) -> None:
        """Say that an item that was got has been dealt with.

        Raises:
            ValueError: It was said more often than items were put.
        """
        if self._unfinished <= 0:
            raise ValueError("task_done was called more often than items were put")
        self._unfinished -= 1
        if self._unfinished == 0:
            self._finished.set()

    def join(self, timeout: Timeout | None = None) -> Future[None]:
        """Wait until `task_done` was called for each item.

        Args:
            timeout: A timedelta from now, or a point on the loop's clock.

        Returns:
            A future; it fails with `TimeoutError` when the time is over.
        """
        return self._finished.wait(timeout)

    def __aiter__(self) -> _Items[T]:
        """The items, as they come; it never ends by itself."""
        return _Items(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {hex(id(self))} {self._state()}>"

    def __str__(self) -> str:
        return f"<{type(self).__name__} {self._state()}>"

    def _state(self) -> str:
        parts = [f"maxsize={self._maxsize!r}"]
        if self._queue:
            parts.append(f"queue={self._queue!r}")
        if self._getters:
            parts.append(f"getters[{len(self._getters)}]")
        if self._putters:
            parts.append(f"putters[{len(self._putters)}]")
        if self._unfinished:
            parts.append(f"tasks={self._unfinished}")
        return " ".join(parts)

    def _admit(self, item: T) -> None:
        self._unfinished += 1
        if self._unfinished == 1:
            self._finished.clear()
        self._put(item)

    def _take_back(self, item: T) -> None:
        if self._getters:
            getter, _ = self._getters.popitem(last=False)
            getter.serve(item)
        else:
            self._put_back(item)


class PriorityQueue(Queue[T]):
    """A queue that gives the lowest item first; items are often `(priority, data)`."""

    def _init(self) -> None:
        self._queue = []

    def _put(self, item: T) -> None:
        heapq.heappush(self._queue, item)

    def _get(self) -> T:
        item: T = heapq.heappop(self._queue)
        return item


class LifoQueue(Queue[T]):
    """A queue that gives the item that was put last first."""

    def _init(self) -> None:
        self._queue = []

    def _get(self) -> T:
        item: T = self._queue.pop()
        return item
