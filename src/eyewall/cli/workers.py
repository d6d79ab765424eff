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
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from eyewall.base.errors import ConfigurationError
from eyewall.base.log import configure, gen_log
from eyewall.base.log_tail import install_log_tail
from eyewall.base.stats import registry
from eyewall.cli.admin import admin_server, check_admin
from eyewall.cli.control import control_path, control_server
from eyewall.cli.options import Settings
from eyewall.cli.oversee import UPGRADE, Control
from eyewall.cli.serve import (
    Served,
    banner,
    close_sockets,
    make_tls,
    open_sockets,
    serve,
    where,
)
from eyewall.ops.commands import Commands
from eyewall.ops.gate import Gate
from eyewall.ops.health import HEALTH_PATHS
from eyewall.ops.listeners import Listeners
from eyewall.ops.local_hub import local_hub
from eyewall.ops.messages import LONGEST_LINE, Peer
from eyewall.ops.metrics.merge import as_json
from eyewall.ops.notify import Notifier
from eyewall.ops.supervisor import Policy, Supervisor

WORKER: Final = "EYEWALL_WORKER"

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
    if settings["status"]:
        install_log_tail()
    check_admin(settings)
    make_tls(settings)
    told = os.environ.pop(UPGRADE, None)
    before: dict[str, Any] | None = None if told is None else json.loads(told)
    if before is None:
        given = "LISTEN_PID" in os.environ or settings["fd"] is not None
        listeners = Listeners.opened(lambda: _open(settings), given=given)
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


def _open(settings: Settings) -> list[socket.socket]:
    return [] if settings["from_redis"] else open_sockets(settings, reuse_port=True)


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
        if before is None:
            place = where(settings, listeners.first)
            banner(settings.what(target), place, f", {policy.count} workers")
        else:
            gen_log.info("The supervisor was upgraded; %d workers go on", policy.count)

    supervisor = Supervisor(spawn, listeners, policy, Notifier(), ready)
    control = Control(supervisor, policy)
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
    inherited = () if before is None else before.get("admin", ())
    async with (
        local_hub(goes_on=before is not None),
        control_server(control_path(settings, listeners.first), control.handle),
        admin_server(
            settings, supervisor.why_not_ready, control.metrics, control.handle, inherited
        ) as admin_sockets,
    ):
        control.kept["admin"] = [sock.fileno() for sock in admin_sockets]
        return await supervisor.run(adopted)


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
            peer.say("gone", metrics=as_json(registry.families()))
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
