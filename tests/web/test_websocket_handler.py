"""`WebSocketHandler` through a real server, with the `websockets` library as the client."""

import asyncio
import contextlib
import gc
import logging

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from eyewall.http.server.server import HTTPServer
from eyewall.realtime import WebSocketClosedError, WebSocketHandler
from eyewall.web import Application


class Site:
    """An application in the running loop."""

    def __init__(self, handlers, **settings):
        self.server = HTTPServer(Application(handlers, **settings))
        (socket,) = self.server.listen(0, "127.0.0.1")
        self.port = socket.getsockname()[1]
        socket.close()

    def connect(self, path="/", **options):
        options.setdefault("compression", None)
        return connect(f"ws://127.0.0.1:{self.port}{path}", **options)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc_info):
        self.server.close()


class Echo(WebSocketHandler):
    def on_message(self, message):
        self.write_message(message, isinstance(message, bytes))


class Ending(WebSocketHandler):
    """Notes how it ended."""

    ended = None

    def initialize(self, ended):
        self.ended = ended

    def on_close(self):
        self.ended.set_result((self.close_code, self.close_reason))


def later():
    return asyncio.get_running_loop().create_future()


def test_messages_of_both_kinds_and_all_sizes_are_echoed(run):
    async def main():
        async with Site([("/", Echo)]) as site, site.connect(max_size=None) as ws:
            for size in (0, 1, 125, 126, 65535, 65536, 1 << 20):
                await ws.send("x" * size)
                assert await ws.recv() == "x" * size
                await ws.send(b"\xff" * size)
                assert await ws.recv() == b"\xff" * size
            await ws.send("häß€𝄞")
            assert await ws.recv() == "häß€𝄞"

    run(main)


def test_many_messages_at_once_come_back_in_order(run):
    async def main():
        async with Site([("/", Echo)]) as site, site.connect() as ws:
            for number in range(1000):
                await ws.send(str(number))
            assert [await ws.recv() for _ in range(1000)] == [str(n) for n in range(1000)]

    run(main)


def test_async_hooks_run_one_at_a_time_and_in_order(run):
    class Slow(Ending):
        running = 0

        async def open(self):
            await asyncio.sleep(0)
            self.opened = True

        async def on_message(self, message):
            assert self.opened
            self.running += 1
            assert self.running == 1
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.running -= 1
            await self.write_message(message)

    async def main():
        ended = later()
        async with Site([("/", Slow, {"ended": ended})]) as site:
            async with site.connect() as ws:
                for number in range(200):
                    await ws.send(str(number))
                assert [await ws.recv() for _ in range(200)] == [str(n) for n in range(200)]
            assert await ended == (1000, "")

    run(main)


def test_messages_that_came_before_the_end_are_still_handled(run):
    seen = []

    class Slow(Ending):
        async def on_message(self, message):
            await asyncio.sleep(0)
            seen.append(message)

    async def main():
        ended = later()
        async with Site([("/", Slow, {"ended": ended})]) as site:
            ws = await site.connect()
            for number in range(20):
                await ws.send(str(number))
            ws.transport.write_eof()
            code, reason = await ended
            assert code is None
            assert "without a close frame" in reason
            assert seen == [str(n) for n in range(20)]
            with contextlib.suppress(ConnectionClosed):
                await ws.close()

    run(main)


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_an_error_in_a_hook_is_logged_and_closes_with_1011(run, caplog, kind):
    class Wrong(Ending):
        if kind == "plain":

            def on_message(self, message):
                raise ZeroDivisionError

        else:

            async def on_message(self, message):
                await asyncio.sleep(0)
                raise ZeroDivisionError

    async def main():
        ended = later()
        async with Site([("/", Wrong, {"ended": ended})]) as site, site.connect() as ws:
            # Of what follows the first message nothing is handled.
            for _ in range(10):
                await ws.send("x")
            with pytest.raises(ConnectionClosed):
                await ws.recv()
            assert ws.close_code == 1011
            assert await ended == (1011, "an error in the server")

    with caplog.at_level(logging.ERROR):
        run(main)
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert "Uncaught exception GET /" in record.getMessage()


def test_an_error_in_open_closes_with_1011(run, caplog):
    class Wrong(WebSocketHandler):
        async def open(self):
            raise ZeroDivisionError

    async def main():
        async with Site([("/", Wrong)]) as site, site.connect() as ws:
            with pytest.raises(ConnectionClosed):
                await ws.recv()
            assert ws.close_code == 1011

    run(main)
    assert "Uncaught exception" in caplog.text


def test_iterating_takes_the_messages(run):
    class Iterating(Ending):
        async def open(self, name):
            async for message in self:
                await self.send(f"{name}: {message}")
            self.left = True

        def on_close(self):
            super().on_close()

    async def main():
        ended = later()
        async with Site([("/(.*)", Iterating, {"ended": ended})]) as site:
            async with site.connect("/a") as ws:
                for number in range(100):
                    await ws.send(str(number))
                assert [await ws.recv() for _ in range(100)] == [f"a: {n}" for n in range(100)]
            assert await ended == (1000, "")

    run(main)


def test_what_is_not_an_opening_handshake_is_refused(run):
    async def main():
        async with Site([("/", Echo)]) as site:

            async def ask(headers, status):
                reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
                lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                writer.write(f"GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                assert head.startswith(f"HTTP/1.1 {status} "), head
                writer.close()
                return head

            good = {
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            }
            await ask({}, 400)
            for name in good:
                await ask({key: value for key, value in good.items() if key != name}, 400)
            await ask({**good, "Sec-WebSocket-Key": "short"}, 400)
            head = await ask({**good, "Sec-WebSocket-Version": "12"}, 426)
            assert "\r\nsec-websocket-version: 13\r\n" in head.lower()
            assert "\r\nupgrade: websocket\r\n" in head.lower()
            await ask({**good, "Origin": "http://elsewhere.example"}, 403)
            head = await ask({**good, "Upgrade": "WebSocket", "Origin": "http://A"}, 101)
            assert "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head

    run(main)


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "http://elsewhere.example"}, False),
        ({"Origin": "http://sub.127.0.0.1"}, False),
        ({"Origin": "nonsense"}, False),
        ({"Origin": "http://[broken"}, False),
        ({"Origin": "https://friend.example"}, True),
        ({"Origin": "http://proxied.example", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://proxied.example", "Sec-Fetch-Site": "same-site"}, False),
    ],
)
def test_pages_of_other_origins_are_refused(run, headers, allowed):
    async def main():
        trusted = ["https://friend.example"]
        async with Site([("/", Echo)], trusted_origins=trusted, xsrf_cookies=True) as site:
            if allowed:
                async with site.connect(additional_headers=headers) as ws:
                    await ws.send("x")
                    assert await ws.recv() == "x"
                return
            with pytest.raises(InvalidStatus) as refused:
                await site.connect(additional_headers=headers)
            assert refused.value.response.status_code == 403

    run(main)


def test_subprotocols_headers_and_cookies_are_answered(run):
    class Choosing(WebSocketHandler):
        def prepare(self):
            self.set_cookie("a", "b")
            self.set_header("X-Extra", "yes")

        def select_subprotocol(self, subprotocols):
            assert subprotocols == ["one", "two"]
            return "two"

        def open(self):
            self.write_message(self.selected_subprotocol)

    async def main():
        async with (
            Site([("/", Choosing)]) as site,
            site.connect(subprotocols=["one", "two"]) as ws,
        ):
            assert ws.subprotocol == "two"
            assert await ws.recv() == "two"
            assert ws.response.headers["X-Extra"] == "yes"
            assert ws.response.headers["Set-Cookie"].startswith("a=b;")
            assert "Content-Type" not in ws.response.headers

    run(main)


def test_methods_of_an_answer_are_refused_once_it_is_open(run):
    class Trying(WebSocketHandler):
        def open(self):
            refused = 0
            for call in (
                lambda: self.write("x"),
                lambda: self.redirect("/"),
                lambda: self.set_header("A", "b"),
                lambda: self.set_cookie("A", "b"),
                lambda: self.set_status(503),
                self.flush,
                self.finish,
            ):
                with pytest.raises(RuntimeError, match="write_message"):
                    call()
                refused += 1
            self.write_message({"refused": refused})

    async def main():
        async with Site([("/", Trying)]) as site, site.connect() as ws:
            assert await ws.recv() == '{"refused":7}'

    run(main)


def test_a_closed_websocket_says_so(run):
    class Closing(Ending):
        def open(self):
            self.close(4000, "enough")
            with pytest.raises(WebSocketClosedError):
                self.write_message("x")

        def on_close(self):
            super().on_close()
            with pytest.raises(WebSocketClosedError):
                self.write_message("x")
            with pytest.raises(WebSocketClosedError):
                self.ping()
            self.close()

    async def main():
        ended = later()
        async with Site([("/", Closing, {"ended": ended})]) as site, site.connect() as ws:
            with pytest.raises(ConnectionClosed):
                await ws.recv()
            assert (ws.close_code, ws.close_reason) == (4000, "enough")
            assert await ended == (4000, "enough")

    run(main)


def test_wrong_arguments_are_refused_at_the_call(run):
    class Wrong(WebSocketHandler):
        def open(self):
            with pytest.raises(ValueError, match="1005 cannot be sent"):
                self.close(1005)
            with pytest.raises(ValueError, match="123 bytes"):
                self.close(1000, "x" * 124)
            with pytest.raises(ValueError, match="125 bytes"):
                self.ping(b"x" * 126)
            with pytest.raises(ValueError, match="binary=True"):
                self.write_message(b"\xff")
            with pytest.raises(TypeError, match="a message must be"):
                self.write_message(1)
            self.write_message("fine")

    async def main():
        async with Site([("/", Wrong)]) as site, site.connect() as ws:
            assert await ws.recv() == "fine"

    run(main)


def test_awaiting_a_message_waits_for_a_slow_client(run):
    piece = "x" * 100_000

    class Pouring(WebSocketHandler):
        async def open(self):
            for _ in range(100):
                await self.write_message(piece)
                assert self._socket.buffered < 300_000
            self.close()

    async def main():
        async with Site([("/", Pouring)]) as site, site.connect(max_queue=1) as ws:
            for _ in range(100):
                assert await ws.recv() == piece

    run(main)


def test_who_waits_for_a_client_that_breaks_off_is_woken(run):
    async def main():
        ended = later()

        class Pouring(Ending):
            async def on_message(self, message):
                with pytest.raises(WebSocketClosedError):
                    while True:
                        await self.write_message("x" * 100_000)
                self.found = True

            def on_close(self):
                assert self.found
                super().on_close()

        async with Site([("/", Pouring, {"ended": ended})]) as site:
            ws = await site.connect(max_queue=1)
            await ws.send("pour")
            await ws.recv()
            # Nothing more is read, so the handler comes to wait.
            for _ in range(100):
                await asyncio.sleep(0)
            ws.transport.abort()
            code, _ = await ended
            assert code is None

    run(main)


def test_a_hook_that_is_cancelled_from_outside_ends_quietly(run, caplog):
    async def main():
        ended, started = later(), later()

        class Waiting(Ending):
            async def on_message(self, message):
                started.set_result(asyncio.current_task())
                await asyncio.Event().wait()

        async with Site([("/", Waiting, {"ended": ended})]) as site, site.connect() as ws:
            await ws.send("x")
            (await started).cancel()
            assert await ended == (1001, "going away")

    with caplog.at_level(logging.WARNING):
        run(main)
    assert caplog.text == ""


def test_handlers_go_with_their_connections(run):
    alive = []

    class Counted(Echo):
        def open(self):
            alive.append(1)

        def __del__(self):
            alive.pop()

    async def main():
        async with Site([("/", Counted)]) as site:
            for _ in range(5):
                async with site.connect() as ws:
                    await ws.send("x")
                    await ws.recv()
            while alive:
                await asyncio.sleep(0)
                gc.collect()

    run(main)
