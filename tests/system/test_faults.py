"""What goes wrong in production, on purpose: nothing that was accepted is lost, and each is said once."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import eyewall, require
from tests.system.faults import Askers, ctl, get, until, workers_of

APP = """
import os, time
from eyewall import Application

kept = []

def leak(request):
    kept.append(bytearray(os.urandom(1024)) * 8192)
    return "leaked"

def hang(request):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pass

app = Application([(r"/", lambda request: f"VERSION {os.getpid()}"), (r"/leak", leak), (r"/hang", hang)])
"""

# An hour is added to what the program is told of the calendar's clock while the file says so.
CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/time.h>

static long offset(void) {
    char text[32] = {0};
    int fd = open(getenv("CLOCK_OFFSET"), O_RDONLY);
    if (fd >= 0) { if (read(fd, text, 31) < 0) text[0] = 0; close(fd); }
    return atol(text);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, at);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) at->tv_sec += offset();
    return result;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def run(folder):
    def run(*args, workers=2, **options):
        command = ("run", "--app-dir", str(folder), "--port", "0")
        own = ("--workers", str(workers), "--control", str(folder / "ctl"))
        return eyewall(*command, *own, *args, **options)

    return run


def test_a_worker_that_hangs_takes_only_its_own_requests_with_it(folder, run):
    with run("--worker-timeout", "3", "--no-access-log") as server:
        url = server.url()
        with socket.create_connection(url.removeprefix("http://").split(":")) as client:
            client.sendall(b"GET /hang HTTP/1.1\r\nHost: h\r\n\r\n")
            stuck = server.wait_for(r"Worker (\d+) was stuck for \d s and is killed")[1]
            server.wait_for("was ended by SIGABRT and is replaced")
            assert client.recv(100) == b""
        until(lambda: len(workers_of(folder)) == 2, "no new worker")
        assert stuck not in {str(each["pid"]) for each in workers_of(folder)}
        assert len([line for line in server.log if "was stuck" in line]) == 1
        assert {get(url).split()[0] for _ in range(20)} == {"VERSION"}


def test_a_worker_that_leaks_is_replaced_before_it_takes_the_machine(folder, run):
    with run("--max-memory", "150", "--no-access-log", workers=1) as server:
        url = server.url()
        asking = Askers(url, 2)
        first = workers_of(folder)[0]["pid"]
        for _ in range(20):
            assert get(f"{url}/leak") == "leaked"
        found = server.wait_for(r"Worker (\d+) is replaced at (\d+) MiB")
        assert int(found[1]) == first
        assert int(found[2]) > 150
        server.wait_for("Stopped")
        answers, failures = asking.stop()
        assert failures == []
        assert {status for status, _ in answers} == {200}
        assert workers_of(folder)[0]["pid"] != first


def test_a_program_that_dies_at_import_is_tried_again_until_it_is_mended(folder, run):
    with run("--no-access-log") as server:
        url = server.url()
        asking = Askers(url, 2)
        (folder / "app.py").write_text("raise OSError('the database is away')")
        os.kill(workers_of(folder)[0]["pid"], signal.SIGKILL)
        server.wait_for("was ended by SIGKILL and is replaced")
        for _ in range(2):
            server.wait_for("importing 'app' failed: .*app.py:1: OSError: the database is away")
            server.wait_for("did not start: it exited with code 3")
        (folder / "app.py").write_text(APP)
        until(lambda: len(workers_of(folder)) == 2, "the mended program does not serve")
        answers, failures = asking.stop()
        # Only what the killed worker had accepted or had in its queue may fail.
        assert len(failures) <= 2
        assert {status for status, _ in answers} == {200}
        assert not any("Traceback" in line for line in server.log)


def test_a_full_disk_for_logs_costs_no_request(folder):
    with Path("/dev/full").open("w") as full:
        port = _free_port()
        command = ("run", "--app-dir", str(folder), "--port", str(port), "--workers", "2")
        process = subprocess.Popen(
            [sys.executable, "-m", "eyewall", *command, "--control", str(folder / "ctl")],
            stdout=full,
            stderr=full,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: _serves(url), "it does not serve")
            asking = Askers(url, 4)
            # Each of these is worth a log line, which has nowhere to go.
            os.kill(workers_of(folder)[0]["pid"], signal.SIGKILL)
            until(lambda: len(workers_of(folder)) == 2, "no new worker")
            assert ctl(folder, "reload")["generation"] == 2
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"nonsense\r\n\r\n")
                assert client.recv(100).startswith(b"HTTP/1.1 400 ")
            answers, failures = asking.stop()
            assert len(failures) <= 4
            assert {status for status, _ in answers} == {200}
            process.terminate()
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
            process.wait()


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _serves(url):
    try:
        return get(url, timeout=2)
    except OSError:
        return False


def test_jumps_of_the_clock_lose_nothing_and_kill_nobody(folder, run, tmp_path):
    library, offset = tmp_path / "clock.so", tmp_path / "offset"
    (tmp_path / "clock.c").write_text(CLOCK)
    offset.write_text("0")
    compiler = require("gcc")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", library, tmp_path / "clock.c", "-ldl"], check=True
    )
    environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}
    with run("--worker-timeout", "2", "--no-access-log", env=environment) as server:
        url = server.url()
        before = {each["pid"] for each in workers_of(folder)}
        asking = Askers(url, 4)
        for seconds in (86_400, -86_400, 400 * 86_400):
            offset.write_text(str(seconds))
            suspended = ctl(folder, "suspend", "--for", "30s")
            assert suspended["suspended"] is True
            assert ctl(folder, "resume")["released"] >= 0
            assert get(url).startswith("VERSION")
        answers, failures = asking.stop()
        assert failures == []
        assert {status for status, _ in answers} == {200}
        assert {each["pid"] for each in workers_of(folder)} == before
