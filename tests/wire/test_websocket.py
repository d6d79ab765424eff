"""The engine's WebSocket, frame by frame: RFC 6455 and what breaks it."""

import asyncio
import socket
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Live
from tests.wire.websocket_frames import BINARY, CLOSE, PING, PONG, TEXT, Client, close, frame


class Sockets:
    """An application whose WebSockets echo, and which notes every event."""

    def __init__(self, **options):
        self.options = options
        self.events = []
        self.ended = asyncio.get_running_loop().create_future()
        self.sockets = []

    def __call__(self, exchange):
        def message(data):
            ws.send(data)

        ws = exchange.upgrade_websocket({}, message, self.event, **self.options)
        self.sockets.append(ws)

    def event(self, kind, value):
        self.events.append((kind, value))
        if kind == "close" and not self.ended.done():
            self.ended.set_result(value)


def test_what_comes_with_the_handshake_is_a_frame(run):
    async def main():
        live = Live(Sockets())
        client = await Client.open(live, early=frame(TEXT, "early") + frame(BINARY, b"\xff"))
        assert await client.frame() == (TEXT, b"early")
        assert await client.frame() == (BINARY, b"\xff")
        await client.peer.close()
        live.close()

    run(main)


def test_frames_byte_by_byte_are_whole_messages(run):
    async def main():
        live = Live(Sockets())
        client = await Client.open(live)
        for byte in frame(0x01, "häl") + frame(PING, "?") + frame(0x80, "lo"):
            client.send(bytes([byte]))
            await client.peer.writer.drain()
            await asyncio.sleep(0)
        assert await client.frame() == (PONG, b"?")
        assert await client.frame() == (TEXT, "hällo".encode())
        await client.peer.close()
        live.close()

    run(main)


MISTAKES = {
    "a frame without a mask": (frame(TEXT, "a", mask=None), 1002),
    "a reserved bit": (frame(0x91, "a"), 1002),
    "a compressed frame though nothing was agreed": (frame(0xC1, "a"), 1002),
    "an unknown opcode": (frame(0x83, "a"), 1002),
    "an unknown control opcode": (frame(0x8B), 1002),
    "a continuation of nothing": (frame(0x80, "a"), 1002),
    "a message within a message": (frame(0x01, "a") + frame(TEXT, "b"), 1002),
    "a fragmented ping": (frame(0x09, "a"), 1002),
    "a ping of 126 bytes": (frame(PING, "a" * 126), 1002),
    "a length that could be shorter": (b"\x81\xfe\x00\x01" + bytes(5), 1002),
    "a length beyond 63 bits": (b"\x82\xff" + b"\xff" * 8 + bytes(4), 1002),
    "text that is not UTF-8": (frame(TEXT, b"\xff"), 1007),
    "text cut off in a character": (frame(TEXT, b"\xe2\x82"), 1007),
    "a character spoilt over two frames": (frame(0x01, b"\xe2\x82") + frame(0x80, b"a"), 1007),
    "half a surrogate pair": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "a message beyond the limit": (frame(BINARY, bytes(1001)), 1009),
    "fragments beyond the limit": (frame(0x02, bytes(600)) + frame(0x80, bytes(401)), 1009),
    "an announced exabyte": (b"\x82\xff\x10" + bytes(7) + bytes(4), 1009),
    "a close frame of one byte": (frame(CLOSE, b"\x03"), 1002),
    "a close code out of range": (close(999), 1002),
    "a close code that is never sent": (close(1006), 1002),
    "a close reason that is not UTF-8": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_ends_with_its_code_and_one_line(run, mistake):
    wire, code = MISTAKES[mistake]

    async def main():
        app = Sockets(max_message_bytes=1000)
        live = Live(app)
        other = await Client.open(live)
        client = await Client.open(live)
        # What follows the mistake is not looked at.
        client.send(wire, frame(TEXT, "more"))
        assert await client.closed() == code
        await client.end()
        assert (await app.ended)[0] == code
        ((kind, peer, text),) = live.notices
        assert kind == "refused"
        assert peer.startswith("127.0.0.1")
        assert text.startswith("WebSocket: ")
        assert text.endswith(f": closed with {code}")
        # Nobody else notices.
        other.send(frame(TEXT, "still here"))
        assert await other.frame() == (TEXT, b"still here")
        await other.peer.close()
        live.close()

    run(main)


@pytest.mark.parametrize(
    ("sent", "answered", "told"),
    [
        (close(), None, (None, "")),
        (close(1000, "bye"), 1000, (1000, "bye")),
        (close(3999), 3999, (3999, "")),
        (close(4999, "ä" * 61), 4999, (4999, "ä" * 61)),
    ],
)
def test_a_close_frame_is_answered_with_its_code(run, sent, answered, told):
    async def main():
        app = Sockets()
        live = Live(app)
        client = await Client.open(live)
        client.send(frame(TEXT, "last"), sent, frame(TEXT, "not looked at"))
        assert await client.frame() == (TEXT, b"last")
        assert await client.closed() == answered
        await client.end()
        assert await app.ended == told
        assert live.notices == []
        live.close()

    run(main)


def test_the_server_closes_and_hears_the_answer(run):
    async def main():
        app = Sockets()
        live = Live(app)
        client = await Client.open(live)
        client.send(frame(TEXT, "x"))
        await client.frame()
        (ws,) = app.sockets
        ws.close(4001, "enough")
        assert not ws.open
        ws.close(1000, "too late")
        assert await client.frame() == (CLOSE, b"\x0f\xa1enough")
        client.send(frame(TEXT, "on its way"), close(1000))
        await client.end()
        assert await app.ended == (4001, "enough")
        live.close()

    run(main)


def test_a_peer_that_does_not_answer_a_close_frame_is_cut(run):
    async def main():
        app = Sockets(close_timeout_s=0.05)
        live = Live(app)
        client = await Client.open(live)
        app.sockets[0].close(1001)
        assert await client.closed() == 1001
        assert await app.ended == (1001, "")
        await client.end()
        assert "no answer to a close frame" in live.notices[0][2]
        live.close()

    run(main)


def test_a_connection_that_breaks_is_an_end_without_a_code(run):
    async def main():
        app = Sockets()
        live = Live(app)
        client = await Client.open(live)
        client.peer.writer.transport.abort()
        code, reason = await app.ended
        assert code is None
        assert reason
        live.close()

    run(main)


def test_pings_are_answered_and_told(run):
    async def main():
        app = Sockets()
        live = Live(app)
        client = await Client.open(live)
        client.send(frame(PING, "one"), frame(PING), frame(PONG, "unasked"), frame(TEXT, "x"))
        assert await client.frame() == (PONG, b"one")
        assert await client.frame() == (PONG, b"")
        assert await client.frame() == (TEXT, b"x")
        assert app.events == [("ping", b"one"), ("ping", b""), ("pong", b"unasked")]
        app.sockets[0].ping(b"there?")
        assert await client.frame() == (PING, b"there?")
        await client.peer.close()
        live.close()

    run(main)


def test_the_engine_asks_whether_a_silent_peer_is_there(run):
    async def main():
        app = Sockets(ping_interval_s=0.02, ping_timeout_s=0.05)
        live = Live(app)
        client = await Client.open(live)
        for _ in range(5):
            assert await client.frame() == (PING, b"")
            client.send(frame(PONG))
        assert await client.closed() == 1011
        assert await app.ended == (1011, "ping timed out")
        assert "no answer to a ping" in live.notices[-1][2]
        await client.end()
        live.close()

    run(main)


def test_a_paused_peer_is_not_taken_for_a_silent_one(run):
    async def main():
        app = Sockets(ping_interval_s=0.01, ping_timeout_s=0.03)
        live = Live(app)
        client = await Client.open(live)
        app.sockets[0].pause()
        # Longer than the interval and the time-out.
        await asyncio.wait([app.ended], timeout=0.1)
        client.send(frame(TEXT, "x"))
        app.sockets[0].resume()
        while (received := await client.frame()) == (PING, b""):
            client.send(frame(PONG))
        assert received == (TEXT, b"x")
        assert not app.ended.done()
        await client.peer.close()
        live.close()

    run(main)


def test_a_pause_holds_messages_back_until_it_ends(run):
    async def main():
        seen = []

        def app(exchange):
            def message(data):
                seen.append(data)
                ws.pause()

            ws = exchange.upgrade_websocket({}, message, lambda kind, value: None)
            app.ws = ws

        live = Live(app)
        client = await Client.open(live)
        client.send(*(frame(TEXT, str(number)) for number in range(500)))
        for number in range(500):
            while len(seen) == number:
                await asyncio.sleep(0)
            assert seen == [str(n) for n in range(number + 1)]
            app.ws.resume()
        await client.peer.close()
        live.close()

    run(main)


def test_a_client_that_never_reads_is_cut(run):
    async def main():
        app = Sockets(max_queue_bytes=1_000_000)
        live = Live(app)
        client = await Client.open(live)
        (ws,) = app.sockets
        client.peer.writer.transport.pause_reading()
        refused = None
        for _ in range(10_000):
            try:
                ws.send(bytes(100_000))
            except ConnectionError as exc:
                refused = exc
                break
            await asyncio.sleep(0)
        assert "takes nothing" in str(refused)
        code, reason = await app.ended
        assert code is None
        assert "takes nothing" in reason
        ((kind, _, text),) = live.notices
        assert kind == "aborted"
        assert "takes nothing" in text
        client.peer.writer.transport.abort()
        live.close()

    run(main)


def test_there_is_news_when_there_is_room_again(run):
    async def main():
        app = Sockets()
        live = Live(app)
        client = await Client.open(live)
        (ws,) = app.sockets
        client.peer.writer.transport.pause_reading()
        while ws.send(bytes(50_000)):
            await asyncio.sleep(0)
        assert ws.buffered > 65536
        client.peer.writer.transport.resume_reading()
        while ("room", None) not in app.events:
            await client.frame()
        assert ws.send(b"x")
        await client.peer.close()
        live.close()

    run(main)


def test_a_peer_that_does_not_read_is_not_read_from(run):
    """Echoes must not pile up in memory: the server stops reading when its answers wait."""

    async def main():
        app = Sockets()
        live = Live(app)
        client = await Client.open(live)
        client.peer.writer.transport.pause_reading()
        piece = frame(BINARY, bytes(10_000))
        sent = 0
        while client.peer.writer.transport.get_write_buffer_size() < 1_000_000:
            client.send(piece)
            sent += 1
            await asyncio.sleep(0)
        assert app.sockets[0].buffered < 300_000
        client.peer.writer.transport.resume_reading()
        for _ in range(sent):
            assert (await client.frame())[0] == BINARY
        await client.peer.close()
        live.close()

    run(main)


def test_a_drain_closes_with_1012(run):
    async def main():
        app = Sockets()
        live = Live(app)
        client = await Client.open(live)
        drained = asyncio.get_running_loop().create_future()
        live.server.drain(10, lambda: drained.set_result(None))
        assert await client.closed() == 1012
        client.send(close(1012))
        await client.end()
        await drained
        assert (await app.ended)[0] == 1012
        live.close()

    run(main)


DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"


def deflated(data, compressor=None):
    compressor = compressor or zlib.compressobj(wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflated(data, decompressor=None):
    return (decompressor or zlib.decompressobj(wbits=-15)).decompress(data + b"\0\0\xff\xff")


def test_messages_are_compressed_both_ways(run):
    async def main():
        app = Sockets(compression={})
        live = Live(app)
        client = await Client.open(live, headers=[DEFLATE])
        assert (
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
            "client_no_context_takeover\r\n"
        ) in client.head
        text = b"the same, the same, the same, the same, the same"
        for _ in range(3):
            client.send(frame(0xC1, deflated(text)))
            first, payload = await client.frame()
            assert first == 0xC1
            assert len(payload) < len(text) // 2
            assert inflated(payload) == text
        client.send(frame(TEXT, "plain"), frame(0x41, deflated(text)[:5]), frame(PING))
        client.send(frame(0x80, deflated(text)[5:]))
        assert {await client.frame() for _ in range(2)} == {(TEXT, b"plain"), (PONG, b"")}
        assert inflated((await client.frame())[1]) == text
        await client.peer.close()
        live.close()

    run(main)


def test_a_kept_context_is_used_in_both_directions(run):
    async def main():
        app = Sockets(compression={"context_takeover": True})
        live = Live(app)
        client = await Client.open(live, headers=[DEFLATE])
        assert "Sec-WebSocket-Extensions: permessage-deflate\r\n" in client.head
        compressor = zlib.compressobj(wbits=-15)
        decompressor = zlib.decompressobj(wbits=-15)
        text = bytes(range(256)) * 4
        sizes = []
        for _ in range(3):
            client.send(frame(0xC2, deflated(text, compressor)))
            _, payload = await client.frame()
            sizes.append(len(payload))
            assert inflated(payload, decompressor) == text
        assert sizes[1] < sizes[0] // 4
        await client.peer.close()
        live.close()

    run(main)


def test_a_bomb_ends_with_1009_and_a_little_memory(run):
    async def main():
        app = Sockets(compression={}, max_message_bytes=100_000)
        live = Live(app)
        client = await Client.open(live, headers=[DEFLATE])
        client.send(frame(0xC2, deflated(bytes(50_000_000))))
        assert await client.closed() == 1009
        await client.end()
        assert app.events == [("close", (1009, "message too big"))]
        live.close()

    run(main)


def test_rubbish_for_deflate_ends_with_1007(run):
    async def main():
        app = Sockets(compression={})
        live = Live(app)
        client = await Client.open(live, headers=[DEFLATE])
        client.send(frame(0xC2, b"\x07\xff\xff"))
        assert await client.closed() == 1007
        await client.end()
        live.close()

    run(main)


@pytest.mark.parametrize(
    "offer", ["x-other", "permessage-deflate; unknown=1", "permessage-deflate;;"]
)
def test_an_offer_that_cannot_be_taken_leaves_messages_plain(run, offer):
    async def main():
        live = Live(Sockets(compression={}))
        client = await Client.open(live, headers=[b"Sec-WebSocket-Extensions: " + offer.encode()])
        assert "sec-websocket-extensions" not in client.head.lower()
        client.send(frame(TEXT, "x" * 100))
        assert await client.frame() == (TEXT, b"x" * 100)
        await client.peer.close()
        live.close()

    run(main)


def test_an_unknown_option_is_named(run):
    async def main():
        raised = []

        def app(exchange):
            for options in ({"level": 3}, {"compression_level": 10}, {"mem_level": "x"}):
                with pytest.raises(ValueError, match="level") as error:
                    exchange.upgrade_websocket({}, print, print, compression=options)
                raised.append(error)
            exchange.respond(200, {}, b"")

        live = Live(app)
        await live.ask(
            b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert len(raised) == 3
        live.close()

    run(main)


@given(data=st.binary(max_size=300))
def test_no_bytes_of_a_client_harm_the_server(run, data):
    async def main():
        app = Sockets(compression={}, max_message_bytes=10_000)
        live = Live(app)
        client = await Client.open(live, headers=[DEFLATE], early=data)
        client.peer.writer.write_eof()
        await app.ended
        await client.peer.read_all()
        await client.peer.close()
        live.close()

    run(main)


def test_small_messages_of_a_turn_leave_in_one_piece(run):
    async def main():
        app = Sockets()
        live = Live(app)
        client = await Client.open(live)
        sock = client.peer.writer.get_extra_info("socket")
        client.peer.writer.transport.pause_reading()
        for _ in range(8):
            app.sockets[0].send("x")
        received = []
        sock = socket.socket(fileno=socket.dup(sock.fileno()))
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        received.append(await loop.sock_recv(sock, 1000))
        assert received == [frame(TEXT, "x", mask=None) * 8]
        sock.close()
        await client.peer.close()
        live.close()

    run(main)
