"""WebSockets through the real nginx and the real HAProxy."""

import asyncio
import contextlib
import subprocess

import pytest
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from eyewall.http.server.server import HTTPServer
from eyewall.realtime import WebSocketHandler
from eyewall.web import Application
from tests.support import require
from tests.wire.test_proxies import accepting

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 100; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen unix:{folder}/front;
    location / {{
      proxy_pass http://127.0.0.1:{port}; proxy_http_version 1.1; proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
      proxy_read_timeout 1s;
    }}
    location /deaf {{ proxy_pass http://127.0.0.1:{port}; proxy_set_header Host $host; }}
  }}
}}
"""

HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
  timeout tunnel 5s
frontend front
  bind unix@{folder}/front
  default_backend back
backend back
  server one 127.0.0.1:{port} {options}
"""


class Echo(WebSocketHandler):
    def initialize(self, handlers):
        handlers.append(self)
        self.pongs = 0

    def get_compression_options(self):
        return {}

    def on_message(self, message):
        self.write_message(message, isinstance(message, bytes))

    def on_pong(self, data):
        self.pongs += 1


@contextlib.asynccontextmanager
async def behind(folder, kind, options="", **settings):
    """A server behind a proxy; gives the proxy's socket and the handlers."""
    program = require(kind)
    handlers = []
    server = HTTPServer(Application([("/.*", Echo, {"handlers": handlers})], **settings))
    (sock,) = server.listen(0, "127.0.0.1")
    port = sock.getsockname()[1]
    sock.close()
    config = folder / "config"
    if kind == "nginx":
        config.write_text(NGINX.format(folder=folder, port=port))
        command = [program, "-p", str(folder), "-c", str(config)]
    else:
        config.write_text(HAPROXY.format(folder=folder, port=port, options=options))
        command = [program, "-db", "-q", "-f", str(config)]
    process = subprocess.Popen(command)
    try:
        front = str(folder / "front")
        await accepting(front, process)
        yield front, handlers
    finally:
        process.terminate()
        process.wait()
        server.close()


PROXIES = [
    pytest.param("nginx", "", "HTTP/1.1", id="nginx"),
    pytest.param("haproxy", "", "HTTP/1.1", id="haproxy"),
    pytest.param("haproxy", "proto h2 ws h2", "HTTP/2.0", id="haproxy-http2"),
]


@pytest.mark.parametrize(("kind", "options", "version"), PROXIES)
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages_pass_both_ways(run, tmp_path, kind, options, version, compression):
    async def main():
        async with (
            behind(tmp_path, kind, options) as (front, handlers),
            unix_connect(front, "ws://a/", compression=compression, max_size=None) as ws,
        ):
            for size in (0, 1, 1000, 100_000, 1 << 20):
                await ws.send("x" * size)
                await ws.send(b"\xff" * size)
                assert await ws.recv() == "x" * size
                assert await ws.recv() == b"\xff" * size
            await (await ws.ping(b"?"))
            assert handlers[0].exchange.http_version == version

    run(main)


@pytest.mark.parametrize(("kind", "options", "version"), PROXIES)
def test_the_end_passes_both_ways(run, tmp_path, kind, options, version):
    async def main():
        async with behind(tmp_path, kind, options) as (front, handlers):
            async with unix_connect(front, "ws://a/") as ws:
                await ws.send("x")
                await ws.recv()
                handlers[0].close(4001, "from the server")
                with pytest.raises(ConnectionClosed):
                    await ws.recv()
                assert (ws.close_code, ws.close_reason) == (4001, "from the server")
            async with unix_connect(front, "ws://a/") as ws:
                await ws.close(4002, "from the client")
            while handlers[1].close_code is None:
                await asyncio.sleep(0)
            assert handlers[1].close_reason == "from the client"
            ws = await unix_connect(front, "ws://a/")
            ws.transport.abort()
            while len(handlers) < 3 or handlers[2].close_reason is None:
                await asyncio.sleep(0)
            assert handlers[2].close_code is None

    run(main)


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
def test_pages_of_other_origins_are_refused_through_a_proxy(run, tmp_path, kind):
    async def main():
        async with behind(tmp_path, kind) as (front, _):
            async with unix_connect(front, "ws://a/", origin="http://a"):
                pass
            with pytest.raises(InvalidStatus) as refused:
                await unix_connect(front, "ws://a/", origin="http://elsewhere.example")
            assert refused.value.response.status_code == 403

    run(main)


def test_pings_keep_a_proxy_from_cutting_a_silent_connection(run, tmp_path):
    async def main():
        # nginx cuts after a second of silence here.
        settings = {"websocket_ping_interval": 0.25, "websocket_ping_timeout": 5}
        async with (
            behind(tmp_path, "nginx", **settings) as (front, handlers),
            unix_connect(front, "ws://a/", ping_interval=None) as ws,
        ):
            while not handlers or handlers[0].pongs < 6:
                await asyncio.sleep(0)
            await ws.send("still here")
            assert await ws.recv() == "still here"

    run(main)


def test_a_proxy_that_drops_the_upgrade_is_told_so(run, tmp_path):
    async def main():
        async with behind(tmp_path, "nginx") as (front, _):
            with pytest.raises(InvalidStatus) as refused:
                await unix_connect(front, "ws://a/deaf")
            assert refused.value.response.status_code == 400

    run(main)
