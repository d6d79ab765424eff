"""The client against servers that break the protocol, go silent or lie."""

import asyncio
import gzip
import zlib

import pytest

from eyewall.http.client import (
    HTTPClientError,
    HTTPConnectError,
    HTTPDecodeError,
    HTTPNameError,
    HTTPProtocolError,
    HTTPRedirectError,
    HTTPStreamClosedError,
    HTTPTimeoutError,
    HTTPTooLargeError,
)
from tests.unit.http.client.servers import answering, descriptors, making, run

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

BROKEN = {
    "no HTTP": (b"nonsense\r\n\r\n", HTTPProtocolError),
    "nothing": (b"", HTTPStreamClosedError),
    "half a head": (OK + b"Conte", HTTPStreamClosedError),
    "a short body": (OK + b"Content-Length: 5\r\n\r\nab", HTTPStreamClosedError),
    "two lengths": (OK + b"Content-Length: 5, 6\r\n\r\nabcdef", HTTPProtocolError),
    "a signed length": (OK + b"Content-Length: +1\r\n\r\na", HTTPProtocolError),
    "length and chunks": (OK + b"Content-Length: 1\r\n" + CHUNKED[17:], HTTPProtocolError),
    "an unknown coding": (OK + b"Transfer-Encoding: gzip\r\n\r\n", HTTPProtocolError),
    "a bad chunk size": (CHUNKED + b"xyz\r\n", HTTPProtocolError),
    "a negative chunk": (CHUNKED + b"-1\r\n", HTTPProtocolError),
    "a chunk without its end": (CHUNKED + b"1\r\nabc\r\n", HTTPProtocolError),
    "chunks that are cut": (CHUNKED + b"5\r\nhel", HTTPStreamClosedError),
    "a huge length": (OK + b"Content-Length: 2000000\r\n\r\n", HTTPTooLargeError),
    "a huge chunk": (CHUNKED + b"fffffff\r\n" + b"a" * 200_000, HTTPTooLargeError),
    "a body without end": (OK + b"\r\n" + b"a" * 200_000, HTTPTooLargeError),
    "a huge field": (OK + b"X: " + b"a" * 100_000 + b"\r\n\r\n", HTTPTooLargeError),
    "endless fields": (OK + b"X: y\r\n" * 3000, HTTPTooLargeError),
    "interim without end": (b"HTTP/1.1 102 Wait\r\n\r\n" * 100, HTTPProtocolError),
    "another protocol": (b"HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\n", HTTPProtocolError),
    "gzip that is none": (OK + b"Content-Encoding: gzip\r\n\r\nhello", HTTPDecodeError),
    "gzip that is cut": (
        OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello")[:-3],
        HTTPDecodeError,
    ),
    "a coding nobody knows": (OK + b"Content-Encoding: foo\r\n\r\nhello", HTTPDecodeError),
    "a bomb": (
        OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"0" * 5_000_000),
        HTTPTooLargeError,
    ),
    "a bomb in a bomb": (
        OK + b"Content-Encoding: deflate, gzip\r\n\r\n"
        + gzip.compress(zlib.compress(b"0" * 50_000_000)),
        HTTPTooLargeError,
    ),
}  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("data", "error"), BROKEN.values(), ids=BROKEN)
def test_a_broken_response_is_an_error_of_its_kind_and_leaves_nothing_open(data, error, streamed):
    async def main():
        taken = []
        options = {"streaming_callback": taken.append} if streamed else {}
        async with making(max_body_size=100_000) as client, answering(data) as url:
            with pytest.raises(error) as caught:
                await client.fetch(url, request_timeout=10, **options)
            assert caught.value.code == 599
            assert len(client.pool) == 0
            assert sum(map(len, taken)) <= 100_000

    run(main())


def test_a_client_goes_on_after_a_hundred_broken_responses():
    async def main():
        served = 0

        async def behave(reader, writer):
            nonlocal served
            while True:
                await reader.readuntil(b"\r\n\r\n")
                served += 1
                broken = list(BROKEN.values())[served % len(BROKEN)][0]
                good = OK + b"Content-Length: 2\r\n\r\nok"
                writer.write(good if served > 100 else broken)
                if served <= 100:
                    return

        async with making(max_body_size=100_000, max_clients=3) as client:
            async with answering(behave) as url:
                fetches = [client.fetch(url, raise_error=False) for _ in range(100)]
                results = await asyncio.gather(*fetches, return_exceptions=True)
                assert all(isinstance(result, HTTPClientError) for result in results)
                before = descriptors()
                for _ in range(5):
                    assert (await client.fetch(url)).body == b"ok"
                assert len(client.pool) == 1
                # The client's socket and the server's.
                assert descriptors() <= before + 2

    run(main())


def test_silent_servers_end_in_a_time_out_wherever_they_stop():
    async def main():
        async def silent(reader, writer):
            await reader.read()

        async def half_a_head(reader, writer):
            writer.write(OK)
            await reader.read()

        async def half_a_body(reader, writer):
            writer.write(OK + b"Content-Length: 10\r\n\r\nhello")
            await reader.read()

        async with making() as client:
            for behave in (silent, half_a_head, half_a_body):
                for options in ({}, {"streaming_callback": lambda _: None}):
                    async with answering(behave) as url:
                        with pytest.raises(HTTPTimeoutError, match="during request"):
                            await client.fetch(url, request_timeout=0.05, **options)
            assert len(client.pool) == 0

    run(main())


def test_a_fetch_in_the_queue_times_out_there():
    async def main():
        release = asyncio.Event()

        async def behave(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            await release.wait()
            writer.write(OK + b"Content-Length: 0\r\n\r\n")

        async with making(max_clients=1) as client, answering(behave) as url:
            first = client.fetch(url)
            with pytest.raises(HTTPTimeoutError, match="in request queue"):
                await client.fetch(url, connect_timeout=0.02)
            assert len(client.queue) == 0
            waiting = client.fetch(url)
            release.set()
            assert (await first).code == (await waiting).code == 200

    run(main())


def test_what_a_server_says_before_it_refuses_an_upload_is_heard():
    async def main():
        async def behave(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 No\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
            await writer.drain()
            writer.write_eof()
            while await reader.read(1 << 20):
                pass

        async with making() as client, answering(behave) as url:
            body = b"x" * 30_000_000
            response = await client.fetch(url, method="POST", body=body, raise_error=False)
            assert (response.code, response.body) == (413, b"big")

    run(main())


def test_redirects_end_somewhere():
    async def main():
        async def circle(reader, writer):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")

        async with making() as client:
            async with answering(circle) as url:
                with pytest.raises(HTTPRedirectError) as caught:
                    await client.fetch(url, max_redirects=7)
                assert caught.value.code == 302
                assert caught.value.response.headers["Location"] == "/"
                assert len(client.pool) == 1
            for target in (
                "file:///etc/passwd",
                "ftp://a/b",
                "javascript:1",
                "http://a b/",
                "http://[::z]/",
            ):
                head = f"HTTP/1.1 301 Moved\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
                async with answering(head.encode()) as url:
                    with pytest.raises(ValueError, match="url|host|URL|IP|address"):
                        await client.fetch(url)

    run(main())


def test_names_that_lead_nowhere_are_an_error_of_their_kind():
    class Liar:
        def __init__(self, *answers):
            self.answers = answers

        async def resolve(self, host, port, family=0):
            return list(self.answers)

    async def main():
        async with making() as client:
            with pytest.raises(HTTPNameError):
                await client.fetch("http://host.invalid/")
            with pytest.raises(HTTPNameError):
                await client.fetch("http://999.1.1.1/")
        async with making(resolver=Liar()) as client:
            with pytest.raises(HTTPNameError):
                await client.fetch("http://a.example/")
        async with making(resolver=Liar((2, ("127.0.0.1", 1)), (10, ("::1", 1, 0, 0)))) as client:
            with pytest.raises(HTTPConnectError) as caught:
                await client.fetch("http://a.example/")
            assert isinstance(caught.value, ConnectionError)

    run(main())


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://a\r\nX: y/", {}),
        ("http://a/\r\nX: y", {}),
        ("http://a/", {"headers": {"X": "a\r\nY: b"}}),
        ("http://a/", {"headers": {"X\r\nY": "b"}}),
        ("http://a/", {"user_agent": "a\r\nX: y"}),
        ("http://a/", {"method": "GET / HTTP/1.1\r\nX:", "allow_nonstandard_methods": True}),
        ("ftp://a/", {}),
        ("http:///", {}),
        ("/relative", {}),
        ("http://a/", {"headers": {"Host": "a\r\nX: y"}}),
        ("http://a/", {"auth_username": "u", "auth_mode": "guess"}),
    ],
)
def test_nothing_can_be_injected_by_arguments(url, options):
    async def main():
        async with making(hostname_mapping={"a": "127.0.0.1"}) as client:
            with pytest.raises(ValueError, match=r".+"):
                await client.fetch(url, **options)

    run(main())


def test_a_request_whose_field_cannot_be_sent_leaves_the_connection_usable():
    async def main():
        async def behave(reader, writer):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(OK + b"Content-Length: 2\r\n\r\nok")

        async with making() as client, answering(behave) as url:
            await client.fetch(url)
            for _ in range(20):
                with pytest.raises(ValueError, match="ISO-8859-1|header"):
                    await client.fetch(url, user_agent="\N{SNOWMAN}")
            assert (await client.fetch(url)).body == b"ok"
            assert len(client.pool) == 1

    run(main())
