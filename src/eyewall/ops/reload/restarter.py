"""A parent that keeps the listening sockets open, and replaces the child that serves on them.

The parent never imports the program. A new child is told to go on only when it has said that
it serves; one that fails leaves the old one serving. A child that is replaced gets a second to
finish, then it is ended: a reload never hangs on an open stream.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, final

_GRACE_S: Final = 1.5


@final
class Restarter:
    """Runs one child at a time, and the next one beside it until that serves.

    Args:
        argv: The child's command.
        environment: Makes a child's environment from the number of its ready descriptor and
            whether no other child serves.
        fds: Descriptors that every child inherits.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Callable[[int, bool], Mapping[str, str]],
        fds: Sequence[int],
    ) -> None:
        self._argv = list(argv)
        self._environment = environment
        self._fds = list(fds)
        self._child: asyncio.subprocess.Process | None = None

    async def run(self, changes: AsyncIterator[set[str]], on_ready: Callable[[], None]) -> None:
        """Serve, and start anew at each change, until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        stopping = asyncio.ensure_future(stop.wait())
        await self._replace()
        on_ready()
        following = asyncio.ensure_future(self._follow(changes))
        await asyncio.wait({stopping, following}, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (stopping, following):
            waiting.cancel()
        child, self._child = self._child, None
        if child is not None:
            await _end(child)
        if following.done() and not following.cancelled() and (error := following.exception()):
            raise error

    async def _follow(self, changes: AsyncIterator[set[str]]) -> None:
        async for changed in changes:
            names = ", ".join(sorted(changed))
            print(f"Changed: {names}; starting anew", file=sys.stderr, flush=True)  # noqa: T201 - for the person at the keyboard
            await self._replace()

    async def _replace(self) -> None:
        """Start a child; when it serves, end the one before."""
        before = self._child
        if before is not None and before.returncode is not None:
            before = None
        ready, ready_write = os.pipe()
        os.set_inheritable(ready_write, True)
        try:
            child = await asyncio.create_subprocess_exec(
                *self._argv,
                env=dict(self._environment(ready_write, before is None)),
                pass_fds=[*self._fds, ready_write],
                start_new_session=True,
            )
        finally:
            os.close(ready_write)
        if await _is_ready(ready):
            self._child = child
            if before is not None:
                await _end(before)
        else:
            await child.wait()
            if before is not None:
                print("The last good code goes on serving", file=sys.stderr, flush=True)  # noqa: T201 - as above


async def _is_ready(fd: int) -> bool:
    """Whether a byte comes before the pipe is closed."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool] = loop.create_future()

    def readable() -> None:
        loop.remove_reader(fd)
        answer.set_result(bool(os.read(fd, 1)))

    loop.add_reader(fd, readable)
    try:
        return await answer
    finally:
        loop.remove_reader(fd)
        os.close(fd)


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    child.terminate()
    try:
        await asyncio.wait_for(child.wait(), _GRACE_S)
    except TimeoutError:
        child.kill()
        await child.wait()
