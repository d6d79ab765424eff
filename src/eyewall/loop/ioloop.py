"""`IOLoop`: a thin face on one asyncio loop."""

import asyncio
import builtins
import datetime
import inspect
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from typing import Any, Final, TypeVar, overload

from eyewall.base.log import app_log
from eyewall.loop.callback_errors import on_callback_error

T = TypeVar("T")

_known: Final[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, "IOLoop"]] = (
    weakref.WeakKeyDictionary()
)
_lock: Final = threading.Lock()
_main: list["IOLoop"] = []


class TimeoutError(builtins.TimeoutError):  # noqa: A001 - the name that programs catch
    """`run_sync` took longer than it was given."""


class IOLoop:
    """Tornado's names for what an asyncio loop does.

    There is one for each asyncio loop; `IOLoop.current()` gives the running one's. Callbacks
    that raise are logged, and the loop goes on.

    Example:
        >>> async def main() -> int:
        ...     return 42
        >>> IOLoop.current().run_sync(main)
        42
    """

    READ: Final = 0x001
    WRITE: Final = 0x004
    ERROR: Final = 0x018

    def __init__(
        self, asyncio_loop: asyncio.AbstractEventLoop | None = None, *, make_current: bool = False
    ) -> None:
        """A face on `asyncio_loop`, or on a new one; with `make_current` it is the thread's."""
        if asyncio_loop is None:
            asyncio_loop = asyncio.new_event_loop()
        self.asyncio_loop = asyncio_loop
        self._readers: dict[int, tuple[Any, Callable[[Any, int], object]]] = {}
        with _lock:
            _known.setdefault(self.asyncio_loop, self)
        if make_current:
            self.make_current()

    @classmethod
    def current(cls, instance: bool = True) -> "IOLoop | None":
        """The face of the running loop, or of this thread's own.

        Args:
            instance: Make a loop when the thread has none; otherwise None is returned then.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
            made = getattr(_thread, "loop", None)
            if made is not None and not made.is_closed():
                loop = made
        if loop is None:
            if not instance:
                return None
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
            _thread.loop = loop
        with _lock:
            known = _known.get(loop)
        if known is None:
            known = cls(loop)
            known._note_main()
        return known

    def _note_main(self) -> None:
        """What `instance` gives to other threads, once the main thread has a loop."""
        if threading.current_thread() is threading.main_thread():
            _main[:] = [self]

    @classmethod
    def instance(cls) -> "IOLoop":
        """The main thread's loop, from any thread."""
        if threading.current_thread() is threading.main_thread() or not _main:
            current = cls.current()
            if current is None:
                raise RuntimeError("there is no event loop")
            _main[:] = [current]
        return _main[0]

    def make_current(self) -> None:
        """Make this the thread's loop: what `current` gives while none is running."""
        _thread.loop = self.asyncio_loop
        asyncio.set_event_loop(self.asyncio_loop)

    @staticmethod
    def clear_current() -> None:
        """Leave the thread without a loop of its own."""
        if getattr(_thread, "loop", None) is not None:
            _thread.loop = None
            asyncio.set_event_loop(None)

    @classmethod
    def configure(cls, impl: Any, **kwargs: Any) -> None:
        """Nothing: there is one kind of loop; programs that chose among several call it."""

    def start(self) -> None:
        """Run the loop until `stop` is called."""
        self._note_main()
        self.asyncio_loop.run_forever()

    def stop(self) -> None:
        """Stop the loop after the callbacks that are due now."""
        self.asyncio_loop.stop()

    def close(self, all_fds: bool = False) -> None:
        """Close the loop, and with `all_fds` the descriptors given to `add_handler`."""
        handled = list(self._readers.items())
        for fd, (owner, _) in handled:
            self.remove_handler(fd)
            if all_fds and hasattr(owner, "close"):
                owner.close()
        self.asyncio_loop.close()

    def time(self) -> float:
        """The loop's clock, in seconds."""
        return self.asyncio_loop.time()

    @overload
    def run_sync(self, func: Callable[[], Awaitable[T]], timeout: float | None = None) -> T: ...

    @overload
    def run_sync(self, func: Callable[[], T], timeout: float | None = None) -> T: ...

    def run_sync(self, func: Callable[[], Any], timeout: float | None = None) -> Any:
        """Start the loop, run `func`, stop the loop, and return what it returned.

        Args:
            func: A function; what it returns is awaited when it can be.
            timeout: Longest time, in seconds.

        Raises:
            TimeoutError: It took longer; the work is cancelled.
        """

        async def run() -> Any:
            result = func()
            if not inspect.isawaitable(result):
                return result
            try:
                return await asyncio.wait_for(result, timeout)
            except builtins.TimeoutError as exc:
                if timeout is None:
                    raise
                raise TimeoutError(f"operation timed out after {timeout} seconds") from exc

        return self.asyncio_loop.run_until_complete(run())

    def add_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call `callback` in the next turn of the loop; may be called from any thread."""
        try:
            on_loop = asyncio.get_running_loop() is self.asyncio_loop
        except RuntimeError:
            on_loop = False
        schedule = (
            self.asyncio_loop.call_soon if on_loop else self.asyncio_loop.call_soon_threadsafe
        )
        try:
            schedule(self._run_callback, callback, args, kwargs)
        except RuntimeError:
            if not self.asyncio_loop.is_closed():
                raise

    def add_callback_from_signal(
        self, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        """Call `callback` in the next turn; may be called from a signal handler."""
        self.asyncio_loop.call_soon_threadsafe(self._run_callback, callback, args, kwargs)

    def spawn_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """The same as `add_callback`."""
        self.add_callback(callback, *args, **kwargs)

    def add_future(
        self, future: "asyncio.Future[Any] | Future[Any]", callback: Callable[[Any], object]
    ) -> None:
        """Call `callback(future)` in the loop when `future` is done."""
        if isinstance(future, asyncio.Future):
            future.add_done_callback(lambda done: self._run_callback(callback, (done,), {}))
        else:
            future.add_done_callback(lambda done: self.add_callback(callback, done))

    def add_timeout(
        self,
        deadline: float | datetime.timedelta,
        callback: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> asyncio.TimerHandle:
        """Call `callback` at a time, as `call_at` takes it, or after a timedelta.

        Returns:
            A handle for `remove_timeout`.

        Raises:
            TypeError: The deadline is neither a number nor a timedelta.
        """
        if isinstance(deadline, datetime.timedelta):
            return self.call_later(deadline.total_seconds(), callback, *args, **kwargs)
        if isinstance(deadline, bool) or not isinstance(deadline, int | float):
            raise TypeError(f"a deadline is a number or a timedelta, not {deadline!r}")
        return self.call_at(deadline, callback, *args, **kwargs)

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> asyncio.TimerHandle:
        """Call `callback` after `delay` seconds."""
        return self.asyncio_loop.call_later(
            max(0, delay), self._run_callback, callback, args, kwargs
        )

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> asyncio.TimerHandle:
        """Call `callback` at a time of `time()`, or of `time.time()`: of the clock that is nearer.

        Programs have always used either, and the two are decades apart.
        """
        now, wall = self.asyncio_loop.time(), time.time()
        if abs(when - wall) < abs(when - now):
            when += now - wall
        return self.asyncio_loop.call_at(when, self._run_callback, callback, args, kwargs)

    def remove_timeout(self, timeout: asyncio.TimerHandle) -> None:
        """Cancel what `add_timeout`, `call_later` or `call_at` returned."""
        timeout.cancel()

    def add_handler(self, fd: Any, handler: Callable[[Any, int], object], events: int) -> None:
        """Call `handler(fd, events)` when `fd`, a number or a file, is ready.

        Raises:
            ValueError: The descriptor has a handler already.
        """
        number = _fileno(fd)
        if number in self._readers:
            raise ValueError(f"descriptor {number} has a handler already; use update_handler")
        self._readers[number] = (fd, handler)
        self._watch(number, events)

    def update_handler(self, fd: Any, events: int) -> None:
        """Watch for other events."""
        number = _fileno(fd)
        self._watch(number, events)

    def remove_handler(self, fd: Any) -> None:
        """Watch no more; a descriptor without a handler is left alone."""
        number = _fileno(fd)
        if self._readers.pop(number, None) is not None:
            self.asyncio_loop.remove_reader(number)
            self.asyncio_loop.remove_writer(number)

    def _watch(self, number: int, events: int) -> None:
        if events & self.READ:
            self.asyncio_loop.add_reader(number, self._ready, number, self.READ)
        else:
            self.asyncio_loop.remove_reader(number)
        if events & self.WRITE:
            self.asyncio_loop.add_writer(number, self._ready, number, self.WRITE)
        else:
            self.asyncio_loop.remove_writer(number)

    def _ready(self, number: int, events: int) -> None:
        watched = self._readers.get(number)
        if watched is not None:
            owner, handler = watched
            self._run_callback(handler, (owner, events), {})

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Run `func` in `executor`, or in the loop's own pool of threads."""
        return self.asyncio_loop.run_in_executor(executor, func, *args)

    def set_default_executor(self, executor: Any) -> None:
        """Use `executor` where `run_in_executor` is given None."""
        self.asyncio_loop.set_default_executor(executor)

    def _run_callback(
        self, callback: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        try:
            result = callback(*args, **kwargs)
            if result is not None and inspect.isawaitable(result):
                task = asyncio.ensure_future(result, loop=self.asyncio_loop)
                _pending.add(task)
                task.add_done_callback(self._callback_done)
        except asyncio.CancelledError:
            pass
        except Exception as exc:  # noqa: BLE001 - the boundary of a callback
            take_error = on_callback_error.get()
            if take_error is None:
                app_log.exception("Exception in callback %r", callback)
            else:
                take_error(exc)

    def _callback_done(self, task: "asyncio.Future[Any]") -> None:
        _pending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            app_log.error("Exception in callback %r", task, exc_info=error)


# Tasks are only weakly held by their loop.
_pending: Final[set["asyncio.Future[Any]"]] = set()
_thread: Final = threading.local()


def _fileno(fd: Any) -> int:
    return fd if isinstance(fd, int) else int(fd.fileno())
