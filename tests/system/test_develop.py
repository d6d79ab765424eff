"""`eyewall dev` as processes: what goes wrong with programs while somebody writes them."""

import http.client
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support import eyewall

GOOD = """
import os
from eyewall import Application

def leave(request):
    os._exit(9)

app = Application([
    (r"/", lambda request: "GOOD"),
    (r"/pid", lambda request: str(os.getpid())),
    (r"/fail", lambda request: 1 / 0),
    (r"/leave", leave),
])
"""
# Says on a named pipe that it is being imported, and waits there for ever.
HANGS = """
import os, signal
with open(os.environ["STARTED"], "w") as started:
    started.write("hangs")
signal.pause()
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text(GOOD)
    return tmp_path


@pytest.fixture
def started(tmp_path):
    path = tmp_path / "started"
    os.mkfifo(path)
    return path


def get(url, accept="*/*"):
    """Status and text of an answer."""
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def develop(folder, *options, **more):
    return eyewall("dev", "--app-dir", str(folder), "--port", "0", *options, **more)


def test_an_error_in_a_handler_shows_its_source_to_a_browser_and_text_to_others(folder):
    with develop(folder) as server:
        url = server.url()
        status, page = get(url + "/fail", "text/html")
        assert status == 500
        assert "ZeroDivisionError" in page
        assert "<mark>" in page
        status, page = get(url + "/fail")
        assert page.startswith("Traceback")
        assert server.stop() == 0


def test_a_stop_during_a_start_that_hangs_is_carried_out(folder, started):
    (folder / "app.py").write_text(HANGS)
    with develop(folder, env={"STARTED": str(started)}) as server:
        assert started.read_text() == "hangs"
        assert server.stop() == 0


def test_a_change_during_a_start_that_hangs_starts_anew(folder, started):
    with develop(folder, env={"STARTED": str(started)}) as server:
        url = server.url()
        (folder / "app.py").write_text(HANGS)
        assert started.read_text() == "hangs"
        assert get(url) == (200, "GOOD")
        (folder / "app.py").write_text(GOOD.replace('"GOOD"', '"BETTER"'))
        server.wait_for("Stopped")
        assert get(url) == (200, "BETTER")
        assert server.stop() == 0


def test_the_page_about_a_broken_program_follows_the_next_attempt(folder):
    (folder / "app.py").write_text("\ndef broken(:")
    with develop(folder) as server:
        url = server.url()
        status, page = get(url)
        assert status == 500
        assert "app.py:2:" in page
        (folder / "app.py").write_text("\n\n\n1 / 0")
        server.wait_for("Stopped")
        assert "app.py:4: ZeroDivisionError" in get(url)[1]
        (folder / "app.py").write_text(GOOD)
        server.wait_for("Stopped")
        assert get(url) == (200, "GOOD")
        assert server.stop() == 0


def test_a_program_that_ends_by_itself_is_named_until_a_change_brings_it_back(folder):
    with develop(folder) as server:
        url = server.url()
        with pytest.raises((http.client.HTTPException, urllib.error.URLError, ConnectionError)):
            get(url + "/leave")
        server.wait_for("ended with exit code 9; waiting for a change")
        status, page = get(url)
        assert status == 500
        assert "exit code 9" in page
        (folder / "app.py").write_text(GOOD)
        server.wait_for("Stopped")
        assert get(url) == (200, "GOOD")
        assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_the_child_goes_when_the_parent_does(folder, number):
    with develop(folder, stdin=subprocess.DEVNULL) as server:
        get(server.url() + "/pid")
        # The children hold the log open: it ends when all of them are gone.
        server.popen.send_signal(number)
        assert server.end() == (0 if number == signal.SIGHUP else -number)
        assert "Stopped" in server.log[-1]


def test_options_that_nobody_can_use_end_the_command(folder):
    with develop(folder, "--trusted", "nowhere") as server:
        assert server.end() == 2
        assert len(server.log) == 1, server.log
        assert "nowhere" in server.log[0]


def test_without_reload_it_serves_with_error_pages_alone(folder):
    with develop(folder, "--no-reload") as server:
        url = server.url()
        assert "reloading" not in server.log[-1]
        assert "Traceback" in get(url + "/fail")[1]
        assert int(get(url + "/pid")[1]) == server.popen.pid
        assert server.stop() == 0


def test_run_with_reload_starts_anew_but_only_for_what_is_watched(folder):
    options = ("--reload", "--reload-include", "*.sql", "--reload-exclude", "generated*")
    with eyewall("run", "--app-dir", str(folder), "--port", "0", *options) as server:
        server.url()
        assert re.search(r"pid \d+, reloading", server.log[-1])
        (folder / "generated.py").write_text("")
        (folder / "schema.sql").write_text("")
        changed = server.wait_for("Changed: (.*); starting anew")[1]
        assert [Path(name).name for name in changed.split(", ")] == ["schema.sql"]
        server.wait_for("Stopped")
        assert server.stop() == 0


def test_a_unix_socket_is_gone_after_the_end(folder, tmp_path):
    path = tmp_path / "socket"
    with eyewall("dev", "--app-dir", str(folder), "--unix", str(path)) as server:
        server.wait_for("unix:")
        assert path.exists()
        assert server.stop() == 0
        assert not path.exists()
    (folder / "app.py").write_text("1 / 0")
    with eyewall("run", "--app-dir", str(folder), "--unix", str(path)) as server:
        assert server.end() == 3
        assert not path.exists()
