"""The recipes of examples/deploy, with the real programs."""

import configparser
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from websockets.sync.client import connect

from tests.support import ROOT, eyewall, require

DEPLOY = ROOT / "examples" / "deploy"
EYEWALL = [sys.executable, "-m", "eyewall"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def ask(url, data=None):
    with urllib.request.urlopen(url, data, timeout=20) as answer:
        return json.load(answer)


def until_answered(url, process):
    """Wait until somebody serves there."""
    while True:
        assert process.poll() is None
        try:
            return ask(url)
        except OSError:
            continue


@pytest.fixture
def behind_nginx(tmp_path):
    """The nginx recipe in front of two servers; gives its URL and the servers."""
    nginx = require("nginx")
    port = free_port()
    recipe = (DEPLOY / "nginx.conf").read_text()
    recipe = recipe.replace("/run/app", str(tmp_path)).replace(
        "listen 80", f"listen 127.0.0.1:{port}"
    )
    temporary = "".join(
        f"{name}_temp_path {tmp_path}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;"
        f"events {{}} http {{ access_log off; {temporary} {recipe} }}"
    )
    command = ("run", "app:app", "--app-dir", str(DEPLOY), "--unix")
    with (
        eyewall(*command, str(tmp_path / "1.sock")) as first,
        eyewall(*command, str(tmp_path / "2.sock")) as second,
    ):
        for server in (first, second):
            server.wait_for("serves")
        front = subprocess.Popen([nginx, "-p", str(tmp_path), "-c", str(config)])
        try:
            url = f"http://127.0.0.1:{port}"
            until_answered(url, front)
            yield url, (first, second)
        finally:
            front.terminate()
            front.wait(20)


def test_nginx_balances_and_names_the_client(behind_nginx):
    url, servers = behind_nginx
    answers = [ask(url) for _ in range(20)]
    assert {answer["pid"] for answer in answers} == {server.popen.pid for server in servers}
    assert {answer["ip"] for answer in answers} == {"127.0.0.1"}
    assert ask(url, b"x" * 3_000_000) == {"bytes": 3_000_000}


def test_websockets_and_event_streams_go_through_nginx(behind_nginx):
    url, _ = behind_nginx
    with connect(url.replace("http", "ws") + "/echo") as client:
        for message in ("hello", "x" * 100_000):
            client.send(message)
            assert client.recv(20) == message
    with urllib.request.urlopen(f"{url}/ticks", timeout=20) as stream:
        # The first event is there while the stream goes on.
        assert stream.readline() == b"id: 0\n"


def test_a_server_that_dies_costs_nothing_behind_nginx(behind_nginx):
    url, (first, second) = behind_nginx
    first.popen.send_signal(signal.SIGKILL)
    first.popen.wait(20)
    assert {ask(url)["pid"] for _ in range(10)} == {second.popen.pid}


def test_a_drain_behind_nginx_fails_no_request(behind_nginx):
    url, (first, second) = behind_nginx
    first.popen.send_signal(signal.SIGTERM)
    pids = {ask(url)["pid"] for _ in range(50)}
    assert first.popen.wait(20) == 0
    assert second.popen.pid in pids


def test_the_systemd_unit_is_sound(tmp_path):
    verify = require("systemd-analyze")
    unit = (DEPLOY / "app.service").read_text()
    command = re.search(r"ExecStart=(\S+)", unit)[1]
    version = subprocess.run([verify, "--version"], capture_output=True, text=True).stdout
    if int(version.split()[1]) < 253:
        unit = unit.replace("Type=notify-reload", "Type=notify")
    path = tmp_path / "app.service"
    path.write_text(unit.replace(command, sys.executable).replace("/srv/app", str(tmp_path)))
    done = subprocess.run([verify, "verify", "--man=no", path], capture_output=True, text=True)
    assert "app.service" not in done.stderr, done.stderr


def test_supervisor_starts_restarts_and_stops_it(tmp_path):
    recipe = (DEPLOY / "supervisor.conf").read_text()
    port = free_port()
    recipe = recipe.replace("/srv/app/.venv/bin/eyewall", shlex.join(EYEWALL))
    recipe = recipe.replace("/srv/app", str(DEPLOY))
    recipe = recipe.replace("--unix /run/app/1.sock", f"--port {port}")
    config = tmp_path / "supervisord.conf"
    config.write_text(
        f"[supervisord]\nnodaemon=true\nlogfile={tmp_path}/log\npidfile={tmp_path}/pid\n"
        f"childlogdir={tmp_path}\nuser={os.environ.get('USER', 'root')}\n{recipe}"
    )
    parser = configparser.ConfigParser(inline_comment_prefixes=None)
    parser.read_string(recipe)
    assert parser["program:app"]["stopsignal"] == "TERM"
    process = subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "-c", config],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def spawned():
        for line in process.stdout:
            if match := re.search(r"spawned: 'app' with pid (\d+)", line):
                return int(match[1])
        raise AssertionError("it was not started")

    try:
        first = spawned()
        url = f"http://127.0.0.1:{port}"
        assert until_answered(url, process)["pid"] != first
        os.kill(first, signal.SIGKILL)
        second = spawned()
        assert second != first
        assert until_answered(url, process)["ip"] == "127.0.0.1"
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=60)[0]
    assert re.search(r"stopped: app \((exit status 0|terminated by SIGTERM)\)", rest)


def test_the_container_s_command_serves(tmp_path):
    recipe = (DEPLOY / "Dockerfile").read_text()
    program, *arguments = json.loads(re.search(r"^CMD (\[.*\])$", recipe, re.MULTILINE)[1])
    assert program.endswith("/eyewall")
    port = str(free_port())
    arguments = [port if argument == "8000" else argument for argument in arguments]
    with eyewall(*arguments, cwd=DEPLOY) as server:
        server.wait_for("serves")
        assert ask(f"http://127.0.0.1:{port}")["scheme"] == "http"
        assert server.stop() == 0
