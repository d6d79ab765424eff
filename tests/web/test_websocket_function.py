"""`websocket`: an async function as a handler."""

import asyncio
import logging

import pytest

from eyewall.http.client import HTTPClientError, HTTPRequest
from eyewall.http.server.server import HTTPServer
from eyewall.realtime import websocket, websocket_connect
from eyewall.web import Application


class Site:
    """An application in the running loop."""

    def __init__(self, *handlers, **settings):
        self.server = HTTPServer(Application(handlers, **settings))
        (socket,) = self.server.listen(0, "127.0.0.1")
        self.port = socket.getsockname()[1]
        socket.close()

    def connect(self, path="/", headers=None, **options):
        url = f"ws://127.0.0.1:{self.port}{path}"
        return websocket_connect(HTTPRequest(url, headers=headers), **options)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc_info):
        self.server.close()


def test_messages_are_iterated_over(run):
    @websocket
    async def echo(ws, name, id):
        async for message in ws:
            await ws.send({"to": name, "text": message} if id == "1" else message)

    async def main():
        async with Site((r"/(?P<name>\w+)/(?P<id>\d+)", echo)) as site:
            async with await site.connect("/me/1") as ws:
                await ws.send("hello")
                assert await ws.read_message() == '{"to":"me","text":"hello"}'
            async with await site.connect("/me/2") as ws:
                for number in range(100):
                    await ws.send(str(number).encode())
                received = [await ws.read_message() for _ in range(100)]
                assert received == [str(number).encode() for number in range(100)]

    run(main)


def test_returning_closes(run):
    @websocket
    async def once(ws):
        await ws.send(await ws.read_message())

    async def main():
        async with Site(("/", once)) as site, await site.connect() as ws:
            await ws.send("x")
            assert [message async for message in ws] == ["x"]
            assert ws.close_code == 1000

    run(main)


def test_an_error_is_logged_and_closes_with_1011(run, caplog):
    @websocket
    async def wrong(ws):
        raise ZeroDivisionError

    async def main():
        async with Site(("/", wrong)) as site, await site.connect() as ws:
            assert await ws.read_message() is None
            assert ws.close_code == 1011

    with caplog.at_level(logging.ERROR):
        run(main)
    assert "Uncaught exception GET /" in caplog.text


def test_sending_to_a_client_that_has_gone_ends_the_function_quietly(run, caplog):
    async def main():
        ended = asyncio.get_running_loop().create_future()

        @websocket
        async def pouring(ws):
            try:
                while True:
                    await ws.send("x" * 1000)
                    await asyncio.sleep(0)
            finally:
                ended.set_result(None)

        async with Site(("/", pouring)) as site:
            ws = await site.connect()
            await ws.read_message()
            ws._wire.transport.abort()
            await ended

    with caplog.at_level(logging.WARNING):
        run(main)
    assert caplog.text == ""


def test_a_function_may_send_while_it_waits_for_messages(run):
    @websocket
    async def both(ws):
        async def tick():
            while True:
                await ws.send("tick")
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        try:
            async for message in ws:
                await ws.send(message)
        finally:
            ticking.cancel()

    async def main():
        async with Site(("/", both)) as site, await site.connect() as ws:
            seen = {await ws.read_message() for _ in range(3)}
            await ws.send("x")
            while "x" not in seen:
                seen.add(await ws.read_message())
            assert seen == {"tick", "x"}

    run(main)


def test_options_say_what_is_served(run):
    @websocket(
        subprotocols=["two", "one"],
        origins=["https://friend.example"],
        compression=True,
        max_message_size=100,
    )
    async def echo(ws):
        """What it is for."""
        async for message in ws:
            await ws.send(message)

    assert echo.__name__ == "echo"
    assert echo.__doc__ == "What it is for."

    async def main():
        async with Site(("/", echo)) as site:
            async with await site.connect(
                subprotocols=["one", "two"], compression_options={}
            ) as ws:
                assert ws.selected_subprotocol == "two"
                assert "permessage-deflate" in ws.headers["Sec-WebSocket-Extensions"]
                await ws.send("x" * 101)
                assert await ws.read_message() is None
                assert ws.close_code == 1009
            async with await site.connect(headers={"Origin": "https://friend.example"}):
                pass
            with pytest.raises(HTTPClientError, match="403"):
                await site.connect(headers={"Origin": "https://foe.example"})

    run(main)


def test_a_closed_origin_list_may_be_opened_to_all(run):
    @websocket(origins=["*"])
    async def hello(ws):
        await ws.send("hello")

    async def main():
        async with (
            Site(("/", hello)) as site,
            await site.connect(headers={"Origin": "https://anywhere.example"}) as ws,
        ):
            assert await ws.read_message() == "hello"

    run(main)
