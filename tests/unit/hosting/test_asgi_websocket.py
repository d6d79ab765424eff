"""WebSockets of ASGI programs, with the `websockets` library as the client."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from eyewall.hosting import ASGIContainer
from tests.conftest import Live

ended = []


async def echo(websocket):
    await websocket.accept(subprotocol="chat", headers=[(b"x-a", b"1")])
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"], message["reason"])
            await websocket.send({**message, "type": "websocket.send"})
    except WebSocketDisconnect as end:
        ended.append((end.code, end.reason))


async def refuse(websocket):
    await websocket.close()


async def deny(websocket):
    await websocket.send_denial_response(PlainTextResponse("not you", 401))


async def fails(websocket):
    await websocket.accept()
    raise LookupError("on purpose")


async def leaves(websocket):
    await websocket.accept()


async def closes(websocket):
    await websocket.accept()
    await websocket.close(4001, "enough")


async def pours(websocket):
    await websocket.accept()
    for _ in range(300):
        await websocket.send_bytes(b"x" * 65536)


APP = Starlette(
    routes=[
        WebSocketRoute(f"/{function.__name__}", function)
        for function in (echo, refuse, deny, fails, leaves, closes, pours)
    ]
)


@pytest.fixture
def talk(run):
    def talk(path, main, **options):
        async def served():
            container = ASGIContainer(APP)
            await container.startup()
            live = Live(container)
            try:
                url = f"ws://127.0.0.1:{live.port}/{path}"
                async with connect(url, **options) as client:
                    return await main(client)
            finally:
                live.close()
                await container.drain()

        return run(served)

    return talk


def test_messages_of_both_kinds_go_both_ways(talk):
    async def main(client):
        answers = []
        for message in ("text ☕", b"\x00\xff", "", "x" * 300_000):
            await client.send(message)
            answers.append(await client.recv())
        await client.close(4000, "bye")
        headers = client.response.headers
        return answers, client.subprotocol, headers["X-A"]

    ended.clear()
    answers, subprotocol, header = talk("echo", main, subprotocols=["other", "chat"])
    assert answers == ["text ☕", b"\x00\xff", "", "x" * 300_000]
    assert (subprotocol, header) == ("chat", "1")
    assert ended == [(4000, "bye")]


@pytest.mark.parametrize(("path", "status"), [("refuse", 403), ("deny", 401), ("nothing", 403)])
def test_a_program_may_refuse(talk, path, status):
    async def main(client):
        """Never called."""

    with pytest.raises(InvalidStatus) as caught:
        talk(path, main)
    assert caught.value.response.status_code == status


@pytest.mark.parametrize(("path", "code"), [("fails", 1011), ("leaves", 1000), ("closes", 4001)])
def test_the_end_has_its_code(talk, path, code, caplog):
    async def main(client):
        with pytest.raises(ConnectionClosed):
            await client.recv()
        return client.close_code

    assert talk(path, main) == code
    assert len(caplog.records) == (path == "fails")


def test_a_client_that_is_cut_off_is_told_as_1006(talk):
    async def main(client):
        await client.send("hello")
        await client.recv()
        client.transport.abort()
        while not ended:
            await asyncio.sleep(0.005)

    ended.clear()
    talk("echo", main, subprotocols=["chat"])
    assert ended[0][0] in {1005, 1006}


def test_all_that_a_program_pours_out_arrives(talk):
    async def main(client):
        return sum([len(await client.recv()) for _ in range(300)])

    assert talk("pours", main) == 300 * 65536
