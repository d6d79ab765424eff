"""Applications of ours in the servers of others."""

import asyncio
import threading
import urllib.request
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.validate import validator

import hypercorn.asyncio
import hypercorn.config
import pytest
import uvicorn

from eyewall.hosting import WSGIAdapter
from eyewall.http.asgi_exchange import ASGIGateway
from eyewall.net.sockets import bind_sockets
from eyewall.testing.client import TestClient
from eyewall.web import Application, RequestHandler, stream_request_body


class Home(RequestHandler):
    def get(self):
        self.set_header("X-A", "1")
        self.write(f"{self.request.method} {self.request.path} {self.get_argument('a', '-')}")

    head = get

    def post(self):
        self.write({"name": self.get_body_argument("name")})


class Slow(RequestHandler):
    async def get(self):
        for number in range(3):
            self.write(f"{number},")
            await self.flush()
            await asyncio.sleep(0)


@stream_request_body
class Count(RequestHandler):
    def initialize(self):
        self.size = 0

    def data_received(self, chunk):
        self.size += len(chunk)

    def put(self):
        self.write(str(self.size))


class Fails(RequestHandler):
    def get(self):
        raise LookupError("on purpose")


class Limited(RequestHandler):
    max_body_size = 10

    def post(self):
        self.write("taken")


def site():
    return Application(
        [("/", Home), ("/slow", Slow), ("/count", Count), ("/fails", Fails), ("/limited", Limited)],
        access_log=False,
    )


async def ask_all(base_url):
    async with TestClient(base_url=base_url) as client:
        home = await client.get("/?a=%C3%A9")
        assert (home.text, home.headers["X-A"]) == ("GET / é", "1")
        again = await client.get("/?a=%C3%A9", headers={"If-None-Match": home.headers["Etag"]})
        assert again.status == 304
        head = await client.request("HEAD", "/")
        assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "8")
        assert (await client.post("/", data={"name": "Ada"})).json() == {"name": "Ada"}
        assert (await client.get("/slow")).text == "0,1,2,"
        assert (await client.put("/count", data=b"x" * 500_000)).text == "500000"
        assert (await client.get("/fails")).status == 500
        assert (await client.post("/limited", data=b"x" * 11)).status == 413
        assert (await client.get("/nothing")).status == 404


async def in_uvicorn(app):
    [sock] = bind_sockets(0, "127.0.0.1")
    config = uvicorn.Config(app, log_level="critical", lifespan="on")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        await ask_all(f"http://127.0.0.1:{sock.getsockname()[1]}")
    finally:
        server.should_exit = True
        await serving


async def listening(address):
    """Wait until somebody accepts connections there."""
    while True:
        try:
            _, writer = await asyncio.open_connection(*address.split(":"))
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return await writer.wait_closed()


async def in_hypercorn(app):
    [sock] = bind_sockets(0, "127.0.0.1")
    address = f"127.0.0.1:{sock.getsockname()[1]}"
    # It opens, and closes, its sockets itself.
    sock.close()
    config = hypercorn.config.Config()
    config.bind = [address]
    config.errorlog = None
    stop = asyncio.Event()
    serving = asyncio.create_task(hypercorn.asyncio.serve(app, config, shutdown_trigger=stop.wait))
    try:
        await listening(address)
        await ask_all(f"http://{address}")
    finally:
        stop.set()
        await serving


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("server", [in_uvicorn, in_hypercorn])
def test_an_application_runs_in_asgi_servers(run, server):
    run(lambda: server(site().asgi))


def scope(**parts):
    return {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": [],
        "http_version": "1.1",
        **parts,
    }


def test_the_lifespan_is_the_applications(run):
    calls = []

    class App:
        async def startup(self):
            calls.append("startup")

        async def drain(self):
            calls.append("drain")

    async def main():
        events = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
        sent = []

        async def receive():
            return next(events)

        async def send(message):
            sent.append(message["type"])

        await ASGIGateway(App())({"type": "lifespan"}, receive, send)
        return sent

    assert run(main) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert calls == ["startup", "drain"]


def test_a_client_that_goes_away_is_told_to_the_handler(run):
    closed = asyncio.Event()

    class Waits(RequestHandler):
        async def get(self):
            await closed.wait()

        def on_connection_close(self):
            closed.set()

    async def main():
        async def receive():
            return {"type": "http.disconnect"}

        async def send(message):
            raise AssertionError(message)

        app = Application([("/", Waits)], access_log=False)
        await asyncio.wait_for(app.asgi(scope(), receive, send), 10)
        return closed.is_set()

    assert run(main)


def test_there_are_no_other_scopes(run):
    async def main():
        with pytest.raises(RuntimeError, match="odd"):
            await site().asgi({"type": "odd"}, None, None)

    run(main)


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        """Nothing: the test looks at the answers."""


@pytest.fixture
def wsgi_url():
    server = make_server("127.0.0.1", 0, validator(WSGIAdapter(site())), WSGIServer, Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(url, data=None):
    with urllib.request.urlopen(url, data, timeout=20) as answer:
        return answer.read().decode()


def test_an_application_runs_in_a_wsgi_server(wsgi_url):
    assert fetch(f"{wsgi_url}/?a=%C3%A9") == "GET / é"
    assert fetch(f"{wsgi_url}/", b"name=Ada") == '{"name": "Ada"}'.replace(" ", "")
    assert fetch(f"{wsgi_url}/slow") == "0,1,2,"
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(f"{wsgi_url}/fails")
    assert caught.value.code == 500
    caught.value.close()
