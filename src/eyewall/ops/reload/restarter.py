"""A parent that keeps the listening sockets open, and replaces the child that serves on them.

The parent never imports the program. What happens comes as one queue of events:

- A file changed: a child that is still starting is ended, and a new one is started.
- A child says, by a byte on its pipe, that it serves: the one before it is told to go, and is
  ended when it has not gone in time. So a reload never hangs on an open stream.
- A child is gone. One that was starting leaves the older one serving; when nobody serves, a
  stand-in is started, which answers everything with the reason.

The children hold the reading end of a pipe whose other end is the parent's: when the parent is
gone, however it went, they go too.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias, final

_GRACE_S: Final = 1.5
_USAGE: Final = 2


@final
class Word(Enum):
    """What a child says once it serves."""

    GOOD = b"1"
    STANDS_IN = b"0"


@final
@dataclass(frozen=True, slots=True)
class Start:
    """What a child is told when it is started.

    Attributes:
        ready_fd: Where it writes its `Word` to.
        life_fd: Readable when the parent is gone.
        alone: No older code serves, so it stands in for a program that does not start.
        fault: Why nobody serves; with it the child stands in at once.
    """

    ready_fd: int
    life_fd: int
    alone: bool
    fault: str | None


@dataclass(eq=False, slots=True)
class _Child:
    process: asyncio.subprocess.Process
    stands_in: bool


@dataclass(frozen=True, slots=True)
class _Changed:
    names: set[str]


@dataclass(frozen=True, slots=True)
class _Serves:
    child: _Child


@dataclass(frozen=True, slots=True)
class _Gone:
    child: _Child


_Event: TypeAlias = _Changed | _Serves | _Gone


@final
class Restarter:
    """Runs one child at a time, and the next one beside it until that serves.

    Args:
        argv: The child's command.
        environment: Makes a child's environment from what it is to be told.
        fds: Descriptors that every child inherits.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Callable[[Start], Mapping[str, str]],
        fds: Sequence[int],
    ) -> None:
        self._argv = list(argv)
        self._environment = environment
        self._fds = list(fds)
        self._events: asyncio.Queue[_Event] = asyncio.Queue()
        self._serving: _Child | None = None
        self._starting: _Child | None = None
        self._alive: set[_Child] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, changes: AsyncIterator[set[str]], on_ready: Callable[[], None]) -> int:
        """Serve, and start anew at each change, until SIGTERM, SIGINT or SIGHUP.

        Returns:
            The exit code: 0, or the first child's when it was given options that nobody can use.
        """
        stop, quick = asyncio.Event(), asyncio.Event()

        def signalled() -> None:
            (quick if stop.is_set() else stop).set()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, signalled)
        life, life_write = os.pipe()
        following = asyncio.ensure_future(self._follow(changes))
        working = asyncio.ensure_future(self._work(life, on_ready))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({following, working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
            return working.result() if working.done() else 0
        finally:
            for task in (following, working, stopping):
                task.cancel()
            await asyncio.wait({following, working, stopping})
            ending = asyncio.ensure_future(self._end_all())
            hurry = asyncio.ensure_future(quick.wait())
            await asyncio.wait({ending, hurry}, return_when=asyncio.FIRST_COMPLETED)
            for child in self._alive:
                with contextlib.suppress(ProcessLookupError):
                    child.process.kill()
            await ending
            hurry.cancel()
            os.close(life)
            os.close(life_write)

    async def _follow(self, changes: AsyncIterator[set[str]]) -> None:
        async for changed in changes:
            self._events.put_nowait(_Changed(changed))

    async def _work(self, life: int, on_ready: Callable[[], None]) -> int:
        await self._start(life)
        served = False
        while True:
            event = await self._events.get()
            if isinstance(event, _Changed):
                _say(f"Changed: {', '.join(sorted(event.names))}; starting anew")
                if self._starting is not None:
                    starting, self._starting = self._starting, None
                    self._later(self._end(starting))
                await self._start(life)
            elif isinstance(event, _Serves):
                self._take_over(event.child)
                if not served and self._serving is event.child:
                    served = True
                    on_ready()
            else:
                if not served and event.child.process.returncode == _USAGE:
                    return _USAGE
                await self._mourn(event.child, life)

    def _take_over(self, child: _Child) -> None:
        if child is not self._starting:
            return
        before, self._serving, self._starting = self._serving, child, None
        if before is not None:
            self._later(self._end(before))

    async def _mourn(self, child: _Child, life: int) -> None:
        """Do what is to be done about a child that is gone."""
        if child is self._serving:
            self._serving = None
        elif child is self._starting:
            self._starting = None
            if self._serving is not None:
                _say("The last good code goes on serving")
        else:
            return  # it was told to go
        if self._serving is not None or self._starting is not None:
            return
        fault = f"The program ended with exit code {child.process.returncode}"
        _say(f"{fault}; waiting for a change")
        if not child.stands_in:
            await self._start(life, fault)

    async def _start(self, life: int, fault: str | None = None) -> None:
        alone = self._serving is None or self._serving.stands_in
        ready, ready_write = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                env=dict(self._environment(Start(ready_write, life, alone, fault))),
                pass_fds=[*self._fds, ready_write, life],
                # Ctrl-C goes to the parent, which tells the child.
                start_new_session=True,
            )
        except BaseException:
            os.close(ready)
            raise
        finally:
            os.close(ready_write)
        child = _Child(process, stands_in=fault is not None)
        self._starting = child
        self._alive.add(child)
        self._later(self._attend(child, ready))

    async def _attend(self, child: _Child, ready: int) -> None:
        """Report a child's word, and its end."""
        word = await _read_byte(ready)
        if word:
            child.stands_in = word == Word.STANDS_IN.value
            self._events.put_nowait(_Serves(child))
        await child.process.wait()
        self._alive.discard(child)
        self._events.put_nowait(_Gone(child))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end_all(self) -> None:
        await asyncio.gather(*(self._end(child) for child in self._alive))
        await asyncio.gather(*self._tasks)

    async def _end(self, child: _Child) -> None:
        process = child.process
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _GRACE_S)
            except TimeoutError:
                process.kill()
                await process.wait()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - for the person at the keyboard


async def _read_byte(fd: int) -> bytes:
    """A byte from a pipe; b"" when it is closed without one."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(fd, readable.set)
    try:
        await readable.wait()
        return os.read(fd, 1)
    finally:
        loop.remove_reader(fd)
        os.close(fd)
