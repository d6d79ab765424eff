"""The HTTP client against the project's server and against broken ones."""

import asyncio
import gzip
import socket
import ssl

import pytest
import trustme

from eyewall.http.client import AsyncHTTPClient, HTTPClient, HTTPClientError, HTTPRequest
from eyewall.http.client.redirects import follow
from eyewall.http.server.server import HTTPServer
from eyewall.web import Application, RequestHandler


def run(coroutine):
    async def limited():
        async with asyncio.timeout(20):
            return await coroutine

    return asyncio.run(limited())


async def answered(data, **options):
    """What the client makes of these bytes."""

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = AsyncHTTPClient(force_instance=True, max_body_size=1000, max_header_size=2000)
    try:
        port = server.sockets[0].getsockname()[1]
        return await client.fetch(f"http://127.0.0.1:{port}/", **options)
    finally:
        client.close()
        server.close()


class Echo(RequestHandler):
    def get(self):
        self.write("hello")

    def post(self):
        self.write(self.request.body)


class Gone(RequestHandler):
    def get(self):
        self.redirect("/echo")


def test_fetches_posts_and_follows_redirects_on_one_connection():
    async def whole():
        server = HTTPServer(Application([(r"/echo", Echo), (r"/gone", Gone)]))
        (listening,) = server.listen(0, "127.0.0.1")
        port = listening.getsockname()[1]
        client = AsyncHTTPClient(force_instance=True)
        base = f"http://127.0.0.1:{port}"
        try:
            assert (await client.fetch(base + "/echo")).body == b"hello"
            assert (await client.fetch(base + "/echo", method="POST", body="x=1")).body == b"x=1"
            assert (await client.fetch(base + "/gone")).effective_url == base + "/echo"
            with pytest.raises(HTTPClientError) as caught:
                await client.fetch(base + "/missing")
            assert caught.value.code == 404
            assert server.stats()["connections"] == 1
        finally:
            client.close()
            server.close()
            listening.close()

    run(whole())


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nabcdef",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 3000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"0" * 9999),
    ],
)
def test_a_broken_answer_is_a_599(data):
    with pytest.raises(HTTPClientError) as caught:
        run(answered(data))
    assert caught.value.code == 599


def test_chunks_interim_responses_and_gzip_are_undone():
    body = gzip.compress(b"hello")
    head = b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert run(answered(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)).body == b"hello"


def test_a_silent_server_times_out():
    async def silent():
        held = []
        server = await asyncio.start_server(lambda r, w: held.append(w), "127.0.0.1", 0)
        client = AsyncHTTPClient(force_instance=True)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        try:
            with pytest.raises(HTTPClientError):
                await client.fetch(url, request_timeout=0.05)
        finally:
            client.close()
            server.close()
            for writer in held:
                writer.close()

    run(silent())


def test_credentials_stay_at_their_origin():
    asked = HTTPRequest(url="http://a/x", headers={"Cookie": "k"}, auth_username="u")
    there = follow(asked, 302, "http://b/")
    assert "Cookie" not in there.headers
    assert not there.auth_username
    assert "Cookie" in follow(asked, 302, "/y").headers


def test_a_connection_that_the_server_closed_is_replaced():
    async def main():
        served = []

        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            served.append(writer)
            if len(served) == 1:
                await reader.readuntil(b"\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        client = AsyncHTTPClient(force_instance=True)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        try:
            for _ in range(2):
                assert (await client.fetch(url)).body == b"ok"
            assert len(served) == 2
        finally:
            client.close()
            server.close()

    run(main())


def test_tls_servers_are_verified(tmp_path):
    async def main():
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(context)

        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        client = AsyncHTTPClient(force_instance=True)
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
        try:
            trusted = await client.fetch(url, ca_certs=str(tmp_path / "ca.pem"))
            assert trusted.code == 204
            with pytest.raises(HTTPClientError) as caught:
                await client.fetch(url)
            assert caught.value.code == 599
        finally:
            client.close()
            server.close()

    run(main())


def test_a_cancelled_fetch_closes_its_connection():
    async def main():
        asked, closed = asyncio.Event(), asyncio.Event()

        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            asked.set()
            try:
                await reader.read()
            except ConnectionError:
                pass
            closed.set()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        client = AsyncHTTPClient(force_instance=True)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        fetching = client.fetch(url)
        await asked.wait()
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        await closed.wait()
        client.close()
        server.close()

    run(main())


def test_the_blocking_client_raises_for_a_port_where_nobody_listens():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        client = HTTPClient()
        try:
            with pytest.raises(HTTPClientError) as caught:
                client.fetch(f"http://127.0.0.1:{bound.getsockname()[1]}/")
        finally:
            client.close()
    assert caught.value.code == 599
