"""HTTP/2 with a client of its own: streams, flow control, floods, drain; and with curl and h2load."""

import asyncio
import re
import subprocess

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest
import trustme

from eyewall._engine import TLSConfig
from tests.conftest import Live, echo, hello
from tests.support import require
from tests.wire.test_flow import count, stream
from tests.wire.test_tls import client_context, pair

DATA, HEADERS, PING, GOAWAY = 0, 1, 6, 7
FIELDS = [(":method", "GET"), (":scheme", "http"), (":authority", "h"), (":path", "/")]


class Client:
    """An HTTP/2 client by prior knowledge."""

    def __init__(self, peer):
        self.peer = peer
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.events = []
        self.closed = False

    @classmethod
    async def connect(cls, live, **options):
        client = cls(await live.connect(**options))
        client.h2.initiate_connection()
        client.flush()
        return client

    def flush(self):
        self.peer.send(self.h2.data_to_send())

    def request(self, headers=(), body=None, **changed):
        stream = self.h2.get_next_available_stream_id()
        fields = [(name, changed.get(name.strip(":"), value)) for name, value in FIELDS]
        self.h2.send_headers(stream, [*fields, *headers], end_stream=body is None)
        if body:
            self.h2.send_data(stream, body, end_stream=True)
        self.flush()
        return stream

    async def receive(self):
        data = await asyncio.wait_for(self.peer.reader.read(65536), 15)
        if not data:
            self.closed = True
            return
        for event in self.h2.receive_data(data):
            self.events.append(event)
            if isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()

    async def until(self, kind, stream=None):
        while True:
            for event in self.events:
                if isinstance(event, kind) and stream in (None, getattr(event, "stream_id", None)):
                    return event
            assert not self.closed, self.events
            await self.receive()

    async def answer(self, stream):
        await self.until(h2.events.StreamEnded, stream)
        mine = [event for event in self.events if getattr(event, "stream_id", None) == stream]
        [head] = [event for event in mine if isinstance(event, h2.events.ResponseReceived)]
        body = b"".join(event.data for event in mine if isinstance(event, h2.events.DataReceived))
        return dict(head.headers), body

    async def until_closed(self):
        while not self.closed:
            await self.receive()


def test_streams_are_answered_side_by_side(run):
    async def main():
        loop = asyncio.get_running_loop()

        def app(exchange):
            assert exchange.http_version == "HTTP/2.0"
            assert exchange.host == "h"
            delay = 0.05 if exchange.path == "/slow" else 0
            loop.call_later(delay, exchange.respond, 200, {"X-Path": exchange.path}, exchange.path)

        live = Live(app)
        client = await Client.connect(live)
        slow, quick = client.request(path="/slow"), client.request(path="/quick")
        headers, body = await client.answer(quick)
        assert (headers[":status"], headers["x-path"], body) == ("200", "/quick", b"/quick")
        assert not any(
            isinstance(event, h2.events.ResponseReceived) and event.stream_id == slow
            for event in client.events
        )
        assert (await client.answer(slow))[1] == b"/slow"
        await client.peer.close()
        live.close()

    run(main)


def test_bodies_trailers_and_hints(run):
    async def main():
        def app(exchange):
            exchange.inform(103, {"Link": "</a>"})

            def arrived(body):
                exchange.start(200, {"Connection": "keep-alive"})
                exchange.write(body[:3])
                exchange.write(body[3:])
                exchange.end({"X-Sum": str(len(body))})

            body = exchange.read_all(arrived)
            if body is not None:
                arrived(body)

        live = Live(app)
        client = await Client.connect(live)
        number = client.request(method="POST", body=b"hello world")
        headers, body = await client.answer(number)
        assert body == b"hello world"
        assert "connection" not in headers
        hints = await client.until(h2.events.InformationalResponseReceived)
        assert ("link", "</a>") in hints.headers
        trailers = await client.until(h2.events.TrailersReceived)
        assert trailers.headers == [("x-sum", "11")]
        await client.peer.close()
        live.close()

    run(main)


def test_head_and_empty_answers(run):
    async def main():
        live = Live(
            lambda exchange: exchange.respond(
                204 if exchange.path == "/e" else 200, {}, b"hello" if exchange.path == "/" else b""
            )
        )
        client = await Client.connect(live)
        headers, body = await client.answer(client.request(method="HEAD"))
        assert (headers["content-length"], body) == ("5", b"")
        headers, body = await client.answer(client.request(path="/e"))
        assert (headers[":status"], body) == ("204", b"")
        await client.peer.close()
        live.close()

    run(main)


def test_a_large_download_obeys_the_window(run):
    async def main():
        live = Live(stream(4 << 20))
        client = await Client.connect(live)
        number = client.request()
        headers, body = await client.answer(number)
        assert len(body) == 4 << 20
        assert headers["content-length"] == str(4 << 20)
        await client.peer.close()
        live.close()

    run(main)


def test_an_upload_nobody_reads_closes_the_senders_window(run):
    async def main():
        kept = []
        live = Live(kept.append)
        client = await Client.connect(live)
        number = client.h2.get_next_available_stream_id()
        fields = [(name, "POST" if name == ":method" else value) for name, value in FIELDS]
        client.h2.send_headers(number, fields)
        client.flush()
        while not any(isinstance(e, h2.events.RemoteSettingsChanged) for e in client.events):
            await client.receive()
        sent = 0
        while (window := client.h2.local_flow_control_window(number)) > 0:
            size = min(window, client.h2.max_outbound_frame_size)
            client.h2.send_data(number, bytes(size))
            client.flush()
            sent += size
            await client.peer.writer.drain()
        assert sent < 1 << 20
        assert kept
        await client.peer.close()
        live.close()

    run(main)


def test_an_upload_is_counted_whole(run):
    async def main():
        live = Live(count)
        client = await Client.connect(live)
        number = client.h2.get_next_available_stream_id()
        fields = [(name, "POST" if name == ":method" else value) for name, value in FIELDS]
        client.h2.send_headers(number, fields)
        left = 3 << 20
        while left:
            window = min(
                client.h2.local_flow_control_window(number), client.h2.max_outbound_frame_size, left
            )
            if window:
                left -= window
                client.h2.send_data(number, bytes(window), end_stream=not left)
                client.flush()
            else:
                await client.receive()
        assert (await client.answer(number))[1] == str(3 << 20).encode()
        await client.peer.close()
        live.close()

    run(main)


def test_a_reset_reaches_the_handler(run):
    async def main():
        gone = asyncio.Event()
        kept = []

        def app(exchange):
            kept.append(exchange)
            exchange.on_disconnect(gone.set)

        live = Live(app)
        client = await Client.connect(live)
        number = client.request()
        while not kept:
            await asyncio.sleep(0)
        client.h2.reset_stream(number)
        client.flush()
        await asyncio.wait_for(gone.wait(), 10)
        await client.peer.close()
        live.close()

    run(main)


@pytest.mark.parametrize(
    ("changed", "headers", "status"),
    [
        ({"authority": "u@h"}, (), "400"),
        ({}, [("a", "b")] * 101, "431"),
        ({"path": "/" + "a" * 9000}, (), "414"),
    ],
)
def test_malformed_heads_are_refused(run, changed, headers, status):
    async def main():
        live = Live(hello)
        client = await Client.connect(live)
        answer, _ = await client.answer(client.request(headers, **changed))
        assert answer[":status"] == status
        assert (await client.answer(client.request()))[1] == b"hello"
        assert live.notices[0][0] == "refused"
        await client.peer.close()
        live.close()

    run(main)


def test_a_body_over_the_limit_is_413(run):
    async def main():
        live = Live(echo, limits={"body_bytes": 10})
        client = await Client.connect(live)
        number = client.request([("content-length", "11")], b"x" * 11, method="POST")
        answer, _ = await client.answer(number)
        assert answer[":status"] == "413"
        await client.peer.close()
        live.close()

    run(main)


def flood_resets(client):
    for _ in range(300):
        number = client.request(path="/never")
        client.h2.reset_stream(number)
        client.flush()


def flood_pings(client):
    for _ in range(1200):
        client.h2.ping(b"12345678")
    client.flush()


def flood_settings(client):
    for size in range(1200):
        client.peer.send(
            b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04" + (65535 + size).to_bytes(4, "big")
        )


def flood_continuation(client):
    client.peer.send(b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82")
    for _ in range(1200):
        client.peer.send(b"\x00\x00\x00\x09\x00\x00\x00\x00\x01")


@pytest.mark.parametrize("flood", [flood_resets, flood_pings, flood_settings, flood_continuation])
def test_floods_end_the_connection_and_no_other(run, flood):
    async def main():
        live = Live(
            lambda exchange: hello(exchange) if exchange.path == "/" else kept.append(exchange)
        )
        kept = []
        client = await Client.connect(live)
        flood(client)
        try:
            await client.until_closed()
        except (ConnectionError, h2.exceptions.ProtocolError):
            pass
        kept.clear()
        other = await Client.connect(live)
        assert (await other.answer(other.request()))[1] == b"hello"
        await client.peer.close()
        await other.peer.close()
        live.close()

    run(main)


def test_a_drain_says_goaway_and_finishes_what_runs(run):
    """Frames are read by hand: this client takes nothing after a GOAWAY, though it should."""

    async def main():
        kept = []
        live = Live(kept.append)
        client = await Client.connect(live)
        client.request()
        while not kept:
            await client.receive()
        done = asyncio.Event()
        live.server.drain(10, done.set)
        kinds, body = [], b""
        reader = client.peer.reader
        while True:
            try:
                head = await asyncio.wait_for(reader.readexactly(9), 15)
            except asyncio.IncompleteReadError:
                break
            payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
            kinds.append(head[3])
            if head[3] == PING and not head[4]:
                client.peer.send(b"\x00\x00\x08\x06\x01\x00\x00\x00\x00" + payload)
            if head[3] == GOAWAY and kept:
                kept.pop().respond(200, {}, b"finished")
            if head[3] == DATA:
                body += payload
        assert body == b"finished"
        assert kinds.index(GOAWAY) < kinds.index(HEADERS)
        await asyncio.wait_for(done.wait(), 10)
        await client.peer.close()

    run(main)


def test_alpn_chooses_the_protocol_over_tls(run):
    async def main():
        ca = trustme.CA()
        versions = []

        def app(exchange):
            versions.append((exchange.http_version, exchange.tls["alpn"]))
            hello(exchange)

        live = Live(app, tls=TLSConfig([pair(ca.issue_cert("h.example"))]))
        context = client_context(ca, alpn=["h2", "http/1.1"])
        client = await Client.connect(live, ssl=context, server_hostname="h.example")
        assert (await client.answer(client.request()))[1] == b"hello"
        peer = await live.connect(
            ssl=client_context(ca, alpn=["http/1.1"]), server_hostname="h.example"
        )
        peer.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await peer.answer())[2] == b"hello"
        assert versions == [("HTTP/2.0", "h2"), ("HTTP/1.1", "http/1.1")]
        await client.peer.close()
        await peer.close()
        live.close()

    run(main)


def test_curl_and_h2load_are_served(run):
    curl, h2load = require("curl"), require("h2load")

    async def command(*args):
        done = await asyncio.to_thread(subprocess.run, args, capture_output=True, text=True)
        return done.stdout

    async def main():
        live = Live(echo)
        url = f"http://127.0.0.1:{live.port}/"
        out = await command(
            curl, "-s", "--http2-prior-knowledge", "-d", "from curl", "-w", " %{http_version}", url
        )
        assert out == "from curl 2"
        out = await command(h2load, "-n2000", "-c10", "-m10", url)
        assert re.search(r"2000 succeeded, 0 failed", out), out
        live.close()

    run(main)
