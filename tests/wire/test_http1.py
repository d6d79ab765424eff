"""HTTP/1.1 as it should be: keep-alive, pipelining, bodies, streams, upgrades."""

import asyncio

import pytest

from eyewall._engine import ProtocolError, StreamClosedError
from tests.conftest import Live, echo, hello

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def test_pipelined_requests_are_answered_in_order(run):
    async def main():
        loop = asyncio.get_running_loop()

        def app(exchange):
            if exchange.path == "/slow":
                loop.call_later(0.05, exchange.respond, 200, {}, b"slow")
            else:
                exchange.respond(200, {}, exchange.path)

        live = Live(app)
        peer = await live.connect()
        paths = [b"/1", b"/slow", b"/2", b"/slow", b"/3"]
        peer.send(b"".join(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % path for path in paths))
        bodies = [(await peer.answer())[2] for _ in paths]
        assert bodies == [b"/1", b"slow", b"/2", b"slow", b"/3"]
        await peer.close()
        live.close()

    run(main)


def test_head_204_and_304_have_no_body(run):
    async def main():
        def app(exchange):
            status = int(exchange.path[1:])
            exchange.respond(status, {}, b"hello" if status == 200 else b"")

        live = Live(app)
        peer = await live.connect()
        peer.send(b"HEAD /200 HTTP/1.1\r\nHost: h\r\n\r\n")
        status, headers, _ = await peer.answer(head=True)
        assert (status, headers["content-length"]) == (200, "5")
        for path in (b"204", b"304"):
            peer.send(b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n" % path)
            status, headers, _ = await peer.answer()
            assert status == int(path)
            assert "content-length" not in headers
            assert "transfer-encoding" not in headers
        peer.send(b"GET /200 HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await peer.answer())[2] == b"hello"
        await peer.close()
        live.close()

    run(main)


def test_expect_100_continue_is_answered_when_the_body_is_asked_for(run):
    async def main():
        live = Live(echo)
        peer = await live.connect()
        peer.send(
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (await peer.answer())[0] == 100
        peer.send(b"hello")
        assert (await peer.answer())[2] == b"hello"
        await peer.close()
        live.close()

    run(main)


def test_a_refused_expectation_sends_no_100_and_closes(run):
    async def main():
        live = Live(lambda exchange: exchange.respond(403, {}, b"no"))
        answer = await live.ask(
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 403")
        assert b"Connection: close" in answer
        live.close()

    run(main)


def test_chunked_bodies_and_trailers_go_both_ways(run):
    async def main():
        def app(exchange):
            def arrived(body):
                exchange.start(200, {})
                exchange.write(body)
                exchange.end(exchange.trailers)

            body = exchange.read_all(arrived)
            if body is not None:
                arrived(body)

        live = Live(app)
        peer = await live.connect()
        head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        message = head + b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-Sum: 42\r\n\r\n"
        for size in (1, 7, len(message)):
            for at in range(0, len(message), size):
                peer.send(message[at : at + size])
                await peer.writer.drain()
                await asyncio.sleep(0)
            _, headers, body = await peer.answer()
            assert body == b"hello world"
            assert headers["trailer:x-sum"] == "42"
        await peer.close()
        live.close()

    run(main)


def test_an_unread_body_is_drained_and_the_connection_kept(run):
    async def main():
        live = Live(hello)
        peer = await live.connect()
        for _ in range(3):
            peer.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)
            assert (await peer.answer())[2] == b"hello"
        await peer.close()
        live.close()

    run(main)


def test_a_body_over_the_limit_is_413(run):
    async def main():
        live = Live(echo, limits={"body_bytes": 100})
        for body in (
            b"Content-Length: 101\r\n\r\n" + b"x" * 101,
            b"Transfer-Encoding: chunked\r\n\r\n65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n",
        ):
            answer = await live.ask(b"POST / HTTP/1.1\r\nHost: h\r\n" + body)
            assert answer.startswith(b"HTTP/1.1 413 ")
            assert answer.count(b"HTTP/1.1 ") == 1
        live.close()

    run(main)


def test_the_handlers_own_body_limit_replaces_the_servers(run):
    async def main():
        def app(exchange):
            exchange.set_body_limit(1000)
            echo(exchange)

        live = Live(app, limits={"body_bytes": 10})
        peer = await live.connect()
        peer.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n\r\n" + b"x" * 500)
        assert (await peer.answer())[2] == b"x" * 500
        await peer.close()
        live.close()

    run(main)


def test_early_hints_go_before_the_answer(run):
    async def main():
        def app(exchange):
            assert exchange.inform(103, {"Link": "</a.css>; rel=preload"})
            hello(exchange)

        live = Live(app)
        peer = await live.connect()
        peer.send(GET)
        status, headers, _ = await peer.answer()
        assert (status, headers["link"]) == (103, "</a.css>; rel=preload")
        assert (await peer.answer())[0] == 200
        await peer.close()
        live.close()

    run(main)


def test_an_upgrade_carries_raw_bytes_both_ways(run):
    async def main():
        def app(exchange):
            exchange.upgrade({"Upgrade": "echo"})

            def arrived(data):
                while data:
                    exchange.write(data)
                    data = exchange.read(arrived)
                if data == b"":
                    exchange.end()

            arrived(exchange.read(arrived))

        live = Live(app)
        peer = await live.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst")
        status, headers, _ = await peer.answer()
        assert (status, headers["upgrade"]) == (101, "echo")
        assert await peer.reader.readexactly(5) == b"first"
        peer.send(b"second")
        assert await peer.reader.readexactly(6) == b"second"
        peer.writer.write_eof()
        assert await peer.read_all() == b""
        await peer.close()
        live.close()

    run(main)


def test_an_upgrade_that_nobody_offered_is_refused_to_the_handler(run):
    async def main():
        failures = []

        def app(exchange):
            try:
                exchange.upgrade({"Upgrade": "echo"})
            except RuntimeError as exc:
                failures.append(str(exc))
                hello(exchange)

        live = Live(app)
        answer = await live.ask(
            b"POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, close\r\nUpgrade: x\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 200")
        assert failures == ["the client did not ask for an upgrade"]
        live.close()

    run(main)


def test_a_disconnect_reaches_the_handler_that_waits(run):
    async def main():
        gone = asyncio.Event()
        kept = []

        def app(exchange):
            kept.append(exchange)
            exchange.on_disconnect(gone.set)

        live = Live(app)
        peer = await live.connect()
        peer.send(GET)
        while not kept:
            await asyncio.sleep(0)
        assert kept[0].connected
        await peer.close()
        await asyncio.wait_for(gone.wait(), 10)
        assert not kept[0].connected
        assert kept[0].respond(200, {}, b"nobody") >= 0
        live.close()

    run(main)


def test_a_body_reader_hears_of_a_reset(run):
    async def main():
        heard = asyncio.get_running_loop().create_future()

        def app(exchange):
            assert exchange.read_all(lambda body: heard.set_result((body, exchange))) is None

        live = Live(app)
        peer = await live.connect()
        peer.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe")
        await asyncio.sleep(0)
        peer.writer.transport.abort()
        body, _ = await asyncio.wait_for(heard, 10)
        assert isinstance(body, StreamClosedError | ProtocolError)
        live.close()

    run(main)


def test_a_half_closed_client_still_gets_its_answer(run):
    async def main():
        loop = asyncio.get_running_loop()

        def app(exchange):
            loop.call_later(0.02, exchange.respond, 200, {}, b"late")

        live = Live(app)
        assert (await live.ask(GET, eof=True)).endswith(b"late")
        live.close()

    run(main)


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"A\r\nB": "c"}, ValueError),
        ({"A": "b\r\nC: d"}, ValueError),
        ({"A": "b\nC: d"}, ValueError),
        ({"A": "\x00"}, ValueError),
        ({"": "b"}, ValueError),
        ({"A B": "c"}, ValueError),
        ({"A": "\u20ac"}, ValueError),
        ({"Transfer-Encoding": "chunked"}, ValueError),
        ({"Content-Length": "99"}, ValueError),
        ({"Content-Length": "x"}, ValueError),
        ({"A": 1}, TypeError),
        ([("A",)], TypeError),
    ],
)
def test_headers_that_cannot_be_sent_raise_and_nothing_is_sent(run, headers, error):
    async def main():
        raised = []

        def app(exchange):
            with pytest.raises(error) as caught:
                exchange.respond(200, headers, b"body")
            raised.append(caught.value)
            exchange.respond(200, {}, b"fine")

        live = Live(app)
        peer = await live.connect()
        peer.send(GET)
        assert (await peer.answer())[2] == b"fine"
        assert raised
        await peer.close()
        live.close()

    run(main)


def test_a_reason_cannot_split_the_answer(run):
    async def main():
        def app(exchange):
            with pytest.raises(ValueError, match="reason"):
                exchange.respond(200, {}, b"", "OK\r\nX: y")
            exchange.respond(200, {}, b"fine", "Fine")

        live = Live(app)
        peer = await live.connect()
        peer.send(GET)
        assert await peer.reader.readuntil(b"\r\n") == b"HTTP/1.1 200 Fine\r\n"
        await peer.close()
        live.close()

    run(main)


def test_calls_in_the_wrong_order_raise(run):
    async def main():
        def app(exchange):
            for call in (lambda: exchange.write(b"x"), exchange.end):
                with pytest.raises(RuntimeError):
                    call()
            exchange.start(200, {"Content-Length": "4"})
            with pytest.raises(RuntimeError):
                exchange.start(200, {})
            with pytest.raises(RuntimeError):
                exchange.respond(200, {}, b"")
            exchange.write(b"four")
            exchange.end()
            with pytest.raises(RuntimeError):
                exchange.write(b"x")
            with pytest.raises(RuntimeError):
                exchange.respond(200, {}, b"")

        live = Live(app)
        peer = await live.connect()
        peer.send(GET)
        assert (await peer.answer())[2] == b"four"
        await peer.close()
        live.close()

    run(main)


@pytest.mark.parametrize("body", [b"three", b""])
def test_a_body_that_is_not_as_announced_cuts_the_connection(run, body):
    async def main():
        def app(exchange):
            exchange.start(200, {"Content-Length": "4"})
            with pytest.raises(ValueError, match="body was written"):
                exchange.write(body)
                exchange.end()

        live = Live(app)
        answer = await live.ask(GET)
        assert not answer.endswith(b"three")
        live.close()

    run(main)
