"""What a request through Redis costs more than one served directly: medians of single requests.

    python benchmarks/operations/dispatch.py

One client asks a server, and a front with a worker behind Redis, in turns of 200 requests.
"""

import http.client
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TURNS = 10
IN_A_TURN = 200
PROGRAM = "from eyewall import Application\napp = Application([('/', lambda request: 'hello')])\n"


def start(*args: str) -> "subprocess.Popen[str]":
    """Start an `eyewall` process, and wait for its first line."""
    common = ("--no-access-log", "--control", "off")
    command = [sys.executable, "-m", "eyewall", *args, *common]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    process.banner = process.stderr.readline()  # type: ignore[attr-defined,union-attr]
    return process


def port_of(process: "subprocess.Popen[str]") -> int:
    """The port that its banner names."""
    return int(re.search(r"127\.0\.0\.1:(\d+)", process.banner)[1])  # type: ignore[attr-defined,index]


def ask(connection: http.client.HTTPConnection) -> list[float]:
    """Milliseconds of each request of a turn."""
    times = []
    for _ in range(IN_A_TURN):
        began = time.perf_counter()
        connection.request("GET", "/")
        connection.getresponse().read()
        times.append((time.perf_counter() - began) * 1000)
    return times


def main() -> None:
    """Measure, and print."""
    if shutil.which("redis-server") is None:
        sys.exit("redis-server is not installed")
    with tempfile.TemporaryDirectory() as name:
        Path(name, "app.py").write_text(PROGRAM)
        place = f"{name}/redis.sock"
        options = ["--port", "0", "--unixsocket", place, "--save", "", "--dir", name]
        processes = [subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)]
        try:
            while not Path(place).exists():
                time.sleep(0.05)
            direct = start("run", "--app-dir", name, "--port", "0")
            front = start("front", "--redis", f"unix://{place}", "--port", "0")
            worker = start("run", "--app-dir", name, "--from-redis", f"unix://{place}")
            processes += [direct, front, worker]
            ways = {
                "direct": http.client.HTTPConnection("127.0.0.1", port_of(direct)),
                "dispatched": http.client.HTTPConnection("127.0.0.1", port_of(front)),
            }
            times: dict[str, list[float]] = {way: [] for way in ways}
            for turn in range(TURNS + 1):
                for way, connection in ways.items():
                    found = ask(connection)
                    if turn:
                        times[way] += found
            for way, found in times.items():
                cut = statistics.quantiles(found, n=100)
                print(f"{way:10}  median {cut[49]:.2f} ms, 95th percentile {cut[94]:.2f} ms")
            added = statistics.median(times["dispatched"]) - statistics.median(times["direct"])
            print(f"added: {added:.2f} ms in the median")
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
