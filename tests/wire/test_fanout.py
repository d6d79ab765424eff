"""`Fanout`: one message to many connections."""

import asyncio
import zlib

import pytest

from eyewall._engine import Fanout, Reactor
from tests.conftest import Live
from tests.wire.websocket_frames import BINARY, TEXT, Client, frame

DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
NARROW = DEFLATE + b"; server_max_window_bits=9"


class Room:
    """An application whose WebSockets are members of a set; other requests are streams."""

    def __init__(self, *, compression=None, **options):
        self.fanout = Fanout(Reactor.of(asyncio.get_running_loop()), **options)
        self.compression = compression
        self.sockets = []
        self.ended = []

    def __call__(self, exchange):
        if exchange.header("upgrade"):
            member = exchange.upgrade_websocket({}, print, self.event, compression=self.compression)
            self.sockets.append(member)
        else:
            exchange.start(200, {"Content-Type": "text/event-stream"})
            member = exchange
            self.sockets.append(member)
        self.fanout.add(member)

    def event(self, kind, value):
        if kind == "close":
            self.ended.append(value)


def unmasked(data, first=TEXT):
    return frame(first, data, mask=None)


def test_every_member_gets_every_message_in_order(run):
    async def main():
        room = Room()
        live = Live(room)
        clients = [await Client.open(live) for _ in range(20)]
        assert len(room.fanout) == 20
        for number in range(30):
            assert room.fanout.send(str(number)) == 20
            room.fanout.send(bytes([number]))
            if number % 7 == 0:
                await asyncio.sleep(0)
        for client in clients:
            for number in range(30):
                assert await client.frame() == (TEXT, str(number).encode())
                assert await client.frame() == (BINARY, bytes([number]))
            await client.peer.close()
        live.close()

    run(main)


def test_a_message_of_megabytes_arrives_whole(run):
    async def main():
        room = Room(max_queue_bytes=1 << 24)
        live = Live(room)
        clients = [await Client.open(live) for _ in range(3)]
        room.fanout.send(bytes(3_000_000))
        room.fanout.send("behind it")
        for client in clients:
            assert await client.frame() == (BINARY, bytes(3_000_000))
            assert await client.frame() == (TEXT, b"behind it")
            await client.peer.close()
        live.close()

    run(main)


def test_order_is_kept_beside_what_goes_to_one(run):
    async def main():
        room = Room()
        live = Live(room)
        one = await Client.open(live)
        two = await Client.open(live)
        room.fanout.send("a")
        room.sockets[0].send("b")
        room.fanout.send("c")
        room.sockets[0].close(4000)
        room.fanout.send("d")
        assert [(await one.frame())[1] for _ in range(3)] == [b"a", b"b", b"c"]
        assert await one.closed() == 4000
        assert [(await two.frame())[1] for _ in range(3)] == [b"a", b"c", b"d"]
        await one.peer.close()
        await two.peer.close()
        live.close()

    run(main)


def test_members_of_several_sets_get_everything_in_order(run):
    async def main():
        room = Room()
        other = Fanout(Reactor.of(asyncio.get_running_loop()))
        live = Live(room)
        client = await Client.open(live)
        other.add(room.sockets[0])
        for number in range(5):
            room.fanout.send(f"room {number}")
            other.send(f"other {number}")
        del other
        received = [(await client.frame())[1] for _ in range(10)]
        assert received == [
            f"{name} {number}".encode() for number in range(5) for name in ("room", "other")
        ]
        await client.peer.close()
        live.close()

    run(main)


def test_who_joins_gets_what_is_sent_from_then_on_and_who_leaves_what_was_sent(run):
    async def main():
        room = Room()
        live = Live(room)
        one = await Client.open(live)
        two = await Client.open(live)
        room.fanout.discard(room.sockets[1])
        room.fanout.send("a")
        room.fanout.add(room.sockets[1])
        room.fanout.add(room.sockets[1])
        room.fanout.send("b")
        room.fanout.discard(room.sockets[0])
        assert room.fanout.send("c") == 1
        room.fanout.send("d")
        assert [(await one.frame())[1] for _ in range(2)] == [b"a", b"b"]
        assert [(await two.frame())[1] for _ in range(3)] == [b"b", b"c", b"d"]
        await one.peer.close()
        await two.peer.close()
        live.close()

    run(main)


def test_members_that_are_over_leave_by_themselves(run):
    async def main():
        room = Room()
        live = Live(room)
        one = await Client.open(live)
        two = await Client.open(live)
        one.peer.writer.transport.abort()
        while not room.ended:
            await asyncio.sleep(0)
        assert len(room.fanout) == 1
        room.fanout.send("x")
        assert await two.frame() == (TEXT, b"x")
        await two.peer.close()
        live.close()

    run(main)


def test_streams_get_their_own_bytes(run):
    async def main():
        room = Room()
        live = Live(room)
        socket = await Client.open(live)
        stream = await live.connect()
        stream.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await stream.reader.readuntil(b"\r\n\r\n")
        assert len(room.fanout) == 2
        room.fanout.send("one", stream=b"data: one\n\n")
        room.fanout.send("two")
        room.fanout.send(stream=b"data: three\n\n")
        room.fanout.send("four")
        assert [(await socket.frame())[1] for _ in range(3)] == [b"one", b"two", b"four"]
        expected = b"data: one\n\ndata: three\n\n"
        size = int(await stream.reader.readuntil(b"\r\n"), 16)
        assert size == len(expected)
        assert await stream.reader.readexactly(size) == expected
        await socket.peer.close()
        await stream.close()
        live.close()

    run(main)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_pieces_to_all_keep_their_place_among_a_streams_own(run, version):
    async def main():
        room = Room()
        live = Live(room)
        peers = [await live.connect() for _ in range(5)]
        for peer in peers:
            peer.send(f"GET / HTTP/{version}\r\nHost: a\r\n\r\n".encode())
            await peer.reader.readuntil(b"\r\n\r\n")
        expected = b""
        for number in range(40):
            # Some are more than a socket takes at once.
            to_all = b"%d," % number * (50_000 if number % 13 == 5 else 1)
            own = b"own %d," % number
            assert room.fanout.send(stream=to_all) == 5
            if number % 3 == 0:
                room.fanout.send(stream=b"")
                await asyncio.sleep(0)
            for member in room.sockets:
                member.write(own)
            expected += to_all + own
        for member in room.sockets:
            member.end()
        for peer in peers:
            body = await (peer.chunks({}) if version == "1.1" else peer.read_all())
            assert body == expected
            await peer.close()
        live.close()

    run(main)


@pytest.mark.parametrize("takeover", [False, True])
def test_members_with_and_without_compression_get_the_same(run, takeover):
    async def main():
        room = Room(compression={"context_takeover": takeover})
        live = Live(room)
        plain = await Client.open(live)
        wide = await Client.open(live, headers=[DEFLATE])
        narrow = await Client.open(live, headers=[NARROW])
        text = "the same words again and again, the same words again and again"
        decoders = {wide: zlib.decompressobj(wbits=-15), narrow: zlib.decompressobj(wbits=-9)}

        async def read(client):
            first, payload = await client.frame()
            if client is plain:
                return payload.decode()
            assert first == 0xC1
            assert len(payload) < len(text)
            decoder = decoders[client]
            if not takeover:
                decoder = zlib.decompressobj(wbits=-15)
            return decoder.decompress(payload + b"\0\0\xff\xff").decode()

        for number in range(4):
            # Shared and own messages take turns: windows must fit all the same.
            room.fanout.send(f"{text} {number}")
            for ws in room.sockets:
                ws.send(f"own: {text} {number}")
                ws.send(f"own: {text} {number}")
            for client in (plain, wide, narrow):
                assert await read(client) == f"{text} {number}"
                assert await read(client) == f"own: {text} {number}"
                assert await read(client) == f"own: {text} {number}"
        for client in (plain, wide, narrow):
            await client.peer.close()
        live.close()

    run(main)


def stuff(room, client):
    """Send until the client's buffers are full, and more waits than is allowed."""
    client.peer.writer.transport.pause_reading()
    while room.sockets[0].buffered <= 100_000:
        room.sockets[0].send(bytes(50_000))


async def drain(client):
    """Read what it was stuffed with; returns the first other frame."""
    client.peer.writer.transport.resume_reading()
    while (received := await client.frame()) == (BINARY, bytes(50_000)):
        pass
    return received


def test_a_slow_member_is_cut_and_nobody_else_waits(run):
    async def main():
        room = Room(slow="disconnect", max_queue_bytes=100_000)
        live = Live(room)
        slow = await Client.open(live)
        other = await Client.open(live)
        stuff(room, slow)
        room.fanout.send("x")
        assert await other.frame() == (TEXT, b"x")
        while not room.ended:
            await asyncio.sleep(0)
        assert "too slow" in room.ended[0][1]
        ((kind, _, text),) = live.notices
        assert kind == "aborted"
        assert "too slow" in text
        assert len(room.fanout) == 1
        slow.peer.writer.transport.abort()
        await other.peer.close()
        live.close()

    run(main)


def test_a_slow_member_misses_messages_where_that_is_the_policy(run):
    async def main():
        room = Room(slow="drop", max_queue_bytes=100_000)
        live = Live(room)
        slow = await Client.open(live)
        stuff(room, slow)
        room.fanout.send("missed")
        await asyncio.sleep(0)
        received = asyncio.ensure_future(drain(slow))
        while room.sockets[0].buffered:
            await asyncio.sleep(0)
        room.fanout.send("seen")
        assert await received == (TEXT, b"seen")
        await slow.peer.close()
        live.close()

    run(main)


def test_a_slow_member_gets_the_latest_message_where_that_is_the_policy(run):
    async def main():
        room = Room(slow="latest", max_queue_bytes=100_000)
        live = Live(room)
        slow = await Client.open(live)
        stuff(room, slow)
        for number in range(5):
            room.fanout.send(f"missed {number}a")
            room.fanout.send(f"missed {number}b")
            await asyncio.sleep(0)
        assert await drain(slow) == (TEXT, b"missed 4b")
        room.fanout.send("seen")
        assert await slow.frame() == (TEXT, b"seen")
        await slow.peer.close()
        live.close()

    run(main)


def test_what_cannot_be_a_member_is_said(run):
    async def main():
        reactor = Reactor.of(asyncio.get_running_loop())
        with pytest.raises(ValueError, match='"drop"'):
            Fanout(reactor, slow="wait")
        fanout = Fanout(reactor)
        with pytest.raises(TypeError, match="a WebSocket or an Exchange"):
            fanout.add("x")
        with pytest.raises(ValueError, match="UTF-8"):
            fanout.send(b"\xff", binary=False)
        assert fanout.send("nobody is there") == 0

    run(main)


def test_a_set_may_be_dropped_on_another_thread(run):
    async def main():
        room = Room()
        live = Live(room)
        client = await Client.open(live)
        room.fanout.send("x")
        held = [room.fanout]
        del room.fanout
        await asyncio.get_running_loop().run_in_executor(None, held.clear)
        assert await client.frame() == (TEXT, b"x")
        await client.peer.close()
        live.close()

    run(main)
