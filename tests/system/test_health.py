"""Health checks, log files and request ids of a server as a process."""

import json
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from tests.support import eyewall
from tests.system.test_supervisor import ctl, until

APP = """
import asyncio, logging, time
from eyewall import Application, RequestHandler

class Echo(RequestHandler):
    async def post(self):
        await asyncio.sleep(0)
        logging.warning("in the handler")
        self.write({"id": self.request_id})

async def wait(request):
    print("running", flush=True)
    await asyncio.sleep(3)
    return "waited"

def block(request):
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        pass
    return "blocked"

app = Application([
    (r"/", lambda request: "hello"), (r"/echo", Echo), (r"/wait", wait), (r"/block", block),
])
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "app.py").write_text(APP)

    def run(*args, **options):
        own = ("--control", str(tmp_path / "ctl"), "--app-dir", str(tmp_path), "--port", "0")
        return eyewall("run", *own, *args, **options)

    return run


def ask(url, data=None, **headers):
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data, fields), timeout=20
        ) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read().decode()


@pytest.mark.parametrize("workers", [(), ("--workers", "2")])
def test_a_draining_server_lives_and_is_not_ready_but_still_serves(run, workers):
    with run("--health", "--drain-delay", "60", *workers) as server:
        url = server.url()
        assert ask(f"{url}/_eyewall/health") == (200, "alive\n")
        assert ask(f"{url}/_eyewall/ready") == (200, "ready\n")
        assert ask(f"{url}/_eyewall/ready", b"x")[0] == 405
        server.popen.send_signal(signal.SIGTERM)
        until(
            lambda: ask(f"{url}/_eyewall/ready") == (503, "draining\n"),
            "it says that it is ready",
        )
        assert ask(f"{url}/_eyewall/health")[0] == 200
        assert ask(url) == (200, "hello")
        assert server.stop() == 0


def test_health_checks_pass_through_a_closed_gate(run, tmp_path):
    with run("--health", "--workers", "2") as server:
        url = server.url()
        ctl(tmp_path, "suspend")
        assert ask(f"{url}/_eyewall/ready") == (200, "ready\n")
        assert ask(f"{url}/_eyewall/health") == (200, "alive\n")
        ctl(tmp_path, "resume")


def test_without_being_asked_for_the_paths_are_the_applications(run):
    with run() as server:
        assert ask(f"{server.url()}/_eyewall/health")[0] == 404


@pytest.mark.parametrize("workers", [(), ("--workers", "2")])
def test_a_rotated_log_is_reopened_by_a_signal(run, tmp_path, workers):
    log = tmp_path / "log"
    with run("--log-file", str(log), *workers) as server:
        url = server.url()
        assert ask(url)[0] == 200
        until(lambda: "200 GET /" in log.read_text(), "no line of the request")
        log.rename(tmp_path / "old")
        server.popen.send_signal(signal.SIGUSR1)
        until(log.exists, "the file was not reopened")

        def logged():
            ask(url)
            return "200 GET /" in log.read_text()

        until(logged, "no line in the new file")
        assert server.stop() == 0


def test_a_full_disk_costs_log_lines_and_no_request(run, tmp_path):
    (tmp_path / "log").symlink_to("/dev/full")
    with run("--log-file", str(tmp_path / "log")) as server:
        url = server.url()
        assert [ask(url) for _ in range(5)] == [(200, "hello")] * 5
        assert server.stop() == 0
        assert sum("No space left" in line for line in server.log) == 1
        assert not any("Traceback" in line for line in server.log)


def test_all_lines_of_a_request_have_its_id(run):
    with run("--request-ids", "--log-format", "json") as server:
        url = server.url()
        trace = "0af7651916cd43dd8448eb211c80319c"
        ids = ["abc-1", trace]
        fields = [{"X-Request-ID": "abc-1"}, {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}]
        for expected, sent in zip(ids, fields, strict=True):
            assert json.loads(ask(f"{url}/echo", b"body", **sent)[1]) == {"id": expected}
        # A body that comes later is handled in the same request.
        with socket.create_connection(url.removeprefix("http://").split(":")) as client:
            client.sendall(
                b"POST /echo HTTP/1.1\r\nHost: h\r\nX-Request-ID: late\r\nContent-Length: 4\r\n"
                b"Expect: 100-continue\r\nConnection: close\r\n\r\n"
            )
            assert client.recv(100).startswith(b"HTTP/1.1 100")
            client.sendall(b"body")
            answer = b"".join(iter(lambda: client.recv(1000), b""))
            assert b'{"id":"late"}' in answer
        assert server.stop() == 0
    lines = [json.loads(line) for line in server.log if line.startswith("{")]
    of_requests = [(line["message"].split()[0], line.get("request_id")) for line in lines]
    for name in (*ids, "late"):
        assert ("in", name) in of_requests
        assert ("200", name) in of_requests


def test_a_text_line_ends_with_the_id(run):
    with run("--request-ids") as server:
        ask(server.url(), X_Request_ID="abc")
        server.wait_for(r"200 GET / \(127\.0\.0\.1\) [\d.]+ms \[abc\]$")


def test_a_blocked_loop_is_named_with_its_stack(run):
    with run("--blocked-after", "0.1") as server:
        assert ask(f"{server.url()}/block") == (200, "blocked")
        server.wait_for("The loop has been blocked for 0")
        assert server.wait_for(r"line \d+, in (block)")[1] == "block"
        server.wait_for("The loop goes on after 0")


def test_a_second_signal_ends_the_delay(run):
    with run("--drain-delay", "60", "--workers", "2", stdout=subprocess.PIPE) as server:
        url = server.url()
        with socket.create_connection(url.removeprefix("http://").split(":")) as client:
            client.sendall(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            assert server.popen.stdout.readline() == "running\n"
            server.popen.send_signal(signal.SIGTERM)
            server.wait_for("Stopping 2 workers")
            assert server.stop() == 0


def test_spans_go_where_the_environment_says(run):
    env = {"OTEL_TRACES_EXPORTER": "console", "OTEL_SERVICE_NAME": "shop"}
    with run("--otel", env=env, stdout=subprocess.PIPE) as server:
        ask(server.url(), traceparent=f"00-{'ab' * 16}-b7ad6b7169203331-01")
        server.popen.send_signal(signal.SIGTERM)
        span = json.loads(server.popen.stdout.readline())
    assert span["name"] == "GET /"
    assert span["context"]["trace_id"] == f"0x{'ab' * 16}"
    assert span["resource"]["attributes"]["service.name"] == "shop"
