"""Fetches: callbacks, redirects, the queue, the pool, what a response has."""

import asyncio
import datetime
import gc
import gzip
import logging
import socket
import weakref

import pytest

from eyewall.http.client import (
    AsyncHTTPClient,
    HTTPClient,
    HTTPClientError,
    HTTPDecodeError,
    HTTPNameError,
    HTTPRequest,
    HTTPResponse,
    HTTPStreamClosedError,
    SimpleAsyncHTTPClient,
)
from eyewall.http.client.names import NameCache
from eyewall.http.client.redirects import follow
from eyewall.web import RequestHandler
from tests.unit.http.client.servers import answering, making, run, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Echo(RequestHandler):
    def get(self):
        self.write(f"{self.request.method} {self.request.headers.get('X-Sent', '')}")

    post = put = get


class Moved(RequestHandler):
    def get(self):
        self.set_status(int(self.get_argument("code")))
        self.set_header("Location", "/echo")

    post = put = get


async def keeping(reader, writer):
    """Answers on one connection until the client ends it."""
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)


def test_callbacks_get_the_head_and_the_pieces():
    async def main():
        body = gzip.compress(b"hello")
        head = b"HTTP/1.1 200 Fine\r\nx-a: b\r\nContent-Encoding: gzip\r\n\r\n"
        lines, pieces = [], []
        async with making() as client, answering(head + body) as url:
            response = await client.fetch(
                url, header_callback=lines.append, streaming_callback=pieces.append
            )
            assert response.body == b""
            assert b"".join(pieces) == b"hello"
            assert lines == [
                "HTTP/1.1 200 Fine\r\n",
                "X-A: b\r\n",
                "Content-Encoding: gzip\r\n",
                "\r\n",
            ]
            lines.clear()
            assert (await client.fetch(url, header_callback=lines.append)).body == b"hello"
            assert len(lines) == 4
            raw = await client.fetch(url, decompress_response=False)
            assert raw.body == body
            assert gzip.GzipFile(fileobj=raw.buffer).read() == b"hello"

    run(main())


def test_a_callback_that_raises_is_logged_once_and_fails_the_fetch(caplog):
    def broken(_):
        raise LookupError("broken")

    async def cancelled(_):
        raise asyncio.CancelledError

    async def main():
        async with making() as client, answering(OK) as url:
            for options in (
                {"header_callback": broken},
                {"streaming_callback": broken},
                {"streaming_callback": cancelled},
            ):
                with pytest.raises(HTTPStreamClosedError, match="a callback raised"):
                    await client.fetch(url, **options)
            assert len(client.pool) == 0

    with caplog.at_level(logging.ERROR, "tornado.application"):
        run(main())
    assert len(caplog.records) == 3


@pytest.mark.parametrize(
    ("code", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "PUT", "GET"),
        (302, "PUT", "PUT"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
    ],
)
def test_a_redirect_keeps_or_changes_the_method(code, method, then):
    async def main():
        async with serving(("/echo", Echo), ("/moved", Moved)) as (base, _), making() as client:
            url = f"{base}/moved?code={code}"
            for extra in ({}, {"streaming_callback": pieces.append}):
                response = await client.fetch(
                    url, method=method, body=b"x", headers={"X-Sent": "y"}, **extra
                )
                shown = response.body.decode() or b"".join(pieces).decode()
                assert shown == f"{then} y"
                assert response.request.method == method
            unfollowed = await client.fetch(
                url, method=method, body=b"", follow_redirects=False, raise_error=False
            )
            assert unfollowed.code == code

    pieces = []
    run(main())


def test_what_belongs_to_content_goes_with_it():
    asked = HTTPRequest("http://a/", "POST", {"Content-Type": "x", "X": "y"}, b"z")
    there = follow(asked, 303, "/there")
    assert (there.url, there.method, there.body) == ("http://a/there", "GET", None)
    assert dict(there.headers) == {"X": "y"}
    assert (asked.method, asked.body) == ("POST", b"z")
    with_user = follow(HTTPRequest("http://u:p@a/"), 302, "http://a/there")
    assert (with_user.auth_username, with_user.auth_password) == ("u", "p")


def test_a_fetch_can_be_cancelled_wherever_it_is():
    async def main():
        async def silent(reader, writer):
            asked.release()
            await reader.read()

        asked = asyncio.Semaphore(0)
        async with making(max_clients=1) as client, answering(silent) as url:
            running, queued = client.fetch(url), client.fetch(url)
            assert running.cancel()
            assert not running.cancel()
            await asked.acquire()
            assert queued in client.queue or not queued.done()
            queued.cancel()
            for fetch in (running, queued):
                with pytest.raises(asyncio.CancelledError):
                    await fetch
            third = client.fetch(url)
            await asked.acquire()
            third.cancel()
            assert client.stats()["running"] == client.stats()["queued"] == 0

    run(main())


def test_idle_connections_are_kept_up_to_a_number_and_for_a_time():
    async def main():
        async with making(max_clients=10, max_idle=2) as client, answering(keeping) as url:
            await asyncio.gather(*(client.fetch(url) for _ in range(10)))
            assert len(client.pool) == 2

        async def until_closed(reader, writer):
            try:
                await keeping(reader, writer)
            finally:
                closed.set()

        closed = asyncio.Event()
        async with making(idle_timeout=0.05) as client, answering(until_closed) as url:
            await client.fetch(url)
            assert len(client.pool) == 1
            await closed.wait()
            assert len(client.pool) == 0

    run(main())


def test_a_streamed_fetch_finds_another_connection_when_the_kept_one_is_closed():
    async def main():
        served = []

        async def once(reader, writer):
            served.append(writer)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            if len(served) % 2:
                await reader.readuntil(b"\r\n\r\n")

        async with making() as client, answering(once) as url:
            await client.fetch(url)
            pieces = []
            await client.fetch(url, streaming_callback=pieces.append)
            assert pieces == [b"ok"]
            assert len(served) == 2
            await client.fetch(url)
            with pytest.raises(HTTPStreamClosedError):
                await client.fetch(url, method="POST", body=b"")

    run(main())


def test_names_are_looked_up_once_and_kept():
    class Counting:
        def __init__(self):
            self.asked = []

        async def resolve(self, host, port, family=0):
            self.asked.append(host)
            await asyncio.sleep(0)
            if host == "bad.example":
                raise OSError("no such host")
            return [(socket.AF_INET, ("127.0.0.1", port)), (socket.AF_INET6, ("::1", port, 0, 0))]

    async def main():
        resolver = Counting()
        names = NameCache(
            60, resolver, {"other.example": "a.example", "b.example": ("c.example", 9)}
        )
        found = await asyncio.gather(*(names.find("a.example", 80) for _ in range(5)))
        assert found[0][0] == (socket.AF_INET, ("127.0.0.1", 80))
        await names.find("a.example", 80)
        await names.find("other.example", 80)
        assert resolver.asked == ["a.example"]
        assert (await names.find("b.example", 80))[0][1][1] == 9
        for _ in range(2):
            with pytest.raises(HTTPNameError, match=r"bad.example has no address"):
                await names.find("bad.example", 80)
        assert resolver.asked[-2:] == ["bad.example"] * 2
        fresh = NameCache(0, resolver)
        for _ in range(2):
            await fresh.find("a.example", 80)
        assert resolver.asked[-2:] == ["a.example"] * 2

    run(main())


def test_addresses_are_taken_as_they_are():
    async def main():
        names = NameCache(60)
        assert await names.find("127.0.0.1", 80) == [(socket.AF_INET, ("127.0.0.1", 80))]
        assert await names.find("::1", 80) == [(socket.AF_INET6, ("::1", 80, 0, 0))]
        assert (await names.find("fe80::1%lo", 80))[0][1][3] > 0
        for host, family in (("::1", socket.AF_INET), ("fe80::1%nowhere", 0)):
            with pytest.raises(HTTPNameError):
                await names.find(host, 80, family)

    run(main())


def test_a_response_has_its_content_in_every_form():
    request = HTTPRequest("http://a/")
    body = '{"a": "ä"}'.encode("latin-1")
    response = HTTPResponse(
        request, 200, [("content-type", "text/plain; charset=latin-1")], body=body
    )
    assert response.text == '{"a": "ä"}'
    assert response.headers["Content-Type"].startswith("text/plain")
    assert response.buffer.read() == response.body
    with pytest.raises(ValueError, match="not the JSON"):
        response.json()
    assert HTTPResponse(request, 200, body=b'{"a": 1}').json() == {"a": 1}
    assert HTTPResponse(request, 200, body="ä".encode()).text == "ä"
    unknown = HTTPResponse(request, 200, [("content-type", "x; charset=none-such")], body=b"x")
    assert unknown.text == "x"
    assert "code=200" in repr(response)
    response.rethrow()
    with pytest.raises(HTTPClientError) as caught:
        HTTPResponse(request, 404).rethrow()
    assert str(caught.value) == "HTTP 404: Not Found"


def test_requests_are_checked_before_they_are_sent():
    async def main():
        async with making() as client:
            for options, text in (
                ({"method": "POST"}, "must not be None"),
                ({"method": "GET", "body": b"x"}, "must be None"),
                ({"body": b"x", "body_producer": print, "method": "PUT"}, "exclude"),
                ({"proxy_host": "a"}, "needs proxy_port"),
                ({"proxy_host": "a", "proxy_port": 1, "proxy_auth_mode": "digest"}, "basic"),
                ({"ssl_options": {"what": 1}, "url": "https://a/"}, "unknown keys"),
            ):
                with pytest.raises(ValueError, match=text):
                    await client.fetch(**{"request": options.pop("url", "http://a/"), **options})
            with pytest.raises(KeyError):
                await client.fetch("http://a/", method="BREW")
            with pytest.raises(ValueError, match="options go into"):
                await client.fetch(HTTPRequest("http://a/"), method="PUT")
        with pytest.raises(ValueError, match="HTTPRequest has no what"):
            AsyncHTTPClient(force_instance=True, defaults={"what": 1})
        with pytest.raises(TypeError):
            AsyncHTTPClient(force_instance=True, what=1)

    run(main())


def test_conditional_requests_say_since_when():
    since = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    request = HTTPRequest("http://a/", if_modified_since=since)
    assert request.headers["If-Modified-Since"] == "Fri, 02 Jan 2026 00:00:00 GMT"


def test_decoding_is_left_alone_where_it_makes_no_sense():
    async def main():
        head = b"HTTP/1.1 %d X\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"
        async with making() as client:
            for code, method in ((200, "HEAD"), (204, "GET"), (200, "GET")):
                async with answering(head % code) as url:
                    assert (await client.fetch(url, method=method)).code == code
            async with answering(
                b"HTTP/1.1 200 OK\r\nContent-Encoding: a, b, c, d\r\n\r\nx"
            ) as url:
                for extra in ({}, {"streaming_callback": print}):
                    with pytest.raises(HTTPDecodeError, match="more than"):
                        await client.fetch(url, **extra)

    run(main())


def test_clients_are_shared_in_a_loop_and_go_with_it():
    async def client_of_loop():
        client = AsyncHTTPClient()
        assert client is AsyncHTTPClient()
        assert client is SimpleAsyncHTTPClient()
        assert client is not AsyncHTTPClient(force_instance=True)
        return weakref.ref(client)

    first = run(client_of_loop())
    run(client_of_loop())
    gc.collect()
    assert first() is None


def test_the_blocking_client_fetches_and_closes():
    async def serve(reader, writer):
        try:
            await keeping(reader, writer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async def start():
        return await asyncio.start_server(serve, "127.0.0.1", 0)

    with asyncio.Runner() as runner, HTTPClient(max_clients=1) as client:
        server = runner.run(start())
        port = server.sockets[0].getsockname()[1]
        serving = runner.get_loop()

        def fetch():
            with pytest.raises(HTTPClientError):
                client.fetch("http://127.0.0.1:1/")
            return client.fetch(f"http://127.0.0.1:{port}/").body

        async def both():
            return await serving.run_in_executor(None, fetch)

        assert runner.run(both()) == b"ok"
        server.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.fetch("http://a/")
    with pytest.raises(TypeError, match="wrong"):
        HTTPClient(wrong=1)
    gone = HTTPClient()
    thread = gone._thread
    del gone
    thread.join()


def test_a_client_that_leaves_is_no_fault_of_the_handler(caplog):
    class Endless(RequestHandler):
        async def get(self):
            try:
                while True:
                    self.write(b"x" * 100_000)
                    await self.flush()
            finally:
                ended.set()

    ended = asyncio.Event()

    async def main():
        async with serving(("/", Endless)) as (base, _), making() as client:
            fetch = client.fetch(base, streaming_callback=lambda _: fetch.cancel())
            with pytest.raises(asyncio.CancelledError):
                await fetch
            await ended.wait()
            await asyncio.sleep(0)

    run(main())
    assert "Uncaught exception" not in caplog.text
