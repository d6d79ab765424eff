"""Several processes by forking, for programs that start so.

`eyewall run --workers` starts fresh processes instead, replaces them one by one and watches
over them.
"""

import os
import signal
import sys
from typing import Final

from eyewall.base.log import gen_log
from eyewall.loop.ioloop import IOLoop

_MAX_RESTARTS: Final = 100
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_ids: list[int] = []


def cpu_count() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _all_cpus()


def _all_cpus() -> int:
    return os.cpu_count() or 1


def task_id() -> int | None:
    """This process's number among the children of `fork_processes`, or None in others."""
    return _ids[-1] if _ids else None


def fork_processes(num_processes: int | None, max_restarts: int | None = None) -> int:
    """Fork children, and return in each of them; this process only watches over them.

    A child that exits with another code than 0, or is killed, is started again under the same
    number. When all have exited with 0, this process exits too; a SIGTERM or SIGINT to it goes
    on to the children, which are then not started again.

    Args:
        num_processes: How many; None or 0 for one for each processor.
        max_restarts: How many may be started again in all; 100 when None.

    Returns:
        The child's number, from 0.

    Raises:
        RuntimeError: A loop is running: its descriptors cannot be shared with children. Or too
            many children had to be started again.
    """
    face = IOLoop.current(instance=False)
    if face is not None and face.asyncio_loop.is_running():
        raise RuntimeError("fork before the event loop runs: children cannot share it")
    count = num_processes or cpu_count()
    if count < 0:
        count = cpu_count()
    gen_log.info("Starting %d processes", count)
    parent = _Parent(_MAX_RESTARTS if max_restarts is None else max_restarts)
    for number in range(count):
        if parent.start(number):
            return number
    return parent.watch()


class _Parent:
    """The process that forks, with its children by their process ids."""

    def __init__(self, restarts: int) -> None:
        self._children: dict[int, int] = {}
        self._restarts_left = restarts
        self._restarts = restarts
        self._stopping = False
        self._before = {each: signal.signal(each, self._stop) for each in _SIGNALS}

    def start(self, number: int) -> bool:
        """Fork; True in the child."""
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal waits until the parent knows the child, and the child handles it as its own.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            pid = os.fork()
            if pid:
                self._children[pid] = number
                return False
            for each, handler in self._before.items():
                signal.signal(each, handler)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _ids.append(number)
        # A loop that was made before belongs to the parent.
        face = IOLoop.current(instance=False)
        if face is not None:
            face.clear_current()
        return True

    def watch(self) -> int:
        """Wait for the children and start them again; returns only in a child."""
        while self._children:
            pid, status = os.wait()
            number = self._children.pop(pid, None)
            if number is None or self._finished(pid, number, status):
                continue
            if self.start(number):
                return number
        sys.exit(0)

    def _finished(self, pid: int, number: int, status: int) -> bool:
        """Whether a child that has ended is to stay so."""
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            gen_log.info("child %d (pid %d) exited normally", number, pid)
            return True
        if code < 0:
            gen_log.warning("child %d (pid %d) killed by signal %d", number, pid, -code)
        else:
            gen_log.warning("child %d (pid %d) exited with status %d", number, pid, code)
        if self._stopping:
            return True
        if self._restarts_left <= 0:
            self._forward(signal.SIGTERM)
            raise RuntimeError(f"more than {self._restarts} child processes failed; giving up")
        self._restarts_left -= 1
        gen_log.info("Starting child %d again", number)
        return False

    def _stop(self, number: int, frame: object) -> None:
        del frame
        self._stopping = True
        self._forward(number)

    def _forward(self, number: int) -> None:
        for pid in self._children:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
