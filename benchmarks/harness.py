"""Starting servers on one core and loading them from the other."""

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "benchmarks"
SERVER_CORE, LOAD_CORE = "0", "1"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Peer:
    """A server: its name in the table, its command, and which workloads it takes part in."""

    name: str
    command: tuple[str, ...]
    workloads: frozenset[str]


@dataclass(frozen=True)
class Sample:
    """One round: requests a second, and CPU microseconds of the server for each."""

    rate: float
    cpu_us: float


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def serving(peer: Peer) -> Iterator[tuple[int, int]]:
    """Start a peer on its core; gives its port and process id, and ends it afterwards."""
    port = free_port()
    command = ["taskset", "-c", SERVER_CORE, *peer.command, str(port)]
    environment = {**os.environ, "GOMAXPROCS": "1", "PYTHONPATH": str(HERE / "peers")}
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        _await(process, port)
        yield port, process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(process.stderr.read().decode() if process.stderr else "it ended")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError("it does not listen")


def cpu_seconds(group: int) -> float:
    """CPU time of all processes of a process group so far."""
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == group:
                    total += int(fields[11]) + int(fields[12])
    return total / TICKS


def rss_bytes(pid: int) -> int:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(match[1]) * 1024 if match else 0


def load(command: list[str], pattern: str, seconds: int) -> float:
    """Run a load generator on its core; returns how many requests succeeded."""
    done = subprocess.run(
        ["taskset", "-c", LOAD_CORE, *command],
        capture_output=True,
        text=True,
        timeout=seconds * 4 + 30,
        check=False,
    )
    match = re.search(pattern, done.stdout)
    if match is None:
        raise RuntimeError(f"{command[0]}: {done.stdout[-300:]}{done.stderr[-300:]}")
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", done.stdout)
    if errors is not None:
        raise RuntimeError(f"{command[0]}: {errors[0]}")
    return float(match[1])


def measure(peer: Peer, command: list[str], pattern: str, seconds: int) -> Sample:
    """One round of one peer: a short warm-up, then the measured load."""
    with serving(peer) as (port, group):
        filled = [part.replace("{port}", str(port)) for part in command]
        warm = [part.replace("{seconds}", "1") for part in filled]
        load(warm, pattern, 1)
        before = cpu_seconds(group)
        begun = time.monotonic()
        count = load([part.replace("{seconds}", str(seconds)) for part in filled], pattern, seconds)
        took = time.monotonic() - begun
        spent = cpu_seconds(group) - before
        return Sample(count / min(took, seconds * 1.2), spent / count * 1e6)


def check(peer: Peer, path: str, body: bytes | None, expected: bytes) -> None:
    """Fail unless the peer's answer is right: a fast wrong answer is no figure."""
    with serving(peer) as (port, _):
        headers = {"Cookie": "session=abc"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            got = answer.read()
    if expected not in got:
        raise RuntimeError(f"{peer.name} answers {path} with {got[:80]!r}")


def median(values: list[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def more_descriptors() -> None:
    """Allow as many connections as the system does."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def python_with_peers() -> str:
    """An interpreter that has the Python peers and this tree's Eyewall."""
    venv = BUILD / "venv"
    python = venv / "bin" / "python"
    if not python.exists():
        print("Installing the Python peers")
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        needed = [str(HERE / "requirements.txt"), "msgspec"]
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", *needed], check=True)
    packages = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (Path(packages) / "eyewall-tree.pth").write_text(str(HERE.parent / "src"))
    return str(python)


def build_native() -> dict[str, str]:
    """Build the peers that are compiled; those whose tools are missing are left out."""
    BUILD.mkdir(parents=True, exist_ok=True)
    built: dict[str, str] = {}
    peers = HERE / "peers"
    recipes = {
        "limit": ["cc", "-O2", "-o", str(BUILD / "limit"), str(peers / "limit" / "server.c")],
        "go": ["go", "build", "-o", str(BUILD / "go"), str(peers / "go" / "main.go")],
        "hyper": [
            "cargo", "build", "--release", "--quiet",
            "--manifest-path", str(peers / "hyper" / "Cargo.toml"),
            "--target-dir", str(BUILD / "hyper-target"),
        ],
    }  # fmt: skip
    for name, recipe in recipes.items():
        if shutil.which(recipe[0]) is None:
            print(f"Left out: {name} ({recipe[0]} is not installed)")
            continue
        done = subprocess.run(recipe, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"Left out: {name} ({done.stderr.strip().splitlines()[-1:]})")
            continue
        where = (
            BUILD / "hyper-target" / "release" / "hyper-peer" if name == "hyper" else BUILD / name
        )
        built[name] = str(where)
    return built
