"""The client over HTTP/2: streams both ways, and servers that refuse, reset or go away."""

import asyncio
import ssl

import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest
import trustme

from eyewall.http.client import (
    HTTPClientError,
    HTTPProtocolError,
    HTTPStreamClosedError,
    HTTPTimeoutError,
    HTTPTooLargeError,
    Session,
)
from eyewall.web import RequestHandler, stream_request_body
from tests.unit.http.client.servers import answering, making, run, serving


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    certificate = ca.issue_cert("localhost")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "all.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    context.set_alpn_protocols(["h2"])
    return str(folder / "ca.pem"), str(folder / "all.pem"), context


class Far:
    """An HTTP/2 server by another implementation; `react` gets each of its events."""

    def __init__(self, react):
        self.react = react
        self.connections = 0

    async def __call__(self, reader, writer):
        self.connections += 1
        conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        conn.initiate_connection()
        writer.write(conn.data_to_send())
        while data := await reader.read(65536):
            for event in conn.receive_data(data):
                await self.react(conn, event, writer)
            writer.write(conn.data_to_send())


def answer(conn, stream, body=b"ok", status="200"):
    conn.send_headers(stream, [(":status", status)])
    conn.send_data(stream, body, end_stream=True)


@stream_request_body
class Count(RequestHandler):
    def prepare(self):
        self.count = 0

    def data_received(self, chunk):
        self.count += len(chunk)

    def post(self):
        self.write(str(self.count))


class Big(RequestHandler):
    async def get(self):
        for _ in range(100):
            self.write(b"x" * 100_000)
            await self.flush()


def test_content_streams_both_ways(certificates):
    ca, both, _ = certificates

    async def main():
        async def pieces():
            for _ in range(100):
                yield b"x" * 100_000

        options = {"ssl_options": {"certfile": both, "keyfile": both}}
        async with serving(("/count", Count), ("/big", Big), **options) as (base, server):
            async with Session(base) as session:
                counted = await session.post("/count", content=pieces(), ca_certs=ca)
                assert (counted.body, counted.http_version) == (b"10000000", "HTTP/2.0")

                async def read():
                    async with session.stream("GET", "/big", ca_certs=ca) as response:
                        return sum([len(piece) async for piece in response])

                assert await asyncio.gather(*(read() for _ in range(5))) == [10_000_000] * 5
                assert server.stats()["connections"] == 1

    run(main())


def test_a_reader_who_is_slow_stops_only_his_own_stream(certificates):
    ca, both, _ = certificates

    async def main():
        options = {"ssl_options": {"certfile": both, "keyfile": both}}
        async with serving(("/big", Big), **options) as (base, _), Session(base) as session:
            async with session.stream("GET", "/big", idle_timeout_s=5, ca_certs=ca) as slow:
                assert len((await session.get("/big", ca_certs=ca)).body) == 10_000_000
                assert len(await slow.read()) == 10_000_000

    run(main())


def test_refused_streams_are_tried_again_on_another_connection(certificates):
    ca, _, context = certificates

    async def main():
        async def react(conn, event, writer):
            if isinstance(event, h2.events.RequestReceived):
                if far.connections == 1 and conn.highest_inbound_stream_id > 1:
                    conn.close_connection(h2.errors.ErrorCodes.NO_ERROR, last_stream_id=1)
                    writer.write(conn.data_to_send())
                    writer.close()
                    return
                answer(conn, event.stream_id)

        far = Far(react)
        async with answering(far, ssl=context) as url, making() as client:
            for _ in range(3):
                assert (await client.fetch(url, ca_certs=ca)).body == b"ok"
            assert far.connections == 2

    run(main())


def test_a_reset_stream_fails_alone(certificates):
    ca, _, context = certificates

    async def main():
        async def react(conn, event, writer):
            if isinstance(event, h2.events.RequestReceived):
                if dict(event.headers)[b":path"] == b"/bad":
                    conn.reset_stream(event.stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
                else:
                    answer(conn, event.stream_id)

        far = Far(react)
        async with answering(far, ssl=context) as url, making() as client:
            bad, good = client.fetch(url + "/bad", ca_certs=ca), client.fetch(url, ca_certs=ca)
            with pytest.raises(HTTPStreamClosedError):
                await bad
            assert (await good).body == b"ok"
            assert far.connections == len(client.pool) == 1

    run(main())


@pytest.mark.parametrize(
    ("reaction", "error"),
    [
        (b"nonsense that is no frame of any kind", HTTPClientError),
        (b"\x00\x00\x00\x00\x00\x00\x00\x00\x01", HTTPProtocolError),
        (b"\xff\xff\xff\x01\x04\x00\x00\x00\x01", HTTPProtocolError),
        (b"\x00\x00\x03\x01\x05\x00\x00\x00\x01\xff\xff\xff", HTTPProtocolError),
        (b"", HTTPStreamClosedError),
    ],
    ids=["noise", "data before a head", "a huge frame", "a bad head", "nothing"],
)
def test_frames_that_break_the_protocol_end_the_connection(certificates, reaction, error):
    ca, _, context = certificates

    async def main():
        async def react(conn, event, writer):
            if isinstance(event, h2.events.RequestReceived):
                writer.write(conn.data_to_send() + reaction)
                await writer.drain()
                writer.close()

        async with answering(Far(react), ssl=context) as url, making() as client:
            with pytest.raises(error):
                await client.fetch(url, ca_certs=ca, request_timeout=10)
            assert len(client.pool) == 0

    run(main())


def test_limits_hold_over_http2_too(certificates):
    ca, _, context = certificates

    async def main():
        async def react(conn, event, writer):
            if isinstance(event, h2.events.RequestReceived):
                path = dict(event.headers)[b":path"]
                if path == b"/head":
                    fields = [(f"x{n}", "y" * 1000) for n in range(100)]
                    conn.send_headers(event.stream_id, [(":status", "200"), *fields])
                else:
                    conn.send_headers(event.stream_id, [(":status", "200")])
                    conn.send_data(event.stream_id, b"x" * 16_000)

        async with answering(Far(react), ssl=context) as url:
            async with making(max_body_size=1000, max_header_size=10_000) as client:
                with pytest.raises(HTTPTooLargeError):
                    await client.fetch(url, ca_certs=ca)
                with pytest.raises(HTTPClientError):
                    await client.fetch(url + "/head", ca_certs=ca)

    run(main())


def test_interim_responses_and_trailers_come_through(certificates):
    ca, _, context = certificates

    async def main():
        async def react(conn, event, writer):
            if isinstance(event, h2.events.RequestReceived):
                assert (b"expect", b"100-continue") in event.headers
                conn.send_headers(event.stream_id, [(":status", "100")])
            elif isinstance(event, h2.events.StreamEnded):
                conn.send_headers(event.stream_id, [(":status", "200")])
                conn.send_data(event.stream_id, b"ok")
                conn.send_headers(event.stream_id, [("x-sum", "1")], end_stream=True)

        async with answering(Far(react), ssl=context) as url, Session(url) as session:
            options = {"content": b"abc", "expect_100_continue": True, "ca_certs": ca}
            async with session.stream("POST", "/", **options) as response:
                assert await response.read() == b"ok"
                assert response.trailers == [("x-sum", "1")]

    run(main())


def test_a_post_that_was_refused_is_sent_again(certificates):
    ca, _, context = certificates

    async def main():
        refused = []

        async def react(conn, event, writer):
            if isinstance(event, h2.events.RequestReceived):
                if event.stream_id == 3 and not refused:
                    refused.append(1)
                    conn.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
                else:
                    answer(conn, event.stream_id)

        async with answering(Far(react), ssl=context) as url, making() as client:
            for _ in range(2):
                response = await client.fetch(url, method="POST", body=b"x", ca_certs=ca)
                assert response.body == b"ok"
        assert refused == [1]

    run(main())


class Waits(RequestHandler):
    async def get(self):
        await asyncio.Event().wait()


@pytest.mark.parametrize("way", ["streamed", "cancelled", "late"])
def test_the_server_counts_no_exchange_that_is_over(certificates, way):
    """Streamed answers, and those that the client reset, were counted as running for ever."""
    ca, both, _ = certificates

    async def main():
        options = {"ssl_options": {"certfile": both, "keyfile": both}}
        async with serving(("/big", Big), ("/waits", Waits), **options) as (base, server):
            async with making() as client:
                if way == "streamed":
                    await client.fetch(base + "/big", ca_certs=ca)
                elif way == "late":
                    with pytest.raises(HTTPTimeoutError):
                        await client.fetch(base + "/waits", ca_certs=ca, request_timeout=0.05)
                else:
                    fetch = client.fetch(base + "/waits", ca_certs=ca)
                    while not server.stats()["exchanges"]:
                        await asyncio.sleep(0)
                    fetch.cancel()
                while server.stats()["exchanges"]:
                    await asyncio.sleep(0)
                assert server.stats()["connections"] == 1

    run(main())
