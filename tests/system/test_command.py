"""The `eyewall` command as a process: start, stop, failures, reload."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
import trustme

from tests.support import Process, eyewall

APP = """
import asyncio
from eyewall import Application

async def slow(request):
    print("running", flush=True)
    await asyncio.sleep(0.3)
    return "slow"

async def stream(request):
    exchange = request.exchange
    exchange.start(200, {"Content-Type": "text/event-stream"})
    exchange.write(b"data: 1\\n\\n")
    await asyncio.sleep(600)

app = Application([(r"/", lambda request: "VERSION"), (r"/slow", slow), (r"/stream", stream)])

def make_app():
    return app
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def get(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()


def test_it_serves_says_where_and_stops(folder):
    with eyewall("run", "app:app", "--app-dir", str(folder), "--port", "0") as server:
        url = server.url()
        assert get(url) == "VERSION"
        assert server.stop() == 0
        assert any("200 GET / (127.0.0.1)" in line for line in server.log)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_a_running_request_finish(folder, number):
    with eyewall("run", "--app-dir", str(folder), "--port", "0", stdout=subprocess.PIPE) as server:
        host, port = server.url().removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port))
        connection.request("GET", "/slow")
        assert server.popen.stdout.readline() == "running\n"
        server.popen.send_signal(number)
        assert connection.getresponse().read() == b"slow"
        connection.close()
        assert server.end() == 0


def test_a_second_signal_is_quick(folder):
    with eyewall("run", "--app-dir", str(folder), "--port", "0") as server:
        answer = urllib.request.urlopen(server.url() + "/stream", timeout=20)
        assert answer.readline() == b"data: 1\n"
        server.popen.send_signal(signal.SIGTERM)
        server.wait_for("still running")
        assert server.stop() == 0
        answer.close()


def test_the_graceful_time_is_an_option(folder):
    options = ("--timeout-graceful-shutdown", "0.1", "--no-access-log", "--log-format", "json")
    with eyewall("run", "--app-dir", str(folder), "--port", "0", *options) as server:
        answer = urllib.request.urlopen(server.url() + "/stream", timeout=20)
        answer.readline()
        assert server.stop() == 0
        answer.close()
        assert json.loads(server.log[-1])["message"] == "Stopped"


@pytest.mark.parametrize(
    ("target", "text", "message"),
    [
        ("nothing:app", None, "there is no module 'nothing'"),
        ("app:nothing", None, "has no attribute 'nothing'"),
        ("app.py:app", None, "is a file; name the module"),
        ("app:app", "def broken(:", "app.py:1:"),
        ("app:app", "import nothing_of_that_name", "app.py:1: ModuleNotFoundError"),
        ("app:app", "1 / 0", "app.py:1: ZeroDivisionError"),
        ("app:app", "app = 7", "which is no application"),
        ("app", "x = 1", "name one: MODULE:NAME"),
    ],
)
def test_a_program_that_does_not_start_gets_one_line(folder, target, text, message):
    if text is not None:
        (folder / "app.py").write_text(text)
    process = Process("run", target, "--app-dir", str(folder), "--port", "0")
    assert process.end() == 3
    assert len(process.log) == 1, process.log
    assert message in process.log[0]


def test_a_taken_port_and_wrong_options_get_one_line(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = Process("run", "--app-dir", str(folder), "--port", port)
        assert process.end() == 3
        assert process.log == [
            f"eyewall: 127.0.0.1:{port} is taken: another process listens there\n"
        ]
    for options in (["--certfile", "/nowhere"], ["--bind", "x"], ["--fd", "99"]):
        process = Process("run", "--app-dir", str(folder), *options)
        assert process.end() == 3
        assert len(process.log) == 1
    process = Process("run", "--app-dir", str(folder), "--port", "0", "--trusted", "nowhere")
    assert process.end() == 2
    process = Process("run", "--app-dir", str(folder), env={"PORT": "many"})
    assert process.end() == 2
    assert "PORT must be int" in process.log[0]


def test_unix_sockets_inherited_ones_and_the_environment(folder, tmp_path):
    path = str(tmp_path / "s")
    with eyewall("run", "--app-dir", str(folder), "--unix", path) as server:
        server.wait_for("unix:")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
        assert server.stop() == 0
    with socket.create_server(("127.0.0.1", 0)) as listening:
        options = ("--app-dir", str(folder), "--bind", f"fd://{listening.fileno()}")
        with eyewall("run", *options, pass_fds=[listening.fileno()]) as server:
            assert get(server.url()) == "VERSION"
    env = {"EYEWALL_HOST": "127.0.0.2", "PORT": "0", "EYEWALL_ACCESS_LOG": "off"}
    with eyewall("run", "--app-dir", str(folder), env=env) as server:
        assert server.url().startswith("http://127.0.0.2:")


def test_tls_and_its_reload_by_sighup(folder):
    ca = trustme.CA()

    def issue(name):
        certificate = ca.issue_cert(name, "127.0.0.1")
        certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "pem"))

    issue("old.example")
    options = ("--certfile", str(folder / "pem"), "--app-dir", str(folder), "--port", "0")
    with eyewall("run", *options) as server:
        host, port = server.url().removeprefix("https://").split(":")
        context = __import__("ssl").create_default_context()
        ca.configure_trust(context)

        def name():
            with socket.create_connection((host, int(port))) as raw:
                with context.wrap_socket(raw, server_hostname="127.0.0.1") as tls:
                    return tls.getpeercert()["subjectAltName"][0][1]

        assert name() == "old.example"
        issue("new.example")
        server.popen.send_signal(signal.SIGHUP)
        server.wait_for("certificates were reloaded")
        assert name() == "new.example"
        (folder / "pem").write_text("broken")
        server.popen.send_signal(signal.SIGHUP)
        server.wait_for("not reloaded")
        assert name() == "new.example"


def test_config_shows_values_and_sources(folder):
    (folder / "eyewall.toml").write_text('port = 1234\nlog-level = "debug"\n')
    out = subprocess.run(
        [sys.executable, "-m", "eyewall", "config", "--app-dir", str(folder), "--host", "::1"],
        capture_output=True,
        text=True,
        env={"EYEWALL_LOG_LEVEL": "error", "PATH": "", "PYTHONPATH": ":".join(sys.path)},
    ).stdout
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert lines["port"] == ["1234", str(folder / "eyewall.toml")]
    assert lines["host"] == ["'::1'", "command", "line"]
    assert lines["log_level"] == ["'error'", "EYEWALL_LOG_LEVEL"]


def test_development_reloads_survives_a_syntax_error_and_never_hangs(folder):
    with eyewall("dev", "--app-dir", str(folder), "--port", "0") as server:
        url = server.url()
        assert get(url) == "VERSION"
        stream = urllib.request.urlopen(url + "/stream", timeout=20)
        assert stream.readline() == b"data: 1\n"
        (folder / "app.py").write_text(APP.replace("VERSION", "NEWER"))
        server.wait_for("Changed: ")
        server.wait_for("Stopped")
        assert get(url) == "NEWER"
        stream.close()
        (folder / "app.py").write_text("def broken(:")
        server.wait_for("The last good code goes on serving")
        assert get(url) == "NEWER"
        stream = urllib.request.urlopen(url + "/stream", timeout=20)
        stream.readline()
        assert server.stop() == 0
        stream.close()


def test_development_starts_with_a_page_about_a_syntax_error(folder):
    (folder / "app.py").write_text("def broken(:")
    with eyewall("dev", "--app-dir", str(folder), "--port", "0") as server:
        url = server.url()
        with pytest.raises(urllib.error.HTTPError) as caught:
            get(url)
        assert caught.value.code == 500
        assert "app.py:1:" in caught.value.read().decode()
        (folder / "app.py").write_text(APP)
        server.wait_for("Stopped")
        assert get(url) == "VERSION"
        assert server.stop() == 0
