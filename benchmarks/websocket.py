"""WebSockets: what a message costs the server, beside others in the same run.

    python benchmarks/websocket.py [--seconds 3] [--rounds 3] [--only echo,broadcast,...]

Each server runs alone with its load; the figure is CPU time of the server's process for each
message or delivery, in microseconds, the median of the rounds. The load is a C program, compiled
with `cc`, so that it is not what is measured.
"""

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent / "peers" / "websocket"
SERVERS = (
    "eyewall",
    "eyewall+uvloop",
    "picows",
    "picows+uvloop",
    "aiohttp",
    "websockets",
    "tornado",
)
# The broadcast's members and message.
MEMBERS = 1000
BYTES = 100


def compiled(folder: str) -> str:
    """The load generator, compiled."""
    program = f"{folder}/load"
    subprocess.run(["cc", "-O2", "-o", program, str(HERE / "load.c")], check=True)
    return program


@contextlib.contextmanager
def serving(*command: str) -> Iterator[tuple[int, int]]:
    """A server's process: its number and its port."""
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdout=pipe, stderr=null, text=True) as process:
        pin(process.pid, 0)
        try:
            assert process.stdout is not None
            yield process.pid, int(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGKILL)


def pin(pid: int, which: int) -> None:
    """Give a process one core of its own, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(pid, {cores[which]})


def cpu_s(pid: int) -> float:
    """CPU time of a process's threads so far, in seconds."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def resident(pid: int) -> int:
    """Memory of a process in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measured(pid: int, load: list[str]) -> tuple[float, float]:
    """CPU microseconds of the server for each message, and messages a second."""
    with subprocess.Popen(load, stdout=subprocess.PIPE, text=True) as process:
        pin(process.pid, 1)
        assert process.stdout is not None
        if process.stdout.readline() != "start\n":
            raise RuntimeError(f"the load failed: {load}")
        before = cpu_s(pid)
        count, seconds = process.stdout.readline().split()
        after = cpu_s(pid)
    return (after - before) / int(count) * 1e6, int(count) / float(seconds)


def servers(task: str, size: int) -> Iterator[tuple[str, list[str]]]:
    """The servers and their commands."""
    for name in SERVERS:
        yield name, [sys.executable, str(HERE / "servers.py"), name, task, str(size)]


def table(title: str, rows: dict[str, list[tuple[float, float]]]) -> None:
    """Print the medians of a task."""
    print(f"\n{title}\n{'':24}{'CPU us':>8}{'spread':>14}{'rate/s':>12}")
    for name, samples in rows.items():
        costs = sorted(cost for cost, _ in samples)
        rate = statistics.median(rate for _, rate in samples)
        spread = f"{costs[0]:.2f}-{costs[-1]:.2f}"
        print(f"{name:24}{statistics.median(costs):8.2f}{spread:>14}{rate:12.0f}")


def echo(load: str, seconds: float, rounds: int) -> None:
    """Text of 32 bytes over 64 connections, each answered before the next."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for name, command in servers("echo", 32):
            with serving(*command) as (pid, port):
                sample = measured(pid, [load, "echo", str(port), "64", str(seconds), "32"])
            rows.setdefault(name, []).append(sample)
    table("echo of 32 bytes, 64 connections; per message", rows)


def broadcast(load: str, seconds: float, rounds: int, burst: int, task: str = "broadcast") -> None:
    """A message to 1,000 members, `burst` of them in a turn."""
    rows: dict[str, list[tuple[float, float]]] = {}
    size = 1000 if task == "deflate" else BYTES
    offer = "1" if task == "deflate" else "0"
    for _ in range(rounds):
        every = dict(servers(task, size))
        if task != "deflate":
            every = {"send() in C": [load, "limit", str(size)], **every}
        else:
            every = {name: every[name] for name in ("eyewall", "websockets", "tornado")}
        for name, command in every.items():
            with serving(*command) as (pid, port):
                arguments = [str(port), str(MEMBERS), str(seconds), str(burst), offer]
                sample = measured(pid, [load, "broadcast", *arguments])
            rows.setdefault(name, []).append(sample)
    table(f"{task} of {size} bytes to {MEMBERS}, {burst} a turn; per delivery", rows)


def idle(load: str) -> None:
    """Memory of 10,000 connections that nothing is sent on."""
    print("\n10,000 idle connections; bytes each")
    for name in ("eyewall", "picows", "websockets", "tornado"):
        command = [sys.executable, str(HERE / "servers.py"), name, "echo", "32"]
        with serving(*command) as (pid, port):
            subprocess.run(
                [load, "echo", str(port), "10", "0.1", "32"], check=True, stdout=subprocess.DEVNULL
            )
            before = resident(pid)
            hold = [load, "hold", str(port), "10000"]
            with subprocess.Popen(hold, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                process.stdout.readline()
                print(f"{name:24}{(resident(pid) - before) / 10000:8.0f}")
                process.kill()


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="echo,broadcast,burst,deflate,idle")
    options = parser.parse_args()
    wanted = options.only.split(",")
    with tempfile.TemporaryDirectory() as folder:
        load = compiled(folder)
        if "echo" in wanted:
            echo(load, options.seconds, options.rounds)
        if "broadcast" in wanted:
            broadcast(load, options.seconds, options.rounds, 1)
        if "burst" in wanted:
            broadcast(load, options.seconds, options.rounds, 8)
        if "deflate" in wanted:
            broadcast(load, options.seconds, options.rounds, 1, "deflate")
        if "idle" in wanted:
            idle(load)


if __name__ == "__main__":
    main()
