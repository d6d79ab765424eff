"""`RequestHandler.detach`: the bytes of a connection behind a request."""

import asyncio

import pytest

from eyewall.http.exchange_stream import ExchangeStream
from eyewall.http.memory import MemoryExchange
from eyewall.net.errors import StreamClosedError
from eyewall.web import Application, RequestHandler, stream_request_body
from tests.conftest import Live


def serve(run, handler, talk):
    """Run `talk(peer)` against a handler; returns what it returned."""

    async def main():
        live = Live(Application([("/", handler)], access_log=False))
        peer = await live.connect()
        try:
            return await talk(peer)
        finally:
            await peer.close()
            live.close()

    return run(main)


HEAD = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class Lines(RequestHandler):
    async def get(self):
        stream = self.detach()
        await stream.write(b"hello\n")
        while True:
            try:
                line = await stream.read_until(b"\n")
            except StreamClosedError:
                return
            if line == b"bye\n":
                stream.close()
                return
            await stream.write(line.upper())


def test_bytes_go_both_ways_and_nothing_is_sent_by_itself(run):
    async def talk(peer):
        peer.send(HEAD + b"early\n")
        first = await peer.reader.readexactly(12)
        peer.send(b"la")
        peer.send(b"te\nbye\n")
        return first + await peer.read_all()

    assert serve(run, Lines, talk) == b"hello\nEARLY\nLATE\n"


def test_a_handler_may_write_the_answer_itself(run):
    class Raw(RequestHandler):
        def get(self):
            stream = self.detach()
            stream.write(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 300_000)
            stream.close()

    async def talk(peer):
        peer.send(HEAD)
        return await peer.read_all()

    answer = serve(run, Raw, talk)
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n\r\nx")
    assert len(answer) == 19 + 300_000


def test_a_body_that_was_not_read_is_read_from_the_stream(run):
    @stream_request_body
    class Upload(RequestHandler):
        async def prepare(self):
            stream = self.detach()
            body = await stream.read_bytes(5)
            stream.write(b"got " + body)
            stream.close()

        def put(self):
            raise AssertionError("never called")

    async def talk(peer):
        peer.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n")
        peer.send(b"Expect: 100-continue\r\n\r\n12345")
        return await peer.read_all()

    assert serve(run, Upload, talk) == b"got 12345"


def test_a_peer_that_goes_closes_the_stream(run):
    closed = []

    class Waiting(RequestHandler):
        async def get(self):
            stream = self.detach()
            stream.set_close_callback(lambda: closed.append("told"))
            await stream.write(b"ready")
            try:
                await stream.read_bytes(1)
            except StreamClosedError:
                closed.append("raised")
            over.set()

    over = asyncio.Event()

    async def talk(peer):
        peer.send(HEAD)
        await peer.reader.readexactly(5)
        peer.writer.close()
        await asyncio.wait_for(over.wait(), 10)
        await asyncio.sleep(0)

    serve(run, Waiting, talk)
    assert sorted(closed) == ["raised", "told"]


def test_an_answer_that_was_begun_cannot_be_taken_away(run, caplog):
    class Late(RequestHandler):
        async def get(self):
            self.write("x")
            await self.flush()
            with pytest.raises(RuntimeError, match="started already"):
                self.detach()
            self.finish("y")

    async def talk(peer):
        peer.send(HEAD)
        return (await peer.answer())[2]

    assert serve(run, Late, talk) == b"xy"


def test_a_request_of_another_server_cannot_be_taken_away(run):
    async def main():
        with pytest.raises(RuntimeError, match="the engine's own server"):
            ExchangeStream(MemoryExchange())

    run(main)
