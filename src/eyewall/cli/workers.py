"""`eyewall run --workers`: the supervisor's process, and a worker's."""

import asyncio
import contextlib
import faulthandler
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from eyewall.base.errors import ConfigurationError
from eyewall.base.log import configure, gen_log
from eyewall.base.log_file import reopen_log_files
from eyewall.cli.control import control_path, control_server
from eyewall.cli.options import Settings
from eyewall.cli.serve import (
    Served,
    addresses,
    banner,
    close_sockets,
    make_tls,
    open_sockets,
    serve,
)
from eyewall.ops.commands import Commands
from eyewall.ops.gate import Gate
from eyewall.ops.health import HEALTH_PATHS
from eyewall.ops.listeners import Listeners
from eyewall.ops.local_hub import local_hub
from eyewall.ops.messages import LONGEST_LINE, Peer, PeerError
from eyewall.ops.notify import Notifier
from eyewall.ops.supervisor import Policy, Supervisor

WORKER: Final = "EYEWALL_WORKER"
UPGRADE: Final = "EYEWALL_UPGRADE"

_BEAT_S: Final = 1.0


def worker_count(text: str) -> int:
    """How many workers `--workers` asks for.

    Raises:
        ConfigurationError: It is neither a number nor "auto".
    """
    if text == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise ConfigurationError(f'--workers is a number from 1 to 1024, or "auto", not {text!r}')
    return int(text)


def supervise(target: str | None, settings: Settings) -> int:
    """Serve with several workers until SIGTERM or SIGINT; returns the exit code.

    Raises:
        StartupError: There is nothing to listen on, or the certificates cannot be used.
    """
    configure(
        settings["log_level"],
        form=settings["log_format"],
        file=settings["log_file"],
        access=settings["access_log"],
    )
    make_tls(settings)
    told = os.environ.pop(UPGRADE, None)
    before: dict[str, Any] | None = None if told is None else json.loads(told)
    if before is None:
        given = "LISTEN_PID" in os.environ or settings["fd"] is not None
        listeners = Listeners.opened(lambda: open_sockets(settings, reuse_port=True), given=given)
        count = worker_count(settings["workers"])
    else:
        by_slot = {int(slot): fds for slot, fds in before["fds"].items()}
        listeners = Listeners.inherited(by_slot, before["shared"])
        count = before["count"]
    policy = Policy(
        count,
        start_s=settings["worker_start_timeout"],
        silence_s=settings["worker_timeout"],
        graceful_s=settings["timeout_graceful_shutdown"],
        max_requests=settings["max_requests"],
        max_requests_jitter=settings["max_requests_jitter"],
        max_memory_mib=settings["max_memory"],
        drain_delay_s=settings["drain_delay"],
    )
    try:
        return asyncio.run(_supervise(target, settings, listeners, policy, before))
    finally:
        close_sockets(listeners.first)
        if settings["pid"]:
            Path(settings["pid"]).unlink(missing_ok=True)


async def _supervise(
    target: str | None,
    settings: Settings,
    listeners: Listeners,
    policy: Policy,
    before: Mapping[str, Any] | None,
) -> int:
    def spawn(told: Mapping[str, Any], fds: Sequence[int]) -> "subprocess.Popen[bytes]":
        message = json.dumps({**told, "target": target, "values": dict(settings.values)})
        # A group of its own: Ctrl-C is for the supervisor, which tells its workers.
        return subprocess.Popen(
            [sys.executable, "-m", "eyewall"],
            env={**os.environ, WORKER: message},
            pass_fds=fds,
            process_group=0,
        )

    def ready() -> None:
        if settings["pid"]:
            Path(settings["pid"]).write_text(f"{os.getpid()}\n", encoding="ascii")
        scheme = "https" if settings["certfile"] else "http"
        if before is None:
            where = addresses(listeners.first, scheme)
            banner(target, where, f", {policy.count} workers")
        else:
            gen_log.info("The supervisor was upgraded; %d workers go on", policy.count)

    supervisor = Supervisor(spawn, listeners, policy, Notifier(), ready)
    control = _Control(supervisor, policy)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    for number, verb in control.signals.items():
        loop.add_signal_handler(number, control.start, verb)
    adopted = None
    if before is not None:
        supervisor.generation = before["generation"]
        supervisor.told = before["told"]
        adopted = await supervisor.adopt(before["workers"])
    where = control_path(settings, listeners.first)
    hub = local_hub(goes_on=before is not None)
    async with hub, control_server(where, control.handle):
        return await supervisor.run(adopted)


class _Control:
    """What can be asked of the supervisor: by signals, and at its control socket."""

    def __init__(self, supervisor: Supervisor, policy: Policy) -> None:
        self._supervisor = supervisor
        self._policy = policy
        self._tasks: set[asyncio.Task[None]] = set()
        self._resuming: asyncio.TimerHandle | None = None
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
        }

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
        answers = await self._supervisor.ask_all("resume")
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
        state = self._supervisor.state()
        for fd in [fd for fds in state["fds"].values() for fd in fds]:
            os.set_inheritable(fd, True)
        for worker in state["workers"]:
            os.set_inheritable(worker["fd"], True)
        environment = {**os.environ, UPGRADE: json.dumps(state)}
        argv = [sys.executable, "-m", "eyewall", *sys.argv[1:]]
        sys.stderr.flush()
        os.execve(sys.executable, argv, environment)  # noqa: S606 - this very program


def _is_error(answer: Any) -> bool:
    return isinstance(answer, dict) and set(answer) == {"error"}


def serve_alone(target: str | None, settings: Settings, *, debug: bool) -> None:
    """Serve in this process, which has a control socket too.

    Raises:
        StartupError: It cannot be started.
    """

    @contextlib.asynccontextmanager
    async def attach(served: Served) -> AsyncIterator[None]:
        gate = served.health.gate = Gate(served.server, HEALTH_PATHS)
        commands = Commands(served.server, gate)

        async def handle(verb: str, message: Mapping[str, Any]) -> Any:
            if verb == "stop":
                served.stop()
                return {"stopping": 1}
            if verb in {"reload", "scale", "workers", "upgrade"}:
                raise PeerError(f"{verb} needs workers: start the server with --workers")
            return await commands.handle(verb, message)

        notifier = Notifier()
        async with control_server(control_path(settings, served.sockets), handle):
            notifier.send(READY=1)
            alive = asyncio.ensure_future(_keep_alive(notifier, served.stopping))
            try:
                yield
            finally:
                alive.cancel()
                await asyncio.gather(alive, return_exceptions=True)

    serve(target, settings, attach=attach, debug=debug)


async def _keep_alive(notifier: Notifier, stopping: asyncio.Event) -> None:
    pause_s = None if notifier.watchdog_s is None else notifier.watchdog_s / 3
    while not stopping.is_set():
        notifier.send(WATCHDOG=1)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause_s)
    notifier.send(STOPPING=1)


def worker() -> None:
    """Be a worker: the supervisor's word is in the environment.

    Raises:
        StartupError: The program does not start.
    """
    told: dict[str, Any] = json.loads(os.environ.pop(WORKER))
    for fd in (told["channel"], *told["fds"]):
        # What the program starts has no business with these.
        os.set_inheritable(fd, False)
    # A stuck worker is ended by SIGABRT: it says where it was stuck.
    faulthandler.enable(all_threads=True)
    channel = socket.socket(fileno=told["channel"])
    channel.setblocking(False)

    @contextlib.asynccontextmanager
    async def attach(served: Served) -> AsyncIterator[None]:
        gate = served.health.gate = Gate(served.server, HEALTH_PATHS)
        commands = Commands(served.server, gate)
        reader, writer = await asyncio.open_connection(sock=channel, limit=LONGEST_LINE)

        def hear(name: str, _message: Mapping[str, Any]) -> None:
            if name == "leaving":
                served.health.is_draining = True

        peer = Peer(reader, writer, commands.handle, hear)
        if (order := told.get("suspended")) is not None:
            gate.close(order.get("route"), order.get("for_s"))
        peer.say("ready", figures=commands.figures())
        hearing = asyncio.ensure_future(peer.run())
        # Without a supervisor nobody would replace this worker, or stop it.
        hearing.add_done_callback(lambda _: served.stop())
        beating = asyncio.ensure_future(_beat(peer, commands))
        try:
            yield
        finally:
            beating.cancel()
            hearing.cancel()
            await asyncio.gather(beating, hearing, return_exceptions=True)

    serve(
        told["target"],
        # The supervisor has waited for the delay, and a reload has none.
        Settings({**told["values"], "drain_delay": 0.0}, {}),
        sockets=[socket.socket(fileno=fd) for fd in told["fds"]],
        on_ready=lambda: None,
        attach=attach,
    )


async def _beat(peer: Peer, commands: Commands) -> None:
    """Tell the supervisor every second that the loop turns, and how much it does."""
    while True:
        await asyncio.sleep(_BEAT_S)
        peer.say("alive", figures=commands.figures())
