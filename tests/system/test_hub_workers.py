"""The hub in several workers: what one publishes, the subscribers of all receive."""

import http.client
import json
import os
import signal
import urllib.request

import pytest

from tests.support import eyewall

APP = """
import os
from eyewall import Application, RequestHandler
from eyewall.pubsub import Hub, Message

hub = Hub()

class Wait(RequestHandler):
    async def get(self):
        since = self.get_argument("since", None)
        async with hub.subscribe("news/*", since=since) as news:
            self.write(f"{os.getpid()}\\n")
            await self.flush()
            async for item in news:
                self.write({"id": item.id, "data": getattr(item, "data", "gap")})
                self.write("\\n")
                await self.flush()

class Tell(RequestHandler):
    async def post(self, topic):
        position = await hub.publish(f"news/{topic}", self.request.body.decode())
        self.write({"id": str(position), "pid": os.getpid()})

class History(RequestHandler):
    async def get(self):
        self.write({"news": [each.data for each in await hub.history("news/*")]})

app = Application([("/wait", Wait), (r"/tell/(\\w+)", Tell), ("/history", History)])
"""


@pytest.fixture
def server(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    command = ("run", "--app-dir", str(tmp_path), "--port", "0", "--no-access-log")
    command += ("--workers", "2", "--timeout-graceful-shutdown", "1")
    with eyewall(*command, "--control", str(tmp_path / "ctl")) as process:
        server = Server(process)
        yield server
        for reader in server.readers:
            reader.close()
        process.stop()


class Reader:
    """One open answer, line by line."""

    def __init__(self, address, path):
        self.connection = http.client.HTTPConnection(address, timeout=20)
        self.connection.request("GET", path)
        self.answer = self.connection.getresponse()
        self.pid = int(self.answer.readline())

    def next(self):
        return json.loads(self.answer.readline())

    def close(self):
        self.answer.close()
        self.connection.close()


class Server:
    def __init__(self, process):
        self.process = process
        self.url = process.url()
        self.readers = []

    def reader(self, path="/wait"):
        reader = Reader(self.url.removeprefix("http://"), path)
        self.readers.append(reader)
        return reader

    def readers_in_both_workers(self):
        while len({reader.pid for reader in self.readers}) < 2:
            self.reader()
            assert len(self.readers) < 200
        return self.readers

    def tell(self, text, topic="all"):
        url = f"{self.url}/tell/{topic}"
        with urllib.request.urlopen(url, text.encode(), timeout=20) as answer:
            return json.load(answer)


def test_a_message_reaches_the_subscribers_of_every_worker(server):
    readers = server.readers_in_both_workers()
    told = [server.tell(f"number {n}") for n in range(5)]
    for reader in readers:
        assert [reader.next() for _ in range(5)] == [
            {"id": each["id"], "data": f"number {n}"} for n, each in enumerate(told)
        ]


def test_the_history_outlives_the_workers(server):
    first = server.tell("before")
    server.tell("meanwhile")
    pids = {reader.pid for reader in server.readers_in_both_workers()}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        server.process.wait_for(f"Worker {pid} was ended by SIGKILL and is replaced")
    later = server.reader(f"/wait?since={first['id']}")
    assert later.pid not in pids
    assert later.next()["data"] == "meanwhile"
    server.tell("after")
    assert later.next()["data"] == "after"


def test_a_supervisor_that_is_upgraded_goes_on_after_a_gap(server):
    readers = server.readers_in_both_workers()
    server.tell("before")
    assert {reader.next()["data"] for reader in readers} == {"before"}
    server.process.popen.send_signal(signal.SIGUSR2)
    server.process.wait_for("The supervisor was upgraded")
    assert {reader.next()["data"] for reader in readers} == {"gap"}
    server.tell("after")
    assert {reader.next()["data"] for reader in readers} == {"after"}
