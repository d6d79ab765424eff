"""Eyewall beside its peers, in one run: `make bench`, or `python benchmarks/run.py --help`."""

import argparse
import datetime
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from harness import (
    HERE,
    Peer,
    Sample,
    build_native,
    check,
    measure,
    median,
    more_descriptors,
    python_with_peers,
    rss_bytes,
    serving,
)

WRK = ["wrk", "-t1", "-d{seconds}s"]
WRK_COUNT = r"(\d+) requests in"
H2_COUNT = r"(\d+) succeeded"
REALISTIC = "/users/7/items?page=2&q=hat"
ALL = frozenset({"hello", "hello-1000", "close", "json", "realistic", "echo", "large"})

# Name: what it is, the load's command, the path, a body to check with, what the answer holds.
WORKLOADS = {
    "hello": ("hello, 64 connections", [*WRK, "-c64"], "/", None, b"Hello, world"),
    "hello-1000": ("hello, 1,000 connections", [*WRK, "-c1000"], "/", None, b"Hello, world"),
    "close": (
        "hello, no keep-alive",
        [*WRK, "-c64", "-H", "Connection: close"],
        "/",
        None,
        b"Hello, world",
    ),
    "json": ("JSON", [*WRK, "-c64"], "/json", None, b"Hello, world"),
    "realistic": (
        "realistic handler",
        [*WRK, "-c64", "-H", "Cookie: session=abc"],
        REALISTIC,
        None,
        b"item 4",
    ),
    "echo": (
        "64 KiB POST echo",
        [*WRK, "-c64", "-s", str(HERE / "echo.lua")],
        "/echo",
        b"x" * 65536,
        b"x" * 65536,
    ),
    "large": ("1 MiB download", [*WRK, "-c16"], "/large", None, b"x" * (1 << 20)),
    "http2": (
        "HTTP/2, 32 connections of 10 streams",
        ["h2load", "-c32", "-m10", "-D{seconds}"],
        "/",
        None,
        b"Hello, world",
    ),
    "routes": ("hello among 1,000 routes", [*WRK, "-c64"], "/", None, b"Hello, world"),
}


def peers() -> list[Peer]:
    """All peers that this machine can run."""
    python = python_with_peers()
    native = build_native()
    script = str(HERE / "peers" / "python_peers.py")
    found: list[Peer] = []
    if "limit" in native:
        limit = frozenset({"hello", "hello-1000", "close"})
        found.append(Peer("C epoll, fixed answer (limit)", (native["limit"],), limit))
    for kind, workloads in {
        "bare": frozenset({"hello", "hello-1000", "close", "echo", "large", "http2"}),
        "class": ALL | {"http2"},
        "async": frozenset({"hello"}),
        "function": frozenset({"hello"}),
        "routes": frozenset({"routes"}),
    }.items():
        found.append(Peer(f"Eyewall, {kind}", (python, script, f"eyewall-{kind}"), workloads))
    if "hyper" in native:
        served = frozenset({"hello", "hello-1000", "close", "json", "echo", "large", "http2"})
        found.append(Peer("hyper alone", (native["hyper"],), served))
    if "go" in native:
        found.append(Peer("Go net/http", (native["go"],), ALL | {"http2"}))
    if shutil.which("node"):
        found.append(Peer("Node http", ("node", str(HERE / "peers" / "node.js")), ALL))
    else:
        print("Left out: Node (node is not installed)")
    names = {
        "granian": "Granian RSGI",
        "uvicorn": "uvicorn raw ASGI",
        "aiohttp": "aiohttp",
        "starlette": "Starlette on uvicorn",
        "tornado": "Tornado",
    }
    found.extend(Peer(name, (python, script, key), ALL) for key, name in names.items())
    return found


def run_workload(
    key: str, everyone: list[Peer], rounds: int, seconds: int
) -> dict[str, list[Sample]]:
    """Interleaved rounds of all peers; those that fail are named and left out."""
    _, command, path, body, expected = WORKLOADS[key]
    pattern = H2_COUNT if key == "http2" else WRK_COUNT
    command = [*command, f"http://127.0.0.1:{{port}}{path}"]
    taking = [
        peer
        for peer in everyone
        if key in peer.workloads or (key == "routes" and peer.name == "Eyewall, class")
    ]
    samples: dict[str, list[Sample]] = {}
    for peer in list(taking):
        try:
            check(peer, path, body, expected)
        except (RuntimeError, OSError) as exc:
            print(f"Left out of {key}: {peer.name} ({str(exc).strip().splitlines()[-1:]})")
            taking.remove(peer)
    for number in range(rounds):
        for peer in taking:
            print(f"\r{key}: round {number + 1}, {peer.name:40}", end="", flush=True)
            try:
                samples.setdefault(peer.name, []).append(measure(peer, command, pattern, seconds))
            except (RuntimeError, subprocess.TimeoutExpired) as exc:
                print(f"\n{peer.name}: {exc}")
    print("\r" + " " * 70, end="\r")
    return samples


def table(key: str, samples: dict[str, list[Sample]]) -> str:
    """The medians as a table in Markdown."""
    samples = {name: rows for name, rows in samples.items() if rows}
    limit = next((rows for name, rows in samples.items() if "limit" in name), None)
    ours = samples.get("Eyewall, class") or samples.get("Eyewall, bare")
    lines = [
        f"### {WORKLOADS[key][0]}",
        "",
        "| server | requests/s | CPU µs/request | spread | to the limit | to Eyewall |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, rows in sorted(samples.items(), key=lambda item: median([s.cpu_us for s in item[1]])):
        costs = [sample.cpu_us for sample in rows]
        cost = median(costs)
        to_limit = f"{cost / median([s.cpu_us for s in limit]):.2f}" if limit else ""
        to_ours = f"{cost / median([s.cpu_us for s in ours]):.2f}" if ours else ""
        rate = median([sample.rate for sample in rows])
        lines.append(
            f"| {name} | {rate:,.0f} | {cost:.1f} | {min(costs):.1f} to {max(costs):.1f} "
            f"| {to_limit} | {to_ours} |"
        )
    return "\n".join(lines) + "\n"


def idle(everyone: list[Peer]) -> str:
    """Memory of 10,000 idle keep-alive connections, each."""
    lines = [
        "### 10,000 idle keep-alive connections",
        "",
        "| server | bytes each |",
        "| --- | ---: |",
    ]
    wanted = {"Eyewall, class", "hyper alone", "Tornado", "Go net/http"}
    request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    for peer in [peer for peer in everyone if peer.name in wanted]:
        with serving(peer) as (port, pid):
            pid = server_process(pid)
            # The first connections make what is made once.
            for sock in connect(port, 100, request):
                sock.close()
            before = rss_bytes(pid)
            sockets = connect(port, 10_000, request)
            each = (rss_bytes(pid) - before) / len(sockets)
            for sock in sockets:
                sock.close()
        lines.append(f"| {peer.name} | {each:,.0f} |")
    return "\n".join(lines) + "\n"


def server_process(group: int) -> int:
    """The process of a group that serves: taskset has become it."""
    return group


def connect(port: int, count: int, request: bytes) -> list[socket.socket]:
    """Connections that have each had one answer, from several loopback addresses."""
    sockets: list[socket.socket] = []
    for number in range(count):
        sock = socket.socket()
        sock.bind((f"127.0.0.{2 + number % 8}", 0))
        sock.connect(("127.0.0.1", port))
        sock.sendall(request)
        if not sock.recv(4096).startswith(b"HTTP/1.1 200"):
            raise RuntimeError("no answer")
        sockets.append(sock)
    return sockets


def longpoll(everyone: list[Peer]) -> str:
    """How long until 10,000 waiting requests have their answers after one event."""
    bare = next(peer for peer in everyone if peer.name == "Eyewall, bare")
    waiting = Peer("Eyewall", (*bare.command[:-1], "eyewall-wait"), frozenset())
    with serving(waiting) as (port, _):
        sockets = []
        for number in range(10_000):
            sock = socket.socket()
            sock.bind((f"127.0.0.{2 + number % 8}", 0))
            sock.connect(("127.0.0.1", port))
            sock.sendall(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            sockets.append(sock)
        time.sleep(0.5)
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", port)) as event:
            event.sendall(b"GET /event HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            for sock in sockets:
                if not sock.recv(4096).endswith(b"news"):
                    raise RuntimeError("no news")
        took = time.monotonic() - begun
        for sock in sockets:
            sock.close()
    return (
        "### 10,000 waiting requests answered after one event\n\n"
        f"The last one had its answer after {took * 1000:.0f} ms.\n"
    )


def machine() -> str:
    """What was measured, where and when."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True, text=True, check=False, cwd=HERE,
    ).stdout.strip()  # fmt: skip
    freeze = subprocess.run(
        [python_with_peers(), "-m", "pip", "list", "--format=freeze"],
        capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    wanted = ("aiohttp=", "granian=", "starlette=", "tornado=", "uvicorn=", "uvloop=", "httptools=")
    versions = ", ".join(line for line in freeze if line.lower().startswith(wanted))
    today = datetime.datetime.now(datetime.UTC).date()
    return (
        f"Measured on {today}, commit {commit}, {os.cpu_count()} cores of {model}, "
        f"Linux {platform.release()}, Python {platform.python_version()}.\n{versions}.\n\n"
        f"Command: `python benchmarks/run.py {' '.join(sys.argv[1:])}`\n"
    )


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = [*WORKLOADS, "idle", "longpoll"]
    parser.add_argument("--workload", action="append", choices=kinds)
    parser.add_argument("--peer", action="append", help="part of a name; may be repeated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="one round of one second")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    options = parser.parse_args()
    rounds, seconds = (1, 1) if options.quick else (options.rounds, options.seconds)
    for tool in ("wrk", "h2load", "taskset"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is needed; on Debian: apt-get install wrk nghttp2-client util-linux")
    more_descriptors()
    everyone = peers()
    if options.peer:
        everyone = [
            peer for peer in everyone if any(part in peer.name.lower() for part in options.peer)
        ]
    parts = [machine()]
    for kind in options.workload or kinds:
        if kind == "idle":
            parts.append(idle(everyone))
        elif kind == "longpoll":
            parts.append(longpoll(everyone))
        else:
            parts.append(table(kind, run_workload(kind, everyone, rounds, seconds)))
        print(parts[-1])
        if options.markdown:
            options.markdown.write_text("# Results\n\n" + "\n".join(parts))


if __name__ == "__main__":
    main()
