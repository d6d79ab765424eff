"""`eyewall front` and `eyewall run --from-redis` with a real Redis: what passes, and what survives."""

import asyncio
import hashlib
import http.client
import os
import signal
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eyewall.realtime.websocket import websocket_connect
from tests.support import eyewall, require
from tests.system.faults import Askers, ctl, get, until

APP = """
import asyncio, hashlib, os, signal
from eyewall import Application, RequestHandler
from eyewall.realtime import WebSocketGroup, WebSocketHandler

group = WebSocketGroup()

class Member(WebSocketHandler):
    def open(self):
        group.add(self)
        group.send(f"{len(group)} are here")

class Socket(WebSocketHandler):
    def open(self):
        self.write_message("open")

    def on_message(self, message):
        if message == "end":
            self.close(4001, "as you wish")
        else:
            self.write_message(message, isinstance(message, bytes))

    def on_close(self):
        print("closed", self.close_code, flush=True)

async def slow(request):
    print("running", flush=True)
    await asyncio.sleep(0.5)
    return "slow"

async def die_once(request):
    # The first worker that gets it dies of it.
    try:
        os.close(os.open("MARK", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return f"survived {request.method}"
    os.kill(os.getpid(), signal.SIGKILL)

async def die_always(request):
    os.kill(os.getpid(), signal.SIGKILL)

class Echo(RequestHandler):
    def post(self):
        self.set_header("Content-Type", self.request.headers.get("Content-Type", "none"))
        self.write(self.request.body)

    def put(self):
        self.write(hashlib.sha1(self.request.body).hexdigest())

class Big(RequestHandler):
    async def get(self):
        for number in range(40):
            self.write(bytes([number]) * 100_000)
            await self.flush()

class Events(RequestHandler):
    async def get(self):
        self.set_header("Content-Type", "text/event-stream")
        self.write("data: first\\n\\n")
        await self.flush()
        self.gone = asyncio.Event()
        await self.gone.wait()
        print("the client has gone", flush=True)

    def on_connection_close(self):
        self.gone.set()

class Headers(RequestHandler):
    def get(self):
        self.set_status(418)
        self.add_header("X-Twice", "one")
        self.add_header("X-Twice", "two")
        self.set_cookie("a", "b")
        self.write({"ip": self.request.remote_ip, "host": self.request.host,
                    "query": self.get_argument("q"), "sent": self.request.headers["X-Sent"]})

app = Application([
    (r"/", lambda request: f"VERSION {os.getpid()}"),
    (r"/slow", slow), (r"/die-once", die_once), (r"/die-always", die_always), (r"/echo", Echo),
    (r"/big", Big), (r"/events", Events), (r"/headers", Headers), (r"/ws", Socket), (r"/group", Member),
])
"""


class Redis:
    """A redis-server of the test's own."""

    def __init__(self, folder):
        require("redis-server")
        self.path = folder / "redis.sock"
        self.url = f"unix://{self.path}"
        self._folder = folder
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--save", "",
             "--dir", self._folder, "--appendonly", "yes", "--appendfsync", "always"],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until(self._answers, "Redis does not start")

    def _answers(self):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(self.path)):
                return False
            probe.sendall(b"PING\r\n")
            return probe.recv(100) == b"+PONG\r\n"

    def ask(self, *words):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.path))
            client.sendall(" ".join(words).encode() + b"\r\n")
            return client.recv(10_000)

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text(APP.replace("MARK", str(tmp_path / "mark")))
    return tmp_path


@pytest.fixture
def redis(folder):
    pytest.importorskip("redis")
    server = Redis(folder)
    yield server
    server.stop()


@pytest.fixture
def front(redis):
    def front(*args):
        own = ("--redis", redis.url, "--port", "0", "--control", "off", "--no-access-log")
        return eyewall("front", *own, *args)

    return front


@pytest.fixture
def worker(redis, folder):
    def worker(*args, **options):
        own = (
            "--from-redis",
            redis.url,
            "--control",
            "off",
            "--no-access-log",
            "--claim-after",
            "1",
        )
        return eyewall("run", "--app-dir", str(folder), *own, *args, **options)

    return worker


def serving(process):
    """Wait until a worker takes requests."""
    process.wait_for("serves the application on requests of unix:")
    return process


def ask(url, method, path, body=None, headers=()):
    host, port = url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request(method, path, body, dict(headers), encode_chunked=True)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def test_requests_and_answers_pass_whole(front, worker):
    with front() as server, worker() as process:
        url = server.url()
        serving(process)
        response, content = ask(url, "GET", "/headers?q=a%20b", headers=[("X-Sent", "caf\xe9")])
        assert response.status == 418
        assert response.msg.get_all("X-Twice") == ["one", "two"]
        assert response.getheader("Set-Cookie") == "a=b; Path=/"
        assert b'"query":"a b"' in content
        assert b'"ip":"127.0.0.1"' in content
        assert f'"host":"{url.removeprefix("http://")}"'.encode() in content
        response, content = ask(url, "POST", "/echo", b"some\0body", [("Content-Type", "x/y")])
        assert (content, response.getheader("Content-Type")) == (b"some\0body", "x/y")
        response, content = ask(url, "HEAD", "/")
        assert (response.status, content) == (200, b"")
        assert int(response.getheader("Content-Length")) > 8
        assert ask(url, "GET", "/nothing")[0].status == 404


def test_large_bodies_go_in_pieces_both_ways(front, worker):
    body = os.urandom(3_000_000)
    digest = hashlib.sha1(body).hexdigest().encode()
    with front() as server, worker() as process:
        url = server.url()
        serving(process)
        assert ask(url, "PUT", "/echo", body)[1] == digest
        pieces = [body[start : start + 70_000] for start in range(0, len(body), 70_000)]
        chunked = [("Transfer-Encoding", "chunked")]
        assert ask(url, "PUT", "/echo", iter(pieces), chunked)[1] == digest
        assert ask(url, "POST", "/echo", body)[1] == body
        assert ask(url, "GET", "/big")[1] == b"".join(bytes([n]) * 100_000 for n in range(40))


def test_a_stream_reaches_the_client_as_it_comes_and_its_end_the_worker(front, worker):
    with front() as server, worker(stdout=subprocess.PIPE) as process:
        address = server.url().removeprefix("http://").split(":")
        serving(process)
        with socket.create_connection(address, timeout=20) as client:
            client.sendall(b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
            text = b""
            while b"data: first" not in text:
                text += client.recv(1000)
        assert process.popen.stdout.readline() == "the client has gone\n"


def test_websockets_are_bridged(front, worker):
    with front() as server, worker(stdout=subprocess.PIPE) as process:
        url = server.url().replace("http", "ws", 1) + "/ws"
        serving(process)

        async def main():
            client = await websocket_connect(url)
            assert await client.read_message() == "open"
            for message in ("text", b"bytes", "x" * 300_000, ""):
                await client.write_message(message, isinstance(message, bytes))
                assert await client.read_message() == message
            await client.write_message("end")
            assert await client.read_message() is None
            assert (client.close_code, client.close_reason) == (4001, "as you wish")
            await client.wait_closed()
            other = await websocket_connect(url)
            assert await other.read_message() == "open"
            other.close(4002, "bye")
            await other.wait_closed()

        asyncio.run(main())
        lines = [process.popen.stdout.readline() for _ in range(2)]
        assert lines == ["closed 4001\n", "closed 4002\n"]
        response, _ = ask(server_url(url), "GET", "/ws")
        assert (response.status, response.getheader("Upgrade")) == (426, "websocket")


def test_a_group_sends_to_websockets_at_a_front(front, worker):
    with front() as server, worker() as process:
        url = server.url().replace("http", "ws", 1) + "/group"
        serving(process)

        async def main():
            async with await websocket_connect(url) as one:
                assert await one.read_message() == "1 are here"
                async with await websocket_connect(url) as other:
                    assert await one.read_message() == "2 are here"
                    assert await other.read_message() == "2 are here"

        asyncio.run(main())


def test_a_suspension_holds_dispatched_requests(front, worker, folder):
    with front() as server, worker("--control", str(folder / "ctl")) as process:
        url = server.url()
        serving(process)
        assert get(url).startswith("VERSION")
        assert ctl(folder, "suspend")["suspended"] is True
        with ThreadPoolExecutor(3) as pool:
            waiting = [pool.submit(get, url) for _ in range(3)]
            until(lambda: ctl(folder, "status")["gate"]["held"] == 3, "three are not held")
            assert ctl(folder, "resume") == {"released": 3}
            assert all(each.result().startswith("VERSION") for each in waiting)


def test_a_websocket_is_told_to_come_back_when_its_worker_goes(front, worker):
    with front() as server, worker() as process:
        url = server.url().replace("http", "ws", 1) + "/ws"
        serving(process)

        async def main():
            client = await websocket_connect(url)
            assert await client.read_message() == "open"
            process.popen.send_signal(signal.SIGTERM)
            assert await client.read_message() is None
            assert client.close_code == 1012
            await client.wait_closed()

        asyncio.run(main())
        assert process.end() == 0


def children_of(process):
    path = Path(f"/proc/{process.popen.pid}/task/{process.popen.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


def server_url(url):
    return url.replace("ws", "http", 1).removesuffix("/ws")


def test_stopping_all_workers_for_a_while_fails_no_request(front, worker):
    with front() as server:
        url = server.url()
        with worker(stdout=subprocess.PIPE) as first, ThreadPoolExecutor(8) as pool:
            serving(first)
            running = pool.submit(get, f"{url}/slow")
            assert first.popen.stdout.readline() == "running\n"
            assert first.stop() == 0
            assert running.result() == "slow"
            waiting = [pool.submit(get, url) for _ in range(7)]
            with worker() as second:
                serving(second)
                assert all(each.result().startswith("VERSION") for each in waiting)


def test_workers_are_reloaded_while_requests_come(front, worker, folder):
    with front() as server, worker("--workers", "2") as process:
        url = server.url()
        process.wait_for("2 workers")
        asking = Askers(url, 4)
        for generation in (2, 3):
            process.popen.send_signal(signal.SIGHUP)
            process.wait_for(f"Generation {generation} serves")
        assert process.stop() == 0
        with worker() as last:
            serving(last)
            answers, failures = asking.stop()
        assert failures == []
        assert {status for status, _ in answers} == {200}


def test_what_a_killed_worker_had_begun_is_repeated_where_it_may_be(front, worker, redis):
    with front() as server, worker("--workers", "2") as process:
        url = server.url()
        process.wait_for("2 workers")
        assert get(f"{url}/die-once") == "survived GET"
        response, content = ask(url, "POST", "/die-always", b"pay")
        assert (response.status, content) == (502, b"the worker was lost\n")
        process.wait_for("A worker died over POST /die-always, which is answered 502")
        assert redis.ask("HGET", "eyewall:counts", "lost") == b"$1\r\n1\r\n"
        assert get(url).startswith("VERSION")


def test_a_websocket_is_told_to_come_back_when_its_worker_is_killed(front, worker):
    with front() as server, worker("--workers", "2") as process:
        url = server.url().replace("http", "ws", 1) + "/ws"
        process.wait_for("2 workers")

        async def main():
            client = await websocket_connect(url)
            assert await client.read_message() == "open"
            for pid in children_of(process):
                os.kill(pid, signal.SIGKILL)
            assert await client.read_message() is None
            assert client.close_code == 1012
            await client.wait_closed()

        asyncio.run(main())


def test_the_clients_of_a_killed_front_are_gone_for_its_workers(front, worker, redis):
    with front() as server, worker(stdout=subprocess.PIPE) as process:
        address = server.url().removeprefix("http://").split(":")
        serving(process)
        with socket.create_connection(address, timeout=20) as client:
            client.sendall(b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
            text = b""
            while b"data: first" not in text:
                text += client.recv(1000)
            server.popen.kill()
            assert process.popen.stdout.readline() == "the client has gone\n"
        until(lambda: b"front-" not in redis.ask("KEYS", "*"), "its inbox is still there")


def test_a_redis_that_hangs_kills_nobody(front, worker, redis):
    """Workers thought each other dead, because nobody had counted while Redis stood still."""
    with front() as server, worker("--workers", "2") as process:
        url = server.url()
        process.wait_for("2 workers")
        asking = Askers(url, 4)
        redis.process.send_signal(signal.SIGSTOP)
        threading.Event().wait(4)
        redis.process.send_signal(signal.SIGCONT)
        assert get(url).startswith("VERSION")
        threading.Event().wait(2)
        answers, failures = asking.stop()
        assert failures == []
        assert {status for status, _ in answers} == {200}
        process.stop()
        assert not any("has died" in line for line in process.log)


def test_a_request_that_kills_every_worker_is_given_up(front, worker):
    with front() as server, worker("--workers", "2") as process:
        url = server.url()
        process.wait_for("2 workers")
        response, _ = ask(url, "GET", "/die-always")
        assert response.status == 502
        process.wait_for("A worker died over GET /die-always, which is answered 502")


def test_redis_may_go_away_in_the_middle(front, worker, redis):
    with front() as server, worker() as process:
        url = server.url()
        serving(process)
        asking = Askers(url, 4)
        assert get(url).startswith("VERSION")
        redis.stop()
        process.wait_for("Redis does not serve, requests wait")
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(get, f"{url}/slow") for _ in range(4)]
            # Long enough that every reader has found it gone more than once.
            threading.Event().wait(1.5)
            assert not any(each.done() for each in waiting)
            redis.start()
            assert [each.result() for each in waiting] == ["slow"] * 4
        answers, failures = asking.stop()
        assert failures == []
        assert {status for status, _ in answers} == {200}
        for each in (server, process):
            each.stop()
            assert len([line for line in each.log if "Redis does not serve" in line]) == 1
            assert not any("Traceback" in line for line in each.log)


def test_a_redis_that_forgets_everything_costs_no_request_that_may_be_repeated(
    front, worker, redis
):
    with front() as server, worker() as process, ThreadPoolExecutor(2) as pool:
        url = server.url()
        serving(process)
        process.stop()
        asked = pool.submit(get, url)
        until(lambda: redis.ask("XLEN", "eyewall:requests") == b":1\r\n", "it is not queued")
        redis.stop()
        for file in redis.path.parent.glob("appendonlydir/*"):
            file.unlink()
        redis.start()
        server.wait_for("Redis has lost 1 requests")
        with worker() as second:
            serving(second)
            assert asked.result().startswith("VERSION")


def test_the_queue_is_bounded_and_nobody_waits_for_ever(front, worker, redis):
    with front("--dispatch-queue", "2", "--dispatch-wait", "1") as server:
        url = server.url()
        with ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(ask, url, "GET", "/") for _ in range(2)]
            until(lambda: redis.ask("XLEN", "eyewall:requests") == b":2\r\n", "two do not wait")
            response, _ = ask(url, "GET", "/")
            assert (response.status, response.getheader("Retry-After")) == (503, "1")
            assert [each.result()[0].status for each in waiting] == [504, 504]
        until(lambda: redis.ask("XLEN", "eyewall:requests") == b":0\r\n", "they are still there")


def test_entries_that_are_no_requests_are_refused_with_a_line_each(front, worker, redis):
    with front() as server, worker() as process:
        url = server.url()
        serving(process)
        redis.ask("XADD", "eyewall:requests", "*", "r", "1", "f", "x", "h", "nonsense")
        process.wait_for("A request on the stream was refused: not JSON")
        redis.ask("XADD", "eyewall:requests", "*", "other", "fields")
        process.wait_for("A request on the stream was refused: b'r'")
        assert get(url).startswith("VERSION")
        until(lambda: redis.ask("XLEN", "eyewall:requests") == b":0\r\n", "they are still there")


def test_a_front_and_a_worker_without_redis_do_not_start(front, worker, redis):
    redis.stop()
    for make in (front, worker):
        with make() as process:
            assert process.end() == 3
            assert "Redis cannot be reached" in process.log[-1]
    with eyewall("front") as process:
        assert process.end() == 2
        assert "--redis" in process.log[-1]
