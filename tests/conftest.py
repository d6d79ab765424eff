"""Fixtures for all tests: an engine's server inside a running loop, and raw connections to it."""

import asyncio
import os
import socket
import ssl

import pytest
from hypothesis import HealthCheck, settings

from eyewall._engine import Reactor, Server

settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


class Live:
    """A server in the running loop, with what it noticed."""

    def __init__(self, app, **options):
        self.notices = []
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.socket.getsockname()[1]
        self.reactor = Reactor.of(asyncio.get_running_loop())
        options.setdefault("on_notice", lambda *notice: self.notices.append(notice))
        self.server = Server(self.reactor, [self.socket.fileno()], app, **options)
        self.socket.close()

    async def connect(self, **options):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **options)
        return Peer(reader, writer)

    async def ask(self, data, *, eof=False):
        """Send bytes on a new connection; returns all that comes until the server closes."""
        peer = await self.connect()
        peer.send(data)
        if eof:
            peer.writer.write_eof()
        try:
            return await peer.read_all()
        finally:
            await peer.close()

    def close(self):
        self.server.close()


class Peer:
    """One connection of a client."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send(self, data):
        self.writer.write(data)

    async def read_all(self):
        try:
            return await asyncio.wait_for(self.reader.read(), 15)
        except ConnectionResetError:
            return b""

    async def answer(self, *, head=False):
        """One answer: status, headers (lower case), body."""
        raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 15)
        first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        status = int(first.split(" ")[1])
        headers = {}
        for line in lines:
            name, _, value = line.partition(": ")
            headers.setdefault(name.lower(), value)
        if head or status in {204, 304} or status < 200:
            return status, headers, b""
        if headers.get("transfer-encoding") == "chunked":
            return status, headers, await self.chunks(headers)
        if "content-length" in headers:
            body = await asyncio.wait_for(
                self.reader.readexactly(int(headers["content-length"])), 15
            )
            return status, headers, body
        return status, headers, await self.read_all()

    async def chunks(self, headers):
        body = b""
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            if size == 0:
                while line := (await self.reader.readuntil(b"\r\n")).strip():
                    name, _, value = line.decode().partition(": ")
                    headers[f"trailer:{name.lower()}"] = value
                return body
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"

    async def close(self):
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            pass


def hello(exchange):
    exchange.respond(200, {"Content-Type": "text/plain"}, b"hello")


def echo(exchange):
    """Answer with the body, or with the status that refuses it."""

    def arrived(body):
        if isinstance(body, bytes):
            exchange.respond(200, {}, body)
        elif hasattr(body, "status"):
            exchange.respond(body.status, {}, str(body))

    try:
        body = exchange.read_all(arrived)
    except Exception as exc:
        return arrived(exc)
    if body is not None:
        arrived(body)


@pytest.fixture
def run():
    """Run a coroutine function in a fresh loop; everything it started must be over by then."""

    def run(main, loop_factory=None):
        async def limited():
            return await asyncio.wait_for(main(), 60)

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(limited())

    return run
