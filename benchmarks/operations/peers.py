"""The servers: how each is started with two workers, reloaded, suspended, and where its workers are."""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_PYTHON = (sys.executable, "-m")
_NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@dataclass(frozen=True)
class Peer:
    """A server that takes part.

    Attributes:
        name: What its row is called.
        module: What must be installed.
        command: How it is started; PORT, CONTROL and FOLDER stand for what they say.
        front: nginx stands before it.
        suspends: It can hold traffic.
    """

    name: str
    module: str
    command: tuple[str, ...]
    front: bool = False
    suspends: bool = False


def _gunicorn(bind: str, *more: str) -> tuple[str, ...]:
    return (*_PYTHON, "gunicorn", "--bind", bind, "--workers", "2", "--log-level", "error", *more)


_GTHREAD = ("--worker-class", "gthread", "--threads", "64")

PEERS = (
    Peer(
        "Eyewall",
        "eyewall",
        (*_PYTHON, "eyewall", "run", "programs:make_own", "--factory", "--workers", "2",
         "--port", "PORT", "--control", "CONTROL", "--no-access-log"),
        suspends=True,
    ),
    Peer(
        "nginx + gunicorn (gthread)",
        "gunicorn",
        _gunicorn("unix:FOLDER/app.sock", *_GTHREAD, "programs:wsgi"),
        front=True,
    ),
    Peer(
        "gunicorn (gthread)",
        "gunicorn",
        _gunicorn("127.0.0.1:PORT", *_GTHREAD, "--keep-alive", "75", "programs:wsgi"),
    ),
    Peer(
        "uvicorn",
        "uvicorn",
        (*_PYTHON, "uvicorn", "programs:asgi", "--workers", "2", "--port", "PORT",
         "--log-level", "error", "--no-access-log"),
    ),
    Peer(
        "Granian",
        "granian",
        (*_PYTHON, "granian", "--interface", "asgi", "--workers", "2", "--port", "PORT",
         "--no-access-log", "--log-level", "error", "--respawn-failed-workers", "programs:asgi"),
    ),
    Peer(
        "Hypercorn",
        "hypercorn",
        (*_PYTHON, "hypercorn", "--workers", "2", "--bind", "127.0.0.1:PORT",
         "--log-level", "ERROR", "programs:asgi"),
    ),
)  # fmt: skip


def installed() -> tuple[list[Peer], list[str]]:
    """Those that this machine can start, and a line for each that it cannot."""
    found, missing = [], []
    for peer in PEERS:
        if importlib.util.find_spec(peer.module) is None:
            missing.append(f"{peer.name}: {peer.module} is not installed")
        elif peer.front and _NGINX is None:
            missing.append(f"{peer.name}: nginx is not installed")
        else:
            found.append(peer)
    return found, missing


class Running:
    """A server that runs, with two workers."""

    def __init__(
        self, peer: Peer, process: "subprocess.Popen[bytes]", port: int, folder: Path
    ) -> None:
        self.peer = peer
        self.process = process
        self.url = f"http://127.0.0.1:{port}/"
        self._control = str(folder / "ctl")

    def workers(self) -> list[int]:
        """Processes that serve, oldest first."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = [int(pid) for pid in path.read_text().split()]
        return [pid for pid in children if "resource_tracker" not in _command_of(pid)]

    def reload(self, wait_s: float) -> bool:
        """Have new workers instead of these; False when the old ones are still there after a time."""
        old = set(self.workers())
        if self.peer.suspends:
            self._ctl("reload")
        else:
            self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            now = set(self.workers())
            if not old & now and len(now) >= 2:
                return True
            time.sleep(0.02)
        return False

    def suspend(self, for_s: float) -> None:
        """Hold the traffic for a time, as for a schema change."""
        self._ctl("suspend")
        time.sleep(for_s)
        self._ctl("resume")

    def kill_one(self, wait_s: float) -> bool:
        """Kill a worker; False when there are not two again within a time."""
        victim = self.workers()[0]
        os.kill(victim, signal.SIGKILL)
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            now = self.workers()
            if victim not in now and len(now) >= 2:
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.02)
        return False

    def _ctl(self, verb: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "eyewall", "ctl", verb, "--control", self._control],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return "resource_tracker"


@contextlib.contextmanager
def running(peer: Peer, workers: int = 2) -> Iterator[Running]:
    """Start a server, and end it with the block.

    Raises:
        RuntimeError: It does not serve.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as ends:
        folder = Path(name)
        words = {"PORT": str(port), "CONTROL": str(folder / "ctl"), "FOLDER": name}
        process = _start([_filled(part, words) for part in peer.command], folder)
        ends.callback(_end, process)
        if peer.front:
            (folder / "nginx.conf").write_text(_nginx_conf(port, folder))
            command = [str(_NGINX), "-c", str(folder / "nginx.conf"), "-p", name]
            ends.callback(_end, _start(command, folder))
        server = Running(peer, process, port, folder)
        _until_serving(server, folder, workers)
        yield server


def _filled(part: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        part = part.replace(word, value)
    return part


def _start(command: list[str], folder: Path) -> "subprocess.Popen[bytes]":
    paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    with (folder / "said").open("ab") as said:
        return subprocess.Popen(
            command, cwd=HERE, env=environment, stdin=subprocess.DEVNULL, stdout=said,
            stderr=said, start_new_session=True,
        )  # fmt: skip


def _end(process: "subprocess.Popen[bytes]") -> None:
    # The session is the server's own; Eyewall's workers have groups of their own, and end with it.
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=8)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _until_serving(server: Running, folder: Path, workers: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(server.url, timeout=5) as answer:
            if answer.status == 200 and len(server.workers()) >= workers:
                return
        time.sleep(0.05)
    words = (folder / "said").read_text(errors="replace").strip()
    raise RuntimeError(f"{server.peer.name} does not serve: {words[-500:]}")


def _nginx_conf(port: int, folder: Path) -> str:
    return f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 100000000;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    upstream app {{ server unix:{folder}/app.sock fail_timeout=0; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""
