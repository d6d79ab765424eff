"""Back-pressure, time-outs and limits."""

import asyncio
import os
import resource
import socket
import subprocess
import sys

import pytest

from tests.conftest import Live, Peer, echo, hello

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
PIECE = b"x" * 65536


def stream(total):
    """An app that streams `total` bytes, as fast as the client takes them."""

    def app(exchange):
        left = [total]

        def more(error=None):
            if error is not None:
                return
            while left[0] > 0:
                piece = PIECE[: left[0]]
                left[0] -= len(piece)
                if not exchange.write(piece) and not exchange.when_writable(more):
                    return
            exchange.end()

        exchange.start(200, {"Content-Length": str(total)})
        more()

    return app


def count(exchange):
    """Answer with the number of body bytes, read piece by piece."""
    total = [0]
    exchange.set_body_limit(1 << 40)

    def arrived(piece):
        while piece is not None:
            if not piece:
                exchange.respond(200, {}, str(total[0]))
                return
            total[0] += len(piece)
            piece = exchange.read(arrived)

    arrived(exchange.read(arrived))


def test_two_gibibytes_go_both_ways_in_bounded_memory(run):
    """The peer moves data as fast as it can; the process stays under 100 MiB."""
    total = 2 << 30

    async def main():
        up, down = Live(count), Live(stream(total))
        commands = [(UPLOAD, str(up.port), str(total)), (DOWNLOAD, str(down.port))]
        outputs = await asyncio.gather(
            *(
                asyncio.to_thread(
                    subprocess.run, [sys.executable, "-c", *command], capture_output=True, text=True
                )
                for command in commands
            )
        )
        assert [output.stdout.strip() for output in outputs] == [str(total)] * 2
        up.close()
        down.close()

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(main)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 30 * 1024, f"{grown} KiB more than before"


UPLOAD = """
import socket, sys
port, total = int(sys.argv[1]), int(sys.argv[2])
s = socket.create_connection(("127.0.0.1", port))
s.sendall(b"POST / HTTP/1.1\\r\\nHost: h\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n" % total)
piece = bytes(1 << 20)
for _ in range(total >> 20):
    s.sendall(piece)
answer = b""
while data := s.recv(65536):
    answer += data
print(answer.rpartition(b"\\r\\n")[2].decode())
"""

DOWNLOAD = """
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"GET / HTTP/1.1\\r\\nHost: h\\r\\nConnection: close\\r\\n\\r\\n")
buffer = bytearray(1 << 20)
head, total = b"", 0
while b"\\r\\n\\r\\n" not in head:
    head += s.recv(1000)
total = len(head.partition(b"\\r\\n\\r\\n")[2])
while n := s.recv_into(buffer):
    total += n
print(total)
"""


def test_a_reader_that_stops_makes_the_sender_stop(run):
    async def main():
        kept = []
        live = Live(kept.append)
        sock = socket.create_connection(("127.0.0.1", live.port))
        sock.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n")
        sock.setblocking(False)
        sent = 0
        for _ in range(10000):
            try:
                sent += sock.send(PIECE)
            except BlockingIOError:
                if kept and sent > READ_AHEAD:
                    break
            await asyncio.sleep(0)
        else:
            pytest.fail("the window stayed open")
        # What the kernel holds on both sides, and our 64 KiB.
        assert sent < 32 << 20
        sock.close()
        live.close()

    READ_AHEAD = 65536
    run(main)


def test_a_writer_is_told_when_the_client_does_not_read(run):
    async def main():
        told = asyncio.get_running_loop().create_future()

        def app(exchange):
            exchange.start(200, {})
            written = 0
            while exchange.write(PIECE):
                written += len(PIECE)
            assert not exchange.when_writable(lambda error: told.set_result((error, written)))
            kept.append(exchange)

        kept = []
        live = Live(app)
        peer = await live.connect()
        peer.send(GET)
        await asyncio.sleep(0)
        await peer.reader.readexactly(100_000)
        while not told.done():
            await peer.reader.read(1 << 20)
        error, _ = told.result()
        assert error is None
        await peer.close()
        live.close()

    run(main)


@pytest.mark.parametrize(
    ("sent", "limits", "status"),
    [
        (b"GET / HTTP/1.1\r\nHo", {"header_timeout_s": 0.1}, 408),
        (
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nh",
            {"body_grace_s": 0.1},
            408,
        ),
    ],
)
def test_slow_requests_are_answered_408(run, sent, limits, status):
    async def main():
        live = Live(echo, limits=limits)
        answer = await live.ask(sent)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert any("408" in notice[2] for notice in live.notices)
        live.close()

    run(main)


def test_idle_connections_are_closed_without_a_word(run):
    async def main():
        live = Live(hello, limits={"keep_alive_s": 0.1, "header_timeout_s": 0.1})
        assert await live.ask(b"") == b""
        answer = await live.ask(GET)
        assert answer.endswith(b"hello")
        assert live.notices == []
        live.close()

    run(main)


def test_a_client_that_takes_nothing_is_cut(run):
    async def main():
        closed = asyncio.Event()

        def app(exchange):
            exchange.on_disconnect(closed.set)
            stream(1 << 30)(exchange)

        live = Live(app, limits={"write_stall_s": 0.2})
        peer = await live.connect(limit=1024)
        peer.send(GET)
        await asyncio.wait_for(closed.wait(), 20)
        assert [notice[0] for notice in live.notices] == ["aborted"]
        await peer.close()
        live.close()

    run(main)


def test_connections_over_the_limit_are_answered_503(run):
    async def main():
        live = Live(hello, limits={"connections": 2})
        peers = [await live.connect() for _ in range(2)]
        for peer in peers:
            peer.send(GET)
            assert (await peer.answer())[0] == 200
        answer = await live.ask(GET)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After" in answer
        for peer in peers:
            await peer.close()
        while live.server.stats()["connections"]:
            await asyncio.sleep(0)
        assert (
            await live.ask(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        ).endswith(b"hello")
        live.close()

    run(main)


def test_accepting_pauses_without_descriptors_and_recovers(run):
    async def main():
        live = Live(hello)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        clients = [socket.socket() for _ in range(8)]
        used = len(os.listdir("/proc/self/fd"))
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        fillers = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 4, hard))
        try:
            while True:
                try:
                    fillers.append(os.dup(0))
                except OSError:
                    break
            os.close(fillers.pop())
            for client in clients:
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", live.port))
            while not any("paused" in notice[2] for notice in live.notices):
                await asyncio.sleep(0)
        finally:
            for filler in fillers:
                os.close(filler)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        loop = asyncio.get_running_loop()
        for client in clients:
            await loop.sock_sendall(client, GET)
            assert (await loop.sock_recv(client, 1000)).startswith(b"HTTP/1.1 200")
            client.close()
        texts = [notice[2] for notice in live.notices]
        assert len([text for text in texts if "paused" in text]) == 1
        assert "accepting goes on" in texts
        assert used
        live.close()

    run(main)


def test_a_drain_finishes_what_runs_and_closes_what_idles(run):
    async def main():
        kept = []
        live = Live(kept.append)
        idle, busy = await live.connect(), await live.connect()
        busy.send(GET)
        while not kept:
            await asyncio.sleep(0)
        done = asyncio.Event()
        live.server.drain(10, done.set)
        assert await idle.read_all() == b""
        with pytest.raises(OSError):
            await live.connect()
        assert not done.is_set()
        kept.pop().respond(200, {}, b"finished")
        answer = await busy.read_all()
        assert answer.endswith(b"finished")
        assert b"Connection: close" in answer
        await asyncio.wait_for(done.wait(), 10)
        for peer in (idle, busy):
            await peer.close()

    run(main)


def test_a_drain_still_answers_what_comes_on_idle_connections(run):
    """Closing them at once lost the requests that crossed the end on the network."""

    async def main():
        live = Live(lambda exchange: exchange.respond(200, {}, b"still here"))
        fresh, kept = await live.connect(), await live.connect()
        kept.send(GET)
        await kept.answer()
        done = asyncio.Event()
        live.server.drain(10, done.set)
        for peer in (fresh, kept):
            peer.send(GET)
            answer = await peer.read_all()
            assert answer.endswith(b"still here")
            assert b"Connection: close" in answer
        await asyncio.wait_for(done.wait(), 10)
        for peer in (fresh, kept):
            await peer.close()

    run(main)


def test_an_answer_that_began_before_a_drain_does_not_keep_its_connection(run):
    async def main():
        kept = []
        live = Live(kept.append)
        peer = await live.connect()
        peer.send(GET)
        while not kept:
            await asyncio.sleep(0)
        exchange = kept.pop()
        exchange.start(200, {"Content-Length": "4"})
        done = asyncio.Event()
        live.server.drain(60, done.set)
        exchange.write(b"done")
        exchange.end()
        assert (await peer.read_all()).endswith(b"done")
        await asyncio.wait_for(done.wait(), 10)
        await peer.close()

    run(main)


def test_a_drain_cuts_at_its_deadline(run):
    async def main():
        kept = []
        live = Live(kept.append)
        busy = await live.connect()
        busy.send(GET)
        while not kept:
            await asyncio.sleep(0)
        done = asyncio.Event()
        live.server.drain(0.1, done.set)
        await asyncio.wait_for(done.wait(), 10)
        assert await busy.read_all() == b""
        await busy.close()

    run(main)


def test_many_waiting_requests_are_answered_by_one_event(run):
    async def main():
        waiting = []
        live = Live(waiting.append)
        peers = [await live.connect() for _ in range(300)]
        for peer in peers:
            peer.send(GET)
        while len(waiting) < len(peers):
            await asyncio.sleep(0)
        for exchange in waiting:
            exchange.respond(200, {}, b"news")
        answers = await asyncio.gather(*(Peer.answer(peer) for peer in peers))
        assert {body for _, _, body in answers} == {b"news"}
        for peer in peers:
            await peer.close()
        live.close()

    run(main)
