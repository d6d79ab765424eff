"""Queues between coroutines: first in first out, by priority, last in first out."""

import asyncio
import heapq
from asyncio import Future
from asyncio.events import _get_running_loop
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

from eyewall.aio.deadlines import Timeout
from eyewall.aio.events import Event
from eyewall.aio.waiters import Line, stand_in_line

if TYPE_CHECKING:
    from collections.abc import Callable

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
        self._put_done: Future[None] | None = None
        self._getters: Line[T] = OrderedDict()
        self._putters: Line[None] = OrderedDict()
        self._init()
        self._add: Callable[[T], object] = self._put
        self._take: Callable[[], T] = self._get
        if type(self) is Queue:
            # Nobody has overridden the order: go straight to the deque.
            self._add, self._take = self._queue.append, self._queue.popleft

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
        if self._getters or not self._maxsize or len(self._queue) < self._maxsize:
            self._unfinished += 1
            self._add(item)
            if self._getters:
                self._serve_next()
            done = self._put_done
            if done is None or done.get_loop() is not _get_running_loop():
                # One is enough for all puts in the same loop that need not wait.
                done = self._put_done = Future()
                done.set_result(None)
            return done
        waiter = stand_in_line(self._putters, _nothing, timeout)
        waiter.offer = item
        return waiter

    def put_nowait(self, item: T) -> None:
        """Put an item.

        Raises:
            QueueFull: There is no room.
        """
        if not self._getters and self.full():
            raise QueueFull
        self._unfinished += 1
        self._add(item)
        if self._getters:
            self._serve_next()

    def get(self, timeout: Timeout | None = None) -> Future[T]:
        """Get the next item, waiting for one.

        Args:
            timeout: A timedelta from now, or a point on the loop's clock.

        Returns:
            A future of the item; it fails with `TimeoutError` when the time is over.
        """
        if self._queue:
            done: Future[T] = Future()
            done.set_result(self.get_nowait() if self._putters else self._take())
            return done
        return stand_in_line(self._getters, self._take_back, timeout)

    def get_nowait(self) -> T:
        """Get the next item.

        Raises:
            QueueEmpty: There is none.
        """
        if not self._queue:
            raise QueueEmpty
        # Items that were given back may exceed the limit; then there is no room yet.
        if self._putters and len(self._queue) < self._maxsize + 1:
            putter, _ = self._putters.popitem(last=False)
            self._unfinished += 1
            self._add(putter.offer)
            putter.serve(None)
        return self._take()

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
            self._finished.clear()

    def join(self, timeout: Timeout | None = None) -> Future[None]:
        """Wait until `task_done` was called for each item.

        Args:
            timeout: A timedelta from now, or a point on the loop's clock.

        Returns:
            A future; it fails with `TimeoutError` when the time is over.
        """
        if self._unfinished == 0:
            done: Future[None] = Future()
            done.set_result(None)
            return done
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

    def _serve_next(self) -> None:
        getter, _ = self._getters.popitem(last=False)
        getter.serve(self._take())

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
