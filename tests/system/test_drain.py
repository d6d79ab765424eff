"""What an ending server says to those who would stay for ever: come back."""

import re
import signal
import socket
import subprocess

from tests.support import eyewall

APP = """
import asyncio
from eyewall import Application
from eyewall.pubsub import Hub
from eyewall.realtime import EventSourceHandler, LongPollHandler, WebSocketHandler

hub = Hub()

class Numbers(EventSourceHandler):
    async def events(self):
        yield "first"
        await asyncio.Event().wait()

class News(EventSourceHandler):
    hub = hub
    def topics(self):
        return ["news"]

class Poll(LongPollHandler):
    hub = hub
    def topics(self):
        return ["news"]

class Socket(WebSocketHandler):
    def open(self):
        self.write_message("open")

async def own(request):
    leaving = asyncio.get_running_loop().create_future()
    app.leaving.add(lambda: leaving.set_result("told"))
    print("waiting", flush=True)
    return await leaving

app = Application([("/numbers", Numbers), ("/news", News), ("/poll", Poll), ("/ws", Socket), ("/own", own)])
"""

HANDSHAKE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def ask(address, path, until, fields=""):
    """Send a request, and read until what comes first has come."""
    client = socket.create_connection(address, timeout=20)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n".encode())
    text = b""
    while until and until not in text:
        text += client.recv(1000)
    return client


def rest(client):
    with client:
        text = b""
        while piece := client.recv(1000):
            text += piece
        return text


def test_streams_polls_and_websockets_are_told_to_come_back(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    command = ("run", "--app-dir", str(tmp_path), "--port", "0", "--control", "off")
    with eyewall(*command, stdout=subprocess.PIPE) as server:
        address = server.url().removeprefix("http://").split(":")
        numbers = ask(address, "/numbers", b"data: first\n\n")
        news = ask(address, "/news", b"id: ")
        with ask(address, "/poll", b'"id":"') as first:
            first.sendall(b"GET /poll HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            position = re.search(rb'"id":"([^"]+)"', rest(first))[1].decode()
        poll = ask(address, f"/poll?since={position}", b"")
        socket_ = ask(address, "/ws", b"open", HANDSHAKE)
        own = ask(address, "/own", b"")
        assert server.popen.stdout.readline() == "waiting\n"
        server.popen.send_signal(signal.SIGTERM)
        with socket_:
            code = socket_.recv(1000)
        assert code[:1] == b"\x88"
        assert int.from_bytes(code[2:4]) == 1012
        assert server.end() == 0
        for stream in (numbers, news):
            said = rest(stream)
            assert int(re.search(rb"retry: (\d+)\n\n", said)[1]) <= 1000
            assert said.endswith(b"0\r\n\r\n")
        assert f'"id":"{position}","messages":[],"gap":null'.encode() in rest(poll)
        assert rest(own).endswith(b"told")
        assert not any("Traceback" in line for line in server.log)
