"""The supervisor with small programs as workers."""

import asyncio
import json
import socket
import subprocess
import sys

import pytest

from eyewall.ops.listeners import Listeners
from eyewall.ops.notify import Notifier
from eyewall.ops.supervisor import CRASH_LOOP, STARTUP_FAILED, Policy, Supervisor

# What workers do first: they find their end of the connection.
PREAMBLE = """
import json, os, signal, socket, sys, time
told = json.loads(os.environ["TOLD"])
channel = socket.socket(fileno=told["channel"])
def say(word):
    channel.sendall(json.dumps({"say": word, "figures": {"memory_mib": 999}}).encode() + b"\\n")
"""
SERVES = PREAMBLE + "say('ready')\nsignal.sigwait({signal.SIGTERM})\n"


def supervise(script, *, then=None, **policy):
    """Run a supervisor over workers that run a script; returns its exit code and itself."""
    starts = []

    def spawn(told, fds):
        starts.append(told)
        # Otherwise a signal that comes early would end it before it waits for one.
        blocked = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
        return subprocess.Popen(
            [sys.executable, "-c", blocked + (script(len(starts)) if callable(script) else script)],
            env={"TOLD": json.dumps(told)},
            pass_fds=fds,
        )

    async def main():
        sock = socket.create_server(("127.0.0.1", 0), reuse_port=True)
        listeners = Listeners([sock], [False])
        ready = asyncio.Event()
        chosen = Policy(**{"count": 2, "first_pause_s": 0.001, "graceful_s": 5, **policy})
        supervisor = Supervisor(spawn, listeners, chosen, Notifier({}), ready.set)
        running = asyncio.ensure_future(supervisor.run())
        if then is not None:
            first = asyncio.ensure_future(ready.wait())
            await asyncio.wait({first, running}, return_when=asyncio.FIRST_COMPLETED)
            assert first.done(), "it never served"
            await then(supervisor)
            supervisor.stop()
        code = await running
        for number in listeners.slots():
            for each in listeners.of(number):
                each.close()
        return code, starts

    return asyncio.run(main())


def test_workers_that_die_again_and_again_end_it_with_their_own_code(caplog):
    code, starts = supervise(lambda n: SERVES if n <= 2 else "exit(5)", then=kill_all_and_wait)
    assert code == CRASH_LOOP
    assert len(starts) <= 2 + 2 * 8
    assert "giving up" in caplog.text
    assert "it exited with code 5" in caplog.text


async def kill_all_and_wait(supervisor):
    for worker in list(supervisor._workers.values()):
        worker.signal(9)
    await asyncio.shield(supervisor._ended)


def test_a_first_generation_that_does_not_start_ends_it():
    assert supervise("exit(3)")[0] == STARTUP_FAILED
    assert supervise("exit(2)")[0] == 2
    assert supervise("import os; os.abort()")[0] == STARTUP_FAILED


def test_a_worker_that_is_never_ready_is_ended(caplog):
    code, _ = supervise("signal.sigwait({signal.SIGTERM})", count=1, start_s=0.2)
    assert code == STARTUP_FAILED
    assert "was not ready after 0.2 s" in caplog.text


def test_a_worker_that_dies_once_is_brought_back_at_once():
    async def kill_one(supervisor):
        [first, second] = list(supervisor._workers.values())
        first.signal(9)
        await first.gone
        while len(supervisor.workers()) < 2 or supervisor._slots[first.slot].worker is None:
            await asyncio.sleep(0.005)
        assert second.pid in {each["pid"] for each in supervisor.workers()}

    code, starts = supervise(SERVES, then=kill_one)
    assert code == 0
    assert len(starts) == 3


def test_one_that_does_not_end_is_killed(caplog):
    stubborn = PREAMBLE + "say('ready')\nwhile True: signal.pause()\n"

    async def nothing(supervisor):
        supervisor.policy.graceful_s = -4.9

    code, _ = supervise(stubborn, then=nothing)
    assert code == 0
    assert "did not end in time and is killed" in caplog.text


def test_a_worker_with_too_much_memory_is_replaced(caplog):
    async def until_replaced(supervisor):
        before = set(supervisor._workers)
        supervisor.policy.max_memory_mib = 500
        while set(supervisor._workers) & before:
            await asyncio.sleep(0.01)
        supervisor.policy.max_memory_mib = 0

    with caplog.at_level("INFO"):
        code, _ = supervise(SERVES, then=until_replaced, count=1)
    assert code == 0
    assert "is replaced at 999 MiB" in caplog.text


@pytest.mark.parametrize("line", [b"\xff\n", b"[[[[" * 10_000 + b"\n", b'"x"\n', b"{}\n"])
def test_words_that_make_no_sense_hurt_nobody(line):
    talks = (
        PREAMBLE + f"channel.sendall({line!r})\nsay('ready')\nsignal.sigwait({{signal.SIGTERM}})\n"
    )

    async def nothing(supervisor):
        assert len(supervisor.workers()) == 1

    assert supervise(talks, then=nothing, count=1)[0] == 0
