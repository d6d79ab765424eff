"""A worker as the supervisor sees it."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, final

from eyewall.ops.messages import LONGEST_LINE, Handle, Peer

if TYPE_CHECKING:
    import subprocess

Spawn = Callable[[Mapping[str, Any], Sequence[int]], "subprocess.Popen[bytes]"]
"""Starts a process: gets what it is to be told, and the descriptors that it inherits."""

_ABORT_S: Final = 2.0
_LAST_WORDS_S: Final = 1.0


class State(Enum):
    """What a worker does."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


@final
class WorkerProcess:
    """One worker process.

    Args:
        pid: Its process.
        slot: Whose sockets it has.
        generation: Counts reloads.
        sock: The supervisor's end of their connection.
    """

    def __init__(self, pid: int, slot: int, generation: int, sock: socket.socket) -> None:
        self.pid = pid
        self.slot = slot
        self.generation = generation
        self.sock = sock
        self.state = State.STARTING
        self.began = self.beaten = time.monotonic()
        self.figures: dict[str, int] = {}
        self.metrics: Any = None
        """What it had counted when it ended, as far as it could say so."""
        self.most_requests: int | None = None
        self.is_leaving = False
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[int] = loop.create_future()
        self.peer: Peer | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._popen: subprocess.Popen[bytes] | None = None

    @classmethod
    def started(
        cls,
        spawn: Spawn,
        told: Mapping[str, Any],
        fds: Sequence[int],
    ) -> "WorkerProcess":
        """Start a process.

        Args:
            spawn: How.
            told: What it is told; `slot`, `generation`, and more that it understands.
            fds: The listening sockets that it gets.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            popen = spawn(
                {**told, "fds": list(fds), "channel": theirs.fileno()}, [*fds, theirs.fileno()]
            )
        ours.setblocking(False)
        worker = cls(popen.pid, told["slot"], told["generation"], ours)
        worker._popen = popen
        return worker

    async def listen(self, handle: Handle, *, joins_midway: bool = False) -> None:
        """Hear what it says from now on."""
        reader, writer = await asyncio.open_connection(sock=self.sock, limit=LONGEST_LINE)
        self.peer = Peer(reader, writer, handle, self._on_word, joins_midway=joins_midway)
        self._hearing = asyncio.ensure_future(self.peer.run())

    def _on_word(self, name: str, message: Mapping[str, Any]) -> None:
        self.beaten = time.monotonic()
        if name == "ready" and self.state is State.STARTING:
            self.state = State.READY
            if not self.ready.done():
                self.ready.set_result(None)
        figures = message.get("figures")
        if isinstance(figures, dict):
            self.figures = figures
        if "metrics" in message:
            self.metrics = message["metrics"]

    @property
    def age_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.began

    def signal(self, number: int) -> None:
        """Send it a signal, when it is still there."""
        if not self.gone.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def retire(self) -> None:
        """Let it finish what it does, and end."""
        self.is_leaving = True
        if self.state is not State.DRAINING:
            self.state = State.DRAINING
            self.signal(signal.SIGTERM)

    async def abort(self) -> None:
        """End it; its stacks go to its standard error first."""
        self.is_leaving = True
        self.signal(signal.SIGABRT)
        await asyncio.wait({self.gone}, timeout=_ABORT_S)
        self.signal(signal.SIGKILL)

    def died(self, code: int) -> None:
        """It has ended: minus a signal's number, or its exit code."""
        if self._popen is not None:
            self._popen.returncode = code
        if not self.ready.done():
            self.ready.set_exception(WorkerFailedError(code))
            # Somebody may wait for it, or not.
            self.ready.exception()
        if not self.gone.done():
            self.gone.set_result(code)

    async def forget(self) -> None:
        """Close the connection to one that has ended."""
        if self._hearing is not None:
            # Its last words may still be on their way.
            await asyncio.wait({self._hearing}, timeout=_LAST_WORDS_S)
        if self.peer is not None:
            await self.peer.close()
        if self._hearing is not None:
            await self._hearing

    def report(self) -> dict[str, Any]:
        """What `eyewall ctl workers` shows of it."""
        return {
            "slot": self.slot,
            "pid": self.pid,
            "state": self.state.value,
            "generation": self.generation,
            "age_s": round(self.age_s, 1),
            **self.figures,
        }


class WorkerFailedError(Exception):
    """A worker ended before it was ready.

    Attributes:
        code: Minus a signal's number, or its exit code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(how_it_ended(code))
        self.code = code


def how_it_ended(code: int) -> str:
    """An exit code, or minus a signal's number, as a clause."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
