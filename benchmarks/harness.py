"""Servers as processes: started on a core of their own, asked once, ended again."""

import contextlib
import http.client
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from servers import Server
from workloads import COOKIE, Workload, WrongAnswerError

_CORES: Final = sorted(os.sched_getaffinity(0))
SERVER_CORE: Final = _CORES[0]
LOAD_CORE: Final = _CORES[-1]

_START_S: Final = 20.0


class ServerFailedError(Exception):
    """A server ended, or never listened."""


def take_load_core() -> None:
    """Keep this process and the load generators that it starts off the servers' core.

    Allows as many open files as the system does, for the workloads with many connections, and
    makes SIGTERM end the run as Ctrl-C does, so that no server is left behind.
    """
    os.sched_setaffinity(0, {LOAD_CORE})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if SERVER_CORE == LOAD_CORE:
        print("One core only: servers and load share it, so the requests/s say little.")


def leave_load_core() -> None:
    """Let this process, and what it starts from now on, use all cores again."""
    os.sched_setaffinity(0, _CORES)


@contextlib.contextmanager
def serving(server: Server) -> Iterator[tuple[int, int]]:
    """Run a server while the block runs; gives its port and its session's id.

    Raises:
        ServerFailedError: It ended or did not listen; the message has its last words.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    environment = {
        **os.environ,
        "GOMAXPROCS": "1",
        "NODE_ENV": "production",
        "PYTHONPATH": str(Path(__file__).parent / "peers"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *server.command_on(port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=environment,
            start_new_session=True,
        )
        try:
            if not _listens(process, port):
                said.seek(0)
                words = said.read().decode(errors="replace").strip().splitlines()
                raise ServerFailedError(words[-1] if words else "it does not listen")
            yield port, process.pid
        finally:
            # The group is the server's own: its workers end with it, and nothing else does.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.02)
    return False


def check(server: Server, workload: Workload) -> None:
    """Ask the workload's question once, and twice on one connection where that is kept.

    Raises:
        WrongAnswerError: The answer is not the one that all must give.
        ServerFailedError: The server does not start.
    """
    with serving(server) as (port, _):
        try:
            if workload.tool == "h2load":
                _ask_http2(port, workload)
            else:
                _ask_http1(port, workload)
        except (OSError, ValueError, http.client.HTTPException) as exc:
            raise WrongAnswerError(f"{type(exc).__name__}: {exc}") from exc


def _ask_http1(port: int, workload: Workload) -> None:
    closing = "Connection: close" in workload.arguments
    sent = {"Connection": "close"} if closing else {}
    if workload.cookie:
        sent["Cookie"] = COOKIE
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        for _ in range(1 if closing else 2):
            method = "GET" if workload.posted is None else "POST"
            connection.request(method, workload.path, workload.posted, sent)
            answer = connection.getresponse()
            body = answer.read()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            workload.check(answer.status, headers, body)
            if _ended(connection, closing) is not closing:
                raise WrongAnswerError("keep-alive is not what was asked for")


def _ended(connection: http.client.HTTPConnection, closing: bool) -> bool:
    """Whether the server ended the connection; waits for that only where it was asked to."""
    # http.client drops the socket itself when the answer says so.
    if connection.sock is None or not closing:
        return connection.sock is None
    return connection.sock.recv(1) == b""


def _ask_http2(port: int, workload: Workload) -> None:
    curl = shutil.which("curl")
    if curl is None:
        raise WrongAnswerError("curl is needed to check HTTP/2")
    url = f"http://127.0.0.1:{port}{workload.path}"
    done = subprocess.run(
        [curl, "--silent", "--include", "--max-time", "10", "--http2-prior-knowledge", url],
        capture_output=True,
        check=False,
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/2 "):
        raise WrongAnswerError("it does not speak HTTP/2 by prior knowledge")
    pairs = (line.partition(":") for line in lines[1:])
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    workload.check(int(lines[0].split()[1]), headers, body)
