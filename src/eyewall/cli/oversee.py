"""What can be asked of a supervisor: by signals, and at its control socket."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, final

from eyewall.base.log import gen_log
from eyewall.base.log_file import reopen_log_files
from eyewall.base.stats import Family
from eyewall.ops.messages import PeerError
from eyewall.ops.metrics.merge import Totals, as_json, read
from eyewall.ops.supervisor import Policy, Supervisor
from eyewall.ops.worker_process import WorkerProcess
from eyewall.pubsub.backends.choose import SOCKET_VARIABLE

UPGRADE: Final = "EYEWALL_UPGRADE"
_PATIENCE_S: Final = 5.0
"""A worker that is stuck must not keep the figures of the others back."""


@final
class Control:
    """What can be asked of the supervisor: by signals, and at its control socket."""

    def __init__(self, supervisor: Supervisor, policy: Policy) -> None:
        self._supervisor = supervisor
        self._policy = policy
        self._tasks: set[asyncio.Task[None]] = set()
        self._resuming: asyncio.TimerHandle | None = None
        self._totals = Totals()
        supervisor.on_gone = self._note_gone
        self.kept: dict[str, list[int]] = {"admin": []}
        """Descriptors that the next supervisor of this process gets too, by what they are for."""
        self.signals: dict[signal.Signals, Callable[[], Any]] = {
            signal.SIGHUP: supervisor.reload,
            signal.SIGUSR1: self._reopen_logs,
            signal.SIGUSR2: self._upgrade_checked,
            signal.SIGTTIN: lambda: supervisor.scale(policy.count + 1),
            signal.SIGTTOU: lambda: supervisor.scale(policy.count - 1),
        }
        self._verbs: dict[str, Callable[[Mapping[str, Any]], Awaitable[Any]]] = {
            "workers": self._workers,
            "reload": lambda _message: supervisor.reload(),
            "upgrade": lambda _message: self._upgrade_checked(),
            "stop": self._stop,
            "scale": self._scale,
            "suspend": self._suspend,
            "resume": lambda _message: self._resume(),
            "metrics": self._metrics,
            "hub": self._hub,
        }

    async def _hub(self, _message: Mapping[str, Any]) -> dict[str, str | None]:
        return {"socket": os.environ.get(SOCKET_VARIABLE)}

    def start(self, verb: Callable[[], Any]) -> None:
        """Do what a signal asks for."""

        async def guarded() -> None:
            try:
                await verb()
            except PeerError as exc:
                gen_log.error("%s", exc)

        task = asyncio.ensure_future(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def handle(self, verb: str, message: Mapping[str, Any]) -> Any:
        """Answer a control message.

        Raises:
            PeerError: It cannot be done.
        """
        own = self._verbs.get(verb)
        if own is not None:
            return await own(message)
        supervisor = self._supervisor
        more = {name: value for name, value in message.items() if name not in {"id", "do"}}
        answers = await supervisor.ask_all(verb, **more)
        if verb == "status":
            return self._status(answers)
        if answers and all(_is_error(answer) for answer in answers.values()):
            raise PeerError(next(iter(answers.values()))["error"])
        return answers

    async def metrics(self) -> list[Family]:
        """What all workers have counted, those too that have gone, and the supervisor's own."""
        supervisor, totals = self._supervisor, self._totals
        answers = await supervisor.ask_all("metrics", _PATIENCE_S)
        workers = supervisor.workers()
        slots = {str(each["pid"]): str(each["slot"]) for each in workers}
        for pid, answer in answers.items():
            # One that has ended meanwhile is counted among those that have gone.
            if pid in slots and not _is_error(answer):
                totals.update(pid, read(answer, pid))
        states: dict[tuple[str, ...], Any] = {}
        for each in workers:
            states[each["state"],] = states.get((each["state"],), 0) + 1
        return [
            *totals.families(slots),
            Family("eyewall_workers", "gauge", "worker processes", ("state",), states),
            Family(
                "eyewall_generation", "gauge", "counts reloads", (), {(): supervisor.generation}
            ),
        ]

    async def _metrics(self, _message: Mapping[str, Any]) -> list[dict[str, Any]]:
        return as_json(await self.metrics())

    def _note_gone(self, worker: WorkerProcess) -> None:
        pid = str(worker.pid)
        if worker.metrics is not None:
            self._totals.update(pid, read(worker.metrics, pid))
        self._totals.retire(pid)

    async def _workers(self, _message: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._supervisor.workers()

    async def _stop(self, _message: Mapping[str, Any]) -> dict[str, int]:
        self._supervisor.stop()
        return {"stopping": len(self._supervisor.workers())}

    async def _scale(self, message: Mapping[str, Any]) -> dict[str, Any]:
        count = message.get("count")
        if not isinstance(count, int) or isinstance(count, bool):
            raise PeerError("count is the number of workers")
        return await self._supervisor.scale(count)

    def _status(self, answers: Mapping[str, Any]) -> dict[str, Any]:
        good = [answer for answer in answers.values() if not _is_error(answer)]
        names = ("connections", "exchanges", "requests", "refused", "memory_mib")
        return {
            "pid": os.getpid(),
            "generation": self._supervisor.generation,
            "workers": self._policy.count,
            **{name: sum(answer.get(name, 0) for answer in good) for name in names},
            "suspended": any(answer["gate"]["suspended"] for answer in good),
            "held": sum(answer["gate"].get("held", 0) for answer in good),
            "by_worker": dict(answers),
        }

    async def _suspend(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """All at once: it returns when nothing runs anywhere, or nobody is suspended."""
        supervisor = self._supervisor
        order = {name: message[name] for name in ("route", "for_s", "wait_s") if name in message}
        # Workers that start meanwhile hold their requests too.
        supervisor.told["suspended"] = order
        answers = await supervisor.ask_all("suspend", None, **order)
        failed = {pid: answer["error"] for pid, answer in answers.items() if _is_error(answer)}
        if failed:
            await self._resume()
            raise PeerError("; ".join(f"worker {pid}: {why}" for pid, why in failed.items()))
        for_s = order.get("for_s")
        if for_s is not None:
            loop = asyncio.get_running_loop()
            self._resuming = loop.call_later(for_s, supervisor.told.pop, "suspended", None)
        held = sum(answer.get("held", 0) for answer in answers.values())
        return {"suspended": True, "workers": len(answers), "held": held}

    async def _resume(self) -> dict[str, Any]:
        if self._resuming is not None:
            self._resuming.cancel()
            self._resuming = None
        self._supervisor.told.pop("suspended", None)
        answers = await self._supervisor.resume_all()
        return {"released": sum(a.get("released", 0) for a in answers.values() if not _is_error(a))}

    async def _reopen_logs(self) -> None:
        reopen_log_files()
        self._supervisor.signal_all(signal.SIGUSR1)

    async def _upgrade_checked(self) -> dict[str, Any]:
        """Become the program that is installed now, with the same sockets and workers.

        Raises:
            PeerError: What is installed now does not run.
        """
        probe = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "eyewall", "--version",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        words = (await probe.communicate())[0].decode(errors="replace").strip()
        if probe.returncode:
            last = words.splitlines()[-1] if words else "no word"
            raise PeerError(f"What is installed does not run, so nothing was changed: {last}")
        gen_log.info("Upgrading the supervisor to %s", words)
        asyncio.get_running_loop().call_later(0.05, self._become)
        return {"version": words}

    def _become(self) -> None:
        state = {**self._supervisor.state(), **self.kept}
        fds = [fd for group in (state["fds"], self.kept) for fds in group.values() for fd in fds]
        for fd in fds:
            os.set_inheritable(fd, True)
        for worker in state["workers"]:
            os.set_inheritable(worker["fd"], True)
        environment = {**os.environ, UPGRADE: json.dumps(state)}
        argv = [sys.executable, "-m", "eyewall", *sys.argv[1:]]
        sys.stderr.flush()
        os.execve(sys.executable, argv, environment)  # noqa: S606 - this very program


def _is_error(answer: Any) -> bool:
    return isinstance(answer, dict) and set(answer) == {"error"}
