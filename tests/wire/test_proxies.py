"""Behind proxies: forwarding headers, the PROXY protocol, Unix sockets, and the real nginx."""

import asyncio
import socket
import subprocess

import pytest

from eyewall._engine import Reactor, Server
from tests.conftest import Live, Peer, hello
from tests.support import require

GET = b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"


def seen_by(run, trusted, **options):
    async def main():
        seen = []

        def app(exchange):
            seen.append((exchange.remote_ip, exchange.scheme))
            hello(exchange)

        live = Live(app, trusted=trusted, **options)
        await live.ask(options.pop("prefix", b"") + GET)
        live.close()
        return seen

    return run(main)


def test_forwarding_headers_count_only_from_trusted_peers(run):
    assert seen_by(run, ["127.0.0.0/8"]) == [("192.0.2.7", "https")]
    assert seen_by(run, ["*"]) == [("192.0.2.7", "https")]
    assert seen_by(run, ["10.0.0.0/8"]) == [("127.0.0.1", "http")]
    assert seen_by(run, []) == [("127.0.0.1", "http")]


def test_a_name_that_is_no_network_is_refused(run):
    async def main():
        reactor = Reactor.of(asyncio.get_running_loop())
        with pytest.raises(ValueError, match="localhost"):
            Server(reactor, [], hello, trusted=["localhost"])

    run(main)


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY TCP4 203.0.113.9 198.51.100.1 5555 443\r\n",
        b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"
        + bytes([203, 0, 113, 9, 198, 51, 100, 1])
        + (5555).to_bytes(2, "big")
        + (443).to_bytes(2, "big"),
    ],
)
def test_the_proxy_protocol_names_the_client(run, header):
    async def main():
        seen = []

        def app(exchange):
            seen.append((exchange.peer, exchange.local))
            hello(exchange)

        live = Live(app, trusted=["127.0.0.1"], proxy_protocol=True)
        for size in (1, len(header)):
            peer = await live.connect()
            for at in range(0, len(header), size):
                peer.send(header[at : at + size])
                await asyncio.sleep(0)
            peer.send(GET)
            assert (await peer.read_all()).endswith(b"hello")
            await peer.close()
        assert seen == [(("203.0.113.9", 5555), ("198.51.100.1", 443))] * 2
        answer = await live.ask(GET)
        assert answer.startswith(b"HTTP/1.1 400 ")
        live.close()

    run(main)


def unix_server(path, app, **options):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen(100)
    server = Server(Reactor.of(asyncio.get_running_loop()), [sock.fileno()], app, **options)
    sock.close()
    return server


def test_unix_sockets_are_served(run, tmp_path):
    async def main():
        path = str(tmp_path / "s")
        seen = []

        def app(exchange):
            seen.append((exchange.peer, exchange.local, exchange.remote_ip))
            hello(exchange)

        server = unix_server(path, app, trusted=["unix"])
        peer = Peer(*await asyncio.open_unix_connection(path))
        peer.send(GET)
        assert (await peer.read_all()).endswith(b"hello")
        assert seen == [("", path, "192.0.2.7")]
        await peer.close()
        server.close()

    run(main)


NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{ worker_connections 100; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream kept {{ server {upstream}; keepalive 4; }}
  server {{
    listen unix:{folder}/front;
    location / {{
      proxy_pass http://kept; proxy_http_version {version};
      proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For 192.0.2.7; proxy_set_header X-Forwarded-Proto https;
      proxy_request_buffering off;
    }}
  }}
}}
"""


async def accepting(path, process):
    """Wait until a process accepts on a Unix socket: the file is there before it listens."""
    while True:
        assert process.poll() is None
        try:
            _, writer = await asyncio.open_unix_connection(path)
        except (FileNotFoundError, ConnectionRefusedError):
            await asyncio.sleep(0)
        else:
            writer.close()
            await writer.wait_closed()
            return


@pytest.mark.parametrize(("upstream", "version"), [("tcp", "1.0"), ("tcp", "1.1"), ("unix", "1.1")])
def test_nginx_in_front(run, tmp_path, upstream, version):
    nginx = require("nginx")

    async def main():
        seen = []

        def app(exchange):
            def arrived(body):
                seen.append((exchange.http_version, exchange.remote_ip, exchange.scheme))
                exchange.respond(200, {}, body)

            body = exchange.read_all(arrived)
            if body is not None:
                arrived(body)

        trusted = ["127.0.0.1", "unix"]
        if upstream == "unix":
            path = str(tmp_path / "back")
            server, where = unix_server(path, app, trusted=trusted), f"unix:{path}"
        else:
            live = Live(app, trusted=trusted)
            server, where = live.server, f"127.0.0.1:{live.port}"
        config = tmp_path / "nginx.conf"
        config.write_text(NGINX.format(folder=tmp_path, upstream=where, version=version))
        process = subprocess.Popen([nginx, "-p", str(tmp_path), "-c", str(config)])
        try:
            front = str(tmp_path / "front")
            await accepting(front, process)
            body = b"x" * 100_000
            for _ in range(5):
                peer = Peer(*await asyncio.open_unix_connection(front))
                peer.send(
                    b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                    % len(body)
                    + body
                )
                assert (await peer.answer())[2] == body
                await peer.close()
            assert seen == [(f"HTTP/{version}", "192.0.2.7", "https")] * 5
            if version == "1.1":
                assert server.stats()["connections"] == 1
        finally:
            process.terminate()
            process.wait()
        server.close()

    run(main)
