"""The parent of several workers: it starts, watches, replaces and ends them.

It imports nothing of the user's program. It holds the listening sockets, so connections that come
while a worker is replaced wait in the kernel and are served by the next one.
"""

import asyncio
import contextlib
import os
import random
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, final

from eyewall.base.log import gen_log
from eyewall.ops.listeners import Listeners
from eyewall.ops.messages import PeerError, PeerGoneError
from eyewall.ops.notify import Notifier
from eyewall.ops.worker_process import (
    Spawn,
    State,
    WorkerFailedError,
    WorkerProcess,
    how_it_ended,
)

STARTUP_FAILED: Final = 3
CRASH_LOOP: Final = 4
_WATCH_S: Final = 0.5
_SETTLED_S: Final = 10.0
"""A worker that lived this long did not fail at its start."""
_LONGEST_PAUSE_S: Final = 30.0
_MOST_DEATHS: Final = 8
"""So many early deaths in a row, with nobody serving, are a crash loop."""


@final
@dataclass(slots=True)
class Policy:
    """How workers are kept.

    Attributes:
        count: How many there are.
        start_s: Seconds that one may take to be ready.
        silence_s: Seconds that a worker's loop may be stuck; 0 for any time.
        graceful_s: Seconds that running requests get when it goes.
        max_requests: Requests after which it is replaced; 0 for never.
        max_requests_jitter: Up to so many more, so that not all go at once.
        max_memory_mib: Resident MiB above which it is replaced; 0 for never.
        first_pause_s: Seconds before one that died early is started again; they double with each
            such death in a row, up to 30.
        drain_delay_s: Seconds, at a stop, between not being ready any more and not accepting.
    """

    count: int
    start_s: float = 60.0
    silence_s: float = 30.0
    graceful_s: float = 30.0
    max_requests: int = 0
    max_requests_jitter: int = 0
    max_memory_mib: int = 0
    first_pause_s: float = 0.1
    drain_delay_s: float = 0.0


@dataclass(slots=True)
class _Slot:
    """One place for a worker."""

    worker: WorkerProcess | None = None
    early_deaths: int = 0
    mending: "asyncio.Task[None] | None" = field(default=None)


@final
class Supervisor:
    """Keeps workers.

    Args:
        spawn: Starts a process.
        listeners: The sockets.
        policy: How they are kept.
        notifier: Tells systemd.
        on_ready: Called once, when all of the first generation serve.
    """

    def __init__(
        self,
        spawn: Spawn,
        listeners: Listeners,
        policy: Policy,
        notifier: Notifier,
        on_ready: Callable[[], None],
    ) -> None:
        self._spawn = spawn
        self._listeners = listeners
        self.policy = policy
        self._notifier = notifier
        self._on_ready = on_ready
        self.generation = 1
        self.told: dict[str, Any] = {}
        """What each new worker is told beside its slot: that it begins suspended, for example."""
        self.on_gone: Callable[[WorkerProcess], None] | None = None
        """Called when a worker has ended and its last words were heard."""
        self._slots: dict[int, _Slot] = {}
        self._workers: dict[int, WorkerProcess] = {}
        self._changing = asyncio.Lock()
        self._stopping = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    # The life of the whole

    async def run(self, adopted: "list[WorkerProcess] | None" = None) -> int:
        """Keep workers until `stop`; returns the exit code.

        Args:
            adopted: Workers that the supervisor before this one has started.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        watching = asyncio.ensure_future(self._watch())
        try:
            if adopted:
                for worker in adopted:
                    self._workers[worker.pid] = worker
                    if worker.state is State.READY:
                        self._slots.setdefault(worker.slot, _Slot()).worker = worker
                self._reap()
                await self._fill()
            else:
                await self._start_first()
            if not self._ended.done():
                self._on_ready()
                self._notify()
            return await self._ended
        finally:
            watching.cancel()
            await self._end_all()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(watching, *self._tasks, return_exceptions=True)
            loop.remove_signal_handler(signal.SIGCHLD)

    async def adopt(self, told: Sequence[Mapping[str, Any]]) -> list[WorkerProcess]:
        """Take over workers that another supervisor of this process has started.

        Args:
            told: What its `state` says of workers.
        """
        adopted: list[WorkerProcess] = []
        for each in told:
            os.set_inheritable(each["fd"], False)
            sock = socket.socket(fileno=each["fd"])
            sock.setblocking(False)
            worker = WorkerProcess(each["pid"], each["slot"], each["generation"], sock)
            worker.state = State.DRAINING if each["draining"] else State.READY
            worker.is_leaving = each["draining"]
            worker.ready.set_result(None)
            await worker.listen(self._hear, joins_midway=True)
            adopted.append(worker)
        return adopted

    async def _start_first(self) -> None:
        workers = [await self._start(slot) for slot in range(self.policy.count)]
        done = await asyncio.gather(
            *(self._until_ready(w) for w in workers), return_exceptions=True
        )
        for worker, failure in zip(workers, done, strict=True):
            if isinstance(failure, WorkerFailedError):
                # The worker has said in its own words what is wrong.
                gen_log.error("No worker could be started: %s %s", worker.pid, failure)
                self._end(failure.code if failure.code in {2, STARTUP_FAILED} else STARTUP_FAILED)
                return
            self._slots.setdefault(worker.slot, _Slot()).worker = worker

    async def _fill(self) -> None:
        """Start workers for slots that have none."""
        for number in range(self.policy.count):
            slot = self._slots.setdefault(number, _Slot())
            if slot.worker is None and slot.mending is None:
                self._mend(number, slot)

    def stop(self) -> None:
        """End all workers when their requests are finished; the second call ends them at once."""
        if not self._stopping:
            self._stopping = True
            self._notifier.send(STOPPING=1)
            gen_log.info("Stopping %d workers", len(self._workers))
            if self.policy.drain_delay_s:
                self.tell_all("leaving")
                loop = asyncio.get_running_loop()
                loop.call_later(self.policy.drain_delay_s, self._end, 0)
            else:
                self._end(0)
            return
        self._end(0)
        for worker in self._workers.values():
            worker.signal(signal.SIGTERM)

    def _end(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(code)

    async def _end_all(self) -> None:
        self._stopping = True
        for worker in self._workers.values():
            worker.retire()
        gone = {worker.gone for worker in self._workers.values()}
        if gone:
            await asyncio.wait(gone, timeout=self.policy.graceful_s + 5)
        for worker in list(self._workers.values()):
            gen_log.error("Worker %d did not end in time and is killed", worker.pid)
            worker.signal(signal.SIGKILL)
        while self._workers:
            await asyncio.wait({worker.gone for worker in self._workers.values()})

    def _do(self, work: Awaitable[Any]) -> None:
        async def guarded() -> None:
            try:
                await work
            except PeerError as exc:
                gen_log.error("%s", exc)

        task = asyncio.ensure_future(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # One worker's life

    async def _start(self, slot: int) -> WorkerProcess:
        told = {**self.told, "slot": slot, "generation": self.generation}
        fds = [sock.fileno() for sock in self._listeners.of(slot)]
        if slot == 0:
            # Connections that the kernel puts into the queues of slots without a worker.
            spare = [n for n in self._listeners.slots() if n >= self.policy.count]
            fds += [sock.fileno() for n in spare for sock in self._listeners.of(n)]
        worker = WorkerProcess.started(self._spawn, told, sorted(set(fds)))
        self._workers[worker.pid] = worker
        if self.policy.max_requests:
            extra = random.randint(0, self.policy.max_requests_jitter)  # noqa: S311 - no secret
            worker.most_requests = self.policy.max_requests + extra
        await worker.listen(self._hear)
        return worker

    async def _hear(self, verb: str, _message: Mapping[str, Any]) -> Any:
        raise PeerError(f"a worker cannot ask for {verb!r}")

    async def _until_ready(self, worker: WorkerProcess) -> None:
        """Wait until it serves.

        Raises:
            WorkerFailedError: It ended, or took too long.
        """
        try:
            async with asyncio.timeout(self.policy.start_s):
                await asyncio.shield(worker.ready)
        except TimeoutError:
            gen_log.error("Worker %d was not ready after %g s", worker.pid, self.policy.start_s)
            await worker.abort()
            await worker.gone
            raise WorkerFailedError(-signal.SIGKILL) from None

    def _reap(self) -> None:
        """Find out who has ended."""
        if os.getpid() == 1:
            # Orphans of a container are ours to bury.
            with contextlib.suppress(ChildProcessError):
                while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                    self._ended_process(*ended)
            return
        for pid in list(self._workers):
            try:
                ended = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended = (pid, 0)
            if ended[0]:
                self._ended_process(*ended)

    def _ended_process(self, pid: int, status: int) -> None:
        worker = self._workers.pop(pid, None)
        if worker is None:
            return
        code = os.waitstatus_to_exitcode(status)
        was_serving = worker.state is State.READY
        worker.died(code)
        self._do(self._bury(worker))
        slot = self._slots.get(worker.slot)
        if slot is not None and slot.worker is worker:
            slot.worker = None
            if not self._stopping and worker.slot < self.policy.count:
                if not worker.is_leaving or was_serving:
                    gen_log.error("Worker %d %s and is replaced", pid, how_it_ended(code))
                slot.early_deaths = 0 if worker.age_s > _SETTLED_S else slot.early_deaths + 1
                if slot.mending is None:
                    self._mend(worker.slot, slot)
        self._notify()

    async def _bury(self, worker: WorkerProcess) -> None:
        await worker.forget()
        if self.on_gone is not None:
            self.on_gone(worker)

    def _mend(self, number: int, slot: _Slot) -> None:
        slot.mending = asyncio.ensure_future(self._bring_back(number, slot))
        self._tasks.add(slot.mending)
        slot.mending.add_done_callback(self._tasks.discard)

    async def _bring_back(self, number: int, slot: _Slot) -> None:
        """Start workers for a slot until one serves."""
        try:
            while not self._stopping and number < self.policy.count and slot.worker is None:
                if slot.early_deaths:
                    pause_s = self.policy.first_pause_s * 2 ** (slot.early_deaths - 1)
                    await asyncio.sleep(min(pause_s, _LONGEST_PAUSE_S))
                if self._is_crash_loop(slot):
                    gen_log.critical(
                        "Workers fail again and again (%d times in a row) and nobody serves: giving up",
                        slot.early_deaths,
                    )
                    self._end(CRASH_LOOP)
                    return
                worker = await self._start(number)
                try:
                    await self._until_ready(worker)
                except WorkerFailedError as exc:
                    slot.early_deaths += 1
                    gen_log.error("Worker %d did not start: it %s", worker.pid, exc)
                    continue
                slot.worker = worker
        finally:
            slot.mending = None
            self._notify()

    def _is_crash_loop(self, slot: _Slot) -> bool:
        serving = any(each.worker is not None for each in self._slots.values())
        return slot.early_deaths >= _MOST_DEATHS and not serving

    # Watching

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        watchdog_s, alive = self._notifier.watchdog_s, 0.0
        while True:
            await asyncio.sleep(_WATCH_S)
            for slot in list(self._slots.values()):
                if slot.worker is not None and not slot.worker.is_leaving:
                    self._check(slot.worker)
            if watchdog_s is not None and loop.time() - alive > watchdog_s / 3:
                alive = loop.time()
                self._notifier.send(WATCHDOG=1)

    def _check(self, worker: WorkerProcess) -> None:
        policy = self.policy
        silent_s = asyncio.get_running_loop().time() - worker.beaten
        if policy.silence_s and silent_s > policy.silence_s and worker.state is State.READY:
            gen_log.error(
                "Worker %d was stuck for %.0f s and is killed; its stacks follow",
                worker.pid,
                silent_s,
            )
            self._do(worker.abort())
            return
        requests, memory = worker.figures.get("requests", 0), worker.figures.get("memory_mib", 0)
        if worker.most_requests is not None and requests >= worker.most_requests:
            self._replace_one(worker, f"after {requests} requests")
        elif policy.max_memory_mib and memory > policy.max_memory_mib:
            self._replace_one(worker, f"at {memory} MiB")

    def _replace_one(self, worker: WorkerProcess, why: str) -> None:
        worker.is_leaving = True
        gen_log.info("Worker %d is replaced %s", worker.pid, why)
        self._do(self._replace([worker.slot]))

    def _notify(self) -> None:
        ready = sum(slot.worker is not None for slot in self._slots.values())
        if not self._stopping and ready:
            self._notifier.send(READY=1, STATUS=f"{ready} of {self.policy.count} workers serve")

    # What can be asked of it

    async def _replace(self, slots: list[int]) -> None:
        """Start new workers, and let the old ones go when all of the new ones serve.

        Raises:
            PeerError: One of the new ones does not serve; the old ones go on.
        """
        async with self._changing:
            if self._stopping:
                return
            new = [await self._start(slot) for slot in slots]
            done = await asyncio.gather(
                *(self._until_ready(worker) for worker in new), return_exceptions=True
            )
            failures = [each for each in done if isinstance(each, BaseException)]
            if failures:
                for worker in new:
                    worker.retire()
                for slot in slots:
                    current = self._slots[slot].worker
                    if current is not None:
                        current.is_leaving = current.state is State.DRAINING
                        # It is tried again after as many requests, not at the next beat.
                        if current.most_requests is not None:
                            current.most_requests += self.policy.max_requests
                raise PeerError(f"The new workers do not serve ({failures[0]}); the old ones go on")
            for worker in new:
                place = self._slots.setdefault(worker.slot, _Slot())
                old, place.worker, place.early_deaths = place.worker, worker, 0
                if old is not None:
                    old.retire()

    async def reload(self) -> dict[str, Any]:
        """Replace all workers by new ones of the program as it is now.

        Raises:
            PeerError: The new ones do not serve; the old ones go on.
        """
        self._notifier.reloading()
        self.generation += 1
        gen_log.info("Reloading: generation %d starts", self.generation)
        try:
            await self._replace(list(range(self.policy.count)))
        finally:
            self._notify()
        gen_log.info("Generation %d serves", self.generation)
        return {"generation": self.generation, "workers": self.policy.count}

    async def scale(self, count: int) -> dict[str, Any]:
        """Have another number of workers.

        Raises:
            PeerError: It is no number that can be had, or a new one does not serve.
        """
        if not 1 <= count <= 1024:
            raise PeerError(f"{count} is not a number of workers between 1 and 1024")
        before = self.policy.count
        if count == before:
            return {"workers": count}
        gen_log.info("From %d to %d workers", before, count)
        self.policy.count = count
        try:
            if count > before:
                await self._replace(list(range(before, count)))
            else:
                # The first one takes over the queues of those that go.
                await self._replace([0])
                for number in range(count, before):
                    worker = self._slots[number].worker
                    if worker is not None:
                        worker.retire()
        except PeerError:
            self.policy.count = before
            raise
        self._notify()
        return {"workers": count}

    def why_not_ready(self) -> str | None:
        """None while requests are welcome; else the reason."""
        if self._stopping:
            return "draining"
        if not any(slot.worker is not None for slot in self._slots.values()):
            return "no worker serves"
        return None

    def workers(self) -> list[dict[str, Any]]:
        """All workers, the draining ones too."""
        ordered = sorted(self._workers.values(), key=lambda w: (w.slot, w.generation, w.pid))
        return [worker.report() for worker in ordered]

    async def ask_all(
        self, verb: str, timeout_s: float | None = 30.0, **more: Any
    ) -> dict[str, Any]:
        """Ask all workers that serve; returns answers, or errors, by process."""
        return await self._ask_those({State.READY}, verb, timeout_s, **more)

    async def resume_all(self) -> dict[str, Any]:
        """Let held requests go, also those of workers that go and finish what they have."""
        return await self._ask_those({State.READY, State.DRAINING}, "resume", 30.0)

    async def _ask_those(
        self, states: set[State], verb: str, timeout_s: float | None, **more: Any
    ) -> dict[str, Any]:
        asked = [w for w in self._workers.values() if w.state in states and w.peer]

        async def ask(worker: WorkerProcess) -> Any:
            try:
                return await worker.peer.ask(verb, timeout_s, **more)  # type: ignore[union-attr]
            except PeerGoneError:
                return {"error": "it has ended"}
            except TimeoutError:
                return {"error": f"it did not answer within {timeout_s:g} s"}
            except PeerError as exc:
                return {"error": str(exc)}

        answers = await asyncio.gather(*(ask(worker) for worker in asked))
        return {str(worker.pid): answer for worker, answer in zip(asked, answers, strict=True)}

    def tell_all(self, name: str) -> None:
        """Say a word to all workers."""
        for worker in self._workers.values():
            if worker.peer is not None:
                worker.peer.say(name)

    def signal_all(self, number: int) -> None:
        """Send all workers that serve a signal."""
        for worker in self._workers.values():
            if worker.state is not State.STARTING:
                worker.signal(number)

    def state(self) -> dict[str, Any]:
        """What the next supervisor of the same process must know to go on."""
        kept = [w for w in self._workers.values() if w.state is not State.STARTING]
        return {
            "generation": self.generation,
            "count": self.policy.count,
            "told": self.told,
            "fds": self._listeners.fds(),
            "shared": self._listeners.shared,
            "workers": [
                {
                    "pid": w.pid,
                    "slot": w.slot,
                    "generation": w.generation,
                    "fd": w.sock.fileno(),
                    "draining": w.state is State.DRAINING,
                }
                for w in kept
            ],
        }
