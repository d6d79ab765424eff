"""`WebSocketGroup`: one message to many handlers."""

import asyncio
import contextlib

import pytest

from eyewall.http.client import HTTPRequest
from eyewall.http.server.server import HTTPServer
from eyewall.realtime import (
    WebSocketClosedError,
    WebSocketGroup,
    WebSocketHandler,
    websocket_connect,
)
from eyewall.testing.certificates import certificate_files
from eyewall.web import Application


class Member(WebSocketHandler):
    def initialize(self, group, members):
        self.group, self.members = group, members

    def open(self):
        self.group.add(self)
        self.members.append(self)

    def on_message(self, message):
        self.group.send(message)


@contextlib.asynccontextmanager
async def room(count, *, tls=False, **options):
    """A group, its handlers, and their clients."""
    group, members = WebSocketGroup(**options), []
    files = certificate_files()
    server = HTTPServer(
        Application([("/", Member, {"group": group, "members": members})]),
        ssl_options={"certfile": files.chain, "keyfile": files.key} if tls else None,
    )
    (socket,) = server.listen(0, "127.0.0.1")
    url = f"{'wss' if tls else 'ws'}://127.0.0.1:{socket.getsockname()[1]}/"
    request = HTTPRequest(url, ca_certs=files.authority)
    socket.close()
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(await websocket_connect(request)) for _ in range(count)
        ]
        yield group, members, clients
    server.close()


@pytest.mark.parametrize("tls", [False, True])
def test_everybody_gets_what_anybody_says(run, tls):
    async def main():
        async with room(5, tls=tls) as (group, _, clients):
            assert len(group) == 5
            await clients[0].send("hello")
            await clients[1].send(b"\x00")
            for client in clients:
                assert {await client.read_message(), await client.read_message()} == {
                    "hello",
                    b"\x00",
                }
            assert group.send({"all": 5}) == 5
            for client in clients:
                assert await client.read_message() == '{"all":5}'

    run(main)


def test_who_leaves_or_closes_gets_no_more(run):
    async def main():
        async with room(3) as (group, members, clients):
            group.discard(members[0])
            clients[1].close()
            await clients[1].wait_closed()
            while members[1].socket is not None:
                await asyncio.sleep(0)
            assert group.send("x") <= 2
            assert len(group) == 1
            assert await clients[2].read_message() == "x"
            group.discard(members[1])
            with pytest.raises(WebSocketClosedError, match="only an open"):
                group.add(members[1])
            group.add(members[0])
            group.send("y")
            assert await clients[0].read_message() == "y"

    run(main)


def test_a_group_may_be_made_before_there_is_a_loop():
    group = WebSocketGroup()
    assert len(group) == 0
    assert group.send("nobody is there") == 0
    with pytest.raises(ValueError, match='"latest"'):
        WebSocketGroup(slow="wait")
