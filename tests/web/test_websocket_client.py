"""`websocket_connect`, against our server and against the `websockets` library's."""

import asyncio
import base64
import contextlib
import hashlib
import ssl
import struct

import pytest
from websockets.asyncio.server import serve

from eyewall.http.client import HTTPClientError, HTTPRequest, HTTPTimeoutError
from eyewall.http.server.server import HTTPServer
from eyewall.net.resolver import Resolver
from eyewall.realtime import (
    WebSocketClosedError,
    WebSocketError,
    WebSocketHandler,
    websocket_connect,
)
from eyewall.testing.certificates import certificate_files
from eyewall.web import Application, RequestHandler


class Echo(WebSocketHandler):
    def initialize(self, compression=None):
        self.compression = compression

    def get_compression_options(self):
        return self.compression

    def select_subprotocol(self, subprotocols):
        return "two" if "two" in subprotocols else None

    def prepare(self):
        self.set_header("X-Seen", self.request.headers.get("X-Test", ""))

    def on_message(self, message):
        self.write_message(message, isinstance(message, bytes))


class Closing(WebSocketHandler):
    def open(self):
        self.close(4001, "goodbye")


class Page(RequestHandler):
    def get(self):
        if self.get_argument("to", None):
            self.redirect("/")
        else:
            self.write("a page")


class Site:
    """Our server in the running loop."""

    def __init__(self, *handlers, **options):
        app = Application([("/", Echo), ("/page", Page), ("/closing", Closing), *handlers])
        self.server = HTTPServer(app, **options)
        (socket,) = self.server.listen(0, "127.0.0.1")
        self.port = socket.getsockname()[1]
        socket.close()

    def url(self, path="/"):
        return f"ws://127.0.0.1:{self.port}{path}"

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc_info):
        self.server.close()


@pytest.mark.parametrize("compression", [None, {}, {"context_takeover": True}])
def test_messages_of_both_kinds_and_all_sizes_come_back(run, compression):
    async def main():
        async with (
            Site(("/deflate", Echo, {"compression": compression})) as site,
            await websocket_connect(site.url("/deflate"), compression_options=compression) as ws,
        ):
            agreed = "permessage-deflate" in ws.headers.get("Sec-WebSocket-Extensions", "")
            assert agreed == (compression is not None)
            for size in (0, 1, 125, 126, 65535, 65536, 1 << 20):
                await ws.send("ä" * size)
                await ws.send(b"\xff" * size)
                assert await ws.read_message() == "ä" * size
                assert await ws.read_message() == b"\xff" * size

    run(main)


@pytest.mark.parametrize("compression", [None, {}, {"context_takeover": True}])
def test_another_library_s_server_understands_us(run, compression):
    async def echo(ws):
        async for message in ws:
            await ws.send(message)

    async def main():
        async with serve(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            url = f"ws://127.0.0.1:{port}/"
            async with await websocket_connect(url, compression_options=compression) as ws:
                for _ in range(3):
                    await ws.write_message({"text": "the same" * 50})
                    assert await ws.read_message() == '{"text":"' + "the same" * 50 + '"}'
            assert ws.close_code == 1000

    run(main)


def test_iterating_ends_with_the_connection(run):
    class Counting(WebSocketHandler):
        def open(self):
            for number in range(100):
                self.write_message(str(number))
            self.close(4002, "done")

    async def main():
        async with (
            Site(("/count", Counting)) as site,
            await websocket_connect(site.url("/count")) as ws,
        ):
            assert [message async for message in ws] == [str(n) for n in range(100)]
            assert (ws.close_code, ws.close_reason) == (4002, "done")
            assert await ws.read_message() is None
            with pytest.raises(WebSocketClosedError):
                ws.write_message("x")
            with pytest.raises(WebSocketClosedError):
                ws.ping()

    run(main)


def test_headers_and_subprotocols_go_both_ways(run):
    async def main():
        async with Site() as site:
            request = HTTPRequest(site.url(), headers={"X-Test": "hello"})
            async with await websocket_connect(request, subprotocols=["one", "two"]) as ws:
                assert ws.headers["X-Seen"] == "hello"
                assert ws.selected_subprotocol == "two"
            async with await websocket_connect(site.url()) as ws:
                assert ws.selected_subprotocol is None

    run(main)


def test_credentials_of_the_url_are_sent(run):
    class Secret(Echo):
        def prepare(self):
            self.set_header("X-Seen", self.request.headers["Authorization"])

    async def main():
        async with Site(("/secret", Secret)) as site:
            url = f"ws://me:pass@127.0.0.1:{site.port}/secret"
            async with await websocket_connect(url) as ws:
                assert ws.headers["X-Seen"] == "Basic bWU6cGFzcw=="

    run(main)


def test_callbacks_take_the_messages(run):
    async def main():
        seen = []
        done = asyncio.get_running_loop().create_future()

        def message(message):
            seen.append(message)
            if message is None:
                done.set_result(None)

        async with Site() as site:
            ws = await websocket_connect(site.url(), on_message_callback=message)
            ws.write_message("one")
            ws.write_message(b"two", binary=True)
            while len(seen) < 2:
                await asyncio.sleep(0)
            ws.close()
            await done
            assert seen == ["one", b"two", None]

    run(main)


def test_what_is_no_websocket_is_said(run):
    async def main():
        async with Site() as site:
            with pytest.raises(WebSocketError, match="answered 200"):
                await websocket_connect(site.url("/page"))
            with pytest.raises(HTTPClientError) as refused:
                await websocket_connect(site.url("/nothing"))
            assert refused.value.code == 404
            assert b"404" in refused.value.response.body
            with pytest.raises(HTTPClientError) as refused:
                await websocket_connect(site.url("/page?to=x"))
            assert refused.value.code == 302
            with pytest.raises(HTTPClientError) as refused:
                origin = {"Origin": "http://elsewhere.example"}
                await websocket_connect(HTTPRequest(site.url(), headers=origin))
            assert refused.value.code == 403
        with pytest.raises(ConnectionError):
            await websocket_connect(site.url())
        with pytest.raises(ValueError, match="ws://"):
            websocket_connect("ftp://a/")
        with pytest.raises(ValueError, match="negative"):
            websocket_connect("ws://a/", ping_interval=-1)

    run(main)


def answering(answer):
    """A server that answers these bytes, and notes what comes behind the request."""

    class Server:
        def __init__(self):
            self.received = asyncio.get_running_loop().create_future()
            self.over = asyncio.get_running_loop().create_future()

        async def __aenter__(self):
            async def serve(reader, writer):
                head = await reader.readuntil(b"\r\n\r\n")
                key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
                writer.write(answer(key) if callable(answer) else answer)
                try:
                    self.received.set_result(await reader.read())
                except ConnectionError:
                    self.received.set_result(b"")
                writer.close()
                self.over.set_result(None)

            self.server = await asyncio.start_server(serve, "127.0.0.1", 0)
            port = self.server.sockets[0].getsockname()[1]
            self.url = f"ws://127.0.0.1:{port}/"
            return self

        async def __aexit__(self, *exc_info):
            await self.over
            self.server.close()

    return Server()


GOOD = b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"rubbish\r\n\r\n", "no WebSocket's"),
        (b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "something else"),
        (b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n", "Connection"),
        (GOOD + b"Sec-WebSocket-Accept: wrong\r\n\r\n", "does not fit the key"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(run, answer, text):
    async def main():
        async with answering(answer) as server:
            with pytest.raises(WebSocketError, match=text):
                await websocket_connect(server.url)

    run(main)


def accepting(*frames, extra=b""):
    """An answer that accepts, with frames behind it."""

    def answer(key):
        token = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        accept = base64.b64encode(token)
        head = GOOD + b"Sec-WebSocket-Accept: " + accept + b"\r\n" + extra + b"\r\n"
        return head + b"".join(frames)

    return answer


def unmasked(payload):
    """The payload of the only frame that a client sent, without its mask."""
    mask, data = payload[2:6], payload[6:]
    return bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (b"\x81\x81\0\0\0\0a", 1002),
        (b"\x91\x01a", 1002),
        (b"\x80\x01a", 1002),
        (b"\x81\x01\xff", 1007),
        (b"\x82\x7e\x03\xe9" + bytes(1001), 1009),
    ],
)
def test_a_server_s_mistakes_end_with_their_code(run, frames, code):
    async def main():
        async with answering(accepting(b"\x81\x05hello" + frames)) as server:
            ws = await websocket_connect(server.url, max_message_size=1000)
            assert await ws.read_message() == "hello"
            assert await ws.read_message() is None
            assert ws.close_code == code
            ws._wire.transport.abort()
            sent = await server.received
            assert sent[0] == 0x88
            assert struct.unpack("!H", unmasked(sent)[:2]) == (code,)

    run(main)


def test_what_was_not_offered_is_refused(run):
    async def main():
        extension = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
        async with answering(accepting(extra=extension)) as server:
            with pytest.raises(WebSocketError, match="extension that was not offered"):
                await websocket_connect(server.url)
        protocol = b"Sec-WebSocket-Protocol: chat\r\n"
        async with answering(accepting(extra=protocol)) as server:
            with pytest.raises(WebSocketError, match="'chat', which was not offered"):
                await websocket_connect(server.url)
            ws = None
        assert ws is None

    run(main)


def test_a_connection_that_breaks_is_an_end_without_a_code(run):
    async def main():
        async with answering(accepting(b"\x01\x02he")) as server:
            ws = await websocket_connect(server.url)
            ws._wire.transport.abort()
            assert await ws.read_message() is None
            assert ws.close_code is None
            assert "without a close frame" in ws.close_reason

    run(main)


def test_a_silent_server_is_left(run):
    async def main():
        async with answering(accepting()) as server:
            ws = await websocket_connect(server.url, ping_interval=0.01, ping_timeout=0.02)
            assert await ws.read_message() is None
            assert (ws.close_code, ws.close_reason) == (1000, "ping timed out")

    run(main)


def test_pings_go_both_ways(run):
    class Pinging(WebSocketHandler):
        def open(self):
            self.ping(b"from the server")

        def on_ping(self, data):
            self.write_message(f"ping {data.decode()}")

        def on_pong(self, data):
            self.write_message(f"pong {data.decode()}")

    async def main():
        async with (
            Site(("/ping", Pinging)) as site,
            await websocket_connect(site.url("/ping"), ping_interval=0.01) as ws,
        ):
            assert await ws.read_message() == "pong from the server"
            ws.ping("hello")
            received = {await ws.read_message() for _ in range(5)}
            assert received == {"ping hello", "ping "}
            with pytest.raises(ValueError, match="125"):
                ws.ping("a" * 126)

    run(main)


def test_connecting_takes_no_longer_than_it_may(run):
    async def main():
        over = asyncio.get_running_loop().create_future()

        async def never(reader, writer):
            with contextlib.suppress(ConnectionError):
                await reader.read()
            writer.close()
            over.set_result(None)

        server = await asyncio.start_server(never, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(HTTPTimeoutError, match=r"0\.05 seconds"):
            await websocket_connect(f"ws://127.0.0.1:{port}/", connect_timeout=0.05)
        await over
        server.close()

    run(main)


def test_a_slow_server_slows_its_sender(run):
    async def main():
        release = asyncio.Event()

        class Slow(WebSocketHandler):
            seen = 0

            async def on_message(self, message):
                await release.wait()
                self.seen += 1
                if self.seen == 100:
                    await self.write_message("all")

        async with (
            Site(("/slow", Slow)) as site,
            await websocket_connect(site.url("/slow")) as ws,
        ):
            sending = [ws.write_message(bytes(100_000), binary=True) for _ in range(100)]
            waiting = asyncio.ensure_future(sending[-1])
            await asyncio.sleep(0)
            assert not waiting.done()
            release.set()
            await waiting
            assert await ws.read_message() == "all"

    run(main)


def test_a_resolver_of_one_s_own_is_asked(run):
    class Fixed(Resolver):
        async def resolve(self, host, port, family=0):
            assert host == "nowhere.example"
            return await Resolver().resolve("127.0.0.1", port)

    async def main():
        async with Site() as site:
            url = f"ws://nowhere.example:{site.port}/"
            async with await websocket_connect(url, resolver=Fixed()) as ws:
                await ws.send("x")
                assert await ws.read_message() == "x"

    run(main)


def test_tls_carries_websockets(run):
    async def main():
        files = certificate_files()
        options = {"certfile": files.chain, "keyfile": files.key}
        async with Site(ssl_options=options) as site:
            url = f"wss://localhost:{site.port}/"
            with pytest.raises(ssl.SSLError):
                await websocket_connect(url)
            request = HTTPRequest(url, ca_certs=files.authority)
            async with await websocket_connect(request) as ws:
                await ws.send("x" * 200_000)
                assert await ws.read_message() == "x" * 200_000

    run(main)
