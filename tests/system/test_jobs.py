"""Scheduled jobs of a server with several workers."""

import os
import signal

import pytest

from tests.support import eyewall
from tests.system.test_supervisor import ctl, until

APP = """
import os
from pathlib import Path
from eyewall import Application

app = Application([(r"/", lambda request: "hello")])

def note(name):
    with open(Path(__file__).with_name(name), "a") as file:
        file.write(f"{os.getpid()}\\n")

@app.every("100ms")
async def shared():
    note("shared")

@app.every("100ms", once_per="worker")
def each():
    note("each")
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    own = ("--control", str(tmp_path / "ctl"), "--app-dir", str(tmp_path), "--port", "0")

    def run(*args):
        lock = ("--jobs-lock", str(tmp_path / "lock"))
        return eyewall("run", *own, *lock, *args)

    return run


def pids(folder, name):
    file = folder / name
    return [int(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_one_worker_runs_shared_jobs_and_another_takes_over(run, tmp_path):
    with run("--workers", "2") as server:
        server.url()
        until(lambda: len(set(pids(tmp_path, "each"))) == 2, "not all workers run their own jobs")
        until(lambda: len(pids(tmp_path, "shared")) >= 5, "nobody runs the shared job")
        [leader] = set(pids(tmp_path, "shared"))
        os.kill(leader, signal.SIGKILL)
        until(lambda: pids(tmp_path, "shared")[-1] != leader, "nobody took over")
        ctl(tmp_path, "reload")
        serving = {each["pid"] for each in ctl(tmp_path, "workers") if each["state"] == "ready"}
        until(lambda: pids(tmp_path, "shared")[-1] in serving, "the new workers do not take over")
        assert server.stop() == 0


def test_jobs_can_be_left_to_others(run, tmp_path):
    with run("--no-jobs") as server:
        server.url()
        assert server.stop() == 0
    assert pids(tmp_path, "each") == []
