"""What the gate costs a request while nothing is suspended, and what more processes bring.

    python benchmarks/operations/costs.py

The gate is compared by asking an application directly and through a server whose gate has been
closed and opened again; processes are 1, 2 and 4 workers under wrk, with work of 1 ms of CPU in
each request, so that the load generator takes little of the machine.
"""

import asyncio
import os
import re
import socket
import statistics
import subprocess
import sys
import time

from peers import PEERS, Peer, running

ROUNDS = 12


def gate_cost() -> tuple[float, float]:
    """CPU microseconds of a request with and without a gate: the least of rounds that take turns."""
    from eyewall.http.server import HTTPServer
    from eyewall.ops.gate import Gate

    def answer(exchange):
        exchange.respond(200, {}, b"hello")

    async def round_of(*, gated: bool) -> float:
        server = HTTPServer(answer)
        port = server.listen(0, "127.0.0.1")[0].getsockname()[1]
        if gated:
            gate = Gate(server)
            gate.close()
            gate.open()
            await asyncio.sleep(0.05)
        command = ["wrk", "-t1", "-c16", "-d1", f"http://127.0.0.1:{port}/"]
        before = time.process_time()
        load = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        text = (await load.communicate())[0].decode()
        spent = time.process_time() - before
        server.close()
        asked = re.search(r"(\d+) requests in", text)
        return spent / int(asked[1]) * 1e6 if asked else float("nan")

    plain, gated = [], []
    for _ in range(ROUNDS):
        plain.append(asyncio.run(round_of(gated=False)))
        gated.append(asyncio.run(round_of(gated=True)))
    # What else runs on the machine only ever adds.
    return min(plain), min(gated)


def with_workers(workers: int, program: str) -> Peer:
    """Eyewall with that many workers of another program."""
    own = PEERS[0]
    command = [part if part != "2" else str(workers) for part in own.command]
    command = [part.replace("make_own", program) for part in command]
    return Peer(own.name, own.module, tuple(command), suspends=True)


def ending() -> tuple[float, bytes]:
    """Seconds from SIGTERM to the end of a server with an open event stream, and its last words."""
    with running(with_workers(2, "make_events"), 2) as server:
        port = int(server.url.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
            text = b""
            while b"data: first" not in text:
                text += client.recv(1000)
            began = time.monotonic()
            server.process.terminate()
            server.process.wait()
            took = time.monotonic() - began
            return took, client.recv(1000)


def throughput(workers: int) -> float:
    """Requests a second of that many workers, each request 1 ms of CPU."""
    peer = with_workers(workers, "make_busy")
    with running(peer, workers) as server:
        report = subprocess.run(
            ["wrk", "-t1", "-c32", "-d3", server.url], capture_output=True, text=True, check=True
        ).stdout
    found = re.search(r"Requests/sec:\s+([0-9.]+)", report)
    return float(found[1]) if found else float("nan")


def main() -> None:
    """Measure, and print."""
    plain, gated = gate_cost()
    print(
        f"A request costs {plain:.2f} us without a gate and {gated:.2f} us with one that is open:"
    )
    print(f"  {gated - plain:+.2f} us")
    ends = [ending() for _ in range(3)]
    print(
        f"With an open event stream it ends after {statistics.median(t for t, _ in ends):.2f} s; the client"
    )
    print(f"  has heard {ends[0][1]!r}")
    cores = len(os.sched_getaffinity(0))
    one = statistics.median(throughput(1) for _ in range(3))
    print(f"{cores} cores, shared with the load; 1 worker: {one:,.0f} requests/s")
    for count in (2, 4):
        many = statistics.median(throughput(count) for _ in range(3))
        print(f"  {count} workers: {many:,.0f} requests/s, {many / one:.2f} times one")


if __name__ == "__main__":
    sys.exit(main())
