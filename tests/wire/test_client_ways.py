"""How the client gets to a server: proxies, Unix sockets, several addresses, digest, streams."""

import asyncio
import contextlib
import gc
import hashlib
import re
import socket

import pytest

from eyewall.http.client import (
    AsyncHTTPClient,
    HTTPClientError,
    HTTPConnectError,
    HTTPProxyError,
    HTTPStreamClosedError,
)
from eyewall.http.client.connect import connect_any
from eyewall.http.client.proxy import Proxy, parse_proxy, tunnel
from eyewall.web import RequestHandler
from tests.unit.http.client.servers import answering, making, run, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Echo(RequestHandler):
    def get(self):
        self.write(self.request.headers.get("User-Agent", "nobody"))

    def post(self):
        self.write(self.request.body)


async def relay(reader, writer, host, port):
    """Carry bytes both ways until one side ends."""
    far_reader, far_writer = await asyncio.open_connection(host, port)

    async def carry(source, sink):
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
        sink.close()

    try:
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))
    finally:
        far_writer.close()


def port_of(url):
    return int(url.rsplit(":", 1)[1])


def test_an_http_proxy_is_asked_with_the_whole_url():
    async def main():
        heads = []

        async def proxy(reader, writer):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(OK)

        async with making() as client, answering(proxy) as url:
            way = {"proxy_host": "localhost", "proxy_port": port_of(url)}
            await client.fetch(
                "http://a.example/x?y", **way, proxy_username="u", proxy_password="p"
            )
        assert heads[0].startswith(b"GET http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\n")
        assert b"Proxy-Authorization: Basic dTpw\r\n" in heads[0]

    run(main())


def test_connect_opens_a_way_through_an_http_proxy():
    async def main():
        async def proxy(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"CONNECT target.example:80 HTTP/1.1\r\n")
            writer.write(b"HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n")
            await relay(reader, writer, "localhost", target)

        async with serving(("/", Echo)) as (base, _), answering(proxy) as url:
            target = port_of(base)
            sock = socket.create_connection(("localhost", port_of(url)))
            sock.setblocking(False)
            way = Proxy("http", "localhost", port_of(url))
            await tunnel(sock, way, "target.example", 80)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(sock, b"GET / HTTP/1.0\r\nUser-Agent: me\r\n\r\n")
            assert (await loop.sock_recv(sock, 65536)).startswith(b"HTTP/1.1 200 OK\r\n")
            sock.close()

    run(main())


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 407 Log in\r\n\r\n", "it answers 407"),
        (b"nonsense\r\n\r\n", "is not HTTP"),
        (b"HTTP/1.1 200 " + b"x" * 20_000, "no end"),
        (b"", "closed the connection"),
    ],
)
def test_a_proxy_that_gives_no_way_is_an_error_of_its_kind(answer, text):
    async def main():
        async with making() as client, answering(answer) as url:
            way = {"proxy_host": "localhost", "proxy_port": port_of(url)}
            with pytest.raises(HTTPProxyError, match=text):
                await client.fetch("https://a.example/", **way)
            assert len(client.pool) == 0

    run(main())


@pytest.mark.parametrize("user", [None, "me"])
@pytest.mark.parametrize("host", ["target.example", "127.0.0.1", "::1"])
def test_socks5_takes_names_and_addresses(host, user):
    async def main():
        async def proxy(reader, writer):
            _, count = await reader.readexactly(2)
            methods = await reader.readexactly(count)
            if user is not None:
                assert 2 in methods
                writer.write(b"\x05\x02")
                assert await reader.readexactly(8) == b"\x01\x02me\x03pas"[:8]
                writer.write(b"\x01\x00")
            else:
                writer.write(b"\x05\x00")
            _, _, _, kind = await reader.readexactly(4)
            length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
            asked.append((kind, await reader.readexactly(length), await reader.readexactly(2)))
            writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
            writer.write(b"through")
            await reader.read()

        asked = []
        async with answering(proxy) as url:
            sock = socket.create_connection(("localhost", port_of(url)))
            sock.setblocking(False)
            way = Proxy("socks5h", "localhost", port_of(url), user, "pas"[:3] if user else "")
            await tunnel(sock, way, host, 80)
            assert await asyncio.get_running_loop().sock_recv(sock, 100) == b"through"
            sock.close()
        assert asked[0][2] == b"\x00\x50"
        assert asked[0][0] == {"target.example": 3, "127.0.0.1": 1, "::1": 4}[host]

    run(main())


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"\x05\xff", "no way of authentication"),
        (b"\x04\x00", "no way of authentication"),
        (b"\x05\x00\x05\x05\x00\x01\x7f\x00\x00\x01\x00\x50", "refuses the connection"),
        (b"\x05\x00\x04\x00\x00\x01", "is not SOCKS5"),
        (b"\x05\x00\x05", "closed"),
    ],
)
def test_a_socks_proxy_that_gives_no_way_is_an_error_of_its_kind(answer, text):
    async def main():
        async def proxy(reader, writer):
            await reader.read(100)
            writer.write(answer)
            await writer.drain()

        async with answering(proxy) as url:
            sock = socket.create_connection(("localhost", port_of(url)))
            sock.setblocking(False)
            with pytest.raises(HTTPProxyError, match=text):
                await tunnel(sock, parse_proxy(url.replace("http", "socks5")), "a.example", 80)
            sock.close()

    run(main())


def test_a_unix_socket_is_a_way_to_any_host(tmp_path):
    async def main():
        async def serve(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"Host: docker\r\n" in head
            writer.write(OK)
            writer.close()

        path = str(tmp_path / "s")
        server = await asyncio.start_unix_server(serve, path)
        async with making(unix_socket=path) as client:
            assert (await client.fetch("http://docker/")).body == b"ok"
        server.close()
        async with making(unix_socket=str(tmp_path / "none")) as client:
            with pytest.raises(HTTPConnectError, match="none"):
                await client.fetch("http://docker/")

    run(main())


def test_the_first_address_that_answers_is_taken():
    async def main():
        async with answering(OK) as url:
            dead = (socket.AF_INET, ("127.0.0.1", 1))
            live = (socket.AF_INET, ("127.0.0.1", port_of(url)))
            # Packets to this network go nowhere (RFC 5737), or are refused at once.
            silent = (socket.AF_INET, ("192.0.2.1", 80))
            for addresses in ([dead, live], [silent, live], [live, dead]):
                sock = await connect_any(addresses)
                assert sock.getpeername() == live[1]
                sock.close()
            with pytest.raises(HTTPConnectError) as caught:
                await connect_any([dead, dead])
            assert caught.value.errno is not None
        gc.collect()

    run(main())


def test_the_local_address_can_be_chosen():
    async def main():
        peers = []

        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            peers.append(writer.get_extra_info("peername")[0])
            writer.write(OK)

        async with making() as client, answering(serve) as url:
            url = url.replace("localhost", "127.0.0.1")
            await client.fetch(url, network_interface="127.0.0.9")
            with pytest.raises(HTTPConnectError, match="not-an-address"):
                await client.fetch(url, network_interface="not-an-address")
        assert peers == ["127.0.0.9"]

    run(main())


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "MD5-sess"])
def test_digest_authentication_answers_the_challenge(algorithm):
    hashed = hashlib.sha256 if algorithm == "SHA-256" else hashlib.md5

    def h(*parts):
        return hashed(":".join(parts).encode()).hexdigest()

    class Guarded(RequestHandler):
        def get(self):
            value = self.request.headers.get("Authorization", "")
            given = dict(re.findall(r'(\w+)="?([^",]+)"?', value))
            if value.startswith("Digest ") and given["response"] == self.expected(given):
                self.write("come in")
                return
            self.set_status(401)
            self.set_header("WWW-Authenticate", 'Basic realm="x"')
            self.add_header(
                "WWW-Authenticate",
                f'Digest realm="r", nonce="n1", opaque="o", qop="auth, auth-int", algorithm={algorithm}',
            )

        def expected(self, given):
            secret = h("Mufasa", "r", "Circle of Life")
            if algorithm.endswith("sess"):
                secret = h(secret, "n1", given["cnonce"])
            asked = h("GET", "/dir/index.html?a=b")
            return h(secret, "n1", "00000001", given["cnonce"], "auth", asked)

    async def main():
        async with serving(("/dir/index.html", Guarded)) as (base, _), making() as client:
            url = base + "/dir/index.html?a=b"
            who = {"auth_username": "Mufasa", "auth_mode": "digest"}
            response = await client.fetch(url, **who, auth_password="Circle of Life")
            assert response.body == b"come in"
            with pytest.raises(HTTPClientError) as caught:
                await client.fetch(url, **who, auth_password="wrong")
            assert caught.value.code == 401

    run(main())


def test_a_producer_waits_for_a_slow_server():
    async def main():
        release = asyncio.Event()
        received = 0

        async def slow(reader, writer):
            nonlocal received
            await reader.readuntil(b"\r\n\r\n")
            await release.wait()
            while received < 50_000_000 + 50 * 8:
                received += len(await reader.read(1 << 20))
            writer.write(OK)

        async def produce(write):
            nonlocal written
            for _ in range(50):
                waiting = asyncio.ensure_future(write(b"x" * 1_000_000))
                written += 1
                if not waiting.done():
                    release.set() if written < 50 else None
                await waiting

        written = 0
        async with making() as client, answering(slow) as url:
            response = await client.fetch(url, method="POST", body_producer=produce)
            assert response.body == b"ok"
            assert release.is_set()

    run(main())


def test_the_errors_of_a_producer_and_a_wrong_length_reach_the_caller():
    async def fails(write):
        await write(b"some")
        raise LookupError("no more")

    async def too_short(write):
        await write(b"abc")

    async def too_long(write):
        await write(b"abcdefghijk")

    async def main():
        async with serving(("/", Echo)) as (base, _), making() as client:
            with pytest.raises(LookupError):
                await client.fetch(base, method="POST", body_producer=fails)
            for producer in (too_short, too_long):
                with pytest.raises(ValueError, match="Content-Length"):
                    await client.fetch(
                        base,
                        method="POST",
                        body_producer=producer,
                        headers={"Content-Length": "10"},
                    )
            assert len(client.pool) == 0
            assert (await client.fetch(base, method="POST", body=b"x")).body == b"x"

    run(main())


def test_content_waits_for_the_servers_leave():
    async def main():
        produced = []

        async def behave(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"Expect: 100-continue" in head
            if b"/no" in head:
                writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
                return
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert await reader.readexactly(4) == b"abcd"
            writer.write(OK)

        async def produce(write):
            produced.append(1)
            await write(b"abcd")

        async with making() as client, answering(behave) as url:
            options = {"method": "POST", "expect_100_continue": True}
            assert (await client.fetch(url, body=b"abcd", **options)).body == b"ok"
            refused = await client.fetch(
                url + "/no", body_producer=produce, raise_error=False, **options
            )
            assert refused.code == 403
            assert produced == []

    run(main())


def test_a_server_is_not_read_while_the_callback_is_busy():
    async def main():
        sent = 0

        async def behave(reader, writer):
            nonlocal sent
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.set_write_buffer_limits(0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 64000000\r\n\r\n")
            for _ in range(64):
                writer.write(b"x" * 1_000_000)
                await writer.drain()
                sent += 1

        async def busy(piece):
            nonlocal taken
            if not taken:
                # Nobody reads: the server's writes come to rest.
                before = -1
                while sent != before:
                    before = sent
                    for _ in range(200):
                        await asyncio.sleep(0)
                rested.append(sent)
            taken += len(piece)

        taken, rested = 0, []
        async with making() as client, answering(behave) as url:
            await client.fetch(url, streaming_callback=busy)
        assert taken == 64_000_000
        assert rested[0] < 32

    run(main())


def test_fetches_fail_when_their_client_is_closed_and_later_ones_are_refused():
    async def main():
        asked = asyncio.Event()

        async def behave(reader, writer):
            asked.set()
            await reader.read()

        async with answering(behave) as url:
            client = AsyncHTTPClient(force_instance=True)
            fetch = client.fetch(url)
            await asked.wait()
            client.close()
            with pytest.raises(HTTPStreamClosedError):
                await fetch
            with pytest.raises(RuntimeError, match="closed"):
                client.fetch(url)

    run(main())
