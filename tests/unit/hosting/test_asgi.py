"""ASGI programs behind the engine."""

import asyncio
import contextlib

import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from eyewall.base.errors import StartupError
from eyewall.hosting import ASGIContainer
from eyewall.testing.client import TestClient
from eyewall.web import Application, Mount
from tests.conftest import Live


def starlette_app(events):
    @contextlib.asynccontextmanager
    async def lifespan(app):
        events.append("up")
        yield {"name": "Ada"}
        events.append("down")

    async def home(request):
        return PlainTextResponse(f"{request.state.name} {request.url.path} {request.query_params}")

    async def count(request):
        return JSONResponse({"bytes": len(await request.body())})

    async def stream(request):
        async def pieces():
            for _ in range(5):
                yield b"x" * 100_000

        return StreamingResponse(pieces())

    async def fails(request):
        raise LookupError("on purpose")

    async def file(request):
        return FileResponse(__file__)

    return Starlette(
        routes=[
            Route("/", home),
            Route("/a b/é", home),
            Route("/count", count, methods=["POST"]),
            Route("/stream", stream),
            Route("/fails", fails),
            Route("/file", file),
        ],
        lifespan=lifespan,
    )


def served(run, app, ask, **options):
    async def main():
        container = ASGIContainer(app)
        async with TestClient(container, **options) as client:
            try:
                return await ask(client)
            finally:
                await container.drain()

    return run(main)


def test_starlette_runs_with_its_lifespan_bodies_streams_and_files(run):
    events = []

    async def ask(client):
        return (
            await client.get("/?a=1"),
            await client.get("/a%20b/%C3%A9"),
            await client.post("/count", data=b"z" * 300_000),
            await client.get("/stream"),
            await client.get("/file"),
            await client.request("HEAD", "/"),
            await client.get("/nothing"),
        )

    home, path, count, stream, file, head, nothing = served(run, starlette_app(events), ask)
    assert home.text == "Ada / a=1"
    assert path.text.startswith("Ada /a b/é")
    assert count.json() == {"bytes": 300_000}
    assert stream.body == b"x" * 500_000
    assert b"behind the engine" in file.body
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "6")
    assert nothing.status == 404
    assert events == ["up", "down"]


def test_fastapi_runs(run):
    api = FastAPI()

    class Item(BaseModel):
        name: str
        price: float

    @api.post("/items")
    async def add(item: Item):
        return {"name": item.name.upper(), "price": item.price}

    @api.get("/sync")
    def in_a_thread():
        return {"thread": True}

    async def ask(client):
        return (
            await client.post("/items", json={"name": "tea", "price": 2.5}),
            await client.post("/items", json={"name": "tea"}),
            await client.get("/sync"),
            await client.get("/openapi.json"),
        )

    added, wrong, sync, openapi = served(run, api, ask)
    assert added.json() == {"name": "TEA", "price": 2.5}
    assert wrong.status == 422
    assert sync.json() == {"thread": True}
    assert "/items" in openapi.json()["paths"]


def test_an_error_of_the_program_is_500_with_one_log_entry(run, caplog):
    async def ask(client):
        return await client.get("/fails")

    # Starlette answers by itself, and raises for the server's log.
    assert served(run, starlette_app([]), ask).status == 500
    assert "on purpose" in caplog.text
    assert len(caplog.records) == 1


async def silent(scope, receive, send):
    return


async def half(scope, receive, send):
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]}
    )
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


async def confused(scope, receive, send):
    await send({"type": "http.response.body", "body": b"early"})


async def unknown(scope, receive, send):
    await send({"type": "http.response.odd"})


async def bad_header(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a\nb", b"c")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("app", [silent, confused, unknown, bad_header])
def test_a_program_that_does_not_keep_the_protocol_is_answered_500(run, app, caplog):
    async def ask(client):
        return await client.get("/")

    assert served(run, app, ask).status == 500
    assert len(caplog.records) == 1


def test_an_answer_that_is_not_whole_is_cut(run, caplog):
    async def main():
        container = ASGIContainer(half)
        live = Live(container)
        peer = await live.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        data = await peer.read_all()
        await peer.close()
        live.close()
        await container.drain()
        return data

    assert run(main).endswith(b"half")
    assert "without a whole answer" in caplog.text


def test_headers_of_the_connection_are_left_out(run):
    async def app(scope, receive, send):
        headers = [(b"transfer-encoding", b"chunked"), (b"x-a", b"1"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    async def ask(client):
        return await client.get("/")

    response = served(run, app, ask)
    assert (response.body, response.headers["X-A"]) == (b"ab", "1")


def test_trailers_and_hints_reach_the_client(run):
    async def app(scope, receive, send):
        await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]})
        start = {"type": "http.response.start", "status": 200, "headers": [], "trailers": True}
        await send(start)
        await send({"type": "http.response.body", "body": b"x"})
        await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"7")]})

    async def main():
        container = ASGIContainer(app)
        live = Live(container)
        peer = await live.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        data = await peer.read_all()
        await peer.close()
        live.close()
        await container.drain()
        return data

    data = run(main)
    assert data.startswith(b"HTTP/1.1 103 ")
    assert b"</a.css>; rel=preload" in data
    assert b"x-sum: 7" in data.lower()


def test_the_client_going_away_is_told_and_sending_raises(run):
    seen = asyncio.Queue()

    async def app(scope, receive, send):
        if scope["type"] != "http":
            raise RuntimeError("no lifespan here")
        await receive()
        seen.put_nowait("began")
        seen.put_nowait((await receive())["type"])
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        except OSError:
            seen.put_nowait("raised")
            raise

    async def main():
        live = Live(ASGIContainer(app))
        peer = await live.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await seen.get() == "began"
        await peer.close()
        told = await seen.get(), await seen.get()
        live.close()
        return told

    assert run(main) == ("http.disconnect", "raised")


def test_a_slow_reader_holds_the_program_up(run):
    """`send` waits while the client takes nothing."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(400):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            sent.append(65536)
        await send({"type": "http.response.body", "body": b""})

    async def main():
        container = ASGIContainer(app)
        live = Live(container)
        peer = await live.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        await peer.reader.readuntil(b"\r\n\r\n")
        held = sum(sent)
        body = await peer.read_all()
        await peer.close()
        live.close()
        await container.drain()
        return held, len(body)

    held, size = run(main)
    assert held < 400 * 65536
    assert size > 400 * 65536


def test_a_body_over_the_limit_is_413_for_the_program(run, caplog):
    async def app(scope, receive, send):
        while (await receive())["type"] == "http.request":
            continue

    async def ask(client):
        return await client.post("/", data=b"x" * 5000)

    assert served(run, app, ask, limits={"body_bytes": 1000}).status == 413


def test_a_startup_that_fails_says_why_and_requests_are_503(run, caplog):
    @contextlib.asynccontextmanager
    async def lifespan(app):
        raise LookupError("no database")
        yield

    async def main():
        container = ASGIContainer(Starlette(lifespan=lifespan))
        with pytest.raises(StartupError, match="no database"):
            await container.startup()
        async with TestClient(container) as client:
            return (await client.get("/")).status

    assert run(main) == 503


def test_a_program_below_a_prefix_sees_the_whole_path_and_its_root(run):
    async def app(scope, receive, send):
        body = f"{scope['root_path']} {scope['path']}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async def main():
        site = Application([Mount("/api", ASGIContainer(app))], access_log=False)
        async with TestClient(site) as client:
            return (await client.get("/api/users")).text

    assert run(main) == "/api /api/users"


def test_what_is_not_callable_is_refused():
    with pytest.raises(TypeError, match="callable"):
        ASGIContainer("main:app")
