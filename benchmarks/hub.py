"""The hub: what a delivery costs by each way to a client, and how long one takes through a backplane.

    python benchmarks/hub.py [--members 1000] [--messages 200] [--only fanout,polls,backplanes]

`fanout` is CPU time of the server's process for each delivery of a message of some 100 bytes,
published one at a time; the peer is a WebSocket group in the same server. `polls` is the time from
a publication to the last of 10,000 answers. `backplanes` is the time from a publication to each of
1,000 subscribers in each of 4 processes, which all publish, some 20 messages a second together.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import resource
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

SERVER = Path(__file__).parent / "peers" / "hub" / "servers.py"
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


@contextlib.contextmanager
def serving(kind: str, url: str | None = None) -> Iterator[tuple[int, int]]:
    """A server's process: its number and its port."""
    command = [sys.executable, str(SERVER), kind, *([url] if url else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.pid, int(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGKILL)


def cpu_s(pid: int) -> float:
    """CPU time of a process's threads so far, in seconds."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def post(port: int, path: str, body: bytes = b"") -> None:
    """Ask the server to publish."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", body, timeout=120) as answer:
        answer.read()


class Members:
    """Connections that are read as fast as possible."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.count = 0
        self.sockets: list[socket.socket] = []

    def join(self, port: int, count: int, *, query: str = "", more: str = "") -> None:
        """Open connections; each has its first answer, or is on the way to it, at the end."""
        head = f"GET /{query} HTTP/1.1\r\nHost: h\r\n{more}\r\n".encode()
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.sendall(head)
            sock.setblocking(False)
            self.sockets.append(sock)
            self.selector.register(sock, selectors.EVENT_READ)

    def read(self, seconds: float) -> Iterator[bytes]:
        """What comes until nothing has come for so long."""
        while ready := self.selector.select(seconds):
            for key, _ in ready:
                assert isinstance(key.fileobj, socket.socket)
                with contextlib.suppress(BlockingIOError):
                    yield key.fileobj.recv(1 << 18)

    def close(self) -> None:
        """Close the connections."""
        for sock in self.sockets:
            sock.close()
        self.selector.close()


def fanout(members: int, messages: int, rounds: int) -> None:
    """CPU of the server for each delivery."""
    print(f"{messages} messages to {members}, one at a time; server's CPU us per delivery")
    costs: dict[str, list[float]] = {"websocket": [], "events": []}
    for _ in range(rounds):
        for kind, samples in costs.items():
            with serving(kind) as (pid, port):
                group = Members()
                group.join(port, members, more=UPGRADE if kind == "websocket" else "")
                for _ in group.read(0.3):
                    pass
                # One message, so that all have found their place.
                post(port, "/publish", b"1")
                for _ in group.read(0.3):
                    pass
                before, size = cpu_s(pid), 0
                post(port, "/publish", str(messages).encode())
                for data in group.read(0.5):
                    size += data.count(b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
                samples.append((cpu_s(pid) - before) / (messages * members) * 1e6)
                # A message split between two readings may be counted in neither.
                if size < 0.98 * messages * members:
                    raise RuntimeError(f"only {size} deliveries of {messages * members}")
                group.close()
    for kind, samples in costs.items():
        print(f"{kind:12}{statistics.median(samples):8.2f}   {min(samples):.2f}-{max(samples):.2f}")


def polls(waiters: int) -> None:
    """Time until all who wait are answered."""
    with serving("poll") as (pid, port):
        first = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read()
        since = first.split(b'"')[3].decode()
        group = Members()
        group.join(port, waiters, query=f"?since={since}")
        # All requests have arrived when the server has nothing more to do.
        used = -1.0
        while cpu_s(pid) > used:
            used = cpu_s(pid)
            time.sleep(0.3)
        began, answered = time.monotonic(), 0
        post(port, "/stamp", b"1")
        for data in group.read(2):
            answered += data.startswith(b"HTTP/1.1 200")
            if answered == waiters:
                break
        print(f"{answered} of {waiters} long polls answered {time.monotonic() - began:.3f} s after")
        group.close()


def backplane(name: str, url: str, messages: int) -> None:
    """Time from publication to each subscriber, in other processes too."""
    processes = 4
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(serving("inside", url))[1] for _ in range(processes)]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            each = str(messages // processes).encode()
            list(pool.map(lambda port: post(port, "/stamp", each), ports))
        time.sleep(1)
        delays: list[float] = []
        for port in ports:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
                delays += json.load(answer)["delays"]
    wanted = messages // processes * processes * processes * 1000
    delays.sort()
    middle, late = delays[len(delays) // 2] * 1e3, delays[int(len(delays) * 0.99)] * 1e3
    print(
        f"{name:8}{middle:8.2f} ms median{late:8.2f} ms p99   {len(delays)} of {wanted} delivered"
    )


def backplanes(messages: int) -> None:
    """Every backplane whose server is installed."""
    print("4 processes of 1000 subscribers each, all publish; publication to subscriber")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        local = (
            "import asyncio, sys\n"
            "from eyewall.pubsub.backends.local_server import LocalBackplaneServer\n"
            "async def main():\n"
            "    await LocalBackplaneServer(sys.argv[1]).start()\n"
            "    await asyncio.Event().wait()\n"
            "asyncio.run(main())\n"
        )
        servers = {
            "local": ([sys.executable, "-c", local, f"{folder}/hub"], f"local:{folder}/hub"),
            "redis": (
                ["redis-server", "--port", "0", "--unixsocket", f"{folder}/redis", "--save", ""],
                f"unix://{folder}/redis",
            ),
            "nats": (
                ["nats-server", "-a", "127.0.0.1", "-p", "42230", "-js", "-sd", folder],
                "nats://127.0.0.1:42230",
            ),
        }
        for name, (command, url) in servers.items():
            try:
                process = subprocess.Popen(command, **quiet, cwd=folder)
            except FileNotFoundError:
                print(f"{name:8}is not installed")
                continue
            time.sleep(1)
            try:
                backplane(name, url, messages)
            finally:
                process.kill()
                process.wait()
        backplane("sqlite", f"sqlite:///{folder}/hub.db", messages)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="fanout,polls,backplanes")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.environ.pop("EYEWALL_HUB", None)
    wanted = options.only.split(",")
    if "fanout" in wanted:
        fanout(options.members, options.messages, options.rounds)
    if "polls" in wanted:
        polls(10_000)
    if "backplanes" in wanted:
        backplanes(options.messages)


if __name__ == "__main__":
    main()
