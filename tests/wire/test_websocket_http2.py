"""WebSockets on HTTP/2 streams (RFC 8441)."""

import asyncio
import zlib

import h2.config
import h2.events
import h2.settings
import pytest

from eyewall._engine import Fanout, Reactor
from eyewall.http.server.server import HTTPServer
from eyewall.realtime import WebSocketHandler
from eyewall.web import Application, RequestHandler
from tests.conftest import Live, Peer
from tests.wire.test_http2 import Client
from tests.wire.websocket_frames import CLOSE, PING, PONG, TEXT, close, frame


class Wire(Client):
    """A client whose streams may be WebSockets."""

    async def open(self, *headers, path="/", status="200"):
        """Ask for a WebSocket; returns its stream."""
        settings = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL
        while self.h2.remote_settings.get(settings) != 1:
            await self.receive()
        stream = self.h2.get_next_available_stream_id()
        fields = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", path),
            ("sec-websocket-version", "13"),
        ]
        self.h2.send_headers(stream, [*fields, *headers])
        self.flush()
        answer = await self.until(h2.events.ResponseReceived, stream)
        assert dict(answer.headers)[":status"] == status
        self.answered = dict(answer.headers)
        return stream

    def send(self, stream, *frames):
        self.h2.send_data(stream, b"".join(frames))
        self.flush()

    def taken(self, stream):
        mine = (event for event in self.events if isinstance(event, h2.events.DataReceived))
        return b"".join(event.data for event in mine if event.stream_id == stream)

    async def frames(self, stream, expected):
        """Wait until the stream has carried exactly these bytes of frames."""
        while len(self.taken(stream)) < len(expected):
            await self.receive()
        assert self.taken(stream) == expected


class Sockets:
    """An application whose WebSockets echo, and which notes every event."""

    def __init__(self, **options):
        self.options = options
        self.events = []
        self.sockets = []

    def __call__(self, exchange):
        def message(data):
            ws.send(data)

        assert exchange.method == "CONNECT"
        assert exchange.header("upgrade") == "websocket"
        ws = exchange.upgrade_websocket(
            {}, message, lambda kind, value: self.events.append((kind, value)), **self.options
        )
        self.sockets.append(ws)

    async def ended(self):
        while not any(kind == "close" for kind, _ in self.events):
            await asyncio.sleep(0)
        return next(value for kind, value in self.events if kind == "close")


def out(data, first=TEXT):
    return frame(first, data, mask=None)


def test_streams_of_one_connection_are_websockets(run):
    async def main():
        app = Sockets()
        live = Live(app)
        client = await Wire.connect(live)
        one, two = await client.open(), await client.open()
        client.send(one, frame(TEXT, "hello"), frame(PING, "?"))
        client.send(two, frame(0x01, "in "))
        client.send(two, frame(0x80, "parts"))
        await client.frames(one, out("?", PONG) + out("hello"))
        await client.frames(two, out("in parts"))
        client.send(one, close(1000, "bye"))
        await client.until(h2.events.StreamEnded, one)
        assert client.taken(one).endswith(out(b"\x03\xe8", CLOSE))
        assert await app.ended() == (1000, "bye")
        # The other one goes on.
        client.send(two, frame(TEXT, "more"))
        await client.frames(two, out("in parts") + out("more"))
        await client.peer.close()
        live.close()

    run(main)


def test_megabytes_go_through_the_windows(run):
    async def main():
        app = Sockets()
        live = Live(app)
        client = await Wire.connect(live)
        stream = await client.open()
        message = frame(0x82, bytes(3_000_000))
        at = 0
        expected = out(bytes(3_000_000), 0x82)
        while len(client.taken(stream)) < len(expected):
            room = min(client.h2.local_flow_control_window(stream), 16384, len(message) - at)
            if room:
                client.send(stream, message[at : at + room])
                at += room
            else:
                await client.receive()
        assert client.taken(stream) == expected
        await client.peer.close()
        live.close()

    run(main)


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (frame(TEXT, "a", mask=None), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(0x82, bytes(1001)), 1009),
    ],
)
def test_a_mistake_ends_its_stream_with_its_code_and_one_line(run, wire, code):
    async def main():
        app = Sockets(max_message_bytes=1000)
        live = Live(app)
        client = await Wire.connect(live)
        other, stream = await client.open(), await client.open()
        client.send(stream, wire)
        await client.until(h2.events.StreamEnded, stream)
        assert client.taken(stream)[2:4] == code.to_bytes(2, "big")
        assert (await app.ended())[0] == code
        ((kind, _, text),) = live.notices
        assert kind == "refused"
        assert text.endswith(f": closed with {code}")
        client.send(other, frame(TEXT, "still here"))
        await client.frames(other, out("still here"))
        await client.peer.close()
        live.close()

    run(main)


def test_a_reset_stream_is_an_end_without_a_code(run):
    async def main():
        app = Sockets()
        live = Live(app)
        client = await Wire.connect(live)
        stream = await client.open()
        client.h2.reset_stream(stream)
        client.flush()
        code, reason = await app.ended()
        assert code is None
        assert "reset" in reason
        await client.peer.close()
        live.close()

    run(main)


def test_a_lost_connection_ends_all_its_websockets(run):
    async def main():
        app = Sockets()
        live = Live(app)
        client = await Wire.connect(live)
        await client.open()
        await client.open()
        client.peer.writer.transport.abort()
        while len([kind for kind, _ in app.events if kind == "close"]) < 2:
            await asyncio.sleep(0)
        live.close()

    run(main)


def test_the_server_closes_and_hears_the_answer(run):
    async def main():
        app = Sockets()
        live = Live(app)
        client = await Wire.connect(live)
        stream = await client.open()
        app.sockets[0].close(4001, "enough")
        await client.frames(stream, out(b"\x0f\xa1enough", CLOSE))
        client.send(stream, close(4001))
        await client.until(h2.events.StreamEnded, stream)
        assert await app.ended() == (4001, "enough")
        await client.peer.close()
        live.close()

    run(main)


def test_silent_peers_are_asked_and_left(run):
    async def main():
        app = Sockets(ping_interval_s=0.02, ping_timeout_s=0.02)
        live = Live(app)
        client = await Wire.connect(live)
        stream = await client.open()
        await client.frames(stream, out("", PING))
        client.send(stream, frame(PONG))
        await client.until(h2.events.StreamEnded, stream)
        assert await app.ended() == (1011, "ping timed out")
        assert "no answer to a ping" in live.notices[-1][2]
        await client.peer.close()
        live.close()

    run(main)


def test_messages_are_compressed(run):
    async def main():
        live = Live(Sockets(compression={}))
        client = await Wire.connect(live)
        stream = await client.open(("sec-websocket-extensions", "permessage-deflate"))
        assert "permessage-deflate" in client.answered["sec-websocket-extensions"]
        client.send(stream, frame(TEXT, "the same " * 20))
        while len(client.taken(stream)) < 3:
            await client.receive()
        wire = client.taken(stream)
        assert wire[0] == 0xC1
        inflated = zlib.decompressobj(wbits=-15).decompress(wire[2:] + b"\0\0\xff\xff")
        assert inflated == b"the same " * 20
        await client.peer.close()
        live.close()

    run(main)


def test_what_is_sent_to_many_goes_to_streams_too(run):
    async def main():
        app = Sockets()
        live = Live(app)
        fanout = Fanout(Reactor.of(asyncio.get_running_loop()))
        client = await Wire.connect(live)
        streams = [await client.open() for _ in range(3)]
        for ws in app.sockets:
            fanout.add(ws)
        assert len(fanout) == 3
        fanout.send("one")
        app.sockets[0].send("own")
        fanout.send("two")
        await client.frames(streams[0], out("one") + out("own") + out("two"))
        await client.frames(streams[1], out("one") + out("two"))
        client.h2.reset_stream(streams[2])
        client.flush()
        await app.ended()
        assert len(fanout) == 2
        await client.peer.close()
        live.close()

    run(main)


def test_a_drain_closes_with_1012(run):
    async def main():
        app = Sockets()
        live = Live(app)
        client = await Wire.connect(live)
        await client.open()
        drained = asyncio.get_running_loop().create_future()
        live.server.drain(10, lambda: drained.set_result(None))
        # The `h2` library takes nothing behind a GOAWAY, so the bytes are looked at.
        wire = b""
        while b"\x03\xf4the server restarts" not in wire:
            wire += await client.peer.reader.read(65536)
        client.peer.writer.transport.abort()
        await drained
        assert (await app.ended())[0] == 1012
        live.close()

    run(main)


def test_handlers_serve_streams_as_they_serve_connections(run):
    class Echo(WebSocketHandler):
        def open(self, name):
            self.name = name

        def on_message(self, message):
            self.write_message(f"{self.name}: {message}")

    class Page(RequestHandler):
        def get(self):
            self.write("a page")

    async def main():
        app = Application([("/page", Page), ("/(.*)", Echo)], xsrf_cookies=True)
        server = HTTPServer(app)
        (socket,) = server.listen(0, "127.0.0.1")
        client = Wire(Peer(*await asyncio.open_connection(*socket.getsockname())))
        socket.close()
        client.h2.initiate_connection()
        client.flush()
        stream = await client.open(path="/me")
        client.send(stream, frame(TEXT, "hello"))
        await client.frames(stream, out("me: hello"))
        # A page must not look like a tunnel.
        await client.open(path="/page", status="405")
        await client.open(("origin", "http://elsewhere.example"), path="/me", status="403")
        await client.peer.close()
        server.close()

    run(main)
